"""How a run comes from one state to the next. Every function works inside a transaction of its caller.

PENDING → RUNNING → SUCCEEDED, FAILED or CANCELED, by way of CANCELING where somebody asked it to end; a retry leads
from FAILED or CANCELED back to PENDING. A function leaves a run alone that is not where the step begins, so that one
process alone takes it, whoever else tries. An end gives the run's schedule a slot: a trigger of the table has that
schedule looked at again, whoever writes the end (`slot_after_end` in `schema`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from kfgit.backends.local.store import codec, runs, tasks
from kfgit.events import FINAL, RunRecord

_RETRIED = ("FAILED", "CANCELED")
# Binds the state that the run comes to, and the time.
_HISTORY = "history = json_insert(history, '$[#]', json_array(?, ?))"


def claim(db: sqlite3.Connection, run_id: str, owner: str, at: datetime) -> bool:
    """Makes a PENDING run RUNNING; False when it is not PENDING any more.

    The tasks of one that is retried wait again, but for those that succeeded.
    """
    changed = db.execute(
        f"""UPDATE runs SET state = 'RUNNING', owner = ?, started_at = ?, {_HISTORY}
            WHERE id = ? AND state = 'PENDING'""",
        (owner, codec.stamp(at), "RUNNING", codec.stamp(at), run_id),
    )
    if changed.rowcount != 1:
        return False
    db.execute(
        """UPDATE tasks SET state = 'PENDING', started_at = NULL, finished_at = NULL, outputs = '{}', error = NULL,
            seq = 1 + (SELECT max(seq) FROM tasks AS newest WHERE newest.run = tasks.run)
            WHERE run = ? AND state != 'SUCCEEDED'""",
        (run_id,),
    )
    return True


def request_cancel(db: sqlite3.Connection, run_id: str, at: datetime) -> None:
    """Ends a run that nobody began, asks the one that is executed to stop, leaves a finished one alone."""
    db.execute(
        f"UPDATE runs SET state = 'CANCELED', finished_at = ?, {_HISTORY} WHERE id = ? AND state = 'PENDING'",
        (codec.stamp(at), "CANCELED", codec.stamp(at), run_id),
    )
    db.execute("UPDATE runs SET state = 'CANCELING' WHERE id = ? AND state = 'RUNNING'", (run_id,))


def terminate(db: sqlite3.Connection, run_id: str) -> bool:
    """Makes a run that goes on or waits CANCELING, which its history does not tell, as on KFP; False for any other.

    Whoever executes it ends it; one that nobody has begun is ended by whoever looks for dead runs next.
    """
    changed = db.execute(
        "UPDATE runs SET state = 'CANCELING' WHERE id = ? AND state IN ('PENDING', 'RUNNING')", (run_id,)
    )
    return changed.rowcount == 1


def terminate_of(db: sqlite3.Connection, schedule_id: str) -> None:
    """Makes the runs of a schedule that go on or wait CANCELING."""
    db.execute(
        "UPDATE runs SET state = 'CANCELING' WHERE schedule = ? AND state IN ('PENDING', 'RUNNING')",
        (schedule_id,),
    )


def finish(db: sqlite3.Connection, run: RunRecord) -> None:
    """Writes the end of a run; one that is over already stays as it is."""
    db.execute(
        f"""UPDATE runs SET state = ?, finished_at = ?, outputs = ?, error = ?, notes = ?, {_HISTORY}
            WHERE id = ? AND state NOT IN ({_marks(FINAL)})""",
        (
            run.state,
            codec.stamp_or_none(run.finished_at),
            codec.encode(run.outputs),
            codec.text(run.error),
            json.dumps(run.notes),
            run.state,
            codec.stamp_or_none(run.finished_at),
            run.id,
            *sorted(FINAL),
        ),
    )


def retry(db: sqlite3.Connection, run_id: str, at: datetime) -> bool:
    """Makes a run that ended badly PENDING again; False for any other. Its tasks stay as they are until `claim`."""
    changed = db.execute(
        f"""UPDATE runs SET state = 'PENDING', retries = retries + 1, owner = NULL, started_at = NULL,
            finished_at = NULL, outputs = '{{}}', error = NULL, {_HISTORY}
            WHERE id = ? AND state IN ({_marks(_RETRIED)})""",
        ("PENDING", codec.stamp(at), run_id, *_RETRIED),
    )
    return changed.rowcount == 1


def abandon(db: sqlite3.Connection, run_id: str, error: str, at: datetime) -> None:
    """Ends a run whose process died: what ran has failed, what waited is skipped; a cancel that was asked for holds."""
    end = {"RUNNING": "FAILED", "CANCELING": "CANCELED"}.get(runs.state(db, run_id) or "")
    if end is None:
        return
    now, seq = codec.stamp(at), tasks.last_seq(db, run_id) + 1
    db.execute(
        """UPDATE tasks SET state = ?, error = ?, finished_at = ?, seq = ?
            WHERE run = ? AND state IN ('RUNNING', 'CANCELING')""",
        (end, error, now, seq, run_id),
    )
    db.execute(
        "UPDATE tasks SET state = 'SKIPPED', seq = ? WHERE run = ? AND state = 'PENDING'", (seq, run_id)
    )
    db.execute(
        f"UPDATE runs SET state = ?, error = ?, finished_at = ?, {_HISTORY} WHERE id = ?",
        (end, error, now, end, now, run_id),
    )


def _marks(values: Sequence[str] | frozenset[str]) -> str:
    return ", ".join("?" * len(values))
