"""What happens next: signals in, commands out.

A signal is routed down the tree to its leaf; on the way back each DAG and loop looks only at the child that changed
(`progress`). Signals for what has ended, waits for its retry or never was are ignored. A second `Cancel` changes
nothing, so it cannot kill an exit task.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

from kfgit.backends.local.engine import attempts, progress
from kfgit.backends.local.engine.program import Component, Program, Task
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
    Signal,
    Started,
    Stop,
    Succeeded,
    Tick,
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
    canceling = state.canceling or (isinstance(signal, Cancel) and not ended(state.root))
    turn = Turn(state.program, state.context, signal.at, canceling, dict(state.waiting))
    root = _step(turn, state, signal)
    if root is state.root and canceling == state.canceling:
        return state, ()
    return replace(state, root=root, waiting=turn.waiting, canceling=canceling), tuple(turn.commands)


def outcome(state: RunState) -> Outcome | None:
    """How the run ended, None while it has not."""
    root = state.root
    if not ended(root):
        return None
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
            new = root.state == "PENDING"
            return progress.opened(turn, root, state.program.root, body, Place()) if new else root
        case Cancel():
            return root if state.canceling else _canceled_run(turn, root)
        case Started() | Succeeded() | Failed():
            told = partial(attempts.told, turn, signal)
            return _routed_root(turn, root, signal.key, told)
        case Tick():
            for key, at in state.waiting.items():
                if at <= turn.at:
                    root = _routed_root(
                        turn, root, key, lambda leaf, place, _: attempts.retried(turn, leaf, place)
                    )
            return root
        case _:
            assert_never(signal)


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
    running = {name: node for name, node in group.tasks.items() if not ended(node)}
    changed = {
        name: _stopped(turn, node, dag.tasks[name], place.task(dag.tasks[name]))
        for name, node in running.items()
    }
    return progress.group_with(turn, group, component, place, changed)


def _stopped(turn: Turn, node: Node, task: Task, place: Place) -> Node:
    component = callee(turn.program, task)
    match node:
        case Leaf() if node.wake is not None:
            turn.waiting.pop(place.key, None)
            return settled(node, "CANCELED", turn.at, node.error)
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
