"""Resource profiles: what a task gets, where it runs, and what a cluster keeps for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from kfgit.model.names import Name
from kfgit.model.settings import Placement, Resources
from kfgit.source import Span

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a task costs in an hour; `currency` is its code of ISO 4217."""

    per_hour: Decimal
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Queue:
    """How Kueue admits tasks: by the LocalQueue `local`; kfgit keeps it where it knows its ClusterQueue `cluster`.

    Quantities are in Kubernetes' notation, by resource; `preemption` has the keys and words of a ClusterQueue's.
    """

    local: str
    cluster: str | None = None
    flavor: str | None = None
    cohort: str | None = None
    borrowing_limit: Mapping[str, str] = field(default_factory=dict)
    lending_limit: Mapping[str, str] = field(default_factory=dict)
    strategy: str | None = None
    preemption: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LimitRange:
    """What containers of the namespace get or may have: amounts by `cpu`, `memory` and `ephemeralStorage`."""

    default: Mapping[str, str] = field(default_factory=dict)
    default_request: Mapping[str, str] = field(default_factory=dict)
    min: Mapping[str, str] = field(default_factory=dict)
    max: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_key(self) -> Mapping[str, Mapping[str, str]]:
        """Its amounts by the keys under which they are written."""
        return {
            "default": self.default,
            "defaultRequest": self.default_request,
            "min": self.min,
            "max": self.max,
        }


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """A class of devices (resource.k8s.io): `selectors` are CEL; `extended_resource` asks for them without a claim."""

    name: str
    selectors: tuple[str, ...] = ()
    extended_resource: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A ResourceClaimTemplate for `count` devices of a class."""

    name: str
    device_class: str
    count: int = 1
    selectors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What all environments say of profiles, as far as their documents show it.

    `mapped` are the environments by the logical names that they map; `devices` are names, logical ones and those of
    profiles, that mean something with an accelerator in any of them.
    """

    mapped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    devices: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """A ResourceProfile with its ancestors folded in.

    `cluster_only` are settings that a KFP task cannot have, `own` the amounts (`limits.cpu`) that it says itself.
    `priority_value` is the number of its priority class, where kfgit keeps the class. `said` has what its own document
    says and where, by path below `spec`; whatever else it has is what it `extends` says.
    """

    name: str
    span: Span
    resources: Resources
    placement: Placement
    cluster_only: tuple[Name, ...] = ()
    own: frozenset[str] = frozenset()
    priority_value: int | None = None
    cost: Cost | None = None
    queue: Queue | None = None
    quota: Mapping[str, str] = field(default_factory=dict)
    limit_range: LimitRange | None = None
    device_class: DeviceClass | None = None
    claim: Claim | None = None
    extends: str | None = None
    said: Mapping[Path, Span] = field(default_factory=dict)
    keys: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """All that extend it ask what it says, so that is put together once."""
        object.__setattr__(self, "keys", frozenset(path[0] for path in self.said))

    def says(self, key: str) -> bool:
        """Whether its own document has anything of a key of `spec`."""
        return key in self.keys
