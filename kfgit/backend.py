"""The seam: what every place that holds objects and runs pipelines can do.

`Backend` is all that apply and the doors know of a target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from kfgit import ticks
from kfgit.durations import RunTimes
from kfgit.events import (
    AppliedRun,
    ApplyRecord,
    ChangeFinished,
    Event,
    Holder,
    RunRecord,
    State,
    StoredArtifact,
    TickRecord,
)
from kfgit.ir import DEFAULT_EXPERIMENT, Package, Resource
from kfgit.model import Retention
from kfgit.plan import Change, Live, LiveObject, Plan


class MachineFault(Exception):
    """Network, authentication, disk, a broken state file: what no edit of the source would mend."""


class Refused(Exception):
    """A guard or a policy said no."""


class Locked(Exception):
    """Another apply holds the target; the text says who."""


class NotFound(Exception):
    """The target knows nothing of that name; `known` are the names it has."""

    def __init__(self, what: str, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(f"no {what} `{name}`")
        self.what, self.name, self.known = what, name, tuple(known)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to start. The same `id` given twice starts one run."""

    id: str
    name: str
    pipeline: str
    package: Package
    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    experiment: str = DEFAULT_EXPERIMENT
    version: str | None = None
    cache: bool = True
    executor: str = "auto"
    scheduled_at: datetime | None = None


class Gone(NotFound):
    """It was there once; the text says what became of it."""

    def __init__(self, what: str, name: str, why: str) -> None:
        super().__init__(what, name)
        self.args = (f"the {what} of `{name}` is gone: {why}",)


class Ambiguous(NotFound):
    """Several things begin so; `known` are some of them."""

    def __init__(self, what: str, name: str, known: Sequence[str]) -> None:
        super().__init__(what, name, known)
        self.args = (f"several {what}s begin with `{name}`: {', '.join(known)}",)


class SameName(Ambiguous):
    """Several schedules have the same name; `known` are their ids."""

    def __init__(self, name: str, ids: Sequence[str]) -> None:
        super().__init__("schedule", name, ids)
        self.args = (f"several schedules are called `{name}`; give the id of one: {', '.join(ids)}",)


@dataclass(frozen=True, slots=True)
class Finding:
    """What somebody who looked things over found: well, worth knowing, or in the way, and what to do then."""

    name: str
    state: Literal["ok", "note", "problem"]
    message: str
    help: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """A schedule, its newest ticks and the last that fired; `state` is how that one's run came out.

    `enabled` counts, not the field of that name in `spec`. `rule` is None where nobody can read when it fires.
    """

    id: str
    name: str
    spec: Mapping[str, Any]
    enabled: bool
    owned: bool
    rule: ticks.Rule | None
    standing: ticks.Standing
    history: tuple[TickRecord, ...] = ()
    fired: TickRecord | None = None
    state: State | None = None

    @property
    def held(self) -> TickRecord | None:
        """The newest tick, where it was skipped or waits."""
        newest = self.history[0] if self.history else None
        return newest if newest and newest.state != "fired" else None

    def upcoming(self, at: datetime, count: int) -> tuple[datetime, ...]:
        """When it fires next."""
        return ticks.upcoming(self.rule, self._settled(self.rule, at), at, count) if self.rule else ()

    def owed(self, at: datetime) -> tuple[datetime, ...]:
        """The newest ticks that should have fired."""
        return ticks.owed(self.rule, self._settled(self.rule, at), at) if self.rule else ()

    def owed_since(self, at: datetime) -> datetime | None:
        """The first tick that should have fired."""
        return ticks.owed_since(self.rule, self._settled(self.rule, at), at) if self.rule else None

    def _settled(self, rule: ticks.Rule, at: datetime) -> ticks.Standing:
        return ticks.settled(rule, self.standing, at)


class Runs(Protocol):
    """The runs of a target and what they left behind. A run is named by its id, the beginning of it, or `latest`.

    Whoever asks for one raises `NotFound`, or `Ambiguous` where several ids begin so.
    """

    def all(self) -> tuple[RunRecord, ...]:
        """Every run, newest first, without tasks."""

    def newest(self, limit: int) -> tuple[RunRecord, ...]:
        """The newest runs, without tasks."""

    def count(self) -> int:
        """How many runs there are."""

    def by_experiment(self) -> Mapping[str, int]:
        """How many runs there are of each experiment."""

    def get(self, id_or_prefix: str) -> RunRecord:
        """One run with its tasks."""

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """How runs stand, by their whole ids; those that are gone are left out."""

    def durations(self, pipelines: Sequence[str], count: int) -> Mapping[str, tuple[RunTimes, ...]]:
        """How long the newest runs of pipelines took that succeeded, at most `count` of each, newest first.

        Pipelines without any are left out. A target that many share is asked about its newest runs alone.
        """

    def resolve(self, id_or_prefix: str) -> str:
        """The whole id of a run."""

    def place(self, id_or_prefix: str) -> str | None:
        """The folder with a run's files; None where they are not on this machine."""

    def log(self, run_id: str, path: str, attempt: int | None = None) -> str:
        """What a task printed; raises `NotFound`."""

    def cancel(self, run_id: str) -> RunRecord:
        """Asks a run to stop; a finished one stays as it is."""

    def retry(self, run_id: str) -> RunRecord:
        """Lets a run that ended badly go on where it failed; raises `Refused` for any other."""

    def delete(self, run_id: str) -> None:
        """Removes a run that is not running, with its files; raises `Refused` for a running one."""

    def sweep(self, retention: Retention, at: datetime) -> Iterator[tuple[str, ...]]:
        """Removes the ended runs that are not to be kept, and tells their ids, some at a time."""

    def artifacts(self, run_id: str | None = None, limit: int = -1) -> tuple[StoredArtifact, ...]:
        """What runs produced, newest first."""

    def artifact(self, id_or_prefix: str) -> StoredArtifact:
        """One artifact; raises as `get` does."""

    def copy(self, artifact: StoredArtifact, target: Path) -> None:
        """Brings a file or folder to `target`, where nothing is yet; raises `MachineFault` for what is gone."""


class Schedules(Protocol):
    """The schedules of a target. One is named by its name or id, or the beginning of either."""

    def all(self) -> tuple[ScheduleStatus, ...]:
        """Every schedule, by name, with its newest tick."""

    def ours(self) -> tuple[ScheduleStatus, ...]:
        """As `all`, without those that are others' on a target that many share."""

    def get(self, name: str) -> ScheduleStatus:
        """One schedule with its newest ticks; raises `NotFound`, `Ambiguous` or `SameName`."""

    def enable(self, name: str, *, enabled: bool) -> ScheduleStatus:
        """Turns a schedule on or off; one that is so already stays as it is."""

    def trigger(self, name: str) -> str:
        """Starts the run of a schedule out of turn, and returns its id. It is no tick. Raises `Refused`."""


class Backend(Protocol):
    """A place that holds objects and runs pipelines."""

    @property
    def environment(self) -> str:
        """The environment that this is the target of."""

    @property
    def identity(self) -> str:
        """What tells this target from all others; part of a plan's digest, without secrets."""

    @property
    def requests(self) -> int:
        """How many API requests were made until now."""

    @property
    def parallelism(self) -> int:
        """How many changes that do not depend on each other are carried out at once."""

    def observe(
        self,
        desired: Sequence[Resource] = (),
        *,
        refresh: bool = False,
        secrets: bool = False,
        adopting: Sequence[LiveObject] = (),
    ) -> Live:
        """What is live, owned or not; of what can have any number of kinds that which `desired` or the inventory names.

        With `refresh` also what takes more requests to see, and no apply needs, such as the versions of every pipeline;
        with `secrets` whether the Secrets are there that pipelines name, which takes the right to read them.
        Those of `adopting`, which were seen before, are looked at as if they had been taken over. The `detail` of a
        pipeline among them has its newest `version` and, where that can be read, its `package` and `platform`.
        Raises `MachineFault` where anything could not be seen: a failed or partial list never means "absent".
        """

    def lock(self, owner: str) -> AbstractContextManager[None]:
        """Holds the target for one apply; raises `Locked`, which says who has it."""

    def begin_apply(self, plan: Plan, who: str) -> int:
        """Writes down what an apply is about to do, before it does anything, and returns its number."""

    def perform(self, change: Change) -> str:
        """Carries one change of a plan out and returns the object's id. Doing it twice ends in the same state."""

    def end_apply(
        self, number: int, results: Sequence[ChangeFinished], runs: Sequence[AppliedRun] = ()
    ) -> None:
        """Writes down how an apply ended, and which runs its commit wanted."""

    def note_runs(self, ended: Mapping[str, State]) -> None:
        """Writes down how runs ended, by their ids, in every apply that wanted them. The caller holds the lock."""

    def applies(self, limit: int = -1) -> tuple[ApplyRecord, ...]:
        """Past applies, newest first."""

    def last_apply(self) -> ApplyRecord | None:
        """The newest apply, also one that was cut off."""

    def applying(self) -> str | None:
        """Who holds the target for an apply right now; None where nobody does."""

    def served(self) -> bool:
        """Whether somebody else executes the runs of the target."""

    def fires(self) -> bool:
        """Whether somebody starts the runs of its schedules when they are due."""

    def holder(self) -> Holder | None:
        """The server of kfgit that holds the target; None where there is none, and on a cluster."""

    def start(self, request: RunRequest) -> RunRecord:
        """Records a run; it runs when someone watches it or a server holds the environment."""

    def watch(self, run_id: str) -> Iterator[Event]:
        """Follows a run to its end, executing it here where nobody else does. Ends with `RunFinished`."""

    @property
    def runs(self) -> Runs:
        """The runs of this target."""

    @property
    def schedules(self) -> Schedules:
        """The schedules of this target."""
