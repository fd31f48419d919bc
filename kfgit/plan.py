"""Desired against live: the ordered changes that make them equal.

Pure: the same two sides give the same plan, in the same order, with the same digest.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from kfgit import canonical
from kfgit.ir import DEFAULT_EXPERIMENT, Resource
from kfgit.resolve.secrets import is_secret


@dataclass(frozen=True, slots=True)
class LiveObject:
    """One object as the target has it. `applied` is the digest that kfgit last applied, if it did.

    `before` is what was applied, where that is known: what differs from it has drifted. `fixed` says of fields that the
    target cannot change why that is so; `recreate`, that it takes the change only as a new object. A `leftover` is a
    second object of ours under one name, which an apply that was cut off has left behind. `unrecorded` is ours by its
    mark alone: nothing that was written down knows of it. `documents` are the names of the documents that wanted it.
    """

    kind: str
    name: str
    id: str
    spec: Mapping[str, Any]
    digest: str
    owned: bool
    applied: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None
    fixed: Mapping[str, str] = field(default_factory=dict)
    recreate: bool = False
    leftover: bool = False
    unrecorded: bool = False
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Live:
    """All that is live, and how many API requests it took to see it.

    `vanished` are kind and name of what kfgit made and what somebody else removed. `notes` are about single objects,
    wanted or live, `remarks` about the target as a whole. `unfinished`: an apply was cut off, and the target still
    says so.
    """

    objects: tuple[LiveObject, ...]
    requests: int = 0
    vanished: frozenset[tuple[str, str]] = frozenset()
    notes: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    unfinished: bool = False


Cause = Literal["source", "drift", "adoption"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that changes; `before` or `after` is None where it is not there. `drift`: somebody else changed it."""

    path: str
    before: Any
    after: Any
    drift: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """An object that is not live yet, or (`drift`) not any more."""

    desired: Resource
    cause: Cause = "source"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """An object that is changed in place."""

    desired: Resource
    live: LiveObject
    cause: Cause
    diff: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replace:
    """An object that cannot be changed in place: a new one takes over from the old one."""

    desired: Resource
    live: LiveObject
    cause: Cause
    diff: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """An owned object that nobody wants any more."""

    live: LiveObject
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Adopt:
    """A foreign object that becomes ours."""

    desired: Resource
    live: LiveObject
    diff: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An object that is as it should be, or is left alone for the reason in `notes`."""

    kind: str
    name: str
    notes: tuple[str, ...] = ()


Change: TypeAlias = Create | Update | Replace | Delete | Adopt | Unchanged

ORDER = ("Experiment", "Pipeline", "Schedule", "Run")
_PRUNE_KEYS = {"Experiment": "experiments", "Pipeline": "pipelines", "Schedule": "schedules", "Run": "runs"}
# What Kubernetes has on behalf of profiles.
_OTHERS = "profiles"
# What people call the documents that those come from.
_PROFILE = ("profile", "resourceprofile")


@dataclass(frozen=True, slots=True)
class Rules:
    """What an environment says about deleting: `prune` by kind, and globs of what is protected.

    With the `prefix` that names have there, a document's name can be told from an object's.
    """

    prune: Mapping[str, str] = field(default_factory=dict)
    protect: tuple[str, ...] = ()
    prefix: str = ""

    def protects(self, live: LiveObject) -> bool:
        """Whether a glob names an object, by its own name or that of a document."""
        return any(fnmatch.fnmatchcase(name, glob) for name in addresses(live) for glob in self.protect)


@dataclass(frozen=True, slots=True)
class Plan:
    """Every object and what happens to it, in the order in which it happens.

    `owned` counts what is kfgit's before, `wanted` what the documents ask for. `foreign` is what others have made under
    names that no document has: it is told, and left alone. `remarks` are about the source or the target as a whole.
    `unfinished`: an apply was cut off, and the next one writes down that it is over, also where nothing is left to do.
    """

    environment: str
    target: str
    changes: tuple[Change, ...]
    commit: str | None = None
    requests: int = 0
    owned: int = 0
    wanted: int = 0
    foreign: tuple[LiveObject, ...] = ()
    remarks: tuple[str, ...] = ()
    unfinished: bool = False

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that change something."""
        return tuple(change for change in self.changes if not isinstance(change, Unchanged))

    @property
    def digest(self) -> str:
        """Equal for equal plans: what would be done, to what, from which state."""
        return canonical.digest(
            [
                self.environment,
                self.target,
                [[action(each), *subject(each), *fingerprint(each)] for each in self.pending],
            ]
        )

    @property
    def place(self) -> str:
        """The target as people know it, without what only tells it from another of the same address."""
        return self.target.partition(" (")[0]

    @property
    def is_local(self) -> bool:
        """Whether the target is this machine."""
        return self.target == LOCAL_TARGET

    @property
    def summary(self) -> Mapping[str, int]:
        """How many changes of each sort."""
        return {name: sum(action(change) == name for change in self.changes) for name in ACTIONS}


# The identity of every local target: what is planned for one may be applied to the same environment elsewhere.
LOCAL_TARGET = "local"

ACTIONS = ("create", "update", "replace", "delete", "adopt", "unchanged")

# So many objects may go without a word, and so large a part of what is owned.
FREE_DELETES = 3
FREE_SHARE = 0.2


FOREIGN = (
    "an object of this name is there that this project did not make: it is left alone; "
    "rename one of them, or take it over with `kfgit adopt`"
)


UNRECORDED = "it is as it should be, and the inventory does not say so yet"


def level(kind: str) -> int:
    """When objects of a kind come to be: Kubernetes' own first, for all others may need them."""
    return ORDER.index(kind) + 1 if kind in ORDER else 0


def action(change: Change) -> str:
    """The word for a change."""
    return type(change).__name__.lower()


def subject(change: Change) -> tuple[str, str]:
    """Kind and name of what changes."""
    match change:
        case Create(desired=desired):
            return desired.kind, desired.name
        case Update(desired=desired) | Replace(desired=desired) | Adopt(desired=desired):
            return desired.kind, desired.name
        case Delete(live=live):
            return live.kind, live.name
        case Unchanged(kind=kind, name=name):
            return kind, name


def fingerprint(change: Change) -> tuple[str | None, str | None]:
    """The digests of an object as it is and as it shall be; None for what is not there."""
    before = after = None
    match change:
        case Create(desired=desired):
            after = desired.digest
        case (
            Update(desired=desired, live=live)
            | Replace(desired=desired, live=live)
            | Adopt(desired=desired, live=live)
        ):
            before, after = live.digest, desired.digest
        case Delete(live=live):
            before = live.digest
        case Unchanged():
            pass
    return before, after


def plan(
    environment: str,
    target: str,
    desired: Sequence[Resource],
    live: Live,
    rules: Rules,
    *,
    commit: str | None = None,
) -> Plan:
    """The changes that make `live` equal to `desired`: first what is created or changed, then what goes."""
    # Names of schedules are not unique on a server: our own object of a name counts before a stranger's.
    ranked = sorted(live.objects, key=lambda thing: (thing.owned, not thing.leftover, thing.id))
    found = {(thing.kind, thing.name): thing for thing in ranked}
    wanted = {(resource.kind, resource.name) for resource in desired}
    changes: list[Change] = [_change(r, found.get((r.kind, r.name)), live.vanished) for r in desired]
    gone = [_documented(thing, rules) for key, thing in found.items() if key not in wanted and thing.owned]
    made_anew = {subject(change) for change in changes if isinstance(change, Create | Replace)}
    prunes = list(_prunes(gone, rules))
    # Of what is kept nobody says which of the two it is that goes on.
    kept = {subject(change) for change in prunes if isinstance(change, Unchanged)}
    changes += [*prunes, *_second_ones(live, made_anew | kept)]
    baseless = _baseless(changes, desired, found)
    changes = [
        _noted(change, (*baseless.get(subject(change), ()), *live.notes.get(subject(change), ())))
        for change in changes
    ]
    changes.sort(key=_place)
    owned = sum(thing.owned for thing in live.objects)
    strangers = [thing for thing in live.objects if _is_foreign(thing, wanted)]
    foreign = tuple(sorted(strangers, key=lambda thing: (thing.kind, thing.name, thing.id)))
    return Plan(
        environment,
        target,
        tuple(changes),
        commit,
        live.requests,
        owned,
        len(wanted),
        foreign,
        live.remarks,
        live.unfinished,
    )


def adoption(
    environment: str,
    target: str,
    desired: Sequence[Resource],
    live: Live,
    chosen: Mapping[tuple[str, str], str],
    *,
    commit: str | None = None,
) -> Plan:
    """The plan that takes objects over as they are, told with what the next apply would change of them.

    `chosen` are their ids by kind and name; `live` is how things would look if they were ours already.
    """
    changes: list[Change] = []
    for resource in desired:
        id_ = chosen.get((resource.kind, resource.name))
        found = next((each for each in live.objects if (each.kind, each.id) == (resource.kind, id_)), None)
        if found is not None:
            changes.append(_adopt(resource, found))
    changes = [_noted(change, live.notes.get(subject(change), ())) for change in changes]
    changes.sort(key=_place)
    owned = sum(each.owned for each in live.objects) - len(changes)
    return Plan(environment, target, tuple(changes), commit, live.requests, owned, len(desired))


def _adopt(resource: Resource, live: LiveObject) -> Adopt:
    match _change(resource, replace(live, owned=True), frozenset()):
        case Update(diff=diff, notes=notes):
            return Adopt(resource, live, diff, ("taken over as it is; the next apply changes it", *notes))
        case Replace(diff=diff, notes=notes):
            told = "taken over as it is; the next apply replaces it by a new one"
            return Adopt(resource, live, diff, (told, *notes))
        case Unchanged(notes=notes):
            return Adopt(resource, live, (), notes)
        case _:
            return Adopt(resource, live, ())


def fits(live: LiveObject, resource: Resource) -> bool:
    """Whether an object is as it is wanted, but for what the target cannot change."""
    return all(_field(each) in live.fixed for each in difference(live.spec, resource.spec))


def _second_ones(live: Live, left_alone: Container[tuple[str, str]]) -> Iterator[Delete]:
    """What an apply that was cut off left behind; the replacement that it belonged to clears up itself."""
    for thing in live.objects:
        if thing.leftover and (thing.kind, thing.name) not in left_alone:
            yield Delete(thing, ("an apply that was cut off left it behind",))


def _noted(change: Change, notes: Sequence[str]) -> Change:
    return replace(change, notes=(*change.notes, *notes)) if notes else change


def _is_foreign(thing: LiveObject, wanted: Container[tuple[str, str]]) -> bool:
    key = (thing.kind, thing.name)
    # KFP makes the default experiment by itself, for whoever runs something.
    return not thing.owned and key not in wanted and key != ("Experiment", DEFAULT_EXPERIMENT)


def excess(plan: Plan) -> str | None:
    """What a plan deletes, where that is more than may go without confirmation; None for what may go."""
    deletes = sum(isinstance(change, Delete) for change in plan.changes)
    if deletes and not plan.wanted:
        return "everything"
    if deletes > max(FREE_DELETES, FREE_SHARE * plan.owned):
        return f"{deletes} of {plan.owned} objects"
    return None


# Kinds that hold data or serve traffic: what goes with one of them does not come back with the next apply.
PRECIOUS = frozenset({
    "ClusterQueue", "CustomResourceDefinition", "Deployment", "Experiment", "InferenceService", "Ingress", "LocalQueue",
    "Namespace", "PersistentVolume", "PersistentVolumeClaim", "Pipeline", "Secret", "Service", "StatefulSet",
})  # fmt: skip


def precious(plan: Plan, confirmed: Container[str] = ()) -> tuple[str, ...]:
    """What a plan deletes that must be confirmed one by one, and is not, as `kind/name`.

    Also what it deletes to make it anew. A document's name confirms as well as the object's own.
    """
    deleted = [
        change.live
        for change in plan.changes
        if isinstance(change, Delete) or (isinstance(change, Replace) and change.live.recreate)
    ]
    return tuple(
        f"{live.kind.lower()}/{live.name}"
        for live in deleted
        if live.kind in PRECIOUS and not any(name.lower() in confirmed for name in addresses(live))
    )


def _place(change: Change) -> tuple[bool, int, str]:
    """Deletions come last and in reverse, so that nothing loses what it stands on."""
    kind, name = subject(change)
    rank = level(kind)
    deletes = isinstance(change, Delete)
    return deletes, -rank if deletes else rank, name


def _change(resource: Resource, live: LiveObject | None, vanished: frozenset[tuple[str, str]]) -> Change:
    if live is None:
        return Create(resource, "drift" if (resource.kind, resource.name) in vanished else "source")
    if resource.kind == "Run":
        return Unchanged("Run", resource.name) if live.applied == resource.digest else Create(resource)
    if not live.owned:
        return Unchanged(resource.kind, resource.name, (_foreign(live),))
    told = tuple(difference(live.spec, resource.spec))
    diff = tuple(d for d in told if _field(d) not in live.fixed)
    notes = tuple(dict.fromkeys(live.fixed[_field(d)] for d in told if _field(d) in live.fixed))
    if not diff and (live.unrecorded or (not told and live.applied not in (None, resource.digest))):
        return Update(resource, live, "source", (), (*notes, UNRECORDED))
    if not diff:
        return Unchanged(resource.kind, resource.name, notes)
    diff = _drifted((*diff, *_package_difference(resource, live)), live)
    made_anew = live.recreate or (resource.kind == "Schedule" and any(d.path != "enabled" for d in diff))
    return (Replace if made_anew else Update)(resource, live, _cause(resource, live, diff), diff, notes)


def _foreign(live: LiveObject) -> str:
    """What to say of a stranger's object; what its mark says another project keeps is not there to be taken over."""
    owner = live.detail.get("owner")
    if owner is None:
        return FOREIGN
    return f"an object of this name is there that belongs to {owner}: it is left alone; rename one of them"


def _baseless(
    changes: Sequence[Change], desired: Sequence[Resource], found: Mapping[tuple[str, str], LiveObject]
) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """What to say of schedules and runs of this commit's version, where a stranger's pipeline has the name of ours."""
    ours = {r.name: str(r.spec.get("digest"))[:12] for r in desired if r.kind == "Pipeline"}
    notes = {}
    for change in changes:
        if not isinstance(change, Create | Update | Replace) or change.desired.kind not in (
            "Schedule",
            "Run",
        ):
            continue
        name = str(change.desired.spec.get("pipeline"))
        live, version = found.get(("Pipeline", name)), ours.get(name)
        if live is None or live.owned or version is None:
            continue
        if change.desired.spec.get("version", version) != version:
            continue
        notes[subject(change)] = (
            f"pipeline `{name}` on the target is not this project's: this fails unless it holds this commit's content",
        )
    return notes


def _field(found: Difference) -> str:
    return found.path.partition(".")[0].partition("[")[0]


def _drifted(diff: Sequence[Difference], live: LiveObject) -> tuple[Difference, ...]:
    """Which fields somebody else changed since the last apply."""
    if live.before is None:
        return tuple(diff)
    moved = {d.path for d in difference(live.before, live.spec)}
    return tuple(replace(d, drift=d.path in moved) for d in diff)


def _cause(resource: Resource, live: LiveObject, diff: Sequence[Difference]) -> Cause:
    if live.applied is None:
        return "adoption"
    return "drift" if live.applied == resource.digest or all(d.drift for d in diff) else "source"


def cause_of(found: Difference, change: Cause | None) -> Cause | None:
    """Why a field changes, in a change with that cause."""
    return "drift" if found.drift else change


def _package_difference(resource: Resource, live: LiveObject) -> Iterator[Difference]:
    """What is different inside the pipeline, where the target can show its own."""
    before = live.detail.get("package")
    if resource.package is not None and isinstance(before, Mapping):
        yield from difference(before, resource.package.spec)


def _prunes(gone: Sequence[LiveObject], rules: Rules) -> Iterator[Change]:
    for live in gone:
        if rules.protects(live):
            yield Unchanged(
                live.kind, live.name, ("no document wants it any more; it is protected and stays",)
            )
        elif rules.prune.get(_prune_key(live.kind), "keep") == "delete":
            yield Delete(live)
        elif live.kind != "Run":
            yield Unchanged(
                live.kind, live.name, (f"no document wants it any more; {_prune_key(live.kind)} are kept",)
            )


def _documented(live: LiveObject, rules: Rules) -> LiveObject:
    """With the name that its document had, where only the prefix can tell."""
    bare = live.name.removeprefix(rules.prefix)
    return live if live.documents or bare == live.name else replace(live, documents=(bare,))


def addresses(live: LiveObject) -> frozenset[str]:
    """All that an object goes by, as `kind/name`: its own name, and those of its documents."""
    own = f"{live.kind.lower()}/{live.name}"
    kinds = (live.kind.lower(),) if level(live.kind) else _PROFILE
    return frozenset((own, *(f"{kind}/{name}" for kind in kinds for name in live.documents or (live.name,))))


def _prune_key(kind: str) -> str:
    """What an environment's `prune` calls objects of a kind."""
    return _PRUNE_KEYS.get(kind, _OTHERS)


def difference(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """The fields that differ, by path; lists are compared item by item where they are equally long."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from difference(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif _differing_variables(before, after):
        one, other = ({each["name"]: each["value"] for each in side} for side in (before, after))
        yield from difference(one, other, path)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from difference(one, other, f"{path}[{index}]")
    elif before != after:
        name = path.rpartition(".")[2]
        yield Difference(path, _shown(name, before), _shown(name, after))


HIDDEN = "(hidden)"


def _differing_variables(before: Any, after: Any) -> bool:
    """Whether these are variables of a container, and others than only in their order: names say more than numbers."""
    both = [{str(each["name"]): each for each in side} for side in (before, after) if _are_variables(side)]
    return len(both) == 2 and both[0] != both[1]


def _are_variables(value: Any) -> bool:
    """Variables with one value for each name (pipeline_spec.proto, PipelineContainerSpec.EnvVar)."""
    if not isinstance(value, list) or not all(
        isinstance(e, Mapping) and set(e) == {"name", "value"} for e in value
    ):
        return False
    return len({str(each["name"]) for each in value}) == len(value)


def _shown(name: str, value: Any) -> Any:
    """A value as plans may show and keep it: what is a secret by its name or its form stays untold."""
    match value:
        case str():
            return HIDDEN if is_secret(name, value) else value
        case Mapping():
            # A variable's name stands beside its value.
            inner = str(value["name"]) if set(value) == {"name", "value"} else None
            return {
                key: _shown(inner if inner and key == "value" else str(key), item)
                for key, item in value.items()
            }
        case list():
            return [_shown(name, item) for item in value]
        case _:
            return value


def destroy(environment: str, target: str, live: Live, rules: Rules) -> Plan:
    """The plan that removes all that is owned; what is protected stays."""
    everything = Rules(dict.fromkeys((*_PRUNE_KEYS.values(), _OTHERS), "delete"), rules.protect, rules.prefix)
    return plan(environment, target, (), live, everything)
