"""Runs that another process executes, or executed until it died.

Whoever executes a run holds the lock of its folder, and the lock dies with the process. So a run that is said to be
running while its lock is free has lost its process, and nobody needs to remember or compare process ids.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext

from kfgit.backends.local.attempts import now
from kfgit.backends.local.folders import Folders, attempt_log, tail
from kfgit.backends.local.locks import is_free, take
from kfgit.backends.local.store import Database, runs, tasks, transitions
from kfgit.events import FINAL, Event, RunStarted, TaskChanged

POLL_SECONDS = 0.1
LOST = "the kfgit process that ran it ended before the run did"
NEVER_BEGUN = "canceled before it began"


def recover(database: Database, folders: Folders) -> tuple[str, ...]:
    """Ends the runs whose process died, and returns their ids. Costs one indexed look where nothing runs."""
    with database.read() as db:
        active = runs.active(db)
    return tuple(run_id for run_id, folder in active if bury(database, folders, run_id, folder))


def bury(database: Database, folders: Folders, run_id: str, folder: str) -> bool:
    """Ends a run if its process died."""
    path = folders.lock(folder)
    # Held until that is written: nobody begins the run anew in between. What was never begun has no lock yet.
    lock = take(path) if path.exists() else None
    if lock is None and path.exists():
        return False
    with lock or nullcontext(), database.write() as db:
        # Whoever held the lock may have written the end before letting go: `abandon` leaves a finished run alone.
        lost = runs.state(db, run_id) not in {None, *FINAL}
        transitions.abandon(db, run_id, LOST if runs.begun(db, run_id) else NEVER_BEGUN, now())
    return lost


def follow(database: Database, folders: Folders, run_id: str, folder: str) -> Iterator[Event]:
    """Tells what another process does with a run, until the run has ended or nobody holds it any more."""
    seen, begun = -1, False
    while True:
        free = is_free(folders.lock(folder))
        with database.read() as db:
            state, fresh = runs.state(db, run_id), tasks.of_run(db, run_id, since=seen)
            newest = max(seen, tasks.last_seq(db, run_id))
            started = runs.stored(db, run_id) if not begun and state not in {None, "PENDING"} else None
        seen = newest
        if started is not None:
            begun = True
            yield RunStarted(started.record)
        for row in fresh:
            yield _told(folders, run_id, folder, row)
        if free or state is None or state in FINAL:
            return
        time.sleep(POLL_SECONDS)


def _told(folders: Folders, run_id: str, folder: str, row: tasks.TaskRow) -> TaskChanged:
    if row.record.state != "FAILED" or row.folder is None:
        return TaskChanged(run_id, row.record)
    log = folders.run(folder) / row.folder / attempt_log(max(0, row.record.attempts - 1))
    return (
        TaskChanged(run_id, row.record, tail(log), str(log))
        if log.exists()
        else TaskChanged(run_id, row.record)
    )
