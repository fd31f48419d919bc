"""What the engine tells the workers and what it hears from them: two closed unions.

The engine (pure) turns events into commands; the runner carries commands out and turns what happens into events.
`key` identifies a task execution within a run: the IR task names from the root DAG down, joined by `/`, with the
index where a loop iterates (`exit-handler-1/for-loop-2/0/train`). `path` is the same in the source's names
(`sweep/0/train`), see `Package.labels`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from kfgit.events import Artifact


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a task produced: parameters as JSON values, artifacts as lists (one element unless the output is a list)."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Execute:
    """Run one attempt of a container or python component.

    `component` is the ComponentSpec (input and output definitions), `executor` the executor's `container` map,
    `platform` its KubernetesExecutorConfig. `parameters` are resolved and type-checked, defaults not yet added
    (the launcher adds component defaults only for placeholders); job placeholders inside them are replaced.
    `fingerprint` is the cache key's sha256, None when caching is off: the runner looks it up on the first attempt,
    answers a hit with `Succeeded(cached=True)`, and records the outputs after a success. `timeout` is in seconds.
    `earlier` counts the attempts before the run was retried, `attempt` those since.
    """

    key: str
    path: str
    task_name: str
    component_name: str
    component: Mapping[str, Any]
    executor: Mapping[str, Any]
    parameters: Mapping[str, Any]
    artifacts: Mapping[str, tuple[Artifact, ...]]
    attempt: int = 0
    retries: int = 0
    fingerprint: str | None = None
    timeout: float | None = None
    platform: Mapping[str, Any] = field(default_factory=dict)
    earlier: int = 0

    @property
    def number(self) -> int:
        """The attempt's number among all that the run ever made of this task, from 0."""
        return self.earlier + self.attempt


@dataclass(frozen=True, slots=True)
class Import:
    """Bring an outside thing in as the artifact `artifact`; `reimport` False may reuse an earlier import of the URI."""

    key: str
    path: str
    uri: str
    type: str
    version: str
    metadata: Mapping[str, Any]
    reimport: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """Kill a running attempt; the runner answers with `Failed`."""

    key: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send `Tick` at this instant (a retry's back-off ends)."""

    at: datetime


Command: TypeAlias = Execute | Import | Stop | WakeAt


@dataclass(frozen=True, slots=True)
class Begin:
    """The run starts."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt has a process now."""

    key: str
    attempt: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Succeeded:
    """An attempt (or an import) ended well."""

    key: str
    outputs: Outputs
    at: datetime
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A task that succeeded before the run was retried: answered as it ended then, not executed."""

    key: str
    outputs: Outputs
    started_at: datetime | None
    finished_at: datetime
    cached: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt ended badly; `error` is one sentence for people."""

    key: str
    error: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went by."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Cancel:
    """Someone wants the run to end: nothing new starts but the exit task, what runs is stopped."""

    at: datetime


Signal: TypeAlias = Begin | Started | Succeeded | Kept | Failed | Tick | Cancel
