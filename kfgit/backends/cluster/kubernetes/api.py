"""The Kubernetes API as kfgit uses it: server-side apply, lists, deletions of one very object.

Apply never forces: what somebody else manages is told (`Conflict`), not taken. An apply and the deletion of one uid may
be asked for twice and end the same, so that they are asked for again where the answer got lost.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.wire import Ambiguous, Answer, Wire
from kfgit.backends.cluster.kubernetes import versions
from kfgit.backends.cluster.kubernetes.faults import (
    Expired,
    Gone,
    NoSuchKind,
    Object,
    ServerFault,
    Stale,
    judged,
    whole,
)

MANAGER = "kfgit"
PAGE = 500
# More than any list has, and not endless: what answers may be anything.
_MAX_PAGES = 2000
# So often is a list that the server forgot half-way begun anew, before it is asked for in one piece.
_LIST_TRIES = 3
_WRITE_TRIES = 3

_APPLY = "application/apply-patch+yaml"
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that the server knows, and where its objects are; `api_version` is the one that it has it in."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool


# Kinds that every server has and kfgit itself needs: nobody has to be asked for them.
_BUILT_IN = (
    Kind("v1", "ConfigMap", "configmaps", namespaced=True),
    Kind("v1", "Secret", "secrets", namespaced=True),
    Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True),
    Kind("v1", "ResourceQuota", "resourcequotas", namespaced=True),
    Kind("v1", "LimitRange", "limitranges", namespaced=True),
    Kind("coordination.k8s.io/v1", "Lease", "leases", namespaced=True),
    Kind("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", namespaced=False),
)


@dataclass(eq=False)
class KubeApi:
    """One namespace of a cluster, and what is in no namespace. Thread-safe."""

    wire: Wire
    namespace: str
    _kinds: dict[tuple[str, str], Kind] = field(
        default_factory=lambda: {(kind.api_version, kind.kind): kind for kind in _BUILT_IN}
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def namespace_uid(self) -> str:
        """What tells the namespace from all others of its name, on this cluster or another."""
        answer = self.wire.read("GET", f"/api/v1/namespaces/{_quoted(self.namespace)}")
        if answer.status == 404:
            raise MachineFault(
                f"{answer.place} has no namespace `{self.namespace}`: make it, or name another in "
                "`target.namespace`"
            )
        words = f"namespace `{self.namespace}`"
        return str(whole(judged(answer, words), answer.place, words)["metadata"]["uid"])

    def apply(self, manifest: Object, *, dry_run: bool = False) -> Object:
        """Makes an object be what a manifest says, and returns what it is then; `dry_run`: what it would be.

        Raises `Conflict` where somebody else manages a field, `Immutable` and `Invalid` where the server refuses.
        """
        kind = self._kind(manifest["apiVersion"], manifest["kind"])
        name = manifest["metadata"]["name"]
        if kind.namespaced:
            manifest = {**manifest, "metadata": {**manifest["metadata"], "namespace": self.namespace}}
        query = _query(dry_run=dry_run)
        path = self._path(kind, name)
        sent = versions.sent(manifest, kind.api_version)
        body = json.dumps(sent, separators=(",", ":"), ensure_ascii=False).encode()
        words = _words(kind, name)
        told = self._repeated(
            lambda: self.wire.write("PATCH", path, query, body=body, content_type=_APPLY), words
        )
        return versions.told(whole(told, self.wire.place, words), manifest["apiVersion"])

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        """The object, if there is one."""
        return self.observed(api_version, kind, name)[0]

    def observed(self, api_version: str, kind: str, name: str) -> tuple[Object | None, datetime | None]:
        """The object, if there is one, and when that was by the server's clock, if it says so."""
        found = self._kind(api_version, kind)
        answer = self.wire.read("GET", self._path(found, name))
        words = _words(found, name)
        try:
            told = whole(judged(answer, words), answer.place, words)
            return versions.told(told, api_version), _date(answer)
        except Gone:
            return None, _date(answer)

    def list(self, api_version: str, kind: str, selector: str = "") -> tuple[Object, ...]:
        """All objects of a kind with some labels, each with its kind and version, in the order of their names."""
        found = self._kind(api_version, kind)
        return tuple(
            versions.told({**item, "kind": kind, "apiVersion": api_version}, api_version)
            for item in self._items(found, {"labelSelector": selector} if selector else {})
        )

    def metadata(self, api_version: str, kind: str) -> frozenset[str]:
        """The names of all objects of a kind; what is in them does not leave the server."""
        found = self._kind(api_version, kind)
        items = self._items(found, {}, {"Accept": _NAMES_ONLY})
        return frozenset(item["metadata"]["name"] for item in items)

    def create(self, manifest: Object) -> Object:
        """Makes an object that must not be there yet. Raises `Stale` where it is."""
        kind = self._kind(manifest["apiVersion"], manifest["kind"])
        answer = self.wire.write("POST", self._path(kind), _query(), json=manifest)
        words = _words(kind, manifest["metadata"]["name"])
        return whole(judged(answer, words), answer.place, words)

    def replace(self, manifest: Object, *, dry_run: bool = False) -> Object:
        """Writes an object as a whole. Raises `Stale` where it is not the one that its resourceVersion names."""
        kind = self._kind(manifest["apiVersion"], manifest["kind"])
        name = manifest["metadata"]["name"]
        query = _query(dry_run=dry_run)
        answer = self.wire.write("PUT", self._path(kind, name), query, json=manifest)
        return whole(judged(answer, _words(kind, name)), answer.place, _words(kind, name))

    def delete(self, api_version: str, kind: str, name: str, uid: str) -> bool:
        """Removes the object with this uid; False where it was gone. It may stay until its finalizers are done."""
        found = self._kind(api_version, kind)
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        path, words = self._path(found, name), _words(found, name)
        try:
            self._repeated(lambda: self.wire.write("DELETE", path, json=options), words)
        except Gone:
            return False
        except Stale:
            other = self.get(api_version, kind, name)
            if other is not None and other["metadata"]["uid"] == uid:
                raise
            return False
        return True

    def _repeated(self, write: Callable[[], Answer], words: str) -> Object:
        """A write that may be made twice, made again where nobody knows whether it happened."""
        turn = 1
        while True:
            try:
                return judged(write(), words)
            except (Ambiguous, ServerFault):
                if turn == _WRITE_TRIES:
                    raise
                self.wire.guard()
                turn += 1

    def _items(
        self, kind: Kind, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Sequence[Object]:
        path = self._path(kind)
        for _ in range(_LIST_TRIES):
            try:
                return _pages(self.wire, path, {**query, "limit": str(PAGE)}, headers)
            except Expired:
                continue
        # In one piece there is nothing between two pages that could be forgotten.
        return _pages(self.wire, path, query, headers)

    def _kind(self, api_version: str, kind: str) -> Kind:
        with self._lock:
            found = self._known(api_version, kind)
        if found is None:
            raise NoSuchKind(
                404,
                "NotFound",
                f"{self.wire.place} knows no kind `{kind}` in `{api_version}`: "
                "is what brings it installed there, and in this version?",
            )
        return found

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether the server has a kind, in this version or one that says the same."""
        with self._lock:
            return self._known(api_version, kind) is not None

    def _known(self, api_version: str, kind: str) -> Kind | None:
        """The kind, in this version or an older one that says the same."""
        if (api_version, kind) not in self._kinds:
            self._discover(api_version)
        if (api_version, kind) not in self._kinds:
            older = versions.older(api_version)
            if older is not None and self._known(older, kind) is not None:
                known = [each for (version, _), each in self._kinds.items() if version == older]
                self._kinds.update({(api_version, each.kind): each for each in known})
        return self._kinds.get((api_version, kind))

    def _discover(self, api_version: str) -> None:
        """Asks for all kinds of a group and version; what is not there now may be later, and is asked for again."""
        answer = self.wire.read("GET", _root(api_version))
        if answer.status == 404:
            return
        try:
            for each in judged(answer, f"the kinds of `{api_version}`").get("resources") or ():
                if "/" not in each["name"]:
                    found = Kind(api_version, each["kind"], each["name"], bool(each["namespaced"]))
                    self._kinds[api_version, found.kind] = found
        except (KeyError, TypeError) as fault:
            raise MachineFault(f"{answer.place} does not say what kinds it has in `{api_version}`") from fault

    def _path(self, kind: Kind, name: str | None = None) -> str:
        place = f"/namespaces/{_quoted(self.namespace)}" if kind.namespaced else ""
        return f"{_root(kind.api_version)}{place}/{kind.plural}" + (f"/{_quoted(name)}" if name else "")


def _pages(
    wire: Wire, path: str, query: Mapping[str, str], headers: Mapping[str, str] | None
) -> list[Object]:
    items: list[Object] = []
    seen: set[str] = set()
    while len(seen) < _MAX_PAGES:
        answer = wire.read("GET", path, query, headers)
        told = judged(answer, "a list")
        # An empty list of names is null there.
        found = [] if "items" in told and told["items"] is None else told.get("items")
        if not isinstance(found, list):
            raise MachineFault(f"{answer.place} answers GET {path} with something else than a list")
        items += (whole(each, answer.place, "a list") for each in found)
        following = str((told.get("metadata") or {}).get("continue") or "")
        if not following:
            return items
        if following in seen:
            raise MachineFault(
                f"{wire.place} answers GET {path} with pages that lead back to one read before"
            )
        seen.add(following)
        query = {**query, "continue": following}
    raise MachineFault(f"{wire.place} answers GET {path} with more than {_MAX_PAGES} pages")


def _date(answer: Answer) -> datetime | None:
    try:
        at = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None
    return at if at.tzinfo else None


def _root(api_version: str) -> str:
    return f"/apis/{quote(api_version)}" if "/" in api_version else f"/api/{quote(api_version)}"


def _query(*, dry_run: bool = False) -> dict[str, str]:
    return {
        "fieldManager": MANAGER,
        "fieldValidation": "Strict",
        **({"dryRun": "All"} if dry_run else {}),
    }


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _words(kind: Kind, name: str) -> str:
    return f"{kind.kind} `{name}`"
