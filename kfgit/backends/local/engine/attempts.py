"""One execution from its first attempt to its last: what its worker says, and when it is tried again.

Retries are Argo's (`operator.go`, `processNodeRetries`) as KFP's compiler sets them up (`argocompiler/container.go`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from kfgit.backends.local.engine.program import Component
from kfgit.backends.local.engine.state import Leaf, Place, Values, settled
from kfgit.backends.local.engine.turn import UNUSABLE, Turn
from kfgit.backends.local.engine.values import Mismatch, coerce
from kfgit.backends.local.protocol import (
    Execute,
    Failed,
    Import,
    Kept,
    Outputs,
    Started,
    Succeeded,
    WakeAt,
)

# No back-off is longer, so that adding it to a time never overflows.
_LONGEST: Final = timedelta(days=3650)


def told(
    turn: Turn, signal: Started | Succeeded | Kept | Failed, leaf: Leaf, place: Place, component: Component
) -> Leaf:
    """A leaf that hears from its worker. While it waits for its next attempt, whatever comes is of the last one."""
    if leaf.wake is not None:
        return leaf
    started = leaf.started_at or turn.at
    match signal:
        case Started(attempt=attempt):
            if not isinstance(leaf.command, Execute) or attempt != leaf.command.attempt:
                return leaf
            return replace(leaf, state="RUNNING", first_at=leaf.first_at or turn.at, started_at=started)
        case Succeeded(outputs=outputs, cached=cached):
            values = _produced(component, leaf, outputs)
            done = settled(leaf, "SUCCEEDED", turn.at, None)
            return replace(done, outputs=values, cached=cached, started_at=started)
        case Kept(outputs=outputs, cached=cached):
            values = _produced(component, leaf, outputs)
            done = settled(leaf, "SUCCEEDED", signal.finished_at, None)
            return replace(done, outputs=values, cached=cached, kept=True, started_at=signal.started_at)
        case Failed(error=error):
            return _after_failure(turn, replace(leaf, started_at=started), place, error)
        case _:
            assert_never(signal)


def _after_failure(turn: Turn, leaf: Leaf, place: Place, error: str) -> Leaf:
    if leaf.stopping:
        return settled(leaf, "CANCELED", turn.at, error) if not turn.overdue else overdue(turn, leaf)
    delay = _delay(leaf, turn.at)
    if delay is None:
        return settled(leaf, "FAILED", turn.at, error)
    waiting = replace(leaf, wake=turn.at + delay, first_at=leaf.first_at or turn.at, error=error)
    if not delay:
        return retried(turn, waiting, place)
    turn.waiting[place.key] = turn.at + delay
    turn.commands.append(WakeAt(turn.at + delay))
    return waiting


def overdue(turn: Turn, leaf: Leaf) -> Leaf:
    """A leaf that the run's deadline ended: Argo has it fail (`exec_control.go`, applyExecutionControl)."""
    return settled(leaf, "FAILED", turn.at, "it was stopped, because the run has used up its active deadline")


def _delay(leaf: Leaf, at: datetime) -> timedelta | None:
    """How long until the next attempt, None if there is none (Argo's `processNodeRetries`).

    The wait grows by the factor; one that would end after `longest` seconds from the first attempt's start is futile.
    """
    retry, command = leaf.retry, leaf.command
    if retry is None or not isinstance(command, Execute) or command.attempt >= retry.count:
        return None
    try:
        seconds = retry.delay * (retry.factor**command.attempt if retry.factor > 0 else 1.0)
        delay = min(timedelta(seconds=seconds), _LONGEST)
    except OverflowError:
        delay = _LONGEST
    spent = at - (leaf.first_at or at)
    return None if retry.longest and spent + delay > timedelta(seconds=retry.longest) else delay


def retried(turn: Turn, leaf: Leaf, place: Place) -> Leaf:
    """The next attempt of a leaf whose back-off is over."""
    if leaf.wake is None or not isinstance(leaf.command, Execute):
        return leaf
    turn.waiting.pop(place.key, None)
    command = replace(leaf.command, attempt=leaf.command.attempt + 1)
    turn.commands.append(command)
    return replace(leaf, command=command, wake=None, error=None)


def _produced(component: Component, leaf: Leaf, outputs: Outputs) -> Values:
    """A task's outputs as its component declares them; an importer has one artifact, whatever its name."""
    parameters = {name: _output(component, name, value) for name, value in outputs.parameters.items()}
    artifacts = {name: tuple(several) for name, several in outputs.artifacts.items()}
    declared = component.output_artifacts
    if isinstance(leaf.command, Import) and len(artifacts) == len(declared) == 1:
        artifacts = dict(zip(declared, artifacts.values(), strict=True))
    return Values(parameters, artifacts)


def _output(component: Component, name: str, value: Any) -> Any:
    try:
        return coerce(component.output_parameters.get(name, ""), value)
    except (Mismatch, *UNUSABLE):
        return value
