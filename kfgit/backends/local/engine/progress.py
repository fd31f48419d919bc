"""How DAGs and loops go on when one of their tasks has changed: what starts, what is skipped, when they end.

- A task starts when all its upstreams succeeded. After a skipped one it is skipped, after a failed one it never starts.
- Fail-fast is per DAG: after a failure nothing new starts in that DAG; what runs goes on, also inside nested DAGs and
  in loop iterations that have started. When all of it has ended, the DAG fails, and its own DAG sees a failed task.
- A task with ALL_UPSTREAM_TASKS_COMPLETED (an exit task, `ignore_upstream_failure`) is a hook on its upstreams: it
  starts when they ended or never will start, whatever else failed.
- After a cancel or the run's deadline only exit tasks start, with all that is in them: the root's, and those of nested
  pipelines that have begun. Their upstream is called `exit-handler-N` by every KFP compiler, which tells them from
  `ignore_upstream_failure`.

That is Argo, as KFP's compiler drives it (`argocompiler/dag.go`; Argo's `exit_handler.go` runs hooks at every level).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar, assert_never

from kfgit.backends.local.engine import launch, resolve
from kfgit.backends.local.engine.program import Component, Container, Dag, Importer, Program, Retry, Task
from kfgit.backends.local.engine.resolve import Scope, Unresolved
from kfgit.backends.local.engine.state import (
    EMPTY,
    Closed,
    Group,
    Leaf,
    Loop,
    Node,
    Place,
    Values,
    callee,
    ended,
)
from kfgit.backends.local.engine.turn import UNUSABLE, Turn

Composite = TypeVar("Composite", Group, Loop)

_EXIT_HANDLER: Final = "exit-handler-"


def dag_of(component: Component) -> Dag:
    """The DAG of a component that has one."""
    return component.body if isinstance(component.body, Dag) else Dag({}, {}, {}, {})


def opened(turn: Turn, group: Group, component: Component, dag: Dag, place: Place) -> Group:
    """A DAG that begins: whatever waits for nothing starts."""
    begun = replace(group, state="RUNNING", started_at=turn.at)
    return _settled_group(
        turn, begun, component, place, (name for name in dag.tasks if not dag.tasks[name].upstream)
    )


def group_with(
    turn: Turn, group: Group, component: Component, place: Place, changed: Mapping[str, Node]
) -> Group:
    """A DAG in which running tasks have changed, with all that follows from it."""
    dag = dag_of(component)
    done = [name for name, node in changed.items() if ended(node)]
    group = replace(group, tasks={**group.tasks, **changed}, active=group.active - len(done))
    for name in done:
        group = _marked(group, changed[name], place.task(dag.tasks[name]), dag.tasks[name], turn.program)
    if not done:
        return group
    following = dict.fromkeys(below for name in done for below in dag.downstream[name])
    return _settled_group(turn, group, component, place, following)


def _settled_group(
    turn: Turn, group: Group, component: Component, place: Place, candidates: Iterable[str]
) -> Group:
    """Starts or skips the candidates and what follows from that, until nothing moves; then ends the DAG if it may."""
    dag = dag_of(component)
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


def _considered(turn: Turn, group: Group, task: Task, place: Place) -> Node | None:
    """The node of a task that starts, or ends unstarted, now; None while it waits or if it never will start."""
    states = [_state(group, name) for name in task.upstream]
    if "open" in states:
        return None
    held = _held(turn, place.task(task))
    if task.always:
        return None if held else _task_begun(turn, group, task, place.task(task))
    if "never" in states or "FAILED" in states or "CANCELED" in states:
        return None
    if "SKIPPED" in states:
        return Closed("SKIPPED", EMPTY, turn.at)
    if group.failed or group.canceled or held:
        return None
    return _task_begun(turn, group, task, place.task(task))


def _state(group: Group, name: str) -> str:
    node = group.tasks.get(name)
    if node is None:
        return "never" if group.drained else "open"
    return node.state if ended(node) else "open"


def _held(turn: Turn, place: Place) -> bool:
    """Whether nothing starts at a place any more: the run is being ended, and this is no part of an exit task."""
    return turn.canceling and not in_exit(turn.program, place.key)


def in_exit(program: Program, key: str) -> bool:
    """Whether a key is that of an exit task, of the root or of a nested pipeline, or of something in one."""
    component = program.root
    names = iter(key.split("/"))
    for name in names:
        task = dag_of(component).tasks.get(name)
        if task is None or _is_exit(task):
            return task is not None
        if task.items is not None:
            next(names, None)  # the index of an iteration
        component = callee(program, task)
    return False


def hooked(program: Program, key: str) -> tuple[str, ...]:
    """The keys of what was waited for, however it ended, on the way to a key: by an exit task around it, for one."""
    component, found, place = program.root, list[str](), Place()
    names = iter(key.split("/"))
    for name in names:
        task = dag_of(component).tasks.get(name)
        if task is None:
            break
        if task.always:
            found += [f"{place.key}/{above}".removeprefix("/") for above in task.upstream]
        place = place.task(task)
        if task.items is not None:
            place = Place(f"{place.key}/{next(names, '')}")
        component = callee(program, task)
    return tuple(found)


def _is_exit(task: Task) -> bool:
    return task.always and any(name.startswith(_EXIT_HANDLER) for name in task.upstream)


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


def _finished_group(turn: Turn, group: Group, component: Component, dag: Dag) -> Group:
    unreached = len(group.tasks) < len(dag.tasks)
    if group.failed:
        return replace(group, state="FAILED", finished_at=turn.at)
    if group.canceled or unreached:
        return replace(group, state="CANCELED", canceled=True, finished_at=turn.at)
    outputs = resolve.dag_outputs(component, dag, group.tasks)
    done = replace(group, state="SUCCEEDED", finished_at=turn.at, outputs=outputs)
    return _as_kept(done, group.tasks.values())


def _as_kept(done: Composite, nodes: Iterable[Node]) -> Composite:
    """The same in its earlier times, if all that is in it succeeded before the run was retried."""
    ran = [node for node in nodes if not isinstance(node, Closed)]
    if not ran or not all(node.kept for node in ran):
        return done
    begun = [node.started_at for node in ran if node.started_at is not None]
    ends = [node.finished_at for node in ran if node.finished_at is not None]
    return replace(done, kept=True, started_at=min(begun, default=done.started_at), finished_at=max(ends))


def loop_with(turn: Turn, loop: Loop, task: Task, place: Place, changed: Mapping[int, Node]) -> Loop:
    """A loop in which running iterations have changed, with all that follows from it."""
    for index, node in changed.items():
        loop = replace(loop, iterations=loop.iterations.put(index, node))
        if ended(node):
            loop = _marked_loop(
                turn, replace(loop, active=loop.active - 1), node, place.iteration(index), task
            )
    return _refilled(turn, loop, task, place)


def _marked_loop(turn: Turn, loop: Loop, node: Node, place: Place, task: Task) -> Loop:
    match node.state:
        case "FAILED":
            return replace(loop, failed=True, error=loop.error or failure(node, place, task, turn.program))
        case "CANCELED":
            return replace(loop, canceled=True)
        case _:
            return loop


def _refilled(turn: Turn, loop: Loop, task: Task, place: Place) -> Loop:
    """Starts iterations as far as the limit goes; ends the loop when none runs and none may start."""
    limit = task.items.limit if task.items is not None else 0
    held = _held(turn, place)
    fresh: list[Node] = []
    begun = len(loop.iterations)
    while begun + len(fresh) < len(loop.items) and not (loop.failed or loop.canceled or held):
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


def _finished_loop(turn: Turn, loop: Loop, task: Task) -> Loop:
    if loop.failed:
        return replace(loop, state="FAILED", finished_at=turn.at)
    if loop.canceled or len(loop.iterations) < len(loop.items):
        return replace(loop, state="CANCELED", canceled=True, finished_at=turn.at)
    outputs = resolve.loop_outputs(callee(turn.program, task), loop.iterations)
    done = replace(loop, state="SUCCEEDED", finished_at=turn.at, outputs=outputs)
    return _as_kept(done, loop.iterations)


def _task_begun(turn: Turn, group: Group, task: Task, place: Place) -> Node:
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
    except UNUSABLE as fault:
        return Closed("FAILED", values, turn.at, f"its inputs cannot be used: {fault}")


def _iteration_begun(turn: Turn, loop: Loop, task: Task, place: Place, index: int) -> Node:
    try:
        values = resolve.iteration(callee(turn.program, task), loop, task, index)
        scope = Scope(turn.program, turn.context, Group("RUNNING", loop.inputs, loop.retry), task, place.key)
        return _body_begun(turn, scope, place, values, loop.retry)
    except Unresolved as fault:
        return Closed("FAILED", loop.inputs, turn.at, str(fault))
    except UNUSABLE as fault:
        return Closed("FAILED", loop.inputs, turn.at, f"its inputs cannot be used: {fault}")


def _body_begun(turn: Turn, scope: Scope, place: Place, values: Values, retry: Retry | None) -> Node:
    component = scope.component
    match component.body:
        case Dag() as dag:
            return opened(turn, Group("PENDING", values, retry), component, dag, place)
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
