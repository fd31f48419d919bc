"""The vocabulary: what a repository says, for one environment, without documents, templates or schemas.

Values only, no logic. Every value that a check may complain about carries its span.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from kfgit.cel import Expr
from kfgit.references import Ref, Text
from kfgit.source import Span

ParameterName = Literal["string", "int", "float", "bool", "list", "dict"]


@dataclass(frozen=True, slots=True)
class ParameterType:
    """A value type; `item` is known for `list<float>`."""

    name: ParameterName
    item: ParameterName | None = None


@dataclass(frozen=True, slots=True)
class ArtifactType:
    """An artifact type by its schema title (`system.Model`); `many` for `list<Model>`."""

    title: str
    version: str = "0.0.1"
    many: bool = False


@dataclass(frozen=True, slots=True)
class StatusType:
    """`TaskFinalStatus`: what an exit task may ask about the run."""


Type: TypeAlias = ParameterType | ArtifactType | StatusType


class Name(NamedTuple):
    """A name that was written somewhere."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a component or pipeline. `type` is None where the type itself was faulty."""

    name: str
    type: Type | None
    span: Span
    default: Any = None
    has_default: bool = False
    optional: bool = False
    description: str = ""
    enum: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None

    @property
    def required(self) -> bool:
        """Whether a caller must give it."""
        return not (self.has_default or self.optional or isinstance(self.type, StatusType))


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a component."""

    name: str
    type: Type | None
    span: Span
    description: str = ""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """An environment value out of a Secret."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ConfigMapKey:
    """An environment value out of a ConfigMap."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class FieldPath:
    """An environment value out of the pod itself."""

    path: str


EnvValue: TypeAlias = str | SecretKey | ConfigMapKey | FieldPath


@dataclass(frozen=True, slots=True)
class IfPresent:
    """An argument that is there only when the optional input was given."""

    input: Name
    then: tuple[Argument, ...]
    otherwise: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Concat:
    """Pieces that make one argument."""

    items: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class TextArgument:
    """An argument with references."""

    text: Text
    span: Span


Argument: TypeAlias = TextArgument | IfPresent | Concat


@dataclass(frozen=True, slots=True)
class Container:
    """A container component. A `script` has become the command `sh -ec` already."""

    image: str
    command: tuple[Argument, ...]
    args: tuple[Argument, ...]
    env: Mapping[str, EnvValue]
    span: Span
    image_span: Span
    script: TextArgument | None = None


@dataclass(frozen=True, slots=True)
class Python:
    """A python component: the text of one function and what its environment needs."""

    function: str
    source: str
    base_image: str
    packages: tuple[str, ...]
    index_urls: tuple[str, ...]
    span: Span
    env: Mapping[str, EnvValue] = field(default_factory=dict)
    image_span: Span | None = None


Implementation: TypeAlias = Container | Python


@dataclass(frozen=True, slots=True)
class Component:
    """A component; `implementation` is None where it is faulty or not supported, which was told.

    `unclear`, here and below: a key is misspelt or a part faulty, which was told, so nobody knows what is missing.
    """

    name: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    implementation: Implementation | None
    span: Span
    description: str = ""
    whole: bool = True
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class Literal_:  # noqa: N801 - `typing` has the plain name
    """A given value without references."""

    value: Any
    span: Span


@dataclass(frozen=True, slots=True)
class Whole:
    """A given value that is exactly one reference."""

    ref: Ref
    span: Span


@dataclass(frozen=True, slots=True)
class Composite:
    """A text, list or map with references in it; the leaves of `value` are JSON scalars and `Text`."""

    value: Any
    references: tuple[Ref, ...]
    span: Span


Value: TypeAlias = Literal_ | Whole | Composite


@dataclass(frozen=True, slots=True)
class Condition:
    """A `when`; `references` maps what stands in `$( … )` to its meaning."""

    text: str
    expression: Expr
    references: Mapping[str, Ref]
    span: Span


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and how long to wait, in seconds; None = KFP's default."""

    max: int
    backoff: int | None = None
    factor: float | None = None
    max_duration: int | None = None


@dataclass(frozen=True, slots=True)
class Accelerator:
    """`count` devices of the extended resource `resource`."""

    resource: str
    count: int
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """Quantities in Kubernetes' notation; `spans` has the place of each, such as `limits.cpu`."""

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    accelerator: Accelerator | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a task's pod may run and what it finds there: what Kubernetes knows beyond quantities.

    `affinity` and `tolerations` are JSON in the form of KFP's IR; `queue` is a LocalQueue of Kueue and `priority` a
    priority class, which with a queue is Kueue's.
    """

    shared_memory: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: tuple[Mapping[str, Any], ...] = ()
    tolerations: tuple[Mapping[str, Any], ...] = ()
    queue: str | None = None
    priority: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a task runs; None = not said. `spans` says where each of them stands."""

    cache: bool | None = None
    cache_key: str | None = None
    retry: Retry | None = None
    timeout: int | None = None
    profile: Name | None = None
    resources: Resources | None = None
    env: Mapping[str, EnvValue] | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)
    placement: Placement | None = None


@dataclass(frozen=True, slots=True)
class UseComponent:
    """Run a component, by name or written in place (then `inline`)."""

    name: Name
    inline: Component | None = None


@dataclass(frozen=True, slots=True)
class UsePipeline:
    """Run a pipeline as one task."""

    name: Name


@dataclass(frozen=True, slots=True)
class Import:
    """Bring an outside artifact in."""

    uri: Value
    type: ArtifactType | None
    reimport: bool
    metadata: Value | None
    span: Span


@dataclass(frozen=True, slots=True)
class Loop:
    """Run tasks once for each item."""

    items: Value
    parallelism: int | None
    tasks: Mapping[str, Task]


@dataclass(frozen=True, slots=True)
class BranchOutput:
    """What a branch gives out under a name."""

    name: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Branch:
    """One way through a switch; `when` is None for else."""

    when: Condition | None
    tasks: Mapping[str, Task]
    outputs: Mapping[str, BranchOutput]
    span: Span
    bad_condition: bool = False
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class Switch:
    """The first branch whose condition holds runs."""

    branches: tuple[Branch, ...]


Action: TypeAlias = UseComponent | UsePipeline | Import | Loop | Switch


@dataclass(frozen=True, slots=True)
class Task:
    """A task. `action` is None where it is faulty, which was told; then nobody complains about its outputs."""

    name: str
    action: Action | None
    span: Span
    inputs: Mapping[str, Value] = field(default_factory=dict)
    input_spans: Mapping[str, Span] = field(default_factory=dict)
    when: Condition | None = None
    after: tuple[Name, ...] = ()
    settings: Settings = field(default_factory=Settings)
    display_name: str | None = None
    ignore_upstream_failure: bool = False
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class PipelineOutput:
    """An output of a pipeline and where it comes from."""

    name: str
    type: Type | None
    source: Value | None
    span: Span
    description: str = ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline; `whole` is False where parts of it were faulty, which was told."""

    name: str
    span: Span
    inputs: Mapping[str, Input]
    outputs: Mapping[str, PipelineOutput]
    tasks: Mapping[str, Task]
    defaults: Settings = field(default_factory=Settings)
    on_exit: Task | None = None
    description: str = ""
    display_name: str | None = None
    external_name: str | None = None
    pipeline_root: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    whole: bool = True
    unclear: bool = False
    labels_span: Span | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a pipeline runs by itself. `every` is in seconds.

    `input_spans` are the places of the values, `input_keys` of their names, `inputs_span` of what holds them.
    """

    name: str
    pipeline: Name
    span: Span
    inputs: Mapping[str, Any]
    input_spans: Mapping[str, Span]
    version: str = "latest"
    experiment: str | None = None
    cron: str | None = None
    every: int | None = None
    timezone: str = "UTC"
    start: str | None = None
    end: str | None = None
    catchup: bool = False
    max_concurrency: int = 1
    enabled: bool = True
    service_account: str | None = None
    pipeline_root: str | None = None
    external_name: str | None = None
    cron_span: Span | None = None
    unclear: bool = False
    input_keys: Mapping[str, Span] = field(default_factory=dict)
    inputs_span: Span | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """A folder of runs on the server."""

    name: str
    span: Span
    description: str = ""
    external_name: str | None = None


Trigger = Literal["manual", "once", "onChange", "onApply"]


@dataclass(frozen=True, slots=True)
class Run:
    """A run that the repository asks for. `wait_timeout` is in seconds."""

    name: str
    pipeline: Name
    span: Span
    inputs: Mapping[str, Any]
    input_spans: Mapping[str, Span]
    trigger: Trigger = "manual"
    experiment: str | None = None
    wait: bool = False
    wait_timeout: int | None = None
    unclear: bool = False
    input_keys: Mapping[str, Span] = field(default_factory=dict)
    inputs_span: Span | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A ResourceProfile with its ancestors folded in. `cluster_only` are settings that a KFP task cannot have."""

    name: str
    span: Span
    resources: Resources
    placement: Placement
    cluster_only: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the repository is applied, and how."""

    name: str
    span: Span
    mode: Literal["production", "development"] = "production"
    prefix: str = ""
    target: Literal["local", "cluster"] = "local"
    executor: str = "auto"
    profiles: Mapping[str, Name] = field(default_factory=dict)
    prune: Mapping[str, str] = field(default_factory=dict)
    protect: tuple[str, ...] = ()
    policies: Mapping[str, Any] = field(default_factory=dict)
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A repository as one environment sees it. `faulty` names documents that were told to be broken."""

    name: str
    environment: Environment
    components: Mapping[str, Component] = field(default_factory=dict)
    pipelines: Mapping[str, Pipeline] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    runs: Mapping[str, Run] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    faulty: frozenset[tuple[str, str]] = frozenset()
