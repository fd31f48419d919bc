"""Runs as they are recorded, found and counted. Every function works inside a transaction of its caller.

What changes their state is in `transitions`, their tasks in `tasks`; as KFP's API tells them, in `details`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kfgit.backends.local.store import codec, loans, packages, tasks
from kfgit.events import Artifact, RunRecord, State, TaskRecord
from kfgit.ir import DEFAULT_EXPERIMENT, Package

_COLUMNS = (
    "id, name, pipeline, version, experiment, environment, inputs, state, created_at, started_at, finished_at, "
    "scheduled_at, outputs, error, notes"
)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run about to be recorded; `inputs` holds parameters and artifacts as `RunRecord.inputs` does.

    `package` may be the key of a stored one.
    """

    id: str
    name: str
    pipeline: str
    package: Package | str
    environment: str
    folder: str
    created_at: datetime
    inputs: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    experiment: str = DEFAULT_EXPERIMENT
    version: str | None = None
    scheduled_at: datetime | None = None
    schedule: str | None = None
    experiment_id: str | None = None
    pipeline_id: str | None = None
    version_id: str | None = None
    description: str | None = None
    service_account: str | None = None
    pipeline_root: str | None = None


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What executing a run takes: its record without tasks, its package and where its files are."""

    record: RunRecord
    package: Package
    options: Mapping[str, Any]
    folder: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs a page shows; None asks for no difference."""

    state: State | None = None
    pipeline: str | None = None
    experiment: str | None = None
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some runs, newest first, and the text that asks for the next ones; None at the end."""

    items: tuple[RunRecord, ...]
    next: str | None


def add(db: sqlite3.Connection, run: NewRun) -> bool:
    """Records a run as PENDING; False when its id is known already, and then nothing changes.

    That of a deleted run is known until its folder is gone, for until then it may still be executed.
    """
    taken = "SELECT 1 FROM runs WHERE id = :id UNION ALL SELECT 1 FROM leavings WHERE run = :id"
    if db.execute(taken, {"id": run.id}).fetchone():
        return False
    created = codec.stamp(run.created_at)
    db.execute(
        """INSERT INTO runs (id, name, pipeline, version, experiment, environment, schedule, package, inputs, options,
            state, created_at, scheduled_at, folder, experiment_id, pipeline_id, version_id, description,
            service_account, pipeline_root, history)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'PENDING', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            run.id,
            codec.text(run.name),
            codec.text(run.pipeline),
            run.version,
            codec.text(run.experiment),
            run.environment,
            run.schedule,
            run.package if isinstance(run.package, str) else packages.save(db, run.package),
            codec.encode(run.inputs),
            json.dumps(dict(run.options)),
            created,
            codec.stamp_or_none(run.scheduled_at),
            run.folder,
            run.experiment_id,
            run.pipeline_id,
            run.version_id,
            codec.text(run.description),
            codec.text(run.service_account),
            codec.text(run.pipeline_root),
            json.dumps([["PENDING", created]]),
        ),
    )
    # The time was taken before the transaction: another run may have come in between.
    db.execute(
        "UPDATE experiments SET last_run_at = max(ifnull(last_run_at, ''), ?) WHERE id = ?",
        (created, run.experiment_id),
    )
    loans.take(db, run.id, (value for value in run.inputs.values() if isinstance(value, Artifact)))
    return True


def folder_taken(db: sqlite3.Connection, folder: str) -> bool:
    """Whether another run has this folder, or had it and something is left of it."""
    found = db.execute(
        """SELECT 1 FROM runs WHERE folder = :folder UNION ALL SELECT 1 FROM loans WHERE folder = :folder
            UNION ALL SELECT 1 FROM leavings WHERE folder = :folder LIMIT 1""",
        {"folder": folder},
    )
    return found.fetchone() is not None


def state(db: sqlite3.Connection, run_id: str) -> State | None:
    """The state of a run, None when there is no such run."""
    row = db.execute("SELECT state FROM runs WHERE id = ?", (run_id,)).fetchone()
    return row["state"] if row else None


def begun(db: sqlite3.Connection, run_id: str) -> bool:
    """Whether anybody has executed a run."""
    return (
        db.execute("SELECT 1 FROM runs WHERE id = ? AND started_at IS NOT NULL", (run_id,)).fetchone()
        is not None
    )


def folder(db: sqlite3.Connection, run_id: str) -> str | None:
    """The folder of a run below `runs/`."""
    row = db.execute("SELECT folder FROM runs WHERE id = ?", (run_id,)).fetchone()
    return row["folder"] if row else None


def archive(db: sqlite3.Connection, run_id: str, *, archived: bool) -> bool:
    """Puts a run into the archive or takes it out; False when there is no such run."""
    state = "ARCHIVED" if archived else "AVAILABLE"
    return db.execute("UPDATE runs SET storage_state = ? WHERE id = ?", (state, run_id)).rowcount == 1


def stored(db: sqlite3.Connection, run_id: str) -> StoredRun | None:
    """A run as the runner needs it."""
    row = db.execute(
        f"""SELECT {_COLUMNS}, options, folder, document FROM runs JOIN (SELECT digest, document FROM packages)
            ON digest = package WHERE id = ?""",
        (run_id,),
    ).fetchone()
    if row is None:
        return None
    return StoredRun(
        _run(row), codec.decode_package(row["document"]), json.loads(row["options"]), row["folder"]
    )


def get(db: sqlite3.Connection, run_id: str) -> RunRecord | None:
    """A run with its tasks."""
    row = db.execute(f"SELECT {_COLUMNS} FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        return None
    return _run(row, tuple(row.record for row in tasks.of_run(db, run_id)))


def active(db: sqlite3.Connection) -> tuple[tuple[str, str], ...]:
    """Id and folder of the runs that somebody says to be executing."""
    rows = db.execute("SELECT id, folder FROM runs WHERE state IN ('RUNNING', 'CANCELING')")
    return tuple((row["id"], row["folder"]) for row in rows)


def active_of(db: sqlite3.Connection, schedule_id: str) -> int:
    """How many runs of a schedule have not ended."""
    row = db.execute(
        "SELECT count(*) FROM runs WHERE schedule = ? AND state IN ('PENDING', 'RUNNING', 'CANCELING')",
        (schedule_id,),
    ).fetchone()
    return int(row[0])


def pending(db: sqlite3.Connection, limit: int = -1) -> tuple[str, ...]:
    """The ids of the runs that nobody has begun, oldest first."""
    rows = db.execute("SELECT id FROM runs WHERE state = 'PENDING' ORDER BY created_at, id LIMIT ?", (limit,))
    return tuple(row["id"] for row in rows)


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """How many runs there are in each state that a run is in."""
    return {row[0]: row[1] for row in db.execute("SELECT state, count(*) FROM runs GROUP BY state")}


def ids(db: sqlite3.Connection, prefix: str, limit: int) -> tuple[str, ...]:
    """Ids that begin with `prefix`."""
    rows = db.execute(
        "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
        (codec.text(prefix), f"{codec.text(prefix)}\U0010ffff", limit),
    )
    return tuple(row["id"] for row in rows)


def everything(db: sqlite3.Connection) -> tuple[RunRecord, ...]:
    """Every run without tasks, newest first."""
    return tuple(
        _run(row) for row in db.execute(f"SELECT {_COLUMNS} FROM runs ORDER BY created_at DESC, id DESC")
    )


def count(db: sqlite3.Connection) -> int:
    """How many runs there are."""
    return int(db.execute("SELECT count(*) FROM runs").fetchone()[0])


def by_experiment(db: sqlite3.Connection) -> Mapping[str, int]:
    """How many runs each experiment has, by its name."""
    return {
        row["experiment"]: row["count"]
        for row in db.execute("SELECT experiment, count(*) AS count FROM runs GROUP BY experiment")
    }


def page(db: sqlite3.Connection, limit: int, before: str | None = None, only: Filter = Filter()) -> Page:
    """At most `limit` runs, newest first, after the place that an earlier page named in `next`."""
    wanted = {name: getattr(only, name) for name in ("state", "pipeline", "experiment", "schedule")}
    clauses = [f"{name} = :{name}" for name, value in wanted.items() if value is not None]
    values: dict[str, Any] = wanted | {"limit": limit + 1}
    if before is not None:
        values["at"], _, values["last"] = before.partition(" ")
        clauses.append("(created_at, id) < (:at, :last)")
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM runs {where} ORDER BY created_at DESC, id DESC LIMIT :limit", values
    ).fetchall()
    shown = rows[:limit]
    follows = f"{shown[-1]['created_at']} {shown[-1]['id']}" if len(rows) > limit and shown else None
    return Page(tuple(_run(row) for row in shown), follows)


def _run(row: sqlite3.Row, tasks: tuple[TaskRecord, ...] = ()) -> RunRecord:
    created = codec.moment(row["created_at"])
    assert created is not None
    return RunRecord(
        id=row["id"],
        name=row["name"],
        pipeline=row["pipeline"],
        environment=row["environment"],
        state=row["state"],
        created_at=created,
        experiment=row["experiment"],
        version=row["version"],
        inputs=codec.decode(row["inputs"]),
        outputs=codec.decode(row["outputs"]),
        started_at=codec.moment(row["started_at"]),
        finished_at=codec.moment(row["finished_at"]),
        scheduled_at=codec.moment(row["scheduled_at"]),
        tasks=tasks,
        error=row["error"],
        notes=tuple(json.loads(row["notes"])),
    )
