"""A difference as the versioned JSON of the command line."""

from __future__ import annotations

from typing import Any

from kfgit.diff import Break, Diff, EnvironmentDiff, Firing, ResourceChange, Side, TaskChange
from kfgit.plan import Difference
from kfgit.render import diagnostics as show
from kfgit.render.envelope import envelope
from kfgit.render.plans import remaps as remapped

_ACTIONS = ("added", "changed", "removed")


def as_json(found: Diff) -> dict[str, Any]:
    """The `Diff` object of docs/commands.md; everything is in it, however long."""
    return envelope(
        "Diff",
        base=_side(found.base),
        head=_side(found.head),
        environments=[_environment(each) for each in found.environments],
    )


def _side(side: Side) -> dict[str, Any]:
    return {"label": side.label, "commit": side.commit}


def _environment(found: EnvironmentDiff) -> dict[str, Any]:
    faults = [each.in_environment(found.environment) for each in found.faults]
    actions: list[str] = [change.action for change in found.changes]
    return {
        "environment": found.environment,
        "changes": [_change(each) for each in found.changes],
        "profiles": [remapped.as_json(each) for each in found.profiles],
        "firings": [_firing(each) for each in found.firings],
        "breaks": [_break(each) for each in found.breaks],
        "diagnostics": show.as_json(faults, 0)["diagnostics"],
        "notes": list(found.notes),
        "summary": {action: actions.count(action) for action in _ACTIONS},
    }


def _change(found: ResourceChange) -> dict[str, Any]:
    return {
        "action": found.action,
        "kind": found.kind,
        "name": found.name,
        "file": found.span.file,
        "line": found.span.line,
        "diff": [_field(each) for each in found.fields],
        "tasks": [_task(each) for each in found.tasks],
        "because": list(found.because),
    }


def _task(found: TaskChange) -> dict[str, Any]:
    return {
        "path": found.path,
        "action": found.action,
        "needs": list(found.needs),
        "needsNoMore": list(found.needs_no_more),
        "diff": [_field(each) for each in found.fields],
    }


def _field(found: Difference) -> dict[str, Any]:
    return {"path": found.path, "before": found.before, "after": found.after}


def _firing(found: Firing) -> dict[str, Any]:
    return {"kind": found.kind, "name": found.name, "pipeline": found.pipeline, "why": found.why}


def _break(found: Break) -> dict[str, Any]:
    return {
        "pipeline": found.pipeline,
        "message": found.message,
        "file": found.span.file,
        "line": found.span.line,
        "callers": list(found.callers),
    }
