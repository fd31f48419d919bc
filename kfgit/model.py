"""The vocabulary: what a repository says, for one environment, without documents, templates or schemas.

Values only, no logic. Every value that a check may complain about carries its span.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from kfgit.diagnostics import nearest
from kfgit.packages.compiled import Compiled
from kfgit.references import Ref, Text
from kfgit.source import Span

if TYPE_CHECKING:
    from kfgit.cel import Expr

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
class Unclear:
    """What may be missing only because of a fault that was told: these names, or anything in one of these maps."""

    names: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.names or self.maps)

    def covers(self, name: str, holder: str) -> bool:
        """Whether nobody knows if a map holds something of this name."""
        return holder in self.maps or (bool(self.names) and nearest(name, self.names) is not None)


CLEAR = Unclear()
UNCLEAR = Unclear(maps=frozenset({"inputs", "outputs", "tasks"}))


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
    type_span: Span | None = None

    @property
    def place(self) -> Span:
        """Where its type is written; its name, where that is all there is."""
        return self.type_span or self.span

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
    type_span: Span | None = None

    @property
    def place(self) -> Span:
        """Where its type is written; its name, where that is all there is."""
        return self.type_span or self.span


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
    """A python component: the text of one function and what its environment needs.

    The `helper` stands before the function and carries what it needs beside itself, such as a notebook.
    """

    function: str
    source: str
    base_image: str
    packages: tuple[str, ...]
    index_urls: tuple[str, ...]
    span: Span
    env: Mapping[str, EnvValue] = field(default_factory=dict)
    image_span: Span | None = None
    helper: str = ""


Implementation: TypeAlias = Container | Python


@dataclass(frozen=True, slots=True)
class Component:
    """A component; `implementation` is None where it is faulty or not supported, which was told.

    `unclear`, here and below: a key is misspelt or a part faulty, which was told, so nobody knows about these names.
    """

    name: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    implementation: Implementation | None
    span: Span
    description: str = ""
    whole: bool = True
    unclear: Unclear = CLEAR


@dataclass(frozen=True, slots=True)
class Literal_:  # noqa: N801 - `typing` has the plain name
    """A given value without references; `items` are the places of what a list holds."""

    value: Any
    span: Span
    items: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """A given value that is exactly one reference."""

    ref: Ref
    span: Span


@dataclass(frozen=True, slots=True)
class Composite:
    """A text, list or map with references in it; the leaves of `value` are JSON scalars and `Text`.

    `places` are the scalars of a list or map that hold the references, one for each.
    """

    value: Any
    references: tuple[Ref, ...]
    span: Span
    places: tuple[Span, ...] = ()


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
class KeySource:
    """A Secret or ConfigMap: keys of it as variables, all of it as a folder, or both."""

    name: Value
    variables: tuple[tuple[Name, str], ...]
    mount_path: Name | None
    optional: bool
    span: Span


@dataclass(frozen=True, slots=True)
class ClaimMount:
    """A PersistentVolumeClaim as a folder."""

    name: Value
    mount_path: Name
    sub_path: Name | None = None


@dataclass(frozen=True, slots=True)
class EphemeralVolume:
    """A volume that lives as long as the pod; a `storage_class` of None is the cluster's default."""

    name: Name
    mount_path: Name
    access_modes: tuple[str, ...]
    size: Name
    storage_class: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmptyDir:
    """An empty folder that lives as long as the pod."""

    name: Name
    mount_path: Name
    medium: str | None = None
    size_limit: Name | None = None


@dataclass(frozen=True, slots=True)
class SecurityContext:
    """The user that a container runs as."""

    run_as_user: int | None
    run_as_group: int | None
    run_as_non_root: bool | None
    span: Span


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A task's `kubernetes` block. What is None was not said, and a profile may say it.

    Selectors, terms and tolerations are JSON in the form of KFP's IR, or of Kubernetes' NodeAffinity, or references.
    """

    secrets: tuple[KeySource, ...] = ()
    config_maps: tuple[KeySource, ...] = ()
    field_paths: tuple[tuple[Name, str], ...] = ()
    claims: tuple[ClaimMount, ...] = ()
    ephemeral_volumes: tuple[EphemeralVolume, ...] = ()
    empty_dirs: tuple[EmptyDir, ...] = ()
    node_selector: Value | None = None
    node_affinity: tuple[Value, ...] | None = None
    tolerations: tuple[Value, ...] | None = None
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[Value, ...] = ()
    security_context: SecurityContext | None = None


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
    kubernetes: Kubernetes | None = None


@dataclass(frozen=True, slots=True)
class UseComponent:
    """Run a component, by name or written in place (then `inline`).

    A `builtin` one is the language's own and runs no program of a user, so defaults and policies pass it by.
    """

    name: Name
    inline: Component | None = None
    builtin: bool = False


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
    unclear: Unclear = CLEAR


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
    unclear: Unclear = CLEAR


@dataclass(frozen=True, slots=True)
class PipelineOutput:
    """An output of a pipeline and where it comes from."""

    name: str
    type: Type | None
    source: Value | None
    span: Span
    description: str = ""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A volume that the tasks of a run share. `claim` has fields of its PersistentVolumeClaim's spec."""

    size: str
    span: Span
    claim: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """What holds for a whole run, and so for a root pipeline alone. All times are in seconds.

    `kept` says how long what a run left on the cluster stays: after any end (`finished`), after a `success`, after a
    `failure`. `spans` has the place of each key that was written, `pipelineRoot` among them.
    """

    workspace: Workspace | None = None
    kept: Mapping[str, int] = field(default_factory=dict)
    active_deadline: int | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline; `whole` is False where parts of it were faulty, which was told.

    Of a compiled `package` the inputs and outputs are known here, and the tasks stay what they are.
    """

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
    unclear: Unclear = CLEAR
    labels_span: Span | None = None
    run_policy: RunPolicy = field(default_factory=RunPolicy)
    package: Compiled | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a pipeline runs by itself. `every` is in seconds.

    `input_spans` are the places of the values, `input_keys` of their names, `input_items` of what lists hold,
    `inputs_span` of what holds them all.
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
    unclear: Unclear = CLEAR
    input_keys: Mapping[str, Span] = field(default_factory=dict)
    inputs_span: Span | None = None
    input_items: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)


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
    unclear: Unclear = CLEAR
    input_keys: Mapping[str, Span] = field(default_factory=dict)
    inputs_span: Span | None = None
    input_items: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """A ResourceProfile with its ancestors folded in.

    `cluster_only` are settings that a KFP task cannot have, `own` the amounts (`limits.cpu`) that it says itself.
    """

    name: str
    span: Span
    resources: Resources
    placement: Placement
    cluster_only: tuple[Name, ...] = ()
    own: frozenset[str] = frozenset()


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
