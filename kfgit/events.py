"""What happens during apply and run, told as it happens, and the records that remain of it.

`Event` is a closed union. Times are aware datetimes in UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from kfgit.ir import DEFAULT_EXPERIMENT
from kfgit.plan import Applied

# KFP's words (backend/api/v2beta1/run.proto, RuntimeState).
State = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELING", "CANCELED", "SKIPPED"]
FINAL: frozenset[str] = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"})


@dataclass(frozen=True, slots=True)
class Artifact:
    """A produced or imported thing: `type` is a schema title such as `system.Model`.

    `id` is stable for the thing's life and part of cache fingerprints, as the MLMD id is in KFP.
    """

    id: str
    name: str
    type: str
    uri: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    version: str = "0.0.1"
    custom_path: str = ""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task of a run. Values of `inputs` and `outputs` are JSON, an `Artifact`, or a tuple of them."""

    path: str
    component: str | None
    state: State
    cached: bool = False
    attempts: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run with its tasks, in the order of the source where it is known. `error` tells why it failed as a whole."""

    id: str
    name: str
    pipeline: str
    environment: str
    state: State
    created_at: datetime
    experiment: str = DEFAULT_EXPERIMENT
    version: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    scheduled_at: datetime | None = None
    tasks: tuple[TaskRecord, ...] = ()
    error: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """An artifact with the run, the task and the output that made it."""

    artifact: Artifact
    run_id: str
    task: str
    output: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TickRecord:
    """A tick of a schedule and what became of it: the run it started, or why there is none, or none yet."""

    at: datetime
    state: Literal["fired", "skipped", "waiting"]
    decided_at: datetime
    run: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """A server of kfgit that holds an environment. `url` is empty until it listens."""

    who: str
    pid: int
    since: str
    url: str = ""
    engine: bool = True
    scheduler: bool = True

    def __str__(self) -> str:
        """Who it is, for people."""
        where = f" at {self.url}" if self.url else ""
        return f"{self.who} (process {self.pid}) has held it{where} since {self.since}"


@dataclass(frozen=True, slots=True)
class AppliedRun:
    """A run that a commit wanted, by the names of its documents. `digest` is its package's.

    `id` is empty where it was never started. `state` is None until its end was seen; a run that ended badly may have
    been retried since.
    """

    name: str
    pipeline: str
    digest: str
    id: str
    state: State | None = None


@dataclass(frozen=True, slots=True)
class ApplyRecord:
    """One past apply; `finished_at` is None while it runs and when it was cut off. `result` counts changes by state.

    `branch` is the one that the commit was applied from; `folder`: what was read is a folder that had the commit
    checked out, and may have differed from it. `runs` are all that the commit wanted under their keys of then, also
    those that an earlier apply had started; of very many only their number is kept, as `unlisted`. `changes` counts
    what was done, by action.
    """

    id: int
    project: str
    commit: str | None
    digest: str
    who: str
    started_at: datetime
    finished_at: datetime | None
    result: Mapping[str, int]
    branch: str | None = None
    runs: tuple[AppliedRun, ...] = ()
    folder: bool = False
    verb: Literal["apply", "adopt", "destroy"] = "apply"
    changes: Mapping[str, int] = field(default_factory=dict)
    unlisted: int = 0

    @property
    def applied(self) -> Applied | None:
        """What the target was made equal to, where all that it wanted was done."""
        whole = self.verb == "apply" and self.finished_at is not None and not undone(self.result)
        return Applied(self.commit, self.folder) if whole else None


@dataclass(frozen=True, slots=True)
class ChangeStarted:
    """A change of the plan is being carried out."""

    action: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class ChangeFinished:
    """A change was carried out, or failed with `error`, or was skipped because an earlier one failed."""

    action: str
    kind: str
    name: str
    id: str | None
    state: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began."""

    run: RunRecord


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task has a new state. `log_tail` are the last lines it printed when it failed, `log_path` where the rest is."""

    run_id: str
    task: TaskRecord
    log_tail: tuple[str, ...] = ()
    log_path: str | None = None


@dataclass(frozen=True, slots=True)
class Preparing:
    """Something slow that is not a task: an environment is being installed."""

    run_id: str
    what: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """A run reached its end; the record is complete."""

    run: RunRecord


Event: TypeAlias = ChangeStarted | ChangeFinished | RunStarted | TaskChanged | Preparing | RunFinished


def undone(result: Mapping[str, int]) -> int:
    """How many changes failed or were skipped."""
    return result.get("failed", 0) + result.get("skipped", 0)


def done_by_action(results: Iterable[ChangeFinished]) -> Mapping[str, int]:
    """How many changes were done, by their action."""
    return dict(sorted(Counter(each.action for each in results if each.state == "done").items()))


def outcome(results: Iterable[ChangeFinished]) -> Mapping[str, int]:
    """How many changes ended in which state."""
    counted = Counter(each.state for each in results)
    return {state: counted[state] for state in ("done", "failed", "skipped")}
