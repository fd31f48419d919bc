"""What executing one run takes, gathered once, and the engine's state that it begins in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from kfgit.backends.local import engine, worker
from kfgit.backends.local.earlier import Earlier
from kfgit.backends.local.folders import Folders
from kfgit.backends.local.locks import Lock
from kfgit.backends.local.pool import Pool
from kfgit.backends.local.protocol import Execute, Import, Outputs
from kfgit.backends.local.store import Database
from kfgit.backends.local.store.runs import StoredRun
from kfgit.events import Artifact, RunRecord

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


def initial(job: Job) -> engine.RunState:
    """The engine's state before the run begins; raises `EngineError`."""
    run = job.run.record
    context = engine.RunContext(
        run_id=run.id,
        run_name=run.name,
        pipeline_name=job.run.package.name,
        created_at=run.created_at,
        scheduled_at=run.scheduled_at,
        pipeline_root=str(job.folder),
        cache=bool(job.run.options.get("cache", True)),
        workspace=None if job.workspace is None else str(job.workspace),
        earlier=job.earlier.attempts,
    )
    if job.workspace is not None:
        job.workspace.mkdir(exist_ok=True)
    parameters, artifacts = _split(run)
    return engine.start(engine.load(job.run.package), context, parameters, artifacts)


def _split(run: RunRecord) -> tuple[dict[str, Any], dict[str, tuple[Artifact, ...]]]:
    """A run's inputs as the engine takes them: parameters, and artifacts as lists."""
    artifacts = {name: value for name, value in run.inputs.items() if isinstance(value, Artifact | tuple)}
    parameters = {name: value for name, value in run.inputs.items() if name not in artifacts}
    return parameters, {name: (it,) if isinstance(it, Artifact) else it for name, it in artifacts.items()}
