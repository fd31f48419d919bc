"""Who owns what, which trigger keys have fired, and the past applies, inside the transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kfgit.backends.local.store import codec
from kfgit.events import ApplyRecord


@dataclass(frozen=True, slots=True)
class Mark:
    """An owned object; `digest` and `spec` are what was applied last."""

    kind: str
    name: str
    id: str
    digest: str
    spec: Mapping[str, Any]


def marks(db: sqlite3.Connection, project: str) -> tuple[Mark, ...]:
    """The inventory of a project."""
    rows = db.execute("SELECT * FROM inventory WHERE project = ? ORDER BY kind, name", (project,))
    return tuple(_mark(row) for row in rows)


def others(db: sqlite3.Connection, project: str) -> Mapping[tuple[str, str], str]:
    """The projects that have the other objects, by kind and id."""
    rows = db.execute("SELECT kind, id, project FROM inventory WHERE project <> ?", (project,))
    return {(row["kind"], row["id"]): row["project"] for row in rows}


def mark(db: sqlite3.Connection, project: str, kind: str, name: str) -> Mark | None:
    """One entry of the inventory."""
    row = db.execute(
        "SELECT * FROM inventory WHERE project = ? AND kind = ? AND name = ?", (project, kind, name)
    ).fetchone()
    return _mark(row) if row else None


def put(db: sqlite3.Connection, project: str, entry: Mark) -> None:
    """Writes an entry of the inventory."""
    db.execute(
        "INSERT OR REPLACE INTO inventory (project, kind, name, id, digest, spec) VALUES (?, ?, ?, ?, ?, ?)",
        (
            project,
            entry.kind,
            entry.name,
            entry.id,
            entry.digest,
            json.dumps(dict(entry.spec), sort_keys=True),
        ),
    )


def forget(db: sqlite3.Connection, project: str, kind: str, id_: str) -> None:
    """Takes an object out of the inventory."""
    db.execute("DELETE FROM inventory WHERE project = ? AND kind = ? AND id = ?", (project, kind, id_))


def release(db: sqlite3.Connection, kind: str, id_: str) -> None:
    """Takes an object out of the inventory of whoever has it."""
    db.execute("DELETE FROM inventory WHERE kind = ? AND id = ?", (kind, id_))


def fire(db: sqlite3.Connection, trigger: tuple[str, str, str], run_id: str, at: datetime) -> bool:
    """Notes that the trigger (project, run name, key) starts `run_id`; False when it has started one before."""
    changed = db.execute(
        "INSERT OR IGNORE INTO triggers (project, name, key, run, created_at) VALUES (?, ?, ?, ?, ?)",
        (*trigger, run_id, codec.stamp(at)),
    )
    return changed.rowcount == 1


def begin_apply(db: sqlite3.Connection, apply: ApplyRecord) -> int:
    """Writes a new row of the history and returns its id; `apply.id` is not looked at."""
    row = db.execute(
        """INSERT INTO applies (project, commit_id, digest, who, started_at, finished_at, result)
            VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id""",
        (
            apply.project,
            apply.commit,
            apply.digest,
            codec.text(apply.who),
            codec.stamp(apply.started_at),
            codec.stamp_or_none(apply.finished_at),
            json.dumps(dict(apply.result)),
        ),
    ).fetchone()
    return int(row["id"])


def end_apply(db: sqlite3.Connection, id_: int, result: Mapping[str, Any], at: datetime) -> None:
    """Completes a row of the history."""
    db.execute(
        "UPDATE applies SET finished_at = ?, result = ? WHERE id = ?",
        (codec.stamp(at), json.dumps(dict(result)), id_),
    )


def applies(db: sqlite3.Connection, project: str, limit: int = -1) -> tuple[ApplyRecord, ...]:
    """The history of a project, newest first."""
    rows = db.execute("SELECT * FROM applies WHERE project = ? ORDER BY id DESC LIMIT ?", (project, limit))
    return tuple(_apply(row) for row in rows)


def _mark(row: sqlite3.Row) -> Mark:
    return Mark(row["kind"], row["name"], row["id"], row["digest"], json.loads(row["spec"]))


def _apply(row: sqlite3.Row) -> ApplyRecord:
    return ApplyRecord(
        id=row["id"],
        project=row["project"],
        commit=row["commit_id"],
        digest=row["digest"],
        who=row["who"],
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=codec.moment(row["finished_at"]),
        result=json.loads(row["result"]),
    )
