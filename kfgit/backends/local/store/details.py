"""Runs and their tasks as KFP's API tells them: all that is known of a run, and of its tasks what became of them.

Apart from `runs`, which serves those who execute and follow: a list shows 200 runs with thousands of tasks, whose
inputs and outputs nobody asks for. Every function works inside its caller's transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kfgit.backends.local.store import codec
from kfgit.events import Artifact, State


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run. `history` has each state that it came to; `package` is the key of the package that it runs."""

    id: str
    name: str
    pipeline: str
    description: str | None
    experiment_id: str | None
    schedule: str | None
    pipeline_id: str | None
    version_id: str | None
    package: str
    parameters: Mapping[str, Any]
    pipeline_root: str | None
    service_account: str | None
    storage_state: str
    state: State
    history: tuple[tuple[State, datetime], ...]
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """A task of a run; `folder` is that of its attempts below the run's."""

    key: str
    path: str
    state: State
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    folder: str | None


def get(db: sqlite3.Connection, run_id: str) -> RunDetail | None:
    """One run."""
    row = db.execute("SELECT * FROM runs WHERE id = ?", (codec.text(run_id),)).fetchone()
    return run(row) if row else None


def named(db: sqlite3.Connection, schedule: str, name: str) -> RunDetail | None:
    """The run of a schedule that has this name."""
    row = db.execute(
        "SELECT * FROM runs WHERE schedule = ? AND name = ? LIMIT 1", (schedule, codec.text(name))
    ).fetchone()
    return run(row) if row else None


def tasks(db: sqlite3.Connection, run_ids: Sequence[str]) -> Mapping[str, Sequence[TaskDetail]]:
    """The tasks of some runs, in order, by run."""
    found: dict[str, list[TaskDetail]] = {id_: [] for id_ in run_ids}
    rows = db.execute(
        """SELECT run, key, path, state, started_at, finished_at, error, folder FROM tasks
            WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run, ord, path""",
        (json.dumps(list(found)),),
    )
    for row in rows:
        found[row["run"]].append(
            TaskDetail(
                key=row["key"],
                path=row["path"],
                state=row["state"],
                started_at=codec.moment(row["started_at"]),
                finished_at=codec.moment(row["finished_at"]),
                error=row["error"],
                folder=row["folder"],
            )
        )
    return found


def run(row: sqlite3.Row) -> RunDetail:
    """The run of a row of the table."""
    inputs = codec.decode(row["inputs"])
    return RunDetail(
        id=row["id"],
        name=row["name"],
        pipeline=row["pipeline"],
        description=row["description"],
        experiment_id=row["experiment_id"],
        schedule=row["schedule"],
        pipeline_id=row["pipeline_id"],
        version_id=row["version_id"],
        package=row["package"],
        parameters={name: value for name, value in inputs.items() if not isinstance(value, Artifact | tuple)},
        pipeline_root=row["pipeline_root"],
        service_account=row["service_account"],
        storage_state=row["storage_state"],
        state=row["state"],
        history=tuple((state, datetime.fromisoformat(at)) for state, at in json.loads(row["history"])),
        created_at=datetime.fromisoformat(row["created_at"]),
        scheduled_at=codec.moment(row["scheduled_at"]),
        started_at=codec.moment(row["started_at"]),
        finished_at=codec.moment(row["finished_at"]),
        error=row["error"],
        options=json.loads(row["options"]),
    )
