"""Runs are forgotten many at a time, by sets and not one by one. Every function works inside its caller's transaction.

What kept runs were given stays: an artifact goes over to the newest run that was given it, and the folder that it lies
in remains for as long as there is such a run (see `loans`). Folders are removed after the transaction; until then they
stand in `leavings`, so that no crash leaves one behind that nobody knows of.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from kfgit.backends.local.store import codec, packages
from kfgit.events import FINAL

_ENDED = ", ".join(f"'{state}'" for state in sorted(FINAL))
EXECUTED = frozenset({"RUNNING", "CANCELING"})
UNENDED = EXECUTED | {"PENDING"}
_GIVEN = "(SELECT value FROM json_each(:ids))"


class Place(NamedTuple):
    """Where a run stands in the order of time."""

    created_at: str
    id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """An ended run, its folder and its place."""

    id: str
    folder: str
    place: Place


def beyond(db: sqlite3.Connection, count: int) -> Place | None:
    """The newest ended run that is not among the newest `count`; all before it are not either."""
    # `+` keeps the planner on the index by time: by state it would have to sort.
    row = db.execute(
        f"""SELECT created_at, id FROM runs WHERE +state IN ({_ENDED})
            ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?""",
        (count,),
    ).fetchone()
    return Place(row["created_at"], row["id"]) if row else None


def ended(
    db: sqlite3.Connection, upto: Place | None, before: datetime | None, after: Place | None, limit: int
) -> tuple[Ended, ...]:
    """Ended runs at or before the place `upto`, or that ended before a time; oldest first, those behind `after`."""
    latest = "" if before is None else codec.stamp(before)
    newest = upto or Place("", "")
    rows = db.execute(
        f"""SELECT id, folder, created_at FROM runs
            WHERE (created_at, id) > (:after, :after_id) AND created_at <= :bound AND +state IN ({_ENDED})
            AND ((created_at, id) <= (:upto, :upto_id) OR finished_at < :before)
            ORDER BY created_at, id LIMIT :limit""",
        {
            "after": after.created_at if after else "",
            "after_id": after.id if after else "",
            "bound": max(newest.created_at, latest),
            "upto": newest.created_at,
            "upto_id": newest.id,
            "before": latest,
            "limit": limit,
        },
    )
    return tuple(Ended(row["id"], row["folder"], Place(row["created_at"], row["id"])) for row in rows)


def remove(db: sqlite3.Connection, ids: Sequence[str], spared: frozenset[str] = UNENDED) -> tuple[str, ...]:
    """Forgets runs with all that is theirs, except in the states `spared`; returns the ids of those that are gone."""
    chosen = db.execute(
        f"""SELECT id, folder, package FROM runs
            WHERE id IN {_GIVEN} AND state NOT IN (SELECT value FROM json_each(:spared))""",
        {"ids": json.dumps(ids), "spared": json.dumps(sorted(spared))},
    ).fetchall()
    gone = tuple(str(row["id"]) for row in chosen)
    given = {"ids": json.dumps(gone)}
    lent = db.execute(
        f"SELECT DISTINCT folder FROM loans WHERE run IN {_GIVEN} AND folder IS NOT NULL", given
    )
    folders = {row["folder"] for row in (*chosen, *lent)}
    _hand_over(db, given)
    db.execute(f"DELETE FROM runs WHERE id IN {_GIVEN}", given)
    db.execute(
        """INSERT OR IGNORE INTO leavings (folder) SELECT value FROM json_each(?)
            WHERE NOT EXISTS (SELECT 1 FROM runs WHERE folder = value)
            AND NOT EXISTS (SELECT 1 FROM loans WHERE folder = value)""",
        (json.dumps(sorted(folders)),),
    )
    # Until a deleted run that is still executed has ended, nobody may take its id: two would write as one.
    db.executemany(
        "UPDATE leavings SET run = ? WHERE folder = ?", [(row["id"], row["folder"]) for row in chosen]
    )
    packages.sweep(db, {row["package"] for row in chosen})
    return gone


def left(db: sqlite3.Connection) -> tuple[str, ...]:
    """The folders that nobody needs any more."""
    return tuple(row["folder"] for row in db.execute("SELECT folder FROM leavings"))


def cleared(db: sqlite3.Connection, folders: Iterable[str]) -> None:
    """Notes that folders are removed."""
    db.executemany("DELETE FROM leavings WHERE folder = ?", [(folder,) for folder in folders])


def _hand_over(db: sqlite3.Connection, given: dict[str, str]) -> None:
    """The artifacts that kept runs were given become those of the newest such run; `max` picks its row."""
    db.execute(
        f"""UPDATE artifacts SET run = heir.run FROM (
                SELECT artifact, run, max(number) FROM loans
                WHERE artifact IN (SELECT id FROM artifacts WHERE artifacts.run IN {_GIVEN})
                AND run NOT IN {_GIVEN} GROUP BY artifact) AS heir
            WHERE artifacts.id = heir.artifact""",
        given,
    )
