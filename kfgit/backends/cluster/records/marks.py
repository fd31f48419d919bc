"""How objects on a server say whose they are, as far as KFP lets anything be written on them.

Pipelines and versions have tags (at most 63 characters, no `.` in a key: backend/src/apiserver/model/pipeline_tags.go,
KFP 2.17). Experiments, schedules and runs have nothing but a description of at most 255 bytes (client_manager.go,
`DefaultStringSize`), so that a mark is its last line. Whatever cannot be marked is ours by its id in the inventory.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from kfgit.backends.cluster.kfp.limits import kept

SET_TAG = "kfgit-set"
DIGEST_TAG = "kfgit-digest"
MAX_DESCRIPTION = 255

_MARK = re.compile(r"\[kfgit ([0-9a-f]{16}) ([0-9a-f]{12}) ([0-9a-f]{8})\]\Z")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a description says: the set that owns the object, the digest it was made of, and by which operation."""

    set: str
    digest: str
    operation: str

    def __str__(self) -> str:
        """As it stands in a description."""
        return f"[kfgit {self.set} {self.digest[:12]} {self.operation}]"


def set_id(project: str, environment: str, place: str) -> str:
    """Whose objects: 16 hex digits for a project's environment at one place (the uid of its namespace)."""
    return hashlib.sha256(f"{project}\0{environment}\0{place}".encode()).hexdigest()[:16]


def operation(text: str) -> str:
    """8 hex digits that tell one making of an object from the next, the same whenever it is tried again."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def describe(text: str | None, mark: Mark) -> str:
    """A description with a mark behind it; the text gives way where both are too long, or KFP cannot keep it."""
    tail = f"\n{mark}" if text else str(mark)
    room = MAX_DESCRIPTION - len(tail)
    head = kept(text or "").encode()
    if len(head) > room:
        head = head[: room - len("…".encode())]
        return head.decode(errors="ignore") + "…" + tail
    return head.decode() + tail


def mark_of(description: str | None) -> Mark | None:
    """The mark in a description; None where there is none."""
    found = _MARK.search(description or "")
    return Mark(*found.groups()) if found else None


def without_mark(description: str | None) -> str:
    """What a person wrote."""
    return _MARK.sub("", description or "").rstrip("\n")


def is_of(owner: str, found: Mapping[str, str], description: str) -> bool:
    """Whether tags or a description say that an object belongs to a set."""
    mark = mark_of(description)
    return found.get(SET_TAG) == owner or (mark is not None and mark.set == owner)


def tags(owner: str, digest: str) -> dict[str, str]:
    """The tags of a pipeline or version of ours; a sha256 in hex is one character too long for one."""
    return {SET_TAG: owner, DIGEST_TAG: base64.urlsafe_b64encode(bytes.fromhex(digest)).decode().rstrip("=")}


def tagged_digest(found: Mapping[str, str]) -> str | None:
    """The digest in tags, as hex; None where there is none that can be read."""
    text = found.get(DIGEST_TAG, "")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex() if text else None
    except (binascii.Error, ValueError):
        return None


def version_name(digest: str) -> str:
    """What a version is called: the beginning of its content's digest."""
    return digest[:12]


def run_id(owner: str, name: str, key: str) -> str:
    """The id of the run that a document starts under a trigger key: always the same, so that it starts once."""
    return str(uuid5(NAMESPACE_URL, f"kfgit:run:{owner}:{name}:{key}"))
