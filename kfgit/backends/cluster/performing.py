"""One change of a plan, carried out on the cluster; doing it twice ends in the same state.

Whoever was killed before or after any request finds out by looking what of it was done: names of experiments, pipelines
and versions are unique on the server, an object of ours carries our mark or its id is in the inventory, and the tag that
says what a pipeline was made of is written last. What is not ours is never changed: a name that somebody else has is
`Refused`, with the way out.
"""

from __future__ import annotations

from typing import Any, assert_never

from kfgit.backend import MachineFault, Refused
from kfgit.backends.cluster import marks, starting, switching, translate
from kfgit.backends.cluster.applying import Context
from kfgit.backends.cluster.inventory import Entry
from kfgit.backends.cluster.kfp_api import KfpExperiment, KfpFault, KfpPipeline, KfpSchedule, KfpVersion
from kfgit.ir import Resource
from kfgit.plan import Adopt, Change, Create, Delete, LiveObject, Replace, Unchanged, Update

_KFP = ("Experiment", "Pipeline", "Schedule", "Run")


def perform(change: Change, context: Context) -> str:
    """Carries a change out and returns the object's id; raises `Refused` where the object is not this project's."""
    match change:
        case Create():
            return _put(context, change.desired, None)
        case Update() | Replace():
            return _put(context, change.desired, change.live)
        case Adopt():
            return _adopt(context, change.live)
        case Delete():
            return _delete(context, change.live)
        case Unchanged():
            return ""
        case _:
            assert_never(change)


def _put(context: Context, desired: Resource, live: LiveObject | None) -> str:
    match desired.kind:
        case "Experiment":
            id_, extra = _put_experiment(context, desired, live), {}
        case "Pipeline":
            id_, extra = _put_pipeline(context, desired, live)
        case "Schedule":
            id_, extra = _put_schedule(context, desired, live)
        case "Run":
            id_, extra = starting.fire(context, desired), {}
        case _:
            id_, extra = _put_object(context, desired, live)
    if live is not None and live.id != id_:
        context.ledger.forget(desired.kind, live.id)
    context.ledger.put(Entry(desired.kind, desired.name, id_, desired.digest, desired.spec, extra))
    return id_


def _adopt(context: Context, live: LiveObject) -> str:
    """Takes an object over as it is: what its document says otherwise is the next apply's."""
    found: object
    match live.kind:
        case "Experiment":
            found = context.kfp.experiment(live.id)
        case "Pipeline":
            found = context.kfp.pipeline(live.id)
        case "Schedule":
            found = context.kfp.schedule(live.id)
        case _:
            found = _object(context, live)
    if not found:
        raise Refused(f"{live.kind} `{live.name}` is not there any more")
    context.ledger.put(Entry(live.kind, live.name, live.id, "", live.spec))
    return live.id


def _delete(context: Context, live: LiveObject) -> str:
    match live.kind:
        case "Experiment":
            _check_unused(context, live, "experiment_id")
            context.again(lambda: context.kfp.delete_experiment(live.id))
        case "Pipeline":
            _delete_pipeline(context, live)
        case "Schedule":
            context.again(lambda: context.kfp.delete_schedule(live.id, orphan=context.orphans))
        case "Run":
            # A run itself is history and stays: what goes is the wish for it, and its trigger keys stay used.
            pass
        case _:
            _delete_object(context, live)
    context.names.forget(live.kind, live.name)
    context.ledger.forget(live.kind, live.id)
    return live.id
