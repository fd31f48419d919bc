"""One change of a plan, carried out on the cluster; doing it twice ends in the same state.

Whoever was killed before or after any request finds out by looking what of it was done: names of experiments,
pipelines and versions are unique on the server, an object of ours carries our mark or its id is in the inventory, and
the tag that says what a pipeline was made of is written last. What is not ours is never changed: a name that somebody
else has is `Refused`, with the way out.
"""

from __future__ import annotations

from typing import Any, assert_never

from kfgit.backends.cluster.changes import adopting, starting, switching, versioning
from kfgit.backends.cluster.changes.applying import VERSION, Context, applied
from kfgit.backends.cluster.kubernetes import placing
from kfgit.backends.cluster.records import marks
from kfgit.backends.cluster.records.inventory import Entry
from kfgit.ir import Resource
from kfgit.plan import Adopt, Change, Create, Delete, LiveObject, Replace, Unchanged, Update


def perform(change: Change, context: Context) -> str:
    """Carries a change out and returns the object's id; raises `Refused` where the object is not this project's."""
    match change:
        case Create():
            return _put(context, change.desired, None)
        case Update() | Replace():
            return _put(context, change.desired, change.live)
        case Adopt():
            return adopting.adopt(context, change)
        case Delete():
            return _delete(context, change.live)
        case Unchanged():
            return ""
        case _:
            assert_never(change)


def _put(context: Context, desired: Resource, live: LiveObject | None) -> str:
    extra: dict[str, Any] = {}
    match desired.kind:
        case "Experiment":
            id_ = live.id if live is not None else _experiment(context, desired)
            context.names.put("Experiment", desired.name, id_)
        case "Pipeline":
            id_, extra = versioning.put_pipeline(context, desired, live)
        case "Schedule":
            id_, extra = _schedule(context, desired, live)
        case "Run":
            id_ = starting.fire(context, desired)
        case _:
            id_, extra = placing.put_object(context, desired, live)
    # Names are unique, or were made so: what else the inventory knows under this one is gone.
    for other in context.ids(desired.kind, desired.name) - {id_}:
        context.ledger.forget(desired.kind, other)
    kept = applied(extra, desired)
    context.ledger.put(Entry(desired.kind, desired.name, id_, desired.digest, desired.spec, kept))
    return id_


def _experiment(context: Context, desired: Resource) -> str:
    mark = context.mark("Experiment", desired.name, desired.digest)
    description = marks.describe(desired.spec.get("description"), mark)
    found = context.made(
        "experiment",
        desired.name,
        lambda: context.kfp.create_experiment(desired.name, description),
        lambda: context.kfp.experiment_named(desired.name),
        lambda each: (
            ((there := marks.mark_of(each.description)) is not None and there.set == context.owner)
            or context.entry("Experiment", each.experiment_id) is not None
        ),
    )
    return found.experiment_id


def _schedule(context: Context, desired: Resource, live: LiveObject | None) -> tuple[str, dict[str, Any]]:
    ids = switching.ids_of(context, desired.spec)
    known = frozenset({live.id}) if live is not None else frozenset()
    # One that its document had switched off owes nothing to another trigger; one that stopped later may.
    resting = frozenset() if live is None or (live.before or {}).get("enabled") else known
    # What an apply that was cut off sent may have landed since the plan was made.
    fresh = live is None and ("Schedule", desired.name) not in context.unsettled
    found = switching.converge(context, switching.Wish(desired, ids, known, resting), fresh=fresh)
    return found.recurring_run_id, {VERSION: ids.pipeline_version_id}


def _delete(context: Context, live: LiveObject) -> str:
    match live.kind:
        case "Experiment":
            context.check_unused(live, lambda each: each.experiment_id)
            context.again(lambda: context.kfp.delete_experiment(live.id))
        case "Pipeline":
            versioning.delete_pipeline(context, live)
        case "Schedule":
            orphan = context.capabilities.orphan
            context.again(lambda: context.kfp.delete_schedule(live.id, orphan=orphan))
        case "Run":
            # A run itself is history and stays: what goes is the wish for it, and its trigger keys stay used.
            pass
        case _:
            placing.delete_object(context, live)
    context.names.forget(live.kind, live.name)
    context.ledger.forget(live.kind, live.id)
    return live.id
