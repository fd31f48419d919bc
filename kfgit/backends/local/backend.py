"""The local backend: objects in SQLite, runs as processes of this machine, all of it below `.kfgit/ENV/`."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from kfgit.backend import NotFound, Refused, RunRequest
from kfgit.backends.local import changes, holding, locks, observing, starting
from kfgit.backends.local.attempts import now
from kfgit.backends.local.earlier import earlier
from kfgit.backends.local.folders import Folders
from kfgit.backends.local.following import POLL_SECONDS, bury, follow, recover
from kfgit.backends.local.history import LocalRuns
from kfgit.backends.local.job import Job, Work
from kfgit.backends.local.pool import Pool, usual_limit
from kfgit.backends.local.removing import clear
from kfgit.backends.local.runner import execute
from kfgit.backends.local.schedules import LocalSchedules
from kfgit.backends.local.settings import LocalSettings
from kfgit.backends.local.store import Database, ledger, runs, transitions
from kfgit.backends.local.store.runs import StoredRun
from kfgit.backends.local.worker import WorkerSettings
from kfgit.events import (
    FINAL,
    AppliedRun,
    ApplyRecord,
    ChangeFinished,
    Event,
    Holder,
    RunFinished,
    RunRecord,
    State,
)
from kfgit.ir import Resource
from kfgit.plan import Change, Live, LiveObject, Plan, written

__all__ = ["LocalBackend", "LocalSettings"]


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """See `kfgit.backend.Backend`. Open it with `open`; `work` and `pool` are there for tests and servers."""

    settings: LocalSettings
    database: Database
    folders: Folders
    work: Work = field(default_factory=Work)
    pool: Pool = field(default_factory=lambda: Pool(usual_limit()))

    @classmethod
    def open(cls, settings: LocalSettings, work: Work | None = None) -> LocalBackend:
        """Makes what is missing, and ends the runs whose process died. Raises `MachineFault`."""
        absolute = replace(settings, state=settings.state.absolute())
        folders = Folders(absolute.state)
        folders.prepare()
        database = Database(absolute.state / "state.db")
        recover(database, folders)
        clear(database, folders)
        return cls(absolute, database, folders, work or Work(), Pool(usual_limit(), absolute.room()))

    def close(self) -> None:
        """Gives the connections back."""
        self.database.close()

    @property
    def environment(self) -> str:
        """The environment that this is the target of."""
        return self.settings.environment

    @property
    def identity(self) -> str:
        """What tells this target from others: for a plan nothing but that it is local."""
        return "local"

    @property
    def requests(self) -> int:
        """None: a file is asked."""
        return 0

    @property
    def parallelism(self) -> int:
        """One change after the other: SQLite has one writer."""
        return 1

    def observe(
        self,
        desired: Sequence[Resource] = (),
        *,
        refresh: bool = False,  # noqa: ARG002
        secrets: bool = False,  # noqa: ARG002
        adopting: Sequence[LiveObject] = (),
    ) -> Live:
        """What is live, owned or not: all of it is in one file, whatever is asked for.

        What starts runs that this machine has not the devices for is told, where they are required.
        """
        found = observing.observe(self._scope(), desired, adopting)
        lacks = tuple(self.pool.room.lacks(desired))
        return replace(found, lacks=lacks, notes={(str(a.kind), str(a.name)): (a.message,) for a in lacks})

    def perform(self, change: Change) -> str:
        """Carries one change of a plan out and returns the object's id; raises `Refused`."""
        return changes.perform(self._scope(), change, now())

    def lock(self, owner: str) -> AbstractContextManager[None]:
        """Holds the environment for one apply; raises `Locked`, which says who has it."""
        return locks.apply_lock(self.settings.state / "apply.lock", owner)

    def begin_apply(self, plan: Plan, who: str) -> int:
        """Writes into the history that an apply has begun, and returns its number."""
        entry = ApplyRecord(
            0, self.settings.project, plan.commit, plan.digest, who, now(), None, {},
            branch=plan.branch, folder=plan.folder, verb=plan.verb,
        )  # fmt: skip
        with self.database.write() as db:
            for id_, uses in plan.uses.items():
                ledger.note_uses(db, self.settings.project, id_, written(uses))
            return ledger.begin_apply(db, entry)

    def end_apply(
        self, number: int, results: Sequence[ChangeFinished], runs: Sequence[AppliedRun] = ()
    ) -> None:
        """Writes into the history how an apply ended, and which runs its commit wanted."""
        with self.database.write() as db:
            ledger.end_apply(db, number, results, runs, now())

    def note_runs(self, ended: Mapping[str, State]) -> None:
        """Nothing to do: a run that ends says so in the history itself, whoever executes it."""

    def applies(self, limit: int = -1) -> tuple[ApplyRecord, ...]:
        """The history of applies, newest first."""
        with self.database.read() as db:
            return ledger.applies(db, self.settings.project, limit)

    def last_apply(self) -> ApplyRecord | None:
        """The newest apply, also one that was cut off."""
        return next(iter(self.applies(1)), None)

    def start(self, request: RunRequest) -> RunRecord:
        """Records a run; raises `Refused` for a package or inputs that cannot run. The same id twice is one run."""
        if (refusal := self.pool.room.refusal(request.package)) is not None:
            raise Refused(refusal)
        inputs = starting.checked(request)
        with self.database.write() as db:
            starting.record(db, request, inputs, self.settings.environment, now())
        return self.runs.get(request.id)

    def watch(self, run_id: str) -> Iterator[Event]:
        """Follows a run to its end, executing it here where nobody else does. Ends with `RunFinished`.

        What waits is left to the server that holds the environment, for as long as it does.
        """
        whole, untold = self.runs.resolve(run_id), False
        while True:
            folder, state = self._standing(whole)
            if state in FINAL:
                if untold:
                    yield from follow(self.database, self.folders, whole, folder)
                yield RunFinished(self.runs.get(whole))
                return
            if state == "PENDING" and self.served():
                untold = True
                time.sleep(POLL_SECONDS)
                continue
            lock = locks.take(self.folders.lock(folder))
            if lock is None:
                untold = False
                yield from follow(self.database, self.folders, whole, folder)
                continue
            try:
                job = self._claim(whole, lock)
                if job is not None:
                    yield from execute(job)
                    return
            except (KeyboardInterrupt, GeneratorExit):
                # In the instant between claim and execution nobody else would say that it was canceled.
                self._withdraw(whole)
                raise
            finally:
                lock.release()
            bury(self.database, self.folders, whole, folder)

    def pending(self, limit: int = -1) -> tuple[str, ...]:
        """The runs that nobody has begun, oldest first: what a server picks up."""
        with self.database.read() as db:
            return runs.pending(db, limit)

    def holder(self) -> Holder | None:
        """The server that holds the environment."""
        return holding.holder(self.settings.state)

    def applying(self) -> str | None:
        """Who applies right now; None where nobody does."""
        return locks.applying(self.settings.state / "apply.lock")

    def fires(self) -> bool:
        """Whether a server fires the schedules of the environment."""
        found = self.holder()
        return found is not None and found.scheduler

    def served(self) -> bool:
        """Whether a server executes the runs of the environment."""
        found = self.holder()
        return found is not None and found.engine

    def claim(self, run_id: str) -> Job | None:
        """Takes a run to be executed here; None when it is not PENDING any more, or somebody else has it."""
        with self.database.read() as db:
            folder = runs.folder(db, run_id)
        lock = None if folder is None else locks.take(self.folders.lock(folder))
        if folder is None or lock is None:
            return None
        try:
            job = self._claim(run_id, lock)
        except BaseException:
            lock.release()
            raise
        if job is None:
            lock.release()
            with self.database.read() as db:
                deleted = runs.state(db, run_id) is None
            if deleted:
                self.folders.delete(folder)  # taking the lock made it
        return job

    def recover(self) -> tuple[str, ...]:
        """Ends the runs whose process died; a server asks for it from time to time."""
        return recover(self.database, self.folders)

    @property
    def runs(self) -> LocalRuns:
        """The runs of this environment."""
        return LocalRuns(self.database, self.folders)

    @property
    def schedules(self) -> LocalSchedules:
        """The schedules of this environment."""
        return LocalSchedules(self.database, self.settings.project, self.settings.environment)

    def _scope(self) -> observing.Scope:
        return observing.Scope(self.database, self.settings.project, self.settings.environment)

    def _standing(self, run_id: str) -> tuple[str, str]:
        with self.database.read() as db:
            folder, state = runs.folder(db, run_id), runs.state(db, run_id)
        if folder is None or state is None:
            raise NotFound("run", run_id)
        return folder, state

    def _claim(self, run_id: str, lock: locks.Lock) -> Job | None:
        owner = f"{socket.gethostname()}:{os.getpid()}"
        with self.database.write() as db:
            claimed = transitions.claim(db, run_id, owner, now())
            run = runs.stored(db, run_id) if claimed else None
        if run is None:
            return None
        lock.note(owner + "\n")
        self.folders.point_latest(run.folder)
        with self.database.read() as db:
            before = earlier(db, run, self.folders.run(run.folder))
        return Job(run, self.database, self.folders, self._worker(run), self.pool, self.work, lock, before)

    def _withdraw(self, run_id: str) -> None:
        with self.database.write() as db:
            transitions.request_cancel(db, run_id, now())
            transitions.abandon(db, run_id, "interrupted", now())

    def _worker(self, run: StoredRun) -> WorkerSettings:
        wanted = run.options.get("executor", "auto")
        return WorkerSettings(
            secrets=self.settings.secrets.absolute(),
            configmaps=self.settings.configmaps.absolute(),
            environments=self.settings.environments.absolute(),
            run_id=run.record.id,
            run_name=run.record.name,
            executor=self.settings.executor if wanted == "auto" else wanted,
        )
