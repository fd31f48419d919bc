"""What executing one run takes, gathered once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from kfgit.backends.local import worker
from kfgit.backends.local.earlier import Earlier
from kfgit.backends.local.folders import Folders
from kfgit.backends.local.locks import Lock
from kfgit.backends.local.pool import Pool
from kfgit.backends.local.protocol import Execute, Import, Outputs
from kfgit.backends.local.store import Database
from kfgit.backends.local.store.runs import StoredRun

RunAttempt: TypeAlias = Callable[[Execute, worker.AttemptPlace, worker.WorkerSettings, worker.Hooks], Outputs]
RunImport: TypeAlias = Callable[[Import, Callable[[str], None]], Outputs]
Settle: TypeAlias = Callable[[worker.WorkerSettings], worker.WorkerSettings]
Parity: TypeAlias = Callable[[Execute, worker.WorkerSettings], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Work:
    """Who carries attempts out; tests hand in their own.

    After a second Ctrl-C attempts have `stop_seconds` to die; then the run is written off without them.
    """

    attempt: RunAttempt = worker.run_attempt
    bring_in: RunImport = worker.run_import
    parity: Parity = worker.parity
    settle: Settle = worker.settle
    stop_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed run. `ownership` is the held lock of its folder; whoever executes the job releases it.

    `earlier` is what the run did before it was retried.
    """

    run: StoredRun
    database: Database
    folders: Folders
    settings: worker.WorkerSettings
    pool: Pool
    work: Work
    ownership: Lock
    earlier: Earlier = field(default_factory=Earlier)

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run.record.id

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.folders.run(self.run.folder)

    @property
    def workspace(self) -> Path | None:
        """The folder that the tasks of the run share, None for a pipeline without a workspace."""
        return self.folder / "workspace" if self.run.package.pipeline_config.get("workspace") else None
