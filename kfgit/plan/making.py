"""Desired against live: the ordered changes that make them equal, and the plans that adopt and destroy."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

from kfgit.ir import DEFAULT_EXPERIMENT, Resource, Use
from kfgit.plan.differences import difference
from kfgit.plan.rules import Rules, prune_key
from kfgit.plan.uses import USES, written
from kfgit.plan.values import (
    Adopt,
    Cause,
    Change,
    Create,
    Delete,
    Difference,
    Live,
    LiveObject,
    Plan,
    Replace,
    Unchanged,
    Update,
    WantedRun,
    rank,
    subject,
)

FOREIGN = (
    "an object of this name is there that this project did not make: it is left alone; "
    "rename one of them, or take it over with `kfgit adopt`"
)

UNRECORDED = "it is as it should be, and the inventory does not say so yet"


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
    gone = [rules.documented(thing) for key, thing in found.items() if key not in wanted and thing.owned]
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
        last=live.last,
        runs=tuple(_wanted_runs(desired, changes, found)),
        lacks=live.lacks,
        uses=dict(_unwritten(desired, changes, found)),
    )


def _wanted_runs(
    desired: Sequence[Resource], changes: Sequence[Change], found: Mapping[tuple[str, str], LiveObject]
) -> Iterator[WantedRun]:
    """The runs that are wanted, with those that were started before."""
    started = {subject(change) for change in changes if isinstance(change, Unchanged)}
    documents = {r.name: r.documents[0] for r in desired if r.kind == "Pipeline" and r.documents}
    for run in sorted((r for r in desired if r.kind == "Run"), key=lambda run: run.name):
        pipeline = str(run.spec["pipeline"])
        key = run.kind, run.name
        yield WantedRun(
            run.name,
            run.documents[0] if run.documents else run.name,
            documents.get(pipeline, pipeline),
            run.package.digest if run.package is not None else "",
            found[key].id if key in started else None,
        )


def _unwritten(
    desired: Sequence[Resource], changes: Sequence[Change], found: Mapping[tuple[str, str], LiveObject]
) -> Iterator[tuple[str, tuple[Use, ...]]]:
    """The uses of pipelines that nothing is done about, where what was written down of them is something else."""
    kept = {subject(change) for change in changes if isinstance(change, Unchanged)}
    for resource in desired:
        key = resource.kind, resource.name
        live = found.get(key)
        if resource.kind != "Pipeline" or key not in kept or live is None or not live.owned:
            continue
        if written(resource.uses) != live.detail.get(USES, []):
            yield live.id, resource.uses


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
    return Plan(environment, target, tuple(changes), commit, live.requests, owned, len(desired), verb="adopt")


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


def _place(change: Change) -> tuple[bool, int, int, str]:
    """Deletions come last and in reverse, so that nothing loses what it stands on."""
    kind, name = subject(change)
    first, second = rank(kind)
    deletes = isinstance(change, Delete)
    return (True, -first, -second, name) if deletes else (False, first, second, name)


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
        match change:
            case Create(desired=wanted) | Update(desired=wanted) | Replace(desired=wanted) if wanted.kind in {
                "Schedule",
                "Run",
            }:
                name = str(wanted.spec.get("pipeline"))
            case _:
                continue
        live, version = found.get(("Pipeline", name)), ours.get(name)
        if live is None or live.owned or version is None or wanted.spec.get("version", version) != version:
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
    """What is different inside the pipeline, where the target can show its own: what it runs, and where."""
    before = live.detail.get("package")
    if resource.package is not None and isinstance(before, Mapping):
        yield from difference(before, resource.package.spec)
        yield from difference(live.detail.get("platform") or {}, resource.package.platform or {})


def _prunes(gone: Sequence[LiveObject], rules: Rules) -> Iterator[Change]:
    for live in gone:
        if rules.protects(live):
            yield Unchanged(
                live.kind, live.name, ("no document wants it any more; it is protected and stays",)
            )
        elif rules.prune.get(prune_key(live.kind), "keep") == "delete":
            yield Delete(live)
        elif live.kind != "Run":
            yield Unchanged(
                live.kind, live.name, (f"no document wants it any more; {prune_key(live.kind)} are kept",)
            )


def destroy(environment: str, target: str, live: Live, rules: Rules) -> Plan:
    """The plan that removes all that is owned; what is protected stays."""
    return replace(plan(environment, target, (), live, rules.without_keeping()), verb="destroy")
