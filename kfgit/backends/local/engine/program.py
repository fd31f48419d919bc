"""A package made ready to run: the IR's maps as types whose names are known to exist.

What is checked here never fails later: every component, executor, producer and output that a task names exists, a
DAG has no cycle, and no component contains itself. What only values can tell (types, conditions) is left to the run,
as on a cluster. The shapes are those of `api/v2alpha1/pipeline_spec.proto`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from kfgit import cel
from kfgit.ir import Package


class EngineError(Exception):
    """IR that the engine cannot run; the text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An expression that does not parse: a cluster accepts it and fails the task, so does the engine."""

    error: str


Expression: TypeAlias = cel.Expr | Broken


@dataclass(frozen=True, slots=True)
class Constant:
    """A value written in the IR, its placeholders not yet replaced."""

    value: Any


@dataclass(frozen=True, slots=True)
class FromInput:
    """An input of the component that holds the DAG."""

    name: str


@dataclass(frozen=True, slots=True)
class FromTask:
    """An output of a task in the same DAG."""

    task: str
    output: str


@dataclass(frozen=True, slots=True)
class FinalStatus:
    """The `PipelineTaskFinalStatus` of a task in the same DAG."""

    task: str


Source: TypeAlias = Constant | FromInput | FromTask | FinalStatus


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a task's parameter comes from and, with `selector`, which part of it."""

    source: Source
    selector: Expression | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared input parameter. `default` counts only with `has_default`: null is no default in KFP."""

    type: str
    optional: bool = False
    has_default: bool = False
    default: Any = None
    literals: tuple[Any, ...] = ()

    @property
    def required(self) -> bool:
        """Whether a run fails without a value."""
        return not self.optional and not self.has_default


@dataclass(frozen=True, slots=True)
class ArtifactSlot:
    """A declared input or output artifact."""

    type: str
    version: str
    many: bool
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """An executor that runs a container, with its KubernetesExecutorConfig."""

    spec: Mapping[str, Any]
    platform: Mapping[str, Any]
    timeout: float | None


@dataclass(frozen=True, slots=True)
class Importer:
    """An executor that brings in an artifact; exactly one of `uri` and `uri_input` is given."""

    uri: str | None
    uri_input: str | None
    type: str
    version: str
    metadata: Mapping[str, Any]
    reimport: bool


@dataclass(frozen=True, slots=True)
class Items:
    """What a loop runs over: a list in the IR (`raw`) or one of its own inputs."""

    item: str
    artifacts: bool
    raw: tuple[Any, ...] | None = None
    source: str = ""
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Retry:
    """`retryPolicy`. `longest` bounds the time since the first attempt began, in seconds; 0 is no bound."""

    count: int
    delay: float
    factor: float
    longest: float


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a DAG. An empty `label` is a group that the compiler made."""

    name: str
    label: str
    component: str
    parameters: Mapping[str, Binding]
    artifacts: Mapping[str, FromInput | FromTask]
    upstream: tuple[str, ...]
    condition: Expression | None
    always: bool
    items: Items | None
    retry: Retry | None
    cache: bool
    cache_key: str


@dataclass(frozen=True, slots=True)
class Dag:
    """A DAG with its tasks in topological order; outputs list the tasks that may give them, first come first."""

    tasks: Mapping[str, Task]
    downstream: Mapping[str, tuple[str, ...]]
    parameters: Mapping[str, tuple[FromTask, ...]]
    artifacts: Mapping[str, tuple[FromTask, ...]]


Body: TypeAlias = Dag | Container | Importer


@dataclass(frozen=True, slots=True)
class Component:
    """A component: its interface and what it does. `title` is its name for people."""

    name: str
    title: str
    parameters: Mapping[str, Parameter]
    artifacts: Mapping[str, ArtifactSlot]
    output_parameters: Mapping[str, str]
    output_artifacts: Mapping[str, ArtifactSlot]
    spec: Mapping[str, Any]
    body: Body
    output_titles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Program:
    """A package that can run. `root` holds the pipeline's own interface and a DAG.

    `deadline` is how many seconds a run may take, None for any number.
    """

    package: Package
    components: Mapping[str, Component]
    root: Component
    deadline: int | None = None
