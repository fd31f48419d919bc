"""What happens next: signals in, commands out.

Follows Argo as KFP's compiler drives it (`argocompiler/dag.go`, `container.go`; Argo's `operator.go` for retries):

- A task starts when all its upstreams succeeded. After a skipped one it is skipped, after a failed one it never starts.
- Fail-fast is per DAG: after a failure nothing new starts in that DAG; what runs goes on, also inside nested DAGs and
  in loop iterations that have started. When all of it has ended, the DAG fails, and its own DAG sees a failed task.
- A task with ALL_UPSTREAM_TASKS_COMPLETED (an exit task, `ignore_upstream_failure`) is a hook on its upstreams: it
  starts when they ended or never will start, whatever else failed.
- After `Cancel` only the root's exit tasks start. Their upstream is called `exit-handler-N` by every KFP compiler,
  which tells them from `ignore_upstream_failure`. A second `Cancel` changes nothing, so it cannot kill an exit task.

A signal is routed down the tree to its leaf; on the way back each DAG and loop looks only at the child that changed.
Signals for what has ended, waits for its retry or never was are ignored.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, assert_never

from kfgit.backends.local.engine import launch, resolve
from kfgit.backends.local.engine.program import Component, Container, Dag, Importer, Program, Retry, Task
from kfgit.backends.local.engine.resolve import Scope, Unresolved
from kfgit.backends.local.engine.state import (
    EMPTY,
    Closed,
    Fan,
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
)
from kfgit.backends.local.engine.values import Mismatch, coerce
from kfgit.backends.local.protocol import (
    Begin,
    Cancel,
    Command,
    Execute,
    Failed,
    Import,
    Outputs,
    Signal,
    Started,
    Stop,
    Succeeded,
    Tick,
    WakeAt,
)
from kfgit.events import Artifact

_EXIT_HANDLER: Final = "exit-handler-"
# No back-off is longer, so that adding it to a time never overflows.
_LONGEST: Final = timedelta(days=3650)

# What absurd values raise: JSON nested thousands of levels deep, integers of thousands of digits.
_UNUSABLE: Final = (RecursionError, OverflowError, ValueError)


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
    turn = _Turn(state.program, state.context, signal.at, state.canceling, dict(state.waiting))
    root = _step(turn, state, signal)
    if root is state.root and turn.canceling == state.canceling:
        return state, ()
    return replace(state, root=root, waiting=turn.waiting, canceling=turn.canceling), tuple(turn.commands)


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


def shown_outputs(component: Component, values: Values) -> dict[str, Any]:
    """Outputs for people: JSON, an artifact, or a tuple of artifacts where a list is declared."""
    parameters = {
        name: list(value.items) if isinstance(value, Fan) else value
        for name, value in values.parameters.items()
    }
    artifacts = {
        name: one
        if ((slot := component.output_artifacts.get(name)) and slot.many) or len(one) != 1
        else one[0]
        for name, one in values.artifacts.items()
    }
    return {**parameters, **artifacts}


@dataclass(slots=True)
class _Turn:
    """The moving parts of one `advance`: commands and waiting retries are collected here."""

    program: Program
    context: RunContext
    at: datetime
    canceling: bool
    waiting: dict[str, datetime]
    commands: list[Command] = field(default_factory=list)


def _step(turn: _Turn, state: RunState, signal: Signal) -> Group:
    root, body = state.root, _dag(state.program.root)
    if ended(root):
        return root
    match signal:
        case Begin():
            return _opened(turn, root, state.program.root, body, Place()) if root.state == "PENDING" else root
        case Cancel():
            return _canceled_run(turn, root)
        case Started() | Succeeded() | Failed():
            told = partial(_told, turn, signal)
            return _routed_root(turn, root, signal.key, told)
        case Tick():
            for key, at in state.waiting.items():
                if at <= turn.at:
                    root = _routed_root(turn, root, key, partial(_again, turn))
            return root
        case _:
            assert_never(signal)


def _canceled_run(turn: _Turn, root: Group) -> Group:
    if turn.canceling:
        return root
    turn.canceling = True
    if root.state == "PENDING":
        return replace(root, state="CANCELED", finished_at=turn.at, canceled=True)
    return _stopped_group(turn, root, turn.program.root, Place())


# ---- one leaf


def _told(
    turn: _Turn, signal: Started | Succeeded | Failed, leaf: Leaf, place: Place, component: Component
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
        case Failed(error=error):
            return _after_failure(turn, replace(leaf, started_at=started), place, error)
        case _:
            assert_never(signal)


def _after_failure(turn: _Turn, leaf: Leaf, place: Place, error: str) -> Leaf:
    if leaf.stopping:
        return settled(leaf, "CANCELED", turn.at, error)
    delay = _delay(leaf, turn.at)
    if delay is None:
        return settled(leaf, "FAILED", turn.at, error)
    waiting = replace(leaf, wake=turn.at + delay, first_at=leaf.first_at or turn.at, error=error)
    if not delay:
        return _retried(turn, waiting, place)
    turn.waiting[place.key] = turn.at + delay
    turn.commands.append(WakeAt(turn.at + delay))
    return waiting


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


def _again(turn: _Turn, leaf: Leaf, place: Place, component: Component) -> Leaf:  # noqa: ARG001
    """The next attempt of a leaf whose back-off is over."""
    return _retried(turn, leaf, place)


def _retried(turn: _Turn, leaf: Leaf, place: Place) -> Leaf:
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
    except (Mismatch, *_UNUSABLE):
        return value


def _fitted(component: Component, name: str, value: Any) -> Any:
    try:
        return coerce(component.parameters[name].type, value) if name in component.parameters else value
    except (Mismatch, *_UNUSABLE):
        return value


# ---- the way down the tree

_Change = Callable[[Leaf, Place, Component], Leaf]


def _routed_root(turn: _Turn, root: Group, key: str, change: _Change) -> Group:
    if root.state == "PENDING":
        return root
    return _routed_group(turn, root, turn.program.root, Place(), key.split("/"), change)


def _routed(turn: _Turn, node: Node, task: Task, place: Place, way: Sequence[str], change: _Change) -> Node:
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
            return node if new is old else _loop_with(turn, node, task, place, {index: new})
        case _:
            return node


def _index(name: str) -> int:
    return int(name) if name.isdecimal() and len(name) < 10 else sys.maxsize


def _routed_group(
    turn: _Turn, group: Group, component: Component, place: Place, way: Sequence[str], change: _Change
) -> Group:
    dag = _dag(component)
    old = group.tasks.get(way[0]) if way else None
    if old is None or ended(old):
        return group
    task = dag.tasks[way[0]]
    new = _routed(turn, old, task, place.task(task), way[1:], change)
    return group if new is old else _group_with(turn, group, component, place, {task.name: new})


# ---- DAGs


def _dag(component: Component) -> Dag:
    return component.body if isinstance(component.body, Dag) else Dag({}, {}, {}, {})


def _opened(turn: _Turn, group: Group, component: Component, dag: Dag, place: Place) -> Group:
    """A DAG that begins: whatever waits for nothing starts."""
    begun = replace(group, state="RUNNING", started_at=turn.at)
    return _settled_group(
        turn, begun, component, place, (name for name in dag.tasks if not dag.tasks[name].upstream)
    )


def _group_with(
    turn: _Turn, group: Group, component: Component, place: Place, changed: Mapping[str, Node]
) -> Group:
    """A DAG in which running tasks have changed, with all that follows from it."""
    dag = _dag(component)
    done = [name for name, node in changed.items() if ended(node)]
    group = replace(group, tasks={**group.tasks, **changed}, active=group.active - len(done))
    for name in done:
        group = _marked(group, changed[name], place.task(dag.tasks[name]), dag.tasks[name], turn.program)
    if not done:
        return group
    following = dict.fromkeys(below for name in done for below in dag.downstream[name])
    return _settled_group(turn, group, component, place, following)


def _settled_group(
    turn: _Turn, group: Group, component: Component, place: Place, candidates: Iterable[str]
) -> Group:
    """Starts or skips the candidates and what follows from that, until nothing moves; then ends the DAG if it may."""
    dag = _dag(component)
    # One map is filled in place and frozen afterwards: nobody else has seen it yet.
    tasks = dict(group.tasks)
    group = replace(group, tasks=tasks)
    todo = deque(candidates)
    while True:
        while todo:
            name = todo.popleft()
            node = None if name in tasks else _considered(turn, group, dag.tasks[name], place)
            if node is None:
                continue
            tasks[name] = node
            if ended(node):
                group = _marked(group, node, place.task(dag.tasks[name]), dag.tasks[name], turn.program)
                todo.extend(dag.downstream[name])
            else:
                group = replace(group, active=group.active + 1)
        if group.active or group.drained or len(tasks) == len(dag.tasks):
            break
        group = replace(group, drained=True)
        todo.extend(name for name in dag.tasks if name not in tasks)
    return group if group.active else _finished_group(turn, group, component, dag)


def _considered(turn: _Turn, group: Group, task: Task, place: Place) -> Node | None:
    """The node of a task that starts, or ends unstarted, now; None while it waits or if it never will start."""
    states = [_state(group, name) for name in task.upstream]
    if "open" in states:
        return None
    if task.always:
        allowed = not turn.canceling or (not place.key and _is_exit(task))
        return _task_begun(turn, group, task, place.task(task)) if allowed else None
    if "never" in states or "FAILED" in states or "CANCELED" in states:
        return None
    if "SKIPPED" in states:
        return Closed("SKIPPED", EMPTY, turn.at)
    if group.failed or group.canceled or turn.canceling:
        return None
    return _task_begun(turn, group, task, place.task(task))


def _state(group: Group, name: str) -> str:
    node = group.tasks.get(name)
    if node is None:
        return "never" if group.drained else "open"
    return node.state if ended(node) else "open"


def _is_exit(task: Task) -> bool:
    return any(name.startswith(_EXIT_HANDLER) for name in task.upstream)


def _marked(group: Group, node: Node, place: Place, task: Task, program: Program) -> Group:
    match node.state:
        case "FAILED":
            return replace(group, failed=True, error=group.error or failure(node, place, task, program))
        case "CANCELED":
            return replace(group, canceled=True)
        case _:
            return group


def failure(node: Node, place: Place, task: Task, program: Program) -> str:
    """One sentence about a failed task; a group passes on what failed in it.

    A group without a name of its own that failed by itself (its condition did) is told as the one task in it.
    """
    if isinstance(node, Group | Loop) and node.error is not None:
        return node.error
    body = callee(program, task).body
    while not task.label and isinstance(body, Dag) and len(body.tasks) == 1:
        (task,) = body.tasks.values()
        place, body = place.task(task), callee(program, task).body
    return f"task `{place.path or task.name}` failed: {node.error or 'it gave no reason'}"


def _finished_group(turn: _Turn, group: Group, component: Component, dag: Dag) -> Group:
    unreached = len(group.tasks) < len(dag.tasks)
    if group.failed:
        return replace(group, state="FAILED", finished_at=turn.at)
    if group.canceled or unreached:
        return replace(group, state="CANCELED", canceled=True, finished_at=turn.at)
    outputs = resolve.dag_outputs(component, dag, group.tasks)
    return replace(group, state="SUCCEEDED", finished_at=turn.at, outputs=outputs)


# ---- loops


def _loop_with(turn: _Turn, loop: Loop, task: Task, place: Place, changed: Mapping[int, Node]) -> Loop:
    """A loop in which running iterations have changed, with all that follows from it."""
    for index, node in changed.items():
        loop = replace(loop, iterations=loop.iterations.put(index, node))
        if ended(node):
            loop = _marked_loop(
                turn, replace(loop, active=loop.active - 1), node, place.iteration(index), task
            )
    return _refilled(turn, loop, task, place)


def _marked_loop(turn: _Turn, loop: Loop, node: Node, place: Place, task: Task) -> Loop:
    match node.state:
        case "FAILED":
            return replace(loop, failed=True, error=loop.error or failure(node, place, task, turn.program))
        case "CANCELED":
            return replace(loop, canceled=True)
        case _:
            return loop


def _refilled(turn: _Turn, loop: Loop, task: Task, place: Place) -> Loop:
    """Starts iterations as far as the limit goes; ends the loop when none runs and none may start."""
    limit = task.items.limit if task.items is not None else 0
    fresh: list[Node] = []
    begun = len(loop.iterations)
    while begun + len(fresh) < len(loop.items) and not (loop.failed or loop.canceled or turn.canceling):
        if limit and loop.active >= limit:
            break
        index = begun + len(fresh)
        node = _iteration_begun(turn, loop, task, place.iteration(index), index)
        fresh.append(node)
        if ended(node):
            loop = _marked_loop(turn, loop, node, place.iteration(index), task)
        else:
            loop = replace(loop, active=loop.active + 1)
    loop = replace(loop, iterations=loop.iterations.extend(fresh)) if fresh else loop
    return loop if loop.active else _finished_loop(turn, loop, task)


def _finished_loop(turn: _Turn, loop: Loop, task: Task) -> Loop:
    if loop.failed:
        return replace(loop, state="FAILED", finished_at=turn.at)
    if loop.canceled or len(loop.iterations) < len(loop.items):
        return replace(loop, state="CANCELED", canceled=True, finished_at=turn.at)
    outputs = resolve.loop_outputs(callee(turn.program, task), loop.iterations)
    return replace(loop, state="SUCCEEDED", finished_at=turn.at, outputs=outputs)


# ---- beginnings


def _task_begun(turn: _Turn, group: Group, task: Task, place: Place) -> Node:
    """A task whose turn it is: resolved, its condition asked, and then started."""
    scope = Scope(turn.program, turn.context, group, task, place.key)
    values = EMPTY
    try:
        values = resolve.inputs(scope)
        if task.condition is not None and not resolve.triggered(task.condition, values):
            return Closed("SKIPPED", values, turn.at)
        retry = task.retry or group.retry
        if task.items is None:
            return _body_begun(turn, scope, place, values, retry)
        loop = Loop("RUNNING", values, retry, resolve.items(task, values), started_at=turn.at)
        return _refilled(turn, loop, task, place)
    except Unresolved as fault:
        return Closed("FAILED", values, turn.at, str(fault))
    except _UNUSABLE as fault:
        return Closed("FAILED", values, turn.at, f"its inputs cannot be used: {fault}")


def _iteration_begun(turn: _Turn, loop: Loop, task: Task, place: Place, index: int) -> Node:
    try:
        values = resolve.iteration(callee(turn.program, task), loop, task, index)
        scope = Scope(turn.program, turn.context, Group("RUNNING", loop.inputs, loop.retry), task, place.key)
        return _body_begun(turn, scope, place, values, loop.retry)
    except Unresolved as fault:
        return Closed("FAILED", loop.inputs, turn.at, str(fault))
    except _UNUSABLE as fault:
        return Closed("FAILED", loop.inputs, turn.at, f"its inputs cannot be used: {fault}")


def _body_begun(turn: _Turn, scope: Scope, place: Place, values: Values, retry: Retry | None) -> Node:
    component = scope.component
    match component.body:
        case Dag() as dag:
            return _opened(turn, Group("PENDING", values, retry), component, dag, place)
        case Container() as body:
            command = launch.execute(scope, place, body, values, retry)
            turn.commands.append(command)
            return Leaf("PENDING", command, values, retry)
        case Importer() as body:
            order = launch.importing(scope, place, body, values)
            turn.commands.append(order)
            return Leaf("RUNNING", order, values, None, first_at=turn.at, started_at=turn.at)
        case _:
            assert_never(component.body)


# ---- cancel


def _stopped_group(turn: _Turn, group: Group, component: Component, place: Place) -> Group:
    dag = _dag(component)
    running = {name: node for name, node in group.tasks.items() if not ended(node)}
    changed = {
        name: _stopped(turn, node, dag.tasks[name], place.task(dag.tasks[name]))
        for name, node in running.items()
    }
    return _group_with(turn, group, component, place, changed)


def _stopped(turn: _Turn, node: Node, task: Task, place: Place) -> Node:
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
            return _loop_with(turn, node, task, place, changed)
        case Closed():
            return node
        case _:
            assert_never(node)
