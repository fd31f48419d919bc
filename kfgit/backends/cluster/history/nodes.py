"""What KFP tells of a run's tasks (`run_details.task_details`), put into the places of its pipeline; pure.

A KFP that runs workflows tells their nodes: of each its name for people, its state, and the ids of the nodes below it,
but neither its own id nor where it stands. Both follow from how KFP makes a workflow of a pipeline and Argo names its
nodes: an id is the workflow's name and the FNV-1a hash of the node's path. So every node that there can be is named
here, and those that are told are recognised by what is below them, or else by their names for people. Facts:
backend/src/v2/compiler/argocompiler (dag.go, container.go, importer.go), backend/src/common/util/workflow.go
(RetrievePodName); Argo's workflow/util/pod_name.go and pkg/apis/workflow/v1alpha1 (NodeID).

A kfgit that serves a local environment tells the tasks themselves (`families`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kfgit.backends.cluster.history.families import family
from kfgit.backends.cluster.history.places import DEEPEST, Place, Step, pod_metadata, steps
from kfgit.backends.cluster.history.task_rows import Row, Seen, rows
from kfgit.ir import ROOT, Package

Message = Mapping[str, Any]
_LONGEST_PREFIX = 253 - 1 - 10


def seen(raw: Message, package: Package) -> Mapping[Place, Seen]:
    """What became of each place of the pipeline, as far as it is told."""
    found = rows(raw)
    return family(found, package) if any(row.parent for row in found) else _workflow(found, package)


@dataclass(frozen=True, slots=True)
class _Node:
    """A node that there can be: its path in the workflow, and whose it is. A pod has what comes `after` it below it."""

    path: str
    name: str
    place: Place | None = None
    role: str = ""
    after: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Expected:
    """All nodes that a pipeline's workflow can have, by their ids. `mentioned` are the ids that are told."""

    workflow: str
    package: Package
    mentioned: frozenset[str]
    nodes: dict[str, _Node] = field(default_factory=dict)
    logs: dict[Place, tuple[str, ...]] = field(default_factory=dict)

    def id_of(self, path: str) -> str:
        """Argo's `NodeID`."""
        return path if path == self.workflow else f"{self.workflow}-{_fnv(path)}"

    def add(self, path: str, place: Place | None = None, role: str = "", after: Iterable[str] = ()) -> None:
        """Notes a node; people are shown the last part of its path, of a hook the last two."""
        above, _, name = path.rpartition(".")
        if name == "onExit":
            name = f"{above.rpartition('.')[2]}.onExit"
        self.nodes[self.id_of(path)] = _Node(path, name, place, role, frozenset(after))

    def all(self) -> None:
        """Notes every node."""
        root = f"{self.workflow}.root"
        self.add(self.workflow)
        self.add(f"{root}-driver")
        self.add(root)
        self._dag(ROOT, root, (), 0)

    def _dag(self, component: str, path: str, place: Place, depth: int) -> None:
        found = steps(self.package, component) if depth < DEEPEST else ()
        for step in found:
            here = (*place, step.name)
            after = [each.name for each in found if step.name in each.needs and not each.is_exit]
            if step.is_exit:
                for one in step.exits:
                    hook = f"{path}.{one}.onExit"
                    self.add(hook)
                    self._task(step, f"{hook}.{step.name}", here, depth)
            elif step.loop:
                self._loop(step, f"{path}.{step.name}", here, depth)
            else:
                paths = [f"{path}.{name}{end}" for name in after for end in ("-driver", "")]
                self._task(step, f"{path}.{step.name}", here, depth, paths)

    def _loop(self, step: Step, path: str, place: Place, depth: int) -> None:
        self.add(path, place, "task")
        self.add(f"{path}.iteration-driver", place, "driver")
        self.add(f"{path}.iteration-iterations")
        index = 0
        while self.id_of(each := f"{path}.iteration-iterations({index}:{index})") in self.mentioned:
            self.add(each)
            self._task(step, f"{each}.iteration-item", (*place, index), depth)
            index += 1

    def _task(self, step: Step, path: str, place: Place, depth: int, after: Iterable[str] = ()) -> None:
        self.add(path, place, "task")
        if step.kind == "importer":
            self.logs[place] = (self._pod(path, "system-importer"),)
            return
        self.add(f"{path}-driver", place, "driver")
        if step.kind == "dag":
            self._dag(step.component, path, place, depth + 1)
            return
        executor = f"{path}.executor"
        self.add(executor, place, "executor", after)
        attempts: list[str] = []
        while self.id_of(each := f"{executor}({len(attempts)})") in self.mentioned:
            self.add(each, place, "attempt")
            attempts.append(each)
        template = _template(step, self.package)
        self.logs[place] = tuple(self._pod(each, template) for each in attempts or [executor])

    def _pod(self, path: str, template: str) -> str:
        return f"{f'{self.workflow}-{template}'[:_LONGEST_PREFIX]}-{_fnv(path)}"


def _template(step: Step, package: Package) -> str:
    """What KFP calls the template of a task's pods (`addContainerExecutorTemplate`)."""
    name = "retry-system-container-impl" if step.retried else "system-container-impl"
    metadata = pod_metadata(package, step.executor)
    return name if metadata is None else f"metadata-{metadata[0]}-{metadata[1]}-{name}"


def _fnv(path: str) -> int:
    """FNV-1a, 32 bits."""
    found = 0x811C9DC5
    for byte in path.encode():
        found = ((found ^ byte) * 0x01000193) & 0xFFFFFFFF
    return found


def _workflow(found: Sequence[Row], package: Package) -> Mapping[Place, Seen]:
    mentioned = frozenset(id_ for row in found for id_ in row.below)
    expected = _Expected(workflow_of(found), package, mentioned)
    expected.all()
    roles: dict[tuple[Place, str], Row] = {}
    for row, node in _recognised(found, expected):
        if node.place is not None:
            roles[node.place, node.role] = row
    known: dict[Place, Seen] = {}
    for place in dict.fromkeys(place for place, _ in roles):
        told = _told(*(roles.get((place, role)) for role in ("task", "driver", "executor")))
        known[place] = replace(told, logs=expected.logs.get(place, ()))
    return known


def workflow_of(found: Sequence[Row]) -> str:
    """The name of the workflow: that of the node above all, and what every id is but for its hash."""
    heads = {id_.rpartition("-")[0] for row in found for id_ in row.below}
    return next((row.name for row in found if row.below and heads == {row.name}), "")


def _recognised(found: Sequence[Row], expected: _Expected) -> Iterator[tuple[Row, _Node]]:
    """Which row is which node: first what is certain by the nodes below, then what is left over, in order."""
    by_name: dict[str, list[_Node]] = {}
    # What is mentioned is there: it comes before what can be.
    for _, node in sorted(expected.nodes.items(), key=lambda item: item[0] not in expected.mentioned):
        by_name.setdefault(node.name, []).append(node)
    left: list[Row] = []
    taken: set[str] = set()
    for row in found:
        below = [expected.nodes[id_].path for id_ in row.below if id_ in expected.nodes]
        sure = next((node for node in by_name.get(row.name, ()) if _stands_above(node, below)), None)
        if sure is None or sure.path in taken:
            left.append(row)
        else:
            taken.add(sure.path)
            yield row, sure
    for row in sorted(left, key=lambda row: not row.below):
        free: Sequence[_Node] = [node for node in by_name.get(row.name, ()) if node.path not in taken]
        if row.name == "executor":
            free = _pods(row, free, expected, {other.state for other in left if other.name == row.name})
        if free:
            taken.add(free[0].path)
            yield row, free[0]


def _pods(row: Row, free: Sequence[_Node], expected: _Expected, states: set[str]) -> Sequence[_Node]:
    """Whose pod it can be, by what came after it. Which of several does not matter where all came out alike."""
    below = {expected.nodes[id_].path for id_ in row.below if id_ in expected.nodes}
    fitting = [node for node in free if below and below <= node.after] or free
    return fitting if len(fitting) == 1 or len(states) == 1 else ()


def _stands_above(node: _Node, below: Sequence[str]) -> bool:
    """Whether these are nodes inside of it, or, of a driver, what it drives."""
    if node.role == "driver" and f"{node.path.removesuffix('-driver')}" in below:
        return True
    inside = [
        path for path in below if path.rpartition(".")[0] == node.path or path.startswith(f"{node.path}(")
    ]
    return bool(inside) and len(inside) == len(below)


def _told(task: Row | None, driver: Row | None, executor: Row | None) -> Seen:
    if driver is not None and driver.state == "FAILED":
        why = driver.error or "KFP could not prepare it: its driver failed"
        return Seen("FAILED", driver.started_at, driver.finished_at, why)
    if task is None:
        return Seen("PENDING" if driver is None else "RUNNING", driver.started_at if driver else None)
    cached = task.state == "SUCCEEDED" and executor is not None and executor.state == "SKIPPED"
    return Seen(task.state, task.started_at, task.finished_at, task.error, cached=cached)
