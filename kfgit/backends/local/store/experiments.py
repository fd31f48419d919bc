"""Experiments: named groups of runs. Every function works inside its caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from kfgit.backends.local.store import codec
from kfgit.ir import DEFAULT_EXPERIMENT

# What holds the runs that name no experiment, with the words that KFP's server describes it with.
_DEFAULT_DESCRIPTION: Final = "All runs created without specifying an experiment will be grouped here."


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named group of runs; `storage_state` is AVAILABLE or ARCHIVED."""

    id: str
    name: str
    description: str | None
    created_at: datetime
    storage_state: str = "AVAILABLE"
    last_run_at: datetime | None = None


def ensure(db: sqlite3.Connection, name: str, at: datetime) -> str:
    """The id of the experiment, which is made where there is none."""
    db.execute(
        "INSERT OR IGNORE INTO experiments (id, name, description, created_at) VALUES (?, ?, ?, ?)",
        (
            str(uuid4()),
            codec.text(name),
            _DEFAULT_DESCRIPTION if name == DEFAULT_EXPERIMENT else None,
            codec.stamp(at),
        ),
    )
    row = db.execute("SELECT id FROM experiments WHERE name = ?", (codec.text(name),)).fetchone()
    return str(row["id"])


def add(db: sqlite3.Connection, name: str, description: str | None, at: datetime) -> Experiment | None:
    """Makes an experiment; None where one has that name, in whatever case."""
    if db.execute("SELECT 1 FROM experiments WHERE name = ? COLLATE NOCASE", (codec.text(name),)).fetchone():
        return None
    made = Experiment(str(uuid4()), str(codec.text(name)), codec.text(description), at)
    db.execute(
        "INSERT INTO experiments (id, name, description, created_at) VALUES (?, ?, ?, ?)",
        (made.id, made.name, made.description, codec.stamp(at)),
    )
    return made


def archive(db: sqlite3.Connection, id_: str, at: datetime) -> None:
    """Puts an experiment away with all its runs, and turns its schedules off."""
    db.execute("UPDATE experiments SET storage_state = 'ARCHIVED' WHERE id = ?", (id_,))
    db.execute(
        "UPDATE runs SET storage_state = 'ARCHIVED' WHERE experiment_id = ? AND storage_state = 'AVAILABLE'",
        (id_,),
    )
    db.execute(
        """DELETE FROM ticks WHERE state = 'waiting'
            AND schedule IN (SELECT id FROM schedules WHERE experiment_id = ? AND enabled)""",
        (id_,),
    )
    db.execute(
        """UPDATE schedules SET enabled = 0, updated_at = ?, next_at = NULL
            WHERE experiment_id = ? AND enabled""",
        (codec.stamp(at), id_),
    )


def unarchive(db: sqlite3.Connection, id_: str) -> None:
    """Brings an experiment back, and nothing that went away with it."""
    db.execute("UPDATE experiments SET storage_state = 'AVAILABLE' WHERE id = ?", (id_,))


def remove(db: sqlite3.Connection, id_: str) -> None:
    """Forgets an experiment; its runs and schedules stay."""
    db.execute("DELETE FROM experiments WHERE id = ?", (id_,))


def describe(db: sqlite3.Connection, id_: str, description: str | None) -> None:
    """Writes the description."""
    db.execute("UPDATE experiments SET description = ? WHERE id = ?", (codec.text(description), id_))


def every(db: sqlite3.Connection) -> tuple[Experiment, ...]:
    """All experiments by name."""
    return tuple(experiment(row) for row in db.execute("SELECT * FROM experiments ORDER BY name"))


def get(db: sqlite3.Connection, id_: str) -> Experiment | None:
    """One experiment."""
    row = db.execute("SELECT * FROM experiments WHERE id = ?", (id_,)).fetchone()
    return experiment(row) if row else None


def experiment(row: sqlite3.Row) -> Experiment:
    """The experiment of a row of the table."""
    return Experiment(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        created_at=datetime.fromisoformat(row["created_at"]),
        storage_state=row["storage_state"],
        last_run_at=codec.moment(row["last_run_at"]),
    )
