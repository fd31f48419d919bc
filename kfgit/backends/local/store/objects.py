"""Experiments, pipelines with their versions, and schedules. Every function works inside its caller's transaction.

These tables are what a KFP client would see; who owns an object stands in `ledger`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from kfgit.backends.local.store import codec, runs
from kfgit.ir import Package

# Which version kfgit wants to be used, whatever others upload later.
DIGEST_TAG = "kfgit-digest"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named group of runs."""

    id: str
    name: str
    description: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A named pipeline; its content is in its versions."""

    id: str
    name: str
    display_name: str | None
    description: str | None
    created_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """One content of a pipeline; `digest` is `Package.digest`."""

    id: str
    pipeline_id: str
    name: str
    digest: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule; `enabled` counts, not the field of that name in `spec`. No tick before `since` is owed."""

    id: str
    name: str
    spec: Mapping[str, Any]
    enabled: bool
    created_at: datetime
    updated_at: datetime
    since: datetime
    last_tick: datetime | None


def ensure_experiment(db: sqlite3.Connection, name: str, at: datetime) -> str:
    """The id of the experiment, which is made where there is none."""
    db.execute(
        "INSERT OR IGNORE INTO experiments (id, name, created_at) VALUES (?, ?, ?)",
        (str(uuid4()), codec.text(name), codec.stamp(at)),
    )
    row = db.execute("SELECT id FROM experiments WHERE name = ?", (codec.text(name),)).fetchone()
    return str(row["id"])


def describe_experiment(db: sqlite3.Connection, id_: str, description: str | None) -> None:
    """Writes the description."""
    db.execute("UPDATE experiments SET description = ? WHERE id = ?", (codec.text(description), id_))


def experiments(db: sqlite3.Connection) -> tuple[Experiment, ...]:
    """All experiments by name."""
    return tuple(
        Experiment(row["id"], row["name"], row["description"], _time(row["created_at"]))
        for row in db.execute("SELECT * FROM experiments ORDER BY name")
    )


def ensure_pipeline(db: sqlite3.Connection, name: str, at: datetime) -> str:
    """The id of the pipeline, which is made where there is none."""
    db.execute(
        "INSERT OR IGNORE INTO pipelines (id, name, created_at) VALUES (?, ?, ?)",
        (str(uuid4()), name, codec.stamp(at)),
    )
    return str(db.execute("SELECT id FROM pipelines WHERE name = ?", (name,)).fetchone()["id"])


def describe_pipeline(db: sqlite3.Connection, pipeline: Pipeline) -> None:
    """Writes display name, description and tags."""
    db.execute(
        "UPDATE pipelines SET display_name = ?, description = ?, tags = ? WHERE id = ?",
        (
            codec.text(pipeline.display_name),
            codec.text(pipeline.description),
            json.dumps(dict(pipeline.tags)),
            pipeline.id,
        ),
    )


def pipelines(db: sqlite3.Connection) -> tuple[Pipeline, ...]:
    """All pipelines by name."""
    return tuple(_pipeline(row) for row in db.execute("SELECT * FROM pipelines ORDER BY name"))


def pipeline(db: sqlite3.Connection, id_: str) -> Pipeline | None:
    """One pipeline."""
    row = db.execute("SELECT * FROM pipelines WHERE id = ?", (id_,)).fetchone()
    return _pipeline(row) if row else None


def upload(db: sqlite3.Connection, pipeline_id: str, package: Package, at: datetime) -> Version:
    """The version with this content, named by the begin of its digest; an equal one is used again.

    Equal versions may differ in what runs are told by (`Package.labels`): the newest labels are kept.
    """
    digest, content = package.digest, runs.save_package(db, package)
    row = db.execute(
        "SELECT * FROM versions WHERE pipeline = ? AND digest = ?", (pipeline_id, digest)
    ).fetchone()
    if row is None:
        row = _new_version(db, (pipeline_id, digest, content), at)
    elif row["package"] != content:
        db.execute("UPDATE versions SET package = ? WHERE id = ?", (content, row["id"]))
        runs.drop_unused_packages(db)
    return _version(row)


def versions(db: sqlite3.Connection, pipeline_id: str) -> tuple[Version, ...]:
    """The versions of a pipeline, newest first."""
    rows = db.execute(
        "SELECT * FROM versions WHERE pipeline = ? ORDER BY created_at DESC, rowid DESC", (pipeline_id,)
    )
    return tuple(_version(row) for row in rows)


def package(db: sqlite3.Connection, version_id: str) -> Package | None:
    """The content of a version."""
    row = db.execute(
        "SELECT document FROM packages WHERE digest = (SELECT package FROM versions WHERE id = ?)",
        (version_id,),
    ).fetchone()
    return codec.decode_package(row["document"]) if row else None


def save_schedule(db: sqlite3.Connection, id_: str, name: str, spec: Mapping[str, Any], at: datetime) -> None:
    """Writes a schedule, new or changed; `enabled` is taken from the spec (default true).

    A changed trigger owes nothing for the time before `at`; otherwise the count of ticks goes on.
    """
    known = db.execute("SELECT * FROM schedules WHERE id = ?", (id_,)).fetchone()
    before = _schedule(known) if known else None
    enabled = bool(spec.get("enabled", True))
    if before and (before.name, before.spec, before.enabled) == (name, dict(spec), enabled):
        return
    goes_on = before is not None and _trigger(before.spec) == _trigger(spec)
    db.execute(
        """INSERT INTO schedules (id, name, spec, enabled, created_at, updated_at, since)
            VALUES (:id, :name, :spec, :enabled, :at, :at, :at) ON CONFLICT (id) DO UPDATE
            SET name = :name, spec = :spec, enabled = :enabled, updated_at = :at,
            since = iif(:goes_on, since, :at), last_tick = iif(:goes_on, last_tick, NULL)""",
        {
            "id": id_,
            "name": name,
            "spec": json.dumps(dict(spec), sort_keys=True),
            "enabled": enabled,
            "at": codec.stamp(at),
            "goes_on": goes_on,
        },
    )


def renew_schedule(db: sqlite3.Connection, id_: str) -> str:
    """Gives a schedule a new id, as a replacement on a cluster would; its count of ticks goes on."""
    fresh = str(uuid4())
    db.execute("UPDATE schedules SET id = ? WHERE id = ?", (fresh, id_))
    return fresh


def enable_schedule(db: sqlite3.Connection, id_: str, at: datetime, *, enabled: bool) -> None:
    """Turns a schedule on or off."""
    db.execute(
        "UPDATE schedules SET enabled = ?, updated_at = ? WHERE id = ?", (enabled, codec.stamp(at), id_)
    )


def tick_schedule(db: sqlite3.Connection, id_: str, tick: datetime) -> bool:
    """Notes that a schedule has fired for `tick`; False when it had, or for a later one."""
    changed = db.execute(
        "UPDATE schedules SET last_tick = :tick WHERE id = :id AND (last_tick IS NULL OR last_tick < :tick)",
        {"tick": codec.stamp(tick), "id": id_},
    )
    return changed.rowcount == 1


def schedules(db: sqlite3.Connection) -> tuple[Schedule, ...]:
    """All schedules by name."""
    return tuple(
        _schedule(row) for row in db.execute("SELECT * FROM schedules ORDER BY name, created_at, id")
    )


def exists(db: sqlite3.Connection, table: str, id_: str) -> bool:
    """Whether a row with this id is in the table, which is one of this module's."""
    return db.execute(f"SELECT 1 FROM {table} WHERE id = ?", (id_,)).fetchone() is not None


def named(db: sqlite3.Connection, table: str, name: str) -> str | None:
    """The id of the oldest object of that name in the table, which is one of this module's."""
    row = db.execute(f"SELECT id FROM {table} WHERE name = ? ORDER BY created_at, id", (name,)).fetchone()
    return row["id"] if row else None


def remove(db: sqlite3.Connection, table: str, id_: str) -> None:
    """Deletes an object; a pipeline goes with its versions, runs and schedules stay."""
    db.execute(f"DELETE FROM {table} WHERE id = ?", (id_,))
    if table == "pipelines":
        runs.drop_unused_packages(db)


def _new_version(db: sqlite3.Connection, content: tuple[str, str, str], at: datetime) -> sqlite3.Row:
    pipeline_id, digest, _ = content
    taken = {
        row["name"] for row in db.execute("SELECT name FROM versions WHERE pipeline = ?", (pipeline_id,))
    }
    name = next(digest[:length] for length in (12, 24, 64) if digest[:length] not in taken)
    id_ = str(uuid4())
    db.execute(
        "INSERT INTO versions (pipeline, digest, package, id, name, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        (*content, id_, name, codec.stamp(at)),
    )
    row: sqlite3.Row = db.execute("SELECT * FROM versions WHERE id = ?", (id_,)).fetchone()
    return row


def _trigger(spec: Mapping[str, Any]) -> list[Any]:
    return [spec.get(name) for name in ("cron", "every", "timezone", "start", "end")]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _pipeline(row: sqlite3.Row) -> Pipeline:
    return Pipeline(
        id=row["id"],
        name=row["name"],
        display_name=row["display_name"],
        description=row["description"],
        created_at=_time(row["created_at"]),
        tags=json.loads(row["tags"]),
    )


def _version(row: sqlite3.Row) -> Version:
    return Version(row["id"], row["pipeline"], row["name"], row["digest"], _time(row["created_at"]))


def _schedule(row: sqlite3.Row) -> Schedule:
    return Schedule(
        id=row["id"],
        name=row["name"],
        spec=json.loads(row["spec"]),
        enabled=bool(row["enabled"]),
        created_at=_time(row["created_at"]),
        updated_at=_time(row["updated_at"]),
        since=_time(row["since"]),
        last_tick=codec.moment(row["last_tick"]),
    )
