"""Which ended runs are kept, and the sweep that removes the others.

They go in small batches, each with a short transaction of its own: whoever else writes waits for one of them at most,
and what a crash cuts off the next sweep goes on with.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

from kfgit.backends.local.folders import Folders
from kfgit.backends.local.locks import is_free
from kfgit.backends.local.removing import remove
from kfgit.backends.local.store import Database, removal
from kfgit.model import Retention

_BATCH = 100


class Stored(Protocol):
    """What has runs: an environment."""

    @property
    def database(self) -> Database:
        """Their records."""

    @property
    def folders(self) -> Folders:
        """Their files."""


def sweep(backend: Stored, retention: Retention, now: datetime) -> int:
    """Removes the ended runs that are not to be kept, and returns how many; others stay whatever their age."""
    return sum(len(batch) for batch in batches(backend, retention, now))


def batches(backend: Stored, retention: Retention, now: datetime) -> Iterator[tuple[str, ...]]:
    """As `sweep`, and tells the ids of each batch once its runs are gone."""
    if retention == Retention():
        return
    before = None if retention.age is None else _earlier(now, retention.age)
    with backend.database.read() as db:
        upto = None if retention.count is None else removal.beyond(db, retention.count)
    place: removal.Place | None = None
    while True:
        with backend.database.read() as db:
            found = removal.ended(db, upto, before, place, _BATCH)
        if not found:
            return
        place = found[-1].place
        # Whoever executed a run holds its folder for a moment longer than it runs: the next sweep finds it free.
        gone = [run.id for run in found if is_free(backend.folders.lock(run.folder))]
        if gone:
            yield remove(backend.database, backend.folders, gone)


def _earlier(now: datetime, seconds: int) -> datetime:
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
