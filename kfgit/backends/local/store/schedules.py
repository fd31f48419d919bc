"""Schedules, which KFP calls recurring runs. Every function works inside its caller's transaction.

A schedule of `apply` and one that a KFP client made are the same thing: `spec` is kfgit's own form of it, the one
that plan compares, and `Links` has what a tick and KFP's API need besides.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from kfgit.backends.local.store import codec, experiments, packages, pipelines
from kfgit.ir import DEFAULT_EXPERIMENT

# `next_at` of a schedule that time alone never makes due.
NEVER = "9999-12-31T23:59:59.999999Z"


@dataclass(frozen=True, slots=True)
class Links:
    """What a schedule refers to, by id.

    `version_id` is None where each tick takes the newest version. `package` is the key of the pinned content: it
    goes on firing when the version is deleted, as on KFP. `written` is the trigger as a client gave it.
    """

    experiment_id: str | None = None
    pipeline_id: str | None = None
    version_id: str | None = None
    package: str | None = None
    description: str | None = None
    service_account: str | None = None
    pipeline_root: str | None = None
    written: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule; `enabled` counts, not the field of that name in `spec`. No tick before `since` is owed.

    `next_at` is when the scheduler must look at it again: None is now. Every change here makes it so, and so does the
    end of one of its runs, by a trigger (`slot_after_end` in `schema`).
    """

    id: str
    name: str
    spec: Mapping[str, Any]
    enabled: bool
    created_at: datetime
    updated_at: datetime
    since: datetime
    last_tick: datetime | None
    next_at: datetime | None = None
    links: Links = field(default_factory=Links)


def save(
    db: sqlite3.Connection, id_: str, name: str, spec: Mapping[str, Any], at: datetime, links: Links = Links()
) -> None:
    """Writes a schedule, new or changed; `enabled` is taken from the spec (default true).

    A changed trigger owes nothing for the time before `at`; otherwise the count of ticks goes on.
    """
    before = get(db, id_)
    enabled = bool(spec.get("enabled", True))
    if before and (before.name, before.spec, before.enabled, before.links) == (
        name,
        dict(spec),
        enabled,
        links,
    ):
        return
    goes_on = before is not None and _trigger(before.spec) == _trigger(spec)
    db.execute(
        """INSERT INTO schedules (id, name, spec, enabled, created_at, updated_at, since, experiment_id, pipeline_id,
            version_id, package, description, service_account, pipeline_root, written)
            VALUES (:id, :name, :spec, :enabled, :at, :at, :at, :experiment_id, :pipeline_id, :version_id, :package,
            :description, :service_account, :pipeline_root, :written) ON CONFLICT (id) DO UPDATE
            SET name = :name, spec = :spec, enabled = :enabled, updated_at = :at, next_at = NULL,
            experiment_id = :experiment_id, pipeline_id = :pipeline_id, version_id = :version_id, package = :package,
            description = :description, service_account = :service_account, pipeline_root = :pipeline_root,
            written = :written,
            since = iif(:goes_on, since, :at), last_tick = iif(:goes_on, last_tick, NULL)""",
        {
            "id": id_,
            "name": codec.text(name),
            "spec": json.dumps(dict(spec), sort_keys=True),
            "enabled": enabled,
            "at": codec.stamp(at),
            "goes_on": goes_on,
            "experiment_id": links.experiment_id,
            "pipeline_id": links.pipeline_id,
            "version_id": links.version_id,
            "package": links.package,
            "description": codec.text(links.description),
            "service_account": codec.text(links.service_account),
            "pipeline_root": codec.text(links.pipeline_root),
            "written": None if links.written is None else json.dumps(dict(links.written)),
        },
    )
    if not (goes_on and enabled):
        _forget_waiting(db, id_)


def link(db: sqlite3.Connection, spec: Mapping[str, Any], at: datetime) -> Links:
    """What kfgit's form of a schedule refers to by name, by id; its experiment is made where there is none."""
    row = db.execute("SELECT id FROM pipelines WHERE name = ?", (spec.get("pipeline"),)).fetchone()
    pipeline_id = row["id"] if row else None
    version = pipelines.named_version(db, pipeline_id, str(spec.get("version"))) if pipeline_id else None
    return Links(
        experiment_id=experiments.ensure(db, spec.get("experiment") or DEFAULT_EXPERIMENT, at),
        pipeline_id=pipeline_id,
        version_id=version.id if version else None,
        package=version.package if version else None,
    )


def renew(db: sqlite3.Connection, id_: str) -> str:
    """Gives a schedule a new id, as a replacement on a cluster would; its count of ticks and its runs go along."""
    fresh = str(uuid4())
    db.execute("UPDATE schedules SET id = ?, next_at = NULL WHERE id = ?", (fresh, id_))
    db.execute("UPDATE runs SET schedule = ? WHERE schedule = ?", (fresh, id_))
    return fresh


def enable(db: sqlite3.Connection, id_: str, at: datetime, *, enabled: bool) -> None:
    """Turns a schedule on or off."""
    db.execute(
        "UPDATE schedules SET enabled = ?, updated_at = ?, next_at = NULL WHERE id = ?",
        (enabled, codec.stamp(at), id_),
    )
    if not enabled:
        _forget_waiting(db, id_)


def advance(
    db: sqlite3.Connection, id_: str, last_tick: datetime | None, next_at: datetime | None, since: datetime
) -> None:
    """Notes how far a schedule has come, and when it must be looked at again: None for not before it changes."""
    db.execute(
        "UPDATE schedules SET last_tick = ?, next_at = ?, since = ? WHERE id = ?",
        (
            codec.stamp_or_none(last_tick),
            NEVER if next_at is None else codec.stamp(next_at),
            codec.stamp(since),
            id_,
        ),
    )


def due(db: sqlite3.Connection, now: datetime, limit: int) -> tuple[Schedule, ...]:
    """Enabled schedules that must be looked at, those that have waited longest first."""
    rows = db.execute(
        "SELECT * FROM schedules WHERE enabled AND (next_at IS NULL OR next_at <= ?) ORDER BY next_at, id LIMIT ?",
        (codec.stamp(now), limit),
    )
    return tuple(schedule(row) for row in rows)


def wake(db: sqlite3.Connection) -> tuple[bool, datetime | None]:
    """Whether an enabled schedule must be looked at now, and else when the first must; None for never."""
    row = db.execute(
        """SELECT EXISTS (SELECT 1 FROM schedules WHERE enabled AND next_at IS NULL) AS now,
            (SELECT min(next_at) FROM schedules WHERE enabled AND next_at < ?) AS later""",
        (NEVER,),
    ).fetchone()
    return bool(row["now"]), codec.moment(row["later"])


def enabled(db: sqlite3.Connection) -> int:
    """How many schedules fire."""
    count: int = db.execute("SELECT count(*) FROM schedules WHERE enabled").fetchone()[0]
    return count


def forget_wakes(db: sqlite3.Connection) -> None:
    """Has every schedule looked at now."""
    db.execute("UPDATE schedules SET next_at = NULL WHERE enabled AND next_at IS NOT NULL")


def remove(db: sqlite3.Connection, id_: str) -> None:
    """Deletes a schedule; its runs stay."""
    rows = db.execute("DELETE FROM schedules WHERE id = ? RETURNING package", (id_,)).fetchall()
    packages.sweep(db, {row["package"] for row in rows if row["package"] is not None})


def every(db: sqlite3.Connection) -> tuple[Schedule, ...]:
    """All schedules by name."""
    return tuple(schedule(row) for row in db.execute("SELECT * FROM schedules ORDER BY name, created_at, id"))


def get(db: sqlite3.Connection, id_: str) -> Schedule | None:
    """One schedule."""
    row = db.execute("SELECT * FROM schedules WHERE id = ?", (id_,)).fetchone()
    return schedule(row) if row else None


def schedule(row: sqlite3.Row) -> Schedule:
    """The schedule of a row of the table."""
    written = row["written"]
    return Schedule(
        id=row["id"],
        name=row["name"],
        spec=json.loads(row["spec"]),
        enabled=bool(row["enabled"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        since=datetime.fromisoformat(row["since"]),
        last_tick=codec.moment(row["last_tick"]),
        next_at=codec.moment(row["next_at"]),
        links=Links(
            experiment_id=row["experiment_id"],
            pipeline_id=row["pipeline_id"],
            version_id=row["version_id"],
            package=row["package"],
            description=row["description"],
            service_account=row["service_account"],
            pipeline_root=row["pipeline_root"],
            written=None if written is None else json.loads(written),
        ),
    )


def _forget_waiting(db: sqlite3.Connection, id_: str) -> None:
    db.execute("DELETE FROM ticks WHERE schedule = ? AND state = 'waiting'", (id_,))


def _trigger(spec: Mapping[str, Any]) -> list[Any]:
    return [spec.get(name) for name in ("cron", "every", "timezone", "start", "end")]
