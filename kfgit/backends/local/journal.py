"""Writes down what became of a run's tasks, a small transaction at a time, and says it.

The store is written before anybody is told, so whoever hears of a state finds it there.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence

from kfgit.backends.local.attempts import Attempts, files
from kfgit.backends.local.folders import tail
from kfgit.backends.local.job import Job
from kfgit.backends.local.protocol import Succeeded
from kfgit.backends.local.store import artifacts, loans, runs, successes, tasks
from kfgit.events import TaskChanged, TaskRecord

_REORDER_SECONDS = 2.0


class Journal:
    """The tasks of one run as the store has them."""

    def __init__(self, job: Job, attempts: Attempts) -> None:
        self._job = job
        self._attempts = attempts
        self._order: dict[str, int] = {}
        self._records: dict[str, TaskRecord] = {}
        self._seq = job.earlier.seq + 1
        self._ordered_at = -_REORDER_SECONDS

    def write(
        self,
        changed: Iterable[TaskRecord],
        successes: Sequence[Succeeded],
        everything: Callable[[], Sequence[TaskRecord]],
    ) -> tuple[TaskChanged, ...]:
        """Stores what is new and returns what to tell; `everything` gives all records in order, and is dear."""
        fresh = [record for record in changed if self._records.get(record.key) != record]
        rows = {record.key: record for record in fresh}
        if any(record.key not in self._order for record in fresh):
            rows |= {record.key: record for record in self._place(fresh, everything)}
        self._records |= rows
        if rows or successes:
            self._store(tuple(rows.values()), successes)
        return tuple(self._event(record) for record in fresh)

    def settle(self, records: Sequence[TaskRecord]) -> tuple[TaskChanged, ...]:
        """Stores the final records in their final order."""
        fresh = [record for record in records if self._records.get(record.key) != record]
        moved = [record for place, record in enumerate(records) if self._order.get(record.key) != place]
        self._order |= {record.key: place for place, record in enumerate(records)}
        rows = {record.key: record for record in (*moved, *fresh)}
        self._records |= rows
        gone = self._job.earlier.keys - self._order.keys()
        if rows or gone:
            self._store(tuple(rows.values()), (), gone)
        return tuple(self._event(record) for record in fresh)

    def _place(
        self, fresh: Sequence[TaskRecord], everything: Callable[[], Sequence[TaskRecord]]
    ) -> Sequence[TaskRecord]:
        # Asking for all records costs as much as the run is long; in between, a loop's new iterations stand at the end.
        if time.monotonic() - self._ordered_at < _REORDER_SECONDS:
            for record in fresh:
                self._order.setdefault(record.key, len(self._order))
            return ()
        self._ordered_at = time.monotonic()
        records = everything()
        moved = [record for place, record in enumerate(records) if self._order.get(record.key) != place]
        self._order |= {record.key: place for place, record in enumerate(records)}
        return moved

    def _store(
        self, records: Sequence[TaskRecord], successes: Sequence[Succeeded], gone: Iterable[str] = ()
    ) -> None:
        self._seq += 1
        rows = [
            tasks.TaskRow(record, self._order[record.key], self._attempts.folder(record.key))
            for record in records
        ]
        with self._job.database.write() as db:
            if runs.state(db, self._job.id) is None:
                return  # deleted meanwhile
            tasks.save(db, self._job.id, self._seq, rows)
            tasks.remove(db, self._job.id, gone)
            for success in successes:
                self._keep(db, success)

    def _keep(self, db: sqlite3.Connection, success: Succeeded) -> None:
        record = self._records.get(success.key)
        if record is None or record.state != "SUCCEEDED":
            return
        needed = tuple(str(path) for path in files(success.outputs))
        successes.put(db, self._job.id, self._success(success, record, needed))
        if success.cached:
            return
        if success.key in self._job.earlier.successes:
            artifacts.forget(db, self._job.id, record.path)
        artifacts.add(db, self._job.id, record.path, success.outputs, success.at)
        foreign = (
            thing
            for things in success.outputs.artifacts.values()
            for thing in things
            if not thing.uri.startswith(str(self._job.folder))
        )
        loans.take(db, self._job.id, foreign)
        fingerprint = self._attempts.fingerprint(success.key)
        if fingerprint is not None:
            scope = (self._job.run.package.name, fingerprint)
            artifacts.remember(db, scope, success.outputs, needed, (self._job.id, success.at))

    def _success(self, success: Succeeded, record: TaskRecord, needed: tuple[str, ...]) -> successes.Success:
        return successes.Success(
            success.key,
            self._attempts.asked(success.key),
            success.outputs,
            needed,
            success.cached,
            record.started_at,
            success.at,
        )

    def _event(self, record: TaskRecord) -> TaskChanged:
        log = self._attempts.log(record.key)
        if record.state != "FAILED" or log is None or not log.exists():
            return TaskChanged(self._job.id, record)
        return TaskChanged(self._job.id, record, tail(log), str(log))
