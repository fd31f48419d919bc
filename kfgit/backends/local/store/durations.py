"""How long runs and their tasks took. Every function works inside a transaction of its caller."""

from __future__ import annotations

import sqlite3

from kfgit.backends.local.store import codec
from kfgit.durations import RunTimes, elapsed


def of_pipeline(db: sqlite3.Connection, pipeline: str, limit: int) -> tuple[RunTimes, ...]:
    """The newest runs of a pipeline that succeeded, newest first."""
    found = db.execute(
        """SELECT id, started_at, finished_at FROM runs WHERE pipeline = ? AND state = 'SUCCEEDED'
            ORDER BY created_at DESC, id DESC LIMIT ?""",
        (codec.text(pipeline), limit),
    ).fetchall()
    return tuple(RunTimes(_seconds(run), _tasks(db, run["id"])) for run in found)


def _tasks(db: sqlite3.Connection, run_id: str) -> dict[str, float]:
    rows = db.execute("SELECT path, cached, started_at, finished_at FROM tasks WHERE run = ?", (run_id,))
    return {row["path"]: 0.0 if row["cached"] else _seconds(row) for row in rows}


def _seconds(row: sqlite3.Row) -> float:
    return elapsed(codec.moment(row["started_at"]), codec.moment(row["finished_at"]))
