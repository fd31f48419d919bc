"""What all kinds of objects share: by table, by id, by name. Every function works inside its caller's transaction."""

from __future__ import annotations

import sqlite3
from typing import Literal, TypeAlias

from kfgit.backends.local.store import pipelines, schedules

Table: TypeAlias = Literal["experiments", "pipelines", "schedules", "runs"]


def exists(db: sqlite3.Connection, table: Table, id_: str) -> bool:
    """Whether a row with this id is in the table."""
    return db.execute(f"SELECT 1 FROM {table} WHERE id = ?", (id_,)).fetchone() is not None


def named(db: sqlite3.Connection, table: Table, name: str) -> str | None:
    """The id of the oldest object of that name."""
    row = db.execute(f"SELECT id FROM {table} WHERE name = ? ORDER BY created_at, id", (name,)).fetchone()
    return row["id"] if row else None


def remove(db: sqlite3.Connection, table: Table, id_: str) -> None:
    """Deletes an object; a pipeline goes with its versions, runs and schedules stay."""
    if table == "pipelines":
        pipelines.remove(db, id_)
    elif table == "schedules":
        schedules.remove(db, id_)
    else:
        db.execute(f"DELETE FROM {table} WHERE id = ?", (id_,))
