"""The tasks of runs. Every function works inside a transaction of its caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kfgit.backends.local.store import codec
from kfgit.events import TaskRecord


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task, its place among the run's tasks, and the folder of its attempts below the run's."""

    record: TaskRecord
    ord: int
    folder: str | None = None


def save(db: sqlite3.Connection, run_id: str, seq: int, rows: Sequence[TaskRow]) -> None:
    """Writes tasks as they are now; `seq` numbers the batch."""
    db.executemany(
        """INSERT INTO tasks (run, key, ord, seq, path, component, state, cached, attempts, started_at, finished_at,
            inputs, outputs, error, folder) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (run, key) DO UPDATE SET ord = excluded.ord, seq = excluded.seq,
            component = excluded.component, state = excluded.state, cached = excluded.cached,
            attempts = excluded.attempts, started_at = excluded.started_at, finished_at = excluded.finished_at,
            inputs = excluded.inputs, outputs = excluded.outputs, error = excluded.error, folder = excluded.folder""",
        [_values(run_id, seq, row) for row in rows],
    )


def of_run(db: sqlite3.Connection, run_id: str, since: int = -1) -> tuple[TaskRow, ...]:
    """The tasks of a run, in order; with `since`, those written in later batches."""
    rows = db.execute("SELECT * FROM tasks WHERE run = ? AND seq > ? ORDER BY ord, path", (run_id, since))
    return tuple(TaskRow(_task(row), row["ord"], row["folder"]) for row in rows)


def remove(db: sqlite3.Connection, run_id: str, keys: Iterable[str]) -> None:
    """Forgets tasks that a run has no more."""
    db.executemany("DELETE FROM tasks WHERE run = ? AND key = ?", [(run_id, codec.text(key)) for key in keys])


def last_seq(db: sqlite3.Connection, run_id: str) -> int:
    """The number of the newest batch of a run's tasks, -1 before the first."""
    newest: int | None = db.execute("SELECT max(seq) FROM tasks WHERE run = ?", (run_id,)).fetchone()[0]
    return -1 if newest is None else newest


def _values(run_id: str, seq: int, row: TaskRow) -> tuple[Any, ...]:
    task = row.record
    return (
        run_id,
        codec.text(task.key),
        row.ord,
        seq,
        codec.text(task.path),
        task.component,
        task.state,
        task.cached,
        task.attempts,
        codec.stamp_or_none(task.started_at),
        codec.stamp_or_none(task.finished_at),
        codec.encode(task.inputs),
        codec.encode(task.outputs),
        codec.text(task.error),
        row.folder,
    )


def _task(row: sqlite3.Row) -> TaskRecord:
    return TaskRecord(
        path=row["path"],
        component=row["component"],
        state=row["state"],
        cached=bool(row["cached"]),
        attempts=row["attempts"],
        started_at=codec.moment(row["started_at"]),
        finished_at=codec.moment(row["finished_at"]),
        inputs=codec.decode(row["inputs"]),
        outputs=codec.decode(row["outputs"]),
        error=row["error"],
        key=row["key"],
    )
