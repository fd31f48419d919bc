"""The seam: what every place that holds objects and runs pipelines can do.

`Backend` is all that apply and the doors know of a target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from kfgit.events import ApplyRecord, ChangeFinished, Event, RunRecord
from kfgit.ir import DEFAULT_EXPERIMENT, Package, Resource
from kfgit.plan import Change, Live, Plan


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


class Runs(Protocol):
    """The runs of a target and what they left behind."""

    def all(self) -> tuple[RunRecord, ...]:
        """Every run, newest first, without tasks."""

    def newest(self, limit: int) -> tuple[RunRecord, ...]:
        """The newest runs, without tasks."""

    def get(self, id_or_prefix: str) -> RunRecord:
        """One run with its tasks; raises `NotFound`."""

    def log(self, run_id: str, path: str, attempt: int | None = None) -> str:
        """What a task printed; raises `NotFound`."""

    def cancel(self, run_id: str) -> RunRecord:
        """Asks a run to stop; a finished one stays as it is."""

    def retry(self, run_id: str) -> RunRecord:
        """Lets a run that ended badly go on where it failed; raises `Refused` for any other."""

    def delete(self, run_id: str) -> None:
        """Removes a run that is not running, with its files; raises `Refused` for a running one."""


class Backend(Protocol):
    """A place that holds objects and runs pipelines."""

    @property
    def environment(self) -> str:
        """The environment that this is the target of."""

    @property
    def identity(self) -> str:
        """What tells this target from all others; part of a plan's digest, without secrets."""

    @property
    def parallelism(self) -> int:
        """How many changes that do not depend on each other are carried out at once."""

    def observe(self, desired: Sequence[Resource] = ()) -> Live:
        """What is live, owned or not; of what can have any number of kinds that which `desired` or the inventory names.

        Raises `MachineFault` where anything could not be seen: a failed or partial list never means "absent".
        """

    def lock(self, owner: str) -> AbstractContextManager[None]:
        """Holds the target for one apply; raises `Locked`, which says who has it."""

    def begin_apply(self, plan: Plan, who: str) -> int:
        """Writes down what an apply is about to do, before it does anything, and returns its number."""

    def perform(self, change: Change) -> str:
        """Carries one change of a plan out and returns the object's id. Doing it twice ends in the same state."""

    def end_apply(self, number: int, results: Sequence[ChangeFinished]) -> None:
        """Writes down how an apply ended."""

    def applies(self, limit: int = -1) -> tuple[ApplyRecord, ...]:
        """Past applies, newest first."""

    def last_apply(self) -> ApplyRecord | None:
        """The newest apply, also one that was cut off."""

    def served(self) -> bool:
        """Whether somebody else executes the runs of the target."""

    def start(self, request: RunRequest) -> RunRecord:
        """Records a run; it runs when someone watches it or a server holds the environment."""

    def watch(self, run_id: str) -> Iterator[Event]:
        """Follows a run to its end, executing it here where nobody else does. Ends with `RunFinished`."""

    @property
    def runs(self) -> Runs:
        """The runs of this target."""
