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
from kfgit.backends.cluster.kubernetes import lacking, manifests
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Conflict, Immutable, Invalid, NoSuchKind, Object
from kfgit.backends.cluster.records.inventory import Entry, Inventory
from kfgit.ir import Resource
from kfgit.plan import Lack, Live, LiveObject

WIDTH = 8
Key = tuple[str, str]
Group = tuple[str, str]

_ANEW = "it cannot be changed in place: it is deleted, with all that it holds, and made anew"
# What is said of kinds that lose more than themselves where they are made anew.
_LOST = {"PersistentVolumeClaim": (_ANEW,)}


def is_kubernetes(spec: Mapping[str, Any]) -> bool:
    """Whether a resource's or an entry's spec is a manifest."""
    return "apiVersion" in spec


@dataclass(frozen=True, slots=True)
class _Seen:
    """An object, None where there is none, what there is to say of it, and what its server lacks for it."""

    live: LiveObject | None
    notes: tuple[str, ...] = ()
    lack: Lack | None = None


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
        # Where there is no such kind there is no such object.
        absent = lacking.of_kinds(self.kube, {_group(key, spec) for key, spec in specs.items()})
        with ThreadPoolExecutor(WIDTH) as pool:
            found = self._found(pool, {k: spec for k, spec in specs.items() if _group(k, spec) not in absent})
            keys = sorted({*found, *wanted})
            lacks = {key: absent.get(_group(key, each.spec)) for key, each in wanted.items()}
            seen = pool.map(lambda key: self._seen(found.get(key), wanted.get(key), lacks.get(key)), keys)
            told = dict(zip(keys, seen, strict=True))
        going = {key: each for key, each in found.items() if _is_going(each)}
        return Live(
            tuple(each.live for each in told.values() if each.live is not None),
            vanished=frozenset(self._known.keys() - (found.keys() - going.keys())),
            notes={key: each.notes for key, each in told.items() if each.notes},
            remarks=tuple(_leaving(*key, each) for key, each in going.items() if key not in wanted),
            lacks=tuple(dict.fromkeys(each.lack for each in told.values() if each.lack is not None)),
        )

    def _found(self, pool: ThreadPoolExecutor, specs: Mapping[Key, Object]) -> dict[Key, Object]:
        """All that is there under some names, or is ours and of one of their kinds."""
        groups: dict[Group, set[str]] = defaultdict(set)
        for key, spec in specs.items():
            groups[_group(key, spec)].add(key[1])
        found: dict[Key, Object] = {}
        for each in pool.map(lambda group: self._of_kind(group, groups[group]), sorted(groups)):
            # A kind may be listed in two versions: what is wanted is looked at in the wanted one.
            found.update(
                {key: o for key, o in each.items() if _version(o) == specs.get(key, o)["apiVersion"]}
            )
        return found

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
            # It has gone since it was asked for; trying to make one tells what is missing.
            return {}
        return {(kind, name): each for name, each in found.items()}

    def _is_ours(self, found: Object) -> bool:
        return manifests.owner_of(found) == self.owner or found["metadata"]["uid"] in self._ids

    def _seen(self, found: Object | None, wanted: Resource | None, lack: Lack | None) -> _Seen:
        if lack is not None:
            return _Seen(None, (lack.message,), lack)
        if found is not None and _is_going(found):
            # Nothing said of it now would outlive it.
            return _Seen(None, (f"the one that is there {_held(found)}",))
        if found is None:
            return self._wish(wanted) if wanted is not None else _Seen(None)
        entry = self._entry(found)
        live = self._live(found, entry, wanted)
        if wanted is None or not live.owned:
            return _Seen(live)
        if live.spec == wanted.spec:
            return _lacking(_Seen(live), wanted, found)
        told, notes = self._attempt(wanted)
        if told is None:
            return _Seen(live, notes)
        if isinstance(told, Immutable):
            return _Seen(replace(live, recreate=True), _LOST.get(live.kind, ()))
        shape = _shape(entry, wanted)
        seen, tried = manifests.spec_of(found, shape), manifests.spec_of(told, shape)
        spec = manifests.settled(live.spec, seen, tried, wanted.spec)
        return _lacking(_Seen(replace(live, spec=spec, digest=canonical.digest(spec))), wanted, told)

    def _wish(self, wanted: Resource) -> _Seen:
        """What the server says of an object that is not there yet."""
        told, notes = self._attempt(wanted)
        seen = _Seen(None, notes)
        return seen if told is None or isinstance(told, Immutable) else _lacking(seen, wanted, told)

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


def _lacking(seen: _Seen, wanted: Resource, told: Object) -> _Seen:
    """With what the server leaves out of an object as if nobody had said it."""
    lack = lacking.of_fields(wanted, told)
    return seen if lack is None else replace(seen, notes=(*seen.notes, lack.message), lack=lack)


def _is_going(found: Object) -> bool:
    """Whether somebody has deleted an object that its finalizers still hold."""
    return bool(found["metadata"].get("deletionTimestamp"))


def _leaving(kind: str, name: str, found: Object) -> str:
    return f"{kind.lower()}/{name} {_held(found)}"


def _held(found: Object) -> str:
    finalizers = ", ".join(map(str, found["metadata"].get("finalizers") or ()))
    return f"is being deleted, and goes when nothing uses it any more ({finalizers or 'in a moment'})"


def _group(key: Key, spec: Object) -> Group:
    return str(spec["apiVersion"]), key[0]


def _version(found: Object) -> str:
    return str(found["apiVersion"])
