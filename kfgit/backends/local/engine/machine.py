"""What happens next: signals in, commands out.

A signal is routed down the tree to its leaf; on the way back each DAG and loop looks only at the child that changed
(`progress`). Signals for what has ended, waits for its retry or never was are ignored. A second `Cancel` changes
nothing, so it cannot kill an exit task. A run past its deadline is ended in the same way, but fails, and an exit task
that runs already goes on: that is Argo with `activeDeadlineSeconds` (`exec_control.go`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, assert_never

from kfgit.backends.local.engine import attempts, progress
from kfgit.backends.local.engine.program import Component, Dag, Program, Task
from kfgit.backends.local.engine.state import (
    Closed,
    Group,
    Leaf,
    Loop,
    Node,
    Outcome,
    Place,
    RunContext,
    RunState,
    Values,
    callee,
    ended,
    settled,
    shown_outputs,
)
from kfgit.backends.local.engine.turn import UNUSABLE, Turn
from kfgit.backends.local.engine.values import Mismatch, coerce
from kfgit.backends.local.protocol import (
    Begin,
    Cancel,
    Command,
    Failed,
    Kept,
    Signal,
    Started,
    Stop,
    Succeeded,
    Tick,
    WakeAt,
)
from kfgit.events import Artifact


def start(
    program: Program,
    context: RunContext,
    parameters: Mapping[str, Any],
    artifacts: Mapping[str, tuple[Artifact, ...]],
) -> RunState:
    """A run that has not begun. Inputs should have passed `check_inputs`; a wrong one fails the task that reads it."""
    given = {name: value for name, value in parameters.items() if value is not None}
    for name, declared in program.root.parameters.items():
        if name not in given and declared.has_default:
            given[name] = declared.default
    values = {name: _fitted(program.root, name, value) for name, value in given.items()}
    return RunState(program, context, Group("PENDING", Values(values, dict(artifacts)), None))


def advance(state: RunState, signal: Signal) -> tuple[RunState, tuple[Command, ...]]:
    """The run after the signal, and what is to be done now. Never raises; what makes no sense changes nothing."""
    overdue = state.overdue or (isinstance(signal, Tick) and _past_deadline(state, signal.at))
    canceling = state.canceling or overdue or (isinstance(signal, Cancel) and not ended(state.root))
    turn = Turn(state.program, state.context, signal.at, canceling, dict(state.waiting), overdue=overdue)
    root = _step(turn, state, signal)
    if root is state.root and canceling == state.canceling:
        return state, ()
    after = replace(state, root=root, waiting=turn.waiting, canceling=canceling, overdue=overdue)
    return after, tuple(turn.commands)


def _past_deadline(state: RunState, at: datetime) -> bool:
    """Whether the deadline is over while something runs that it ends, which exit tasks are not."""
    tasks = state.root.tasks.items()
    if state.canceling or all(ended(node) or progress.in_exit(state.program, name) for name, node in tasks):
        return False
    deadline = _deadline(state.program, state.root)
    return deadline is not None and at >= deadline


def _deadline(program: Program, root: Group) -> datetime | None:
    if program.deadline is None or root.started_at is None:
        return None
    return root.started_at + timedelta(seconds=program.deadline)


def outcome(state: RunState) -> Outcome | None:
    """How the run ended, None while it has not."""
    root = state.root
    if not ended(root):
        return None
    if state.overdue:
        return Outcome("FAILED", {}, f"it took longer than its active deadline of {state.program.deadline}s")
    if state.canceling:
        return Outcome("CANCELED", {}, root.error)
    if root.state != "SUCCEEDED":
        return Outcome("FAILED", {}, root.error)
    return Outcome("SUCCEEDED", shown_outputs(state.program.root, root.outputs), None)


def _step(turn: Turn, state: RunState, signal: Signal) -> Group:
    root, body = state.root, progress.dag_of(state.program.root)
    if ended(root):
        return root
    match signal:
        case Begin():
            return _begun(turn, root, body) if root.state == "PENDING" else root
        case Cancel():
            return root if state.canceling else _canceled_run(turn, root)
        case Started() | Succeeded() | Kept() | Failed():
            told = partial(attempts.told, turn, signal)
            return _routed_root(turn, root, signal.key, told)
        case Tick():
            if turn.overdue and not state.overdue:
                return _stopped_group(turn, root, turn.program.root, Place())
            for key, at in state.waiting.items():
                if at <= turn.at:
                    root = _routed_root(
                        turn, root, key, lambda leaf, place, _: attempts.retried(turn, leaf, place)
                    )
            return root
        case _:
            assert_never(signal)


def _begun(turn: Turn, root: Group, body: Dag) -> Group:
    group = progress.opened(turn, root, turn.program.root, body, Place())
    deadline = _deadline(turn.program, group)
    if deadline is not None and not ended(group):
        turn.commands.append(WakeAt(deadline))
    return group


def _canceled_run(turn: Turn, root: Group) -> Group:
    if root.state == "PENDING":
        return replace(root, state="CANCELED", finished_at=turn.at, canceled=True)
    return _stopped_group(turn, root, turn.program.root, Place())


def _fitted(component: Component, name: str, value: Any) -> Any:
    try:
        return coerce(component.parameters[name].type, value) if name in component.parameters else value
    except (Mismatch, *UNUSABLE):
        return value


_Change = Callable[[Leaf, Place, Component], Leaf]


def _routed_root(turn: Turn, root: Group, key: str, change: _Change) -> Group:
    if root.state == "PENDING":
        return root
    return _routed_group(turn, root, turn.program.root, Place(), key.split("/"), change)


def _routed(turn: Turn, node: Node, task: Task, place: Place, way: Sequence[str], change: _Change) -> Node:
    component = callee(turn.program, task)
    match node:
        case Leaf() if not way and not ended(node):
            return change(node, place, component)
        case Group() if way:
            return _routed_group(turn, node, component, place, way, change)
        case Loop() if way and (index := _index(way[0])) < len(node.iterations):
            inner = place.iteration(index)
            old = node.iterations[index]
            if ended(old):
                return node
            new = _routed(turn, old, task, inner, way[1:], change)
            return node if new is old else progress.loop_with(turn, node, task, place, {index: new})
        case _:
            return node


def _index(name: str) -> int:
    return int(name) if name.isdecimal() and len(name) < 10 else sys.maxsize


def _routed_group(
    turn: Turn, group: Group, component: Component, place: Place, way: Sequence[str], change: _Change
) -> Group:
    dag = progress.dag_of(component)
    old = group.tasks.get(way[0]) if way else None
    if old is None or ended(old):
        return group
    task = dag.tasks[way[0]]
    new = _routed(turn, old, task, place.task(task), way[1:], change)
    return group if new is old else progress.group_with(turn, group, component, place, {task.name: new})


def _stopped_group(turn: Turn, group: Group, component: Component, place: Place) -> Group:
    dag = progress.dag_of(component)
    running = {
        name: node
        for name, node in group.tasks.items()
        if not ended(node) and not _spared(turn, place.task(dag.tasks[name]).key)
    }
    changed = {
        name: _stopped(turn, node, dag.tasks[name], place.task(dag.tasks[name]))
        for name, node in running.items()
    }
    return progress.group_with(turn, group, component, place, changed)


def _spared(turn: Turn, key: str) -> bool:
    """Whether what runs is let be: exit tasks are, but a cancel that meets the root's was meant for it."""
    in_roots = progress.in_exit(turn.program, key.split("/", 1)[0])
    return progress.in_exit(turn.program, key) and (turn.overdue or not in_roots)


def _stopped(turn: Turn, node: Node, task: Task, place: Place) -> Node:
    component = callee(turn.program, task)
    match node:
        case Leaf() if node.wake is not None:
            turn.waiting.pop(place.key, None)
            return (
                attempts.overdue(turn, node)
                if turn.overdue
                else settled(node, "CANCELED", turn.at, node.error)
            )
        case Leaf():
            turn.commands.append(Stop(place.key))
            return replace(node, stopping=True)
        case Group():
            return _stopped_group(turn, node, component, place)
        case Loop():
            changed = {
                index: _stopped(turn, one, task, place.iteration(index))
                for index, one in enumerate(node.iterations)
                if not ended(one)
            }
            return progress.loop_with(turn, node, task, place, changed)
        case Closed():
            return node
        case _:
            assert_never(node)
