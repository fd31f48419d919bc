"""The inventory as the cluster keeps it: a ConfigMap, and more of them where one would become too large. Pure.

The head names everything else by its content's digest, and a shard is written before the head that names it: whoever
reads the head finds all of what it says, or learns that it was cut. Shards are cut by the digest of kind and name, so
that a change of one object changes one shard.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kfgit import canonical
from kfgit.backends.cluster.records import past
from kfgit.backends.cluster.records.inventory import Entry, Intent, Inventory, Journal

# 2: what past applies were of, and which runs they wanted.
FORMAT = 2
# Compressed bytes of one object: base64 makes four thirds of them, and a request to etcd has room for 1.5 MiB.
ROOM = 700 * 1024
# What one may become: no inventory is that large, but something hostile might be.
MAX_TEXT = 64 << 20
MAX_SHARDS = 1024

KEY = "inventory.json.gz"
MANAGED = {"app.kubernetes.io/managed-by": "kfgit"}
FORMAT_KEY, PROJECT_KEY, ENVIRONMENT_KEY = "kfgit.dev/format", "kfgit.dev/project", "kfgit.dev/environment"


class Unreadable(ValueError):
    """What is stored is not an inventory; the text says how."""


class OfAnother(Unreadable):
    """It is an inventory, and that of another project or environment; the text says whose, and the way out."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose inventory, and what its objects are called."""

    project: str
    environment: str

    @property
    def name(self) -> str:
        """The name of the head, and of the Lease beside it."""
        return f"kfgit-{self.project}-{self.environment}"

    def shard(self, digest: str) -> str:
        """The name of a shard with this content."""
        return f"{self.name}-{digest[:16]}"


@dataclass(frozen=True, slots=True)
class Written:
    """What an inventory becomes: shards by name, and the head's own bytes."""

    head: bytes
    shards: Mapping[str, bytes]


def encoded(place: Place, inventory: Inventory, room: int = ROOM) -> Written:
    """Equal inventories give equal bytes. Raises `Unreadable` where they cannot be made small enough."""
    head: dict[str, Any] = {
        "format": FORMAT,
        "project": place.project,
        "environment": place.environment,
        "journal": _journal(inventory.journal),
        "history": [past.encoded(each) for each in past.shortened(inventory.history)],
        **({"kfp": inventory.kfp} if inventory.kfp is not None else {}),
    }
    count = 1
    while count <= MAX_SHARDS:
        parts = [_text(part) for part in _parts(inventory, count)]
        if count == 1 and len(whole := _zipped(_text({**head, **json.loads(parts[0])}))) <= room:
            return Written(whole, {})
        zipped = {place.shard(_digest(text)): _zipped(text) for text in parts}
        if count > 1 and all(len(each) <= room for each in zipped.values()):
            return Written(_zipped(_text({**head, "shards": sorted(zipped)})), zipped)
        count *= 2
    raise Unreadable("it is too large for any number of ConfigMaps")


def shards(place: Place, head: bytes) -> tuple[str, ...]:
    """The names of the shards that a head refers to. Raises `Unreadable`, also for a head of somebody else's."""
    return tuple(_head(place, head).get("shards", ()))


def decoded(place: Place, head: bytes, parts: Mapping[str, bytes], version: str | None) -> Inventory:
    """The inventory in a head and its shards, of which none may be missing. Raises `Unreadable`."""
    told = _head(place, head)
    found = [told]
    for name in told.get("shards", ()):
        text = _unzipped(parts[name])
        if place.shard(_digest(text)) != name:
            raise Unreadable(f"`{name}` has other content than it was written with")
        found.append(_object(text))
    try:
        return _inventory(told, found, version)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise Unreadable("it lacks something that every inventory has") from fault


def is_shard(place: Place, name: str, data: bytes) -> bool:
    """Whether some bytes are what a shard of this name has; they differ where another zlib squeezed them."""
    try:
        return place.shard(_digest(_unzipped(data))) == name
    except Unreadable:
        return False


def _inventory(head: Mapping[str, Any], parts: Iterable[Mapping[str, Any]], version: str | None) -> Inventory:
    entries: list[Entry] = []
    intents: list[Intent] = []
    fired: dict[str, str] = {}
    for part in parts:
        entries += (Entry(**each) for each in part.get("entries", ()))
        intents += (Intent(**each) for each in part.get("intents", ()))
        fired.update(part.get("fired", {}))
    journal = head["journal"]
    return Inventory(
        tuple(sorted(entries, key=_subject)),
        dict(sorted(fired.items())),
        None
        if journal is None
        else Journal(
            **{
                **journal,
                "started_at": past.time(journal["started_at"]),
                "intents": tuple(sorted(intents, key=_subject)),
            }
        ),
        tuple(map(past.decoded, head["history"])),
        version,
        None if head.get("kfp") is None else str(head["kfp"]),
    )


def _parts(inventory: Inventory, count: int) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"entries": [], "intents": [], "fired": {}} for _ in range(count)]
    # Equal names stay in their order: of two objects under one name the later one counts.
    for entry in sorted(inventory.entries, key=_subject):
        parts[_bucket(_subject(entry), count)]["entries"].append(_plain(entry, Entry))
    for intent in sorted(inventory.journal.intents if inventory.journal else (), key=_subject):
        parts[_bucket(_subject(intent), count)]["intents"].append(_plain(intent, Intent))
    for key, run in sorted(inventory.fired.items()):
        parts[_bucket(("fired", key), count)]["fired"][key] = run
    return parts


def _bucket(key: tuple[str, str], count: int) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(key).encode()).digest()[:4], "big") % count


def _subject(thing: Entry | Intent) -> tuple[str, str]:
    return thing.kind, thing.name


def _plain(thing: Any, kind: type) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in kind.__dataclass_fields__}  # type: ignore[attr-defined]


def _journal(journal: Journal | None) -> dict[str, Any] | None:
    if journal is None:
        return None
    told = _plain(journal, Journal)
    del told["intents"]
    return {**told, "started_at": journal.started_at.isoformat()}


def _head(place: Place, head: bytes) -> Mapping[str, Any]:
    told = _object(_unzipped(head))
    version = told.get("format")
    if not isinstance(version, int) or version < 1:
        raise Unreadable("it does not say in which format it is written")
    if version > FORMAT:
        raise Unreadable(
            f"a newer kfgit wrote it (format {version}, and this one reads {FORMAT}): use that one"
        )
    owner = (told.get("project"), told.get("environment"))
    if owner != (place.project, place.environment):
        raise OfAnother(
            f"it is that of project `{owner[0]}`, environment `{owner[1]}`: both names together are the same; rename "
            "one of the two environments"
        )
    names = told.get("shards", [])
    if not isinstance(names, list) or len(names) > MAX_SHARDS or not all(isinstance(n, str) for n in names):
        raise Unreadable("it does not say where the rest of it is")
    return told


def _text(value: Any) -> bytes:
    return canonical.dumps(value).encode("utf-8", "surrogatepass")


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _zipped(text: bytes) -> bytes:
    """As gzip, whose head would have the time and the kind of machine: made here, it has neither."""
    squeezer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = squeezer.compress(text) + squeezer.flush()
    tail = zlib.crc32(text).to_bytes(4, "little") + (len(text) & 0xFFFFFFFF).to_bytes(4, "little")
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + tail


def _unzipped(data: bytes) -> bytes:
    squeezed = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        text = squeezed.decompress(data, MAX_TEXT)
    except zlib.error as fault:
        raise Unreadable("it is not compressed as it was written") from fault
    if not squeezed.eof:
        raise Unreadable("it is cut off" if len(text) < MAX_TEXT else "it is too large")
    return text


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise Unreadable("it is no JSON") from fault
    if not isinstance(told, dict):
        raise Unreadable("it is no JSON object")
    return told


def config_map(
    name: str, content: bytes, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> dict[str, Any]:
    """The object that keeps some bytes."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {**MANAGED, **labels}, "annotations": dict(annotations)},
        "binaryData": {KEY: base64.b64encode(content).decode()},
    }


def told_to_people(place: Place, inventory: Inventory, at: datetime) -> dict[str, str]:
    """For people who look at it with kubectl; kfgit itself reads none of it but to name somebody."""
    told = {
        FORMAT_KEY: str(FORMAT),
        PROJECT_KEY: place.project,
        ENVIRONMENT_KEY: place.environment,
        "kfgit.dev/objects": str(len(inventory.entries)),
    }
    last = inventory.journal or (inventory.history[0] if inventory.history else None)
    if last is not None:
        told["kfgit.dev/applied-by"] = last.who
        told["kfgit.dev/applied-at"] = at.isoformat(timespec="seconds")
        told["kfgit.dev/commit"] = last.commit or ""
        told["kfgit.dev/state"] = "applying, or not all of it done" if inventory.journal else "done"
    return told


def content(stored: Mapping[str, Any]) -> bytes:
    """The bytes in such an object. Raises `Unreadable` where there are none."""
    try:
        return base64.b64decode(stored["binaryData"][KEY], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as fault:
        raise Unreadable(f"it has no `binaryData` with `{KEY}`") from fault
