"""Values as the versioned JSON of the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kfgit import plan as plans
from kfgit.events import Artifact, ChangeFinished, RunRecord, TaskRecord
from kfgit.plan import Adopt, Change, Create, Delete, Difference, Plan, Replace, Unchanged, Update
from kfgit.render.envelope import envelope
from kfgit.render.plans import costs as cost, remaps as remapped
from kfgit.render.style import instant


def value(thing: Any) -> Any:
    """A parameter as it is, an artifact by its type, uri and metadata."""
    match thing:
        case Artifact():
            return {"type": thing.type, "uri": thing.uri, "metadata": dict(thing.metadata)}
        case Mapping():
            return {str(key): value(item) for key, item in thing.items()}
        case list() | tuple():
            return [value(item) for item in thing]
        case _:
            return thing


def run(record: RunRecord) -> dict[str, Any]:
    """The `Run` object of CLI.md."""
    return envelope(
        "Run",
        id=record.id,
        name=record.name,
        pipeline=record.pipeline,
        version=record.version,
        experiment=record.experiment,
        environment=record.environment,
        state=record.state,
        inputs=value(record.inputs),
        outputs=value(record.outputs),
        createdAt=instant(record.created_at),
        startedAt=instant(record.started_at),
        finishedAt=instant(record.finished_at),
        error=record.error,
        notes=list(record.notes),
        tasks=[task(each) for each in record.tasks],
    )


def task(record: TaskRecord) -> dict[str, Any]:
    """One task of a run."""
    return {
        "path": record.path,
        "component": record.component,
        "state": record.state,
        "cached": record.cached,
        "attempts": record.attempts,
        "startedAt": instant(record.started_at),
        "finishedAt": instant(record.finished_at),
        "inputs": value(record.inputs),
        "outputs": value(record.outputs),
        "error": record.error,
    }


def plan(found: Plan, *, pinned: bool, refreshed: bool = False) -> dict[str, Any]:
    """The `Plan` object of CLI.md. `pinned`: the commit was read and not the folder; `refreshed`: with `--refresh`."""
    return envelope(
        "Plan",
        environment=found.environment,
        target=found.target,
        commit=found.commit,
        pinned=pinned,
        refreshed=refreshed,
        digest=found.digest,
        remarks=list(found.remarks),
        changes=[change(each) for each in found.changes],
        profiles=[remapped.as_json(each) for each in plans.remaps(found)],
        costs=cost.as_json(found.costs),
        foreign=[{"kind": each.kind, "name": each.name, "id": each.id} for each in found.foreign],
        summary=dict(found.summary),
        requests=found.requests,
    )


def change(found: Change) -> dict[str, Any]:
    """One change of a plan."""
    kind, name = plans.subject(found)
    cause: plans.Cause | None = None
    diff: Sequence[Difference] = ()
    before, after = plans.fingerprint(found)
    match found:
        case Create():
            cause = found.cause
        case Delete():
            cause = "source"
        case Update() | Replace():
            cause, diff = found.cause, found.diff
        case Adopt():
            cause, diff = "adoption", found.diff
        case Unchanged():
            pass
    return {
        "action": plans.action(found),
        "kind": kind,
        "name": name,
        "cause": cause,
        "digests": {"before": before, "after": after},
        "diff": [
            {"path": d.path, "before": d.before, "after": d.after, "cause": plans.cause_of(d, cause)}
            for d in diff
        ],
        "notes": list(found.notes),
    }


def apply(found: Plan, results: Sequence[ChangeFinished], runs: Sequence[RunRecord]) -> dict[str, Any]:
    """The `Apply` object of CLI.md."""
    return envelope(
        "Apply",
        environment=found.environment,
        commit=found.commit,
        digest=found.digest,
        results=[
            {
                "action": r.action,
                "kind": r.kind,
                "name": r.name,
                "id": r.id,
                "state": r.state,
                "error": r.error,
            }
            for r in results
        ],
        runs=[run(each) for each in runs],
    )
