"""Which tasks of a run have ended well, as its engine needs it when the run is retried. Inside a caller's transaction.

Apart from `tasks`, which tells people: there names that a compiler made up are left out, and an execution that goes
over a run again rewrites what it has not reached yet.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kfgit.backends.local.protocol import Outputs
from kfgit.backends.local.store import codec


@dataclass(frozen=True, slots=True)
class Success:
    """A task that succeeded. `asked` is the digest of what it was asked to do; `files` must exist still."""

    key: str
    asked: str
    outputs: Outputs
    files: tuple[str, ...]
    cached: bool
    started_at: datetime | None
    finished_at: datetime


def put(db: sqlite3.Connection, run_id: str, success: Success) -> None:
    """Writes what succeeded; the newest success of a task counts."""
    db.execute(
        """INSERT OR REPLACE INTO successes (run, key, asked, outputs, files, cached, started_at, finished_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            run_id,
            codec.text(success.key),
            success.asked,
            codec.encode_outputs(success.outputs),
            json.dumps(success.files),
            success.cached,
            codec.stamp_or_none(success.started_at),
            codec.stamp(success.finished_at),
        ),
    )


def of(db: sqlite3.Connection, run_id: str) -> Mapping[str, Success]:
    """What succeeded in a run, by key."""
    return {
        row["key"]: Success(
            key=row["key"],
            asked=row["asked"],
            outputs=codec.decode_outputs(row["outputs"]),
            files=tuple(json.loads(row["files"])),
            cached=bool(row["cached"]),
            started_at=codec.moment(row["started_at"]),
            finished_at=datetime.fromisoformat(row["finished_at"]),
        )
        for row in db.execute("SELECT * FROM successes WHERE run = ?", (run_id,))
    }


def drop(db: sqlite3.Connection, run_id: str) -> None:
    """Forgets the successes of a run that nobody will retry."""
    db.execute("DELETE FROM successes WHERE run = ?", (run_id,))
