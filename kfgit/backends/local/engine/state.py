"""A run as a value: a tree of nodes that mirrors the DAGs, shared between one state and the next.

A DAG's instance (`Group`) maps the names of its started tasks to their nodes; a task that is not in the map waits.
A loop (`Loop`) has one node per started iteration. Every event rebuilds only the nodes from the leaf up to the root:
a map copy per enclosing DAG (as long as the IR has tasks) and, for a loop, one chunk and the list of chunks. So an
event costs O(tasks of its DAGs + √iterations), and 10,000 iterations cost 10,000 times very little instead of the
square of it. Parts that did not change are the same objects, which is how `changes` finds the ones that did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from kfgit.backends.local.engine.program import Component, Program, Retry, Task
from kfgit.backends.local.protocol import Execute, Import
from kfgit.events import Artifact, State

T = TypeVar("T")

_CHUNK: Final = 128


@dataclass(frozen=True, slots=True)
class Vector(Generic[T]):
    """A list that shares its chunks with the list it was made from."""

    chunks: tuple[tuple[T, ...], ...] = ()

    def __len__(self) -> int:
        return _CHUNK * (len(self.chunks) - 1) + len(self.chunks[-1]) if self.chunks else 0

    def __iter__(self) -> Iterator[T]:
        for chunk in self.chunks:
            yield from chunk

    def __getitem__(self, index: int) -> T:
        return self.chunks[index // _CHUNK][index % _CHUNK]

    def put(self, index: int, item: T) -> Vector[T]:
        """The list with another item at `index`."""
        at, within = divmod(index, _CHUNK)
        chunk = self.chunks[at]
        fresh = (*chunk[:within], item, *chunk[within + 1 :])
        return Vector((*self.chunks[:at], fresh, *self.chunks[at + 1 :]))

    def extend(self, items: Sequence[T]) -> Vector[T]:
        """The list with more items at its end."""
        full, tail = (self.chunks[:-1], self.chunks[-1]) if self.chunks else ((), ())
        loose = (*tail, *items)
        return Vector((*full, *(loose[at : at + _CHUNK] for at in range(0, len(loose), _CHUNK))))


@dataclass(frozen=True, slots=True)
class Fan:
    """What a loop collected from its iterations.

    Apart from a list that one task produced, so that nested loops give one flat list (`CollectInputs` in
    driver/resolve.go) and a list in each iteration stays a list.
    """

    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """Inputs or outputs: parameters as JSON (outputs also `Fan`), artifacts as lists."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)


EMPTY: Final = Values()


@dataclass(frozen=True, slots=True)
class Closed:
    """A task that ended before anything of it ran: skipped, or its inputs or its condition failed."""

    state: State
    inputs: Values
    at: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """An execution. `wake` is set while a failed attempt's back-off lasts; `stopping` once `Stop` was sent.

    `kept` says that it succeeded before the run was retried.
    """

    state: State
    command: Execute | Import
    inputs: Values
    retry: Retry | None = None
    first_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    wake: datetime | None = None
    stopping: bool = False
    cached: bool = False
    kept: bool = False
    outputs: Values = EMPTY
    error: str | None = None

    @property
    def attempts(self) -> int:
        """How many attempts there were, before a retry of the run too; a cache hit is none."""
        if not isinstance(self.command, Execute):
            return 1
        return self.command.earlier if self.cached or self.kept else self.command.number + 1


@dataclass(frozen=True, slots=True)
class Group:
    """An instance of a DAG.

    `active` counts the children that have not ended; `failed` and `canceled` tell that one ended so; `drained` that
    nothing runs any more and what is not in `tasks` never will, exit tasks aside; `kept` that nothing in it ran anew.
    """

    state: State
    inputs: Values
    retry: Retry | None
    tasks: Mapping[str, Node] = field(default_factory=dict)
    active: int = 0
    failed: bool = False
    canceled: bool = False
    drained: bool = False
    kept: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outputs: Values = EMPTY
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop with the nodes of its started iterations; the n-th iteration takes `items[n]`."""

    state: State
    inputs: Values
    retry: Retry | None
    items: tuple[Any, ...]
    iterations: Vector[Node] = field(default_factory=Vector)
    active: int = 0
    failed: bool = False
    canceled: bool = False
    kept: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outputs: Values = EMPTY
    error: str | None = None


Node: TypeAlias = Closed | Leaf | Group | Loop


def ended(node: Node) -> bool:
    """Whether a node has reached its last state."""
    return node.state in ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


def outputs_of(node: Node | None) -> Values:
    """What a task gave its consumers; nothing unless it succeeded."""
    if node is None or isinstance(node, Closed) or node.state != "SUCCEEDED":
        return EMPTY
    return node.outputs


@dataclass(frozen=True, slots=True)
class RunContext:
    """The facts of one run that placeholders and fingerprints need. Times are aware and in UTC.

    `earlier` has the attempts that tasks had before the run was retried, by key.
    """

    run_id: str
    run_name: str
    pipeline_name: str
    created_at: datetime
    scheduled_at: datetime | None
    pipeline_root: str
    cache: bool
    workspace: str | None
    earlier: Mapping[str, int] = field(default_factory=dict)

    @property
    def resource_name(self) -> str:
        """What stands for the Argo workflow's name, which is the pipeline's name and a random suffix."""
        return f"{self.pipeline_name}-{self.run_id}"


@dataclass(frozen=True, slots=True)
class RunState:
    """A run at one moment. `waiting` has the key and the instant of every retry that waits.

    A run that is `overdue` is `canceling`, too: its deadline has passed and ends it.
    """

    program: Program
    context: RunContext
    root: Group
    waiting: Mapping[str, datetime] = field(default_factory=dict)
    canceling: bool = False
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. Output artifacts are an `Artifact`, or a tuple of them where the pipeline says list."""

    state: Literal["SUCCEEDED", "FAILED", "CANCELED"]
    outputs: Mapping[str, Any]
    error: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: its key, and its path in the names of the source (a group without label adds nothing)."""

    key: str = ""
    path: str = ""

    def task(self, task: Task) -> Place:
        """The place of a task in the DAG that stands here."""
        return Place(_join(self.key, task.name), _join(self.path, task.label))

    def iteration(self, index: int) -> Place:
        """The place of an iteration of the loop that stands here."""
        return Place(_join(self.key, str(index)), _join(self.path, str(index)))


def _join(left: str, right: str) -> str:
    return f"{left}/{right}" if left and right else left or right


def settled(leaf: Leaf, state: State, at: datetime, error: str | None) -> Leaf:
    """A leaf that has ended."""
    return replace(leaf, state=state, finished_at=at, error=error, wake=None)


def callee(program: Program, task: Task) -> Component:
    """The component that a task runs."""
    return program.components[task.component]


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
