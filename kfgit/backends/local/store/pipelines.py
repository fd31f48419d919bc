"""Pipelines and their versions. Every function works inside its caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from uuid import uuid4

from kfgit.backends.local.store import codec, packages
from kfgit.ir import Package

# Which version kfgit wants to be used, whatever others upload later.
DIGEST_TAG = "kfgit-digest"


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
    """One content of a pipeline; `digest` is `Package.digest`, `package` the key of the stored document."""

    id: str
    pipeline_id: str
    name: str
    digest: str
    package: str
    created_at: datetime
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version about to be recorded, with its content."""

    id: str
    pipeline_id: str
    name: str
    content: Package
    created_at: datetime
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def ensure(db: sqlite3.Connection, name: str, at: datetime) -> str:
    """The id of the pipeline, which is made where there is none."""
    db.execute(
        "INSERT OR IGNORE INTO pipelines (id, name, created_at) VALUES (?, ?, ?)",
        (str(uuid4()), name, codec.stamp(at)),
    )
    return str(db.execute("SELECT id FROM pipelines WHERE name = ?", (name,)).fetchone()["id"])


def add(db: sqlite3.Connection, new: Pipeline) -> bool:
    """Records a pipeline; False where one has that name, in whatever case, and then nothing changes."""
    if by_name(db, new.name) is not None:
        return False
    db.execute(
        "INSERT INTO pipelines (id, name, created_at) VALUES (?, ?, ?)",
        (new.id, codec.text(new.name), codec.stamp(new.created_at)),
    )
    describe(db, new)
    return True


def describe(db: sqlite3.Connection, pipeline: Pipeline) -> None:
    """Writes display name, description and tags."""
    _describe(db, "pipelines", pipeline)


def every(db: sqlite3.Connection) -> tuple[Pipeline, ...]:
    """All pipelines by name."""
    return tuple(pipeline(row) for row in db.execute("SELECT * FROM pipelines ORDER BY name"))


def get(db: sqlite3.Connection, id_: str) -> Pipeline | None:
    """One pipeline."""
    row = db.execute("SELECT * FROM pipelines WHERE id = ?", (id_,)).fetchone()
    return pipeline(row) if row else None


def by_name(db: sqlite3.Connection, name: str) -> Pipeline | None:
    """The pipeline of that name, in whatever case."""
    row = db.execute("SELECT * FROM pipelines WHERE name = ? COLLATE NOCASE", (codec.text(name),)).fetchone()
    return pipeline(row) if row else None


def add_version(db: sqlite3.Connection, new: NewVersion) -> Version | None:
    """Records a version under its own name, whatever others hold; None where one of the pipeline has that name."""
    taken = db.execute(
        "SELECT 1 FROM versions WHERE pipeline = ? AND name = ? COLLATE NOCASE",
        (new.pipeline_id, codec.text(new.name)),
    ).fetchone()
    if taken:
        return None
    _insert_version(db, new, packages.save(db, new.content))
    return get_version(db, new.id)


def describe_version(db: sqlite3.Connection, version: Version) -> None:
    """Writes display name, description and tags of a version."""
    _describe(db, "versions", version)


def upload(db: sqlite3.Connection, pipeline_id: str, package: Package, at: datetime) -> Version:
    """The version with this content, named by the begin of its digest; an equal one is used again.

    Equal versions may differ in what runs are told by (`Package.labels`): the newest labels are kept.
    """
    digest, content = package.digest, packages.save(db, package)
    row = db.execute(
        "SELECT * FROM versions WHERE pipeline = ? AND digest = ?", (pipeline_id, digest)
    ).fetchone()
    if row is None:
        name = _free_name(db, pipeline_id, digest)
        new = NewVersion(str(uuid4()), pipeline_id, name, package, at)
        _insert_version(db, new, content)
        row = db.execute("SELECT * FROM versions WHERE id = ?", (new.id,)).fetchone()
    elif row["package"] != content:
        db.execute("UPDATE versions SET package = ? WHERE id = ?", (content, row["id"]))
        packages.sweep(db, {row["package"]})
    return replace(version(row), package=content)


def renumber(db: sqlite3.Connection, version_id: str, digest: str) -> None:
    """Gives a version the digest of another package that means the same."""
    db.execute("UPDATE versions SET digest = ? WHERE id = ?", (digest, version_id))


def versions(db: sqlite3.Connection, pipeline_id: str) -> tuple[Version, ...]:
    """The versions of a pipeline, newest first."""
    rows = db.execute(
        "SELECT * FROM versions WHERE pipeline = ? ORDER BY created_at DESC, rowid DESC", (pipeline_id,)
    )
    return tuple(version(row) for row in rows)


def latest(db: sqlite3.Connection, pipeline_id: str) -> Version | None:
    """The newest version of a pipeline."""
    row = db.execute(
        "SELECT * FROM versions WHERE pipeline = ? ORDER BY created_at DESC, rowid DESC LIMIT 1",
        (pipeline_id,),
    ).fetchone()
    return version(row) if row else None


def get_version(db: sqlite3.Connection, version_id: str) -> Version | None:
    """One version."""
    row = db.execute("SELECT * FROM versions WHERE id = ?", (version_id,)).fetchone()
    return version(row) if row else None


def named_version(db: sqlite3.Connection, pipeline_id: str, name: str) -> Version | None:
    """The version of that name."""
    row = db.execute(
        "SELECT * FROM versions WHERE pipeline = ? AND name = ?", (pipeline_id, codec.text(name))
    ).fetchone()
    return version(row) if row else None


def package(db: sqlite3.Connection, version_id: str) -> Package | None:
    """The content of a version."""
    row = db.execute("SELECT package FROM versions WHERE id = ?", (version_id,)).fetchone()
    return packages.get(db, row["package"]) if row else None


def remove(db: sqlite3.Connection, id_: str) -> None:
    """Deletes a pipeline with its versions; its runs and schedules stay."""
    held = {row["package"] for row in db.execute("SELECT package FROM versions WHERE pipeline = ?", (id_,))}
    db.execute("DELETE FROM pipelines WHERE id = ?", (id_,))
    packages.sweep(db, held)


def remove_version(db: sqlite3.Connection, version: Version) -> None:
    """Deletes a version; runs and schedules that hold its content go on with it."""
    db.execute("DELETE FROM versions WHERE id = ?", (version.id,))
    packages.sweep(db, {version.package})


def pipeline(row: sqlite3.Row) -> Pipeline:
    """The pipeline of a row of the table."""
    return Pipeline(
        id=row["id"],
        name=row["name"],
        display_name=row["display_name"],
        description=row["description"],
        created_at=datetime.fromisoformat(row["created_at"]),
        tags=json.loads(row["tags"]),
    )


def version(row: sqlite3.Row) -> Version:
    """The version of a row of the table."""
    return Version(
        id=row["id"],
        pipeline_id=row["pipeline"],
        name=row["name"],
        digest=row["digest"],
        package=row["package"],
        created_at=datetime.fromisoformat(row["created_at"]),
        display_name=row["display_name"],
        description=row["description"],
        tags=json.loads(row["tags"]),
    )


def _describe(
    db: sqlite3.Connection, table: Literal["pipelines", "versions"], thing: Pipeline | Version
) -> None:
    db.execute(
        f"UPDATE {table} SET display_name = ?, description = ?, tags = ? WHERE id = ?",
        (
            codec.text(thing.display_name),
            codec.text(thing.description),
            json.dumps(dict(thing.tags)),
            thing.id,
        ),
    )


def _insert_version(db: sqlite3.Connection, new: NewVersion, package: str) -> None:
    db.execute(
        """INSERT INTO versions (id, pipeline, name, digest, package, created_at, display_name, description, tags)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            new.id,
            new.pipeline_id,
            codec.text(new.name),
            new.content.digest,
            package,
            codec.stamp(new.created_at),
            codec.text(new.display_name),
            codec.text(new.description),
            json.dumps(dict(new.tags)),
        ),
    )


def _free_name(db: sqlite3.Connection, pipeline_id: str, digest: str) -> str:
    rows = db.execute("SELECT name FROM versions WHERE pipeline = ?", (pipeline_id,))
    taken = {row["name"] for row in rows}
    return next(digest[:length] for length in (12, 24, 64) if digest[:length] not in taken)
