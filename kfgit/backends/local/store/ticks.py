"""What became of each tick of a schedule. Every function works inside its caller's transaction."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from kfgit.backends.local.store import codec
from kfgit.events import TickRecord

KEPT = 100


def add(db: sqlite3.Connection, schedule_id: str, *records: TickRecord) -> None:
    """Writes what became of ticks, once one has fired for good.

    Only the newest `KEPT` of a schedule remain, and the last that fired.
    """
    if not records:
        return
    db.executemany(
        """INSERT INTO ticks (schedule, at, state, reason, run, decided_at) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (schedule, at) DO UPDATE SET state = excluded.state, reason = excluded.reason,
            run = excluded.run, decided_at = excluded.decided_at WHERE state != 'fired'""",
        [
            (
                schedule_id,
                codec.stamp(record.at),
                record.state,
                codec.text(record.reason),
                record.run,
                codec.stamp(record.decided_at),
            )
            for record in records
        ],
    )
    db.execute(
        """DELETE FROM ticks WHERE schedule = :schedule
            AND at <= (SELECT at FROM ticks WHERE schedule = :schedule ORDER BY at DESC LIMIT 1 OFFSET :kept)
            AND at IS NOT (SELECT max(at) FROM ticks WHERE schedule = :schedule AND state = 'fired')""",
        {"schedule": schedule_id, "kept": KEPT},
    )


def take_waiting(db: sqlite3.Connection, schedule_id: str) -> datetime | None:
    """Forgets that a tick waits, and says which did."""
    row = db.execute(
        "DELETE FROM ticks WHERE schedule = ? AND state = 'waiting' RETURNING at", (schedule_id,)
    ).fetchone()
    return codec.moment(row["at"]) if row else None


def waiting(db: sqlite3.Connection, schedule_id: str) -> datetime | None:
    """The tick that waits for a slot."""
    row = db.execute(
        "SELECT at FROM ticks WHERE schedule = ? AND state = 'waiting'", (schedule_id,)
    ).fetchone()
    return codec.moment(row["at"]) if row else None


def has_fired(db: sqlite3.Connection, schedule_id: str, at: datetime) -> bool:
    """Whether the tick is known to have fired."""
    row = db.execute(
        "SELECT 1 FROM ticks WHERE schedule = ? AND at = ? AND state = 'fired'",
        (schedule_id, codec.stamp(at)),
    ).fetchone()
    return row is not None


def newest(db: sqlite3.Connection, schedule_id: str, limit: int = KEPT) -> tuple[TickRecord, ...]:
    """The ticks of a schedule, newest first."""
    rows = db.execute("SELECT * FROM ticks WHERE schedule = ? ORDER BY at DESC LIMIT ?", (schedule_id, limit))
    return tuple(_record(row) for row in rows)


def last_fired(db: sqlite3.Connection, schedule_id: str) -> TickRecord | None:
    """The newest tick that fired."""
    row = db.execute(
        "SELECT * FROM ticks WHERE schedule = ? AND state = 'fired' ORDER BY at DESC LIMIT 1", (schedule_id,)
    ).fetchone()
    return _record(row) if row else None


def _record(row: sqlite3.Row) -> TickRecord:
    return TickRecord(
        at=datetime.fromisoformat(row["at"]),
        state=row["state"],
        decided_at=datetime.fromisoformat(row["decided_at"]),
        run=row["run"],
        reason=row["reason"],
    )
