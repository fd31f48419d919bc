"""Runs and their tasks. Every function works inside a transaction of its caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kfgit.backends.local.store import codec, loans, packages
from kfgit.events import FINAL, Artifact, RunRecord, State, TaskRecord
from kfgit.ir import Package

_ACTIVE = ("RUNNING", "CANCELING")
_RETRIED = ("FAILED", "CANCELED")
_COLUMNS = (
    "id, name, pipeline, version, experiment, environment, inputs, state, created_at, started_at, finished_at, "
    "scheduled_at, outputs, error, notes"
)

# Binds the state that the run comes to, and the time.
_HISTORY = "history = json_insert(history, '$[#]', json_array(?, ?))"


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
    experiment: str = "Default"
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
class TaskRow:
    """A task, its place among the run's tasks, and the folder of its attempts below the run's."""

    record: TaskRecord
    ord: int
    folder: str | None = None


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
    """Records a run as PENDING; False when its id is known already, and then nothing changes."""
    if db.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone():
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


def archive(db: sqlite3.Connection, run_id: str, *, archived: bool) -> bool:
    """Puts a run into the archive or takes it out; False when there is no such run."""
    state = "ARCHIVED" if archived else "AVAILABLE"
    return db.execute("UPDATE runs SET storage_state = ? WHERE id = ?", (state, run_id)).rowcount == 1


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
    end = {"RUNNING": "FAILED", "CANCELING": "CANCELED"}.get(state(db, run_id) or "")
    if end is None:
        return
    now, seq = codec.stamp(at), last_seq(db, run_id) + 1
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


def save_tasks(db: sqlite3.Connection, run_id: str, seq: int, rows: Sequence[TaskRow]) -> None:
    """Writes tasks as they are now; `seq` numbers the batch."""
    db.executemany(
        """INSERT INTO tasks (run, key, ord, seq, path, component, state, cached, attempts, started_at, finished_at,
            inputs, outputs, error, folder) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (run, key) DO UPDATE SET ord = excluded.ord, seq = excluded.seq,
            component = excluded.component, state = excluded.state, cached = excluded.cached,
            attempts = excluded.attempts, started_at = excluded.started_at, finished_at = excluded.finished_at,
            inputs = excluded.inputs, outputs = excluded.outputs, error = excluded.error, folder = excluded.folder""",
        [_task_values(run_id, seq, row) for row in rows],
    )


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
    return _run(row, tuple(row.record for row in tasks(db, run_id)))


def tasks(db: sqlite3.Connection, run_id: str, since: int = -1) -> tuple[TaskRow, ...]:
    """The tasks of a run, in order; with `since`, those written in later batches."""
    rows = db.execute("SELECT * FROM tasks WHERE run = ? AND seq > ? ORDER BY ord, path", (run_id, since))
    return tuple(TaskRow(_task(row), row["ord"], row["folder"]) for row in rows)


def remove_tasks(db: sqlite3.Connection, run_id: str, keys: Iterable[str]) -> None:
    """Forgets tasks that a run has no more."""
    db.executemany("DELETE FROM tasks WHERE run = ? AND key = ?", [(run_id, codec.text(key)) for key in keys])


def last_seq(db: sqlite3.Connection, run_id: str) -> int:
    """The number of the newest batch of a run's tasks, -1 before the first."""
    newest: int | None = db.execute("SELECT max(seq) FROM tasks WHERE run = ?", (run_id,)).fetchone()[0]
    return -1 if newest is None else newest


def active(db: sqlite3.Connection) -> tuple[tuple[str, str], ...]:
    """Id and folder of the runs that somebody says to be executing."""
    rows = db.execute(f"SELECT id, folder FROM runs WHERE state IN ({_marks(_ACTIVE)})", _ACTIVE)
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


def _marks(values: Sequence[str] | frozenset[str]) -> str:
    return ", ".join("?" * len(values))


def _task_values(run_id: str, seq: int, row: TaskRow) -> tuple[Any, ...]:
    task = row.record
    return (
        run_id,
        codec.text(task.key),
        row.ord,
        seq,
        codec.text(task.path),
        task.component,
        task.state,
        task.cached,
        task.attempts,
        codec.stamp_or_none(task.started_at),
        codec.stamp_or_none(task.finished_at),
        codec.encode(task.inputs),
        codec.encode(task.outputs),
        codec.text(task.error),
        row.folder,
    )


def _task(row: sqlite3.Row) -> TaskRecord:
    return TaskRecord(
        path=row["path"],
        component=row["component"],
        state=row["state"],
        cached=bool(row["cached"]),
        attempts=row["attempts"],
        started_at=codec.moment(row["started_at"]),
        finished_at=codec.moment(row["finished_at"]),
        inputs=codec.decode(row["inputs"]),
        outputs=codec.decode(row["outputs"]),
        error=row["error"],
        key=row["key"],
    )


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
