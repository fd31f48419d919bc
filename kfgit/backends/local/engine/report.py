"""A run told in the author's words: one record for each task, loop, switch and nested pipeline.

Groups that the compiler made (a guard, a branch, the body of an exit handler: an empty label) are looked through, and
iterations are told only by the tasks in them. Inputs whose names a compiler made up are left out. A task in a DAG
that never began is listed too, except in a loop, where nobody knows how often it would have run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final

from kfgit.backends.local.engine.machine import outcome
from kfgit.backends.local.engine.program import Component, Dag, Program, Task
from kfgit.backends.local.engine.state import (
    Closed,
    Group,
    Leaf,
    Loop,
    Node,
    Place,
    RunState,
    Values,
    callee,
    shown_outputs,
)
from kfgit.events import State, TaskRecord

_MADE_UP: Final = "pipelinechannel--"


@dataclass(frozen=True, slots=True)
class _View:
    """A node, or what stands for one that never was: the state of tasks that did not begin, and perhaps why."""

    node: Node | None
    absent: State
    error: str | None = None


def records(state: RunState) -> tuple[TaskRecord, ...]:
    """Every task in a stable order: as the IR's data flows, the tasks of a group right after it."""
    absent: State = "PENDING" if outcome(state) is None else "SKIPPED"
    view = _View(state.root, absent)
    return tuple(_group(state.program, state.program.root, Place(), view, None))


def changes(before: RunState, after: RunState) -> tuple[TaskRecord, ...]:
    """The records of `after` that differ from those of `before`, in the same order.

    Parts of the tree that both states share are not looked at, so an event costs what `advance` cost. Only the end
    of the run, which turns every task never reached into a skipped one, is compared in full.
    """
    if (outcome(before) is None) != (outcome(after) is None):
        known = {record.key: record for record in records(before)}
        return tuple(record for record in records(after) if known.get(record.key) != record)
    absent: State = "PENDING" if outcome(after) is None else "SKIPPED"
    old, new = _View(before.root, absent), _View(after.root, absent)
    return tuple(_group(after.program, after.program.root, Place(), new, old))


def _group(
    program: Program, component: Component, place: Place, view: _View, old: _View | None
) -> Iterator[TaskRecord]:
    if not isinstance(component.body, Dag):
        return
    for task in _touched(component.body, view, old):
        old_child = None if old is None else _child(old, task)
        yield from _task(program, task, place.task(task), _child(view, task), old_child)


def _touched(dag: Dag, view: _View, old: _View | None) -> Iterator[Task]:
    """The tasks of a DAG that may differ between two views: this loop runs for every event, so it does little."""
    if old is None or not isinstance(view.node, Group) or not isinstance(old.node, Group):
        yield from dag.tasks.values()
        return
    now, then = view.node.tasks, old.node.tasks
    for name, task in dag.tasks.items():
        if now.get(name) is not then.get(name):
            yield task


def _child(view: _View, task: Task) -> _View:
    """The view of a task in a DAG: what a closed DAG ended with is what its tasks end with."""
    match view.node:
        case Group(tasks=tasks):
            return _View(tasks.get(task.name), view.absent)
        case Closed():
            return _View(None, "SKIPPED" if view.error is None else "FAILED", view.error)
        case _:
            return _View(None, view.absent, view.error)


def _task(program: Program, task: Task, place: Place, view: _View, old: _View | None) -> Iterator[TaskRecord]:
    component = callee(program, task)
    if task.label:
        record = _record(component, place, view)
        if old is None or record != _record(component, place, old):
            yield record
    if task.items is None:
        old = None if old is None else _inside(old, task, component)
        yield from _group(program, component, place, _inside(view, task, component), old)
    elif isinstance(view.node, Loop):
        yield from _iterations(program, component, place, view, old)


def _inside(view: _View, task: Task, component: Component) -> _View:
    """The view that the tasks of a DAG task have of it.

    A nameless group that failed by itself lends its error to the one task in it; several would all be blamed.
    """
    lends = not task.label and isinstance(component.body, Dag) and len(component.body.tasks) == 1
    match view.node:
        case Closed(state="FAILED", error=error) if lends:
            return _View(view.node, view.absent, error)
        case None if view.absent == "FAILED" and not lends:
            return _View(None, "SKIPPED")
        case _:
            return view


def _iterations(
    program: Program, component: Component, place: Place, view: _View, old: _View | None
) -> Iterator[TaskRecord]:
    index = 0
    chunks = _chunks(view)
    for chunk, was in zip_longest(chunks, _chunks(old)[: len(chunks)], fillvalue=()):
        if chunk is was:
            index += len(chunk)
            continue
        for at, node in enumerate(chunk):
            before = was[at] if at < len(was) else None
            if node is not before:
                inner = place.iteration(index)
                old_view = None if before is None else _View(before, view.absent)
                yield from _iteration(program, component, inner, _View(node, view.absent), old_view)
            index += 1


def _chunks(view: _View | None) -> tuple[tuple[Node, ...], ...]:
    return view.node.iterations.chunks if view is not None and isinstance(view.node, Loop) else ()


def _iteration(
    program: Program, component: Component, place: Place, view: _View, old: _View | None
) -> Iterator[TaskRecord]:
    if isinstance(component.body, Dag):
        yield from _group(program, component, place, view, old)
        return
    record = _record(component, place, view)
    if old is None or record != _record(component, place, old):
        yield record


def _record(component: Component, place: Place, view: _View) -> TaskRecord:
    node = view.node
    title = None if isinstance(component.body, Dag) or isinstance(node, Loop) else component.title
    match node:
        case None:
            return TaskRecord(place.path, title, view.absent, error=view.error, key=place.key)
        case Closed():
            started = node.at if node.state == "FAILED" else None
            return TaskRecord(
                place.path,
                title,
                node.state,
                started_at=started,
                finished_at=node.at,
                inputs=_inputs(component, node.inputs),
                error=node.error,
                key=place.key,
            )
        case Leaf() | Group() | Loop():
            return TaskRecord(
                place.path,
                title,
                node.state,
                cached=isinstance(node, Leaf) and node.cached,
                attempts=node.attempts if isinstance(node, Leaf) else 0,
                started_at=node.started_at,
                finished_at=node.finished_at,
                inputs=_inputs(component, node.inputs),
                outputs=_named(shown_outputs(component, node.outputs), component.output_titles),
                error=node.error,
                key=place.key,
            )


def _inputs(component: Component, values: Values) -> dict[str, Any]:
    """The declared inputs: a task also gets what its placeholders need, which is nobody's input."""
    parameters = {name: value for name, value in values.parameters.items() if name in component.parameters}
    artifacts = {
        name: one if ((slot := component.artifacts.get(name)) and slot.many) or len(one) != 1 else one[0]
        for name, one in values.artifacts.items()
    }
    return _named({**parameters, **artifacts})


def _named(values: Mapping[str, Any], titles: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """What has a name in the source, by that name."""
    return {
        titles.get(name, name): value
        for name, value in values.items()
        if name in titles or not name.startswith(_MADE_UP)
    }
