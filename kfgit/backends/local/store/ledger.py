"""Who owns what, which trigger keys have fired, and the past applies, inside the transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kfgit.backends.local.store import codec
from kfgit.events import AppliedRun, ApplyRecord, ChangeFinished, done_by_action, outcome

# So many applies of a project are remembered.
KEPT = 1000


@dataclass(frozen=True, slots=True)
class Mark:
    """An owned object; `digest` and `spec` are what was applied last, `uses` the profiles of its tasks then.

    `uses` are as `plan.written` writes them, and None where nobody wrote them down.
    """

    kind: str
    name: str
    id: str
    digest: str
    spec: Mapping[str, Any]
    uses: Sequence[Mapping[str, Any]] | None = None


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
        """INSERT OR REPLACE INTO inventory (project, kind, name, id, digest, spec, uses)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (
            project,
            entry.kind,
            entry.name,
            entry.id,
            entry.digest,
            json.dumps(dict(entry.spec), sort_keys=True),
            json.dumps(entry.uses, sort_keys=True) if entry.uses is not None else None,
        ),
    )


def note_uses(db: sqlite3.Connection, project: str, id_: str, uses: Sequence[Mapping[str, Any]]) -> None:
    """Writes the uses of a pipeline that stays as it is."""
    db.execute(
        "UPDATE inventory SET uses = ? WHERE project = ? AND kind = 'Pipeline' AND id = ?",
        (json.dumps(uses, sort_keys=True), project, id_),
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
    """Writes a new row of the history and returns its id; `apply.id` is not looked at. The oldest rows go."""
    row = db.execute(
        """INSERT INTO applies (project, commit_id, digest, who, started_at, result, branch, folder, verb)
            VALUES (?, ?, ?, ?, ?, '{}', ?, ?, ?) RETURNING id""",
        (
            apply.project,
            apply.commit,
            apply.digest,
            codec.text(apply.who),
            codec.stamp(apply.started_at),
            codec.text(apply.branch),
            apply.folder,
            apply.verb,
        ),
    ).fetchone()
    db.execute(
        """DELETE FROM applies WHERE project = ?1 AND id <=
            (SELECT id FROM applies WHERE project = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)""",
        (apply.project, KEPT),
    )
    return int(row["id"])


def end_apply(
    db: sqlite3.Connection,
    id_: int,
    results: Sequence[ChangeFinished],
    runs: Sequence[AppliedRun],
    at: datetime,
) -> None:
    """Completes a row of the history."""
    db.execute(
        "UPDATE applies SET finished_at = ?, result = ?, changes = ? WHERE id = ?",
        (codec.stamp(at), json.dumps(dict(outcome(results))), json.dumps(dict(done_by_action(results))), id_),
    )
    db.executemany(
        """INSERT OR REPLACE INTO applied_runs (apply, ord, name, pipeline, digest, run, state)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, (SELECT state FROM runs WHERE id = ?6 AND state IN
            ('SUCCEEDED', 'FAILED', 'CANCELED', 'SKIPPED')))""",
        [(id_, order, run.name, run.pipeline, run.digest, run.id) for order, run in enumerate(runs)],
    )


def applies(db: sqlite3.Connection, project: str, limit: int = -1) -> tuple[ApplyRecord, ...]:
    """The history of a project, newest first."""
    rows = db.execute(
        "SELECT * FROM applies WHERE project = ? ORDER BY id DESC LIMIT ?", (project, limit)
    ).fetchall()
    runs: dict[int, list[AppliedRun]] = {}
    oldest = rows[-1]["id"] if rows else 0
    for row in db.execute("SELECT * FROM applied_runs WHERE apply >= ? ORDER BY apply, ord", (oldest,)):
        run = AppliedRun(row["name"], row["pipeline"], row["digest"], row["run"], row["state"])
        runs.setdefault(row["apply"], []).append(run)
    return tuple(_apply(row, runs.get(row["id"], ())) for row in rows)


def _mark(row: sqlite3.Row) -> Mark:
    uses = json.loads(row["uses"]) if row["uses"] is not None else None
    return Mark(row["kind"], row["name"], row["id"], row["digest"], json.loads(row["spec"]), uses)


def _apply(row: sqlite3.Row, runs: Sequence[AppliedRun]) -> ApplyRecord:
    return ApplyRecord(
        id=row["id"],
        project=row["project"],
        commit=row["commit_id"],
        digest=row["digest"],
        who=row["who"],
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=codec.moment(row["finished_at"]),
        result=json.loads(row["result"]),
        branch=row["branch"],
        runs=tuple(runs),
        folder=bool(row["folder"]),
        verb=row["verb"],
        changes=json.loads(row["changes"]),
    )
