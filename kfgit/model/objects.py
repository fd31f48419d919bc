"""What is applied beside pipelines, and the repository as one environment has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kfgit.model.components import Component
from kfgit.model.names import CLEAR, Name, Unclear
from kfgit.model.pipelines import Pipeline
from kfgit.model.policies import Freeze, PolicyRule, Protected
from kfgit.model.profiles import Elsewhere, Path, Profile
from kfgit.source import Span


@dataclass(frozen=True, slots=True)
class GivenInput:
    """A value given to an input, and where its name, the value and what a list holds stand."""

    value: Any
    key_span: Span
    span: Span
    items: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """What a schedule or run gives to its pipeline. `span` is the key that holds it all, or would.

    `faulty` are names whose values were told to be wrong; `unclear` says which others nobody knows about.
    """

    inputs: Mapping[str, GivenInput]
    faulty: frozenset[str]
    span: Span
    unclear: Unclear = CLEAR

    @property
    def values(self) -> dict[str, Any]:
        """The values by the names of the inputs."""
        return {name: given.value for name, given in self.inputs.items()}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a pipeline runs by itself. `every` is in seconds."""

    name: str
    pipeline: Name
    span: Span
    given: Given
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
    timezone_span: Span | None = None


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
    given: Given
    trigger: Trigger = "manual"
    experiment: str | None = None
    wait: bool = False
    wait_timeout: int | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """Which ended runs a local target keeps: the newest `count`, and those that ended within `age` seconds."""

    count: int | None = None
    age: int | None = None


@dataclass(frozen=True, slots=True)
class KfpAuth:
    """How kfgit shows a KFP server who it is; no secret stands here, only where it is to be found."""

    type: Literal["none", "bearer", "kubeconfig", "serviceAccount", "cookie"] = "none"
    token_env: str | None = None
    token_file: str | None = None
    command_env: str | None = None
    cookie_env: str | None = None
    audience: str = "pipelines.kubeflow.org"


@dataclass(frozen=True, slots=True)
class KfpServer:
    """A KFP API server. Without an `endpoint` it is the Service `service` behind the Kubernetes API server's proxy.

    `timezone` is the one that its controller reads crons in. `namespace` is the user's on a multi-user server.
    """

    endpoint: str | None = None
    auth: KfpAuth = KfpAuth()
    timezone: str = "UTC"
    service: str = "ml-pipeline"
    service_namespace: str = "kubeflow"
    service_port: int = 8888
    ca_file: str | None = None
    user_header: str = "kubeflow-userid"
    user: str | None = None
    user_env: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """A Kubeflow installation. `context` is the kubeconfig's, `namespace` where runs and kfgit's own objects live."""

    context: str | None = None
    namespace: str | None = None
    kfp: KfpServer = KfpServer()
    service_account: str | None = None
    pipeline_root: str | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the repository is applied, and how. `cluster` says which, where the target is one.

    `capacity` is what the tasks of a local target may hold together, by `cpu` and `memory` in Kubernetes' notation,
    where that is not what the machine has; `gpu` what is done for tasks that ask for devices which it has not.
    """

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
    freeze: Freeze | None = None
    protected: Protected | None = None
    rules: tuple[PolicyRule, ...] = ()
    namespace: str | None = None
    retention: Retention = Retention()
    cluster: ClusterTarget | None = None
    branch: str | None = None
    promotes_from: str | None = None
    require: str | None = None
    soak: int | None = None
    gpu: Literal["emulate", "require"] = "emulate"
    capacity: Mapping[str, str] = field(default_factory=dict)


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
    elsewhere: Elsewhere = field(default_factory=Elsewhere)

    def profile_of(self, name: Name | None) -> Profile | None:
        """The profile that a task's `profile` means in this environment: one step, no chains."""
        if name is None:
            return None
        return self.profiles.get(self.environment.profiles.get(name.text, name).text)

    def origin(self, profile: Profile, path: Path) -> tuple[Profile, Span] | None:
        """The profile that says what another has at a path below `spec`, itself or what it extends, and where."""
        found: Profile | None = profile
        while found is not None:
            if path in found.said:
                return found, found.said[path]
            found = self.profiles.get(found.extends) if found.extends is not None else None
        return None
