"""What tasks produced, and the cache that spares doing it again. Every function works inside its caller's transaction.

A thing belongs to the run that made it: a cache hit hands out the same artifacts under the same ids, as KFP does.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kfgit.backends.local.protocol import Outputs
from kfgit.backends.local.store import codec
from kfgit.events import Artifact, StoredArtifact


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """The outputs of an earlier success; a hit needs all of `files` to exist still."""

    outputs: Outputs
    files: tuple[str, ...]
    run_id: str


def add(db: sqlite3.Connection, run_id: str, task: str, outputs: Outputs, at: datetime) -> None:
    """Records what a task produced; artifacts that are known already keep their maker."""
    db.executemany(
        "INSERT OR IGNORE INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                thing.id,
                run_id,
                codec.text(task),
                output,
                codec.text(thing.name),
                thing.type,
                codec.text(thing.uri),
                json.dumps(dict(thing.metadata)),
                thing.version,
                codec.text(thing.custom_path),
                codec.stamp(at),
            )
            for output, things in outputs.artifacts.items()
            for thing in things
        ],
    )


def forget(db: sqlite3.Connection, run_id: str, task: str) -> None:
    """Forgets what a task of a run produced."""
    db.execute("DELETE FROM artifacts WHERE run = ? AND task = ?", (run_id, codec.text(task)))


def listing(db: sqlite3.Connection, run_id: str | None = None, limit: int = -1) -> tuple[StoredArtifact, ...]:
    """Artifacts, newest first; those of one run where it is given."""
    where, values = ("", [limit]) if run_id is None else ("WHERE run = ?", [run_id, limit])
    rows = db.execute(f"SELECT * FROM artifacts {where} ORDER BY created_at DESC, id DESC LIMIT ?", values)
    return tuple(_stored(row) for row in rows)


def find(db: sqlite3.Connection, prefix: str, limit: int = 6) -> tuple[StoredArtifact, ...]:
    """Artifacts whose id is or begins with `prefix`."""
    rows = db.execute(
        "SELECT * FROM artifacts WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
        (codec.text(prefix), f"{codec.text(prefix)}\U0010ffff", limit),
    )
    return tuple(_stored(row) for row in rows)


def same(db: sqlite3.Connection, uri: str, type_: str, metadata: Mapping[str, Any]) -> Artifact | None:
    """The newest known artifact with this URI, type and metadata: what an importer without `reimport` takes."""
    rows = db.execute(
        "SELECT * FROM artifacts WHERE uri = ? AND type = ? ORDER BY created_at DESC", (uri, type_)
    )
    found = (_stored(row).artifact for row in rows)
    return next((artifact for artifact in found if dict(artifact.metadata) == dict(metadata)), None)


def remember(
    db: sqlite3.Connection,
    scope: tuple[str, str],
    outputs: Outputs,
    files: Sequence[str],
    made: tuple[str, datetime],
) -> None:
    """Writes a cache entry for (pipeline, fingerprint), made by (run id, when); the newest wins."""
    db.execute(
        "INSERT OR REPLACE INTO cache VALUES (?, ?, ?, ?, ?, ?)",
        (*scope, codec.encode_outputs(outputs), json.dumps(list(files)), made[0], codec.stamp(made[1])),
    )


def recall(db: sqlite3.Connection, scope: tuple[str, str]) -> CacheEntry | None:
    """The cache entry for (pipeline, fingerprint)."""
    row = db.execute("SELECT * FROM cache WHERE pipeline = ? AND fingerprint = ?", scope).fetchone()
    if row is None:
        return None
    return CacheEntry(codec.decode_outputs(row["outputs"]), tuple(json.loads(row["files"])), row["run"])


def use(db: sqlite3.Connection, scope: tuple[str, str], run_id: str) -> None:
    """Makes a cache entry that of the run that used it last: it goes with that one, not with the run that made it."""
    db.execute("UPDATE cache SET run = ? WHERE pipeline = ? AND fingerprint = ?", (run_id, *scope))


def _stored(row: sqlite3.Row) -> StoredArtifact:
    created = codec.moment(row["created_at"])
    assert created is not None
    artifact = Artifact(
        id=row["id"],
        name=row["name"],
        type=row["type"],
        uri=row["uri"],
        metadata=json.loads(row["metadata"]),
        version=row["version"],
        custom_path=row["custom_path"],
    )
    return StoredArtifact(artifact, row["run"], row["task"], row["output"], created)
