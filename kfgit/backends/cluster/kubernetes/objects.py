"""Kubernetes objects that are wanted or owned, as they are: one list for each kind, and dry runs of what would change.

A list by our label shows what we own. What is wanted or known beyond that is asked for by name: a stranger may have the
name, or somebody may have taken our label off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from kfgit import canonical
from kfgit.backends.cluster.connection.wire import Forbidden
from kfgit.backends.cluster.kubernetes import manifests
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Conflict, Immutable, Invalid, NoSuchKind, Object
from kfgit.backends.cluster.records.inventory import Entry, Inventory
from kfgit.ir import Resource
from kfgit.plan import Live, LiveObject

WIDTH = 8
Key = tuple[str, str]
Group = tuple[str, str]

_HOLDS_DATA = {"PersistentVolumeClaim"}
_EMPTIED = "it cannot be changed in place: it is deleted, with all that it holds, and made anew"


def is_kubernetes(spec: Mapping[str, Any]) -> bool:
    """Whether a resource's or an entry's spec is a manifest."""
    return "apiVersion" in spec


@dataclass(frozen=True, slots=True)
class _Seen:
    """An object, None where there is none, and what there is to say of it."""

    live: LiveObject | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observer:
    """Looks at the objects of one set."""

    kube: KubeApi
    owner: str
    inventory: Inventory

    def observe(self, desired: Sequence[Resource]) -> Live:
        """What is live of what is desired and of all that is owned. Raises `MachineFault` where that cannot be seen."""
        wanted = {(each.kind, each.name): each for each in desired if is_kubernetes(each.spec)}
        specs = {key: each.spec for key, each in self._known.items()}
        specs.update((key, each.spec) for key, each in wanted.items())
        groups: dict[Group, set[str]] = defaultdict(set)
        for (kind, name), spec in specs.items():
            groups[spec["apiVersion"], kind].add(name)
        with ThreadPoolExecutor(WIDTH) as pool:
            found: dict[Key, Object] = {}
            for each in pool.map(lambda group: self._of_kind(group, groups[group]), sorted(groups)):
                # A kind may be listed in two versions: what is wanted is looked at in the wanted one.
                found.update(
                    {key: o for key, o in each.items() if _version(o) == specs.get(key, o)["apiVersion"]}
                )
            keys = sorted({*found, *wanted})
            seen = pool.map(lambda key: self._seen(found.get(key), wanted.get(key)), keys)
            told = dict(zip(keys, seen, strict=True))
        return Live(
            tuple(each.live for each in told.values() if each.live is not None),
            vanished=frozenset(self._known.keys() - found.keys()),
            notes={key: each.notes for key, each in told.items() if each.notes},
        )

    @cached_property
    def _ids(self) -> frozenset[str]:
        return frozenset(each.id for each in self._known.values())

    @cached_property
    def _known(self) -> dict[Key, Entry]:
        return {(each.kind, each.name): each for each in self.inventory.entries if is_kubernetes(each.spec)}

    def _of_kind(self, group: Group, names: set[str]) -> dict[Key, Object]:
        """Objects of one kind: ours, and what has a name that is wanted or known."""
        api_version, kind = group
        try:
            listed = self.kube.list(api_version, kind, manifests.selector(self.owner))
            found = {each["metadata"]["name"]: each for each in listed if self._is_ours(each)}
            for name in sorted(names - found.keys()):
                other = self.kube.get(api_version, kind, name)
                if other is not None:
                    found[name] = other
        except NoSuchKind:
            # Where there is no such kind there is no such object; trying to make one tells what is missing.
            return {}
        return {(kind, name): each for name, each in found.items()}

    def _is_ours(self, found: Object) -> bool:
        return manifests.owner_of(found) == self.owner or found["metadata"]["uid"] in self._ids

    def _seen(self, found: Object | None, wanted: Resource | None) -> _Seen:
        if found is None:
            return _Seen(None, self._attempt(wanted)[1] if wanted else ())
        entry = self._entry(found)
        live = self._live(found, entry, wanted)
        if wanted is None or not live.owned or live.spec == wanted.spec:
            return _Seen(live)
        told, notes = self._attempt(wanted)
        if told is None:
            return _Seen(live, notes)
        if isinstance(told, Immutable):
            lost = (_EMPTIED,) if live.kind in _HOLDS_DATA else ()
            return _Seen(replace(live, recreate=True), lost)
        shape = _shape(entry, wanted)
        seen, tried = manifests.spec_of(found, shape), manifests.spec_of(told, shape)
        spec = manifests.settled(live.spec, seen, tried, wanted.spec)
        return _Seen(replace(live, spec=spec, digest=canonical.digest(spec)))

    def _entry(self, found: Object) -> Entry | None:
        """What was applied to this very object."""
        entry = self._known.get((found["kind"], found["metadata"]["name"]))
        return entry if entry is not None and entry.id == found["metadata"]["uid"] else None

    def _live(self, found: Object, entry: Entry | None, wanted: Resource | None) -> LiveObject:
        spec = manifests.spec_of(found, _shape(entry, wanted))
        other = manifests.owner_of(found)
        owned = entry is not None or other == self.owner
        before = entry if entry is not None and entry.digest else None
        if before is not None:
            spec = manifests.settled(spec, spec, before.extra.get(manifests.SEEN, before.spec), before.spec)
        return LiveObject(
            found["kind"],
            found["metadata"]["name"],
            found["metadata"]["uid"],
            spec,
            canonical.digest(spec),
            owned,
            applied=before.digest
            if before
            else manifests.applied_digest(found)
            if owned and not entry
            else None,
            before=before.spec if before else None,
            detail={} if owned or other is None else {"owner": f"another set of kfgit, {other}"},
            unrecorded=owned and entry is None,
        )

    def _attempt(self, wanted: Resource) -> tuple[Object | Immutable | None, tuple[str, ...]]:
        """What the server would make of what is wanted; where it refuses, why."""
        try:
            return self.kube.apply(manifests.manifest(wanted, self.owner), dry_run=True), ()
        except Immutable as fault:
            return fault, ()
        except (Conflict, Invalid, NoSuchKind) as fault:
            return None, (str(fault),)
        except Forbidden as fault:
            # Who may only look may plan, and learns what is missing.
            return None, (f"it could not be tried: {fault}",)


def _shape(entry: Entry | None, wanted: Resource | None) -> Object:
    """What is looked at: all that is wanted or was applied."""
    shape: Object = manifests.merged(entry.spec if entry else {}, wanted.spec if wanted else {})
    return shape


def _version(found: Object) -> str:
    return str(found["apiVersion"])
