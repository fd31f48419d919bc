"""How a task runs: resources, retries, and what Kubernetes gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kfgit.model.components import EnvValue
from kfgit.model.names import Name
from kfgit.model.values import Value
from kfgit.source import Span


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and how long to wait, in seconds; None = KFP's default."""

    max: int
    backoff: int | None = None
    factor: float | None = None
    max_duration: int | None = None


@dataclass(frozen=True, slots=True)
class Accelerator:
    """`count` devices of the extended resource `resource`.

    One without a `resource` ("") changes some fields of another's, those that it has `said`. `span` is its key.
    """

    resource: str
    count: int
    model: str | None = None
    said: frozenset[str] = frozenset()
    span: Span | None = None

    def over(self, base: Accelerator | None) -> Accelerator:
        """Over another: one with a resource of its own is another device, of which nothing of that one is true."""
        if base is None or self.resource:
            return self
        return Accelerator(
            base.resource,
            self.count if "count" in self.said else base.count,
            self.model if "model" in self.said else base.model,
            self.said | base.said,
            self.span,
        )


@dataclass(frozen=True, slots=True)
class Resources:
    """Quantities in Kubernetes' notation; `spans` has the place of each, such as `limits.cpu`."""

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    accelerator: Accelerator | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)

    def over(self, base: Resources) -> Resources:
        """Amount by amount over others."""
        return Resources(
            {**base.requests, **self.requests},
            {**base.limits, **self.limits},
            self.accelerator.over(base.accelerator) if self.accelerator is not None else base.accelerator,
            {**base.spans, **self.spans},
        )

    def settled(self) -> Resources:
        """Without fields of an accelerator that there is none of: they change nothing."""
        is_partial = self.accelerator is not None and not self.accelerator.resource
        return replace(self, accelerator=None) if is_partial else self


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
