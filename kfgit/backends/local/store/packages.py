"""Packages by content: a thousand runs of one pipeline hold its IR once. Inside its caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from kfgit.backends.local.store import codec
from kfgit.ir import Package


def save(db: sqlite3.Connection, package: Package) -> str:
    """Keeps a package once and returns its key."""
    digest, document = codec.encode_package(package)
    db.execute(
        "INSERT OR IGNORE INTO packages (digest, name, document) VALUES (?, ?, ?)",
        (digest, package.name, document),
    )
    return digest


def get(db: sqlite3.Connection, key: str) -> Package | None:
    """The package that `save` named so."""
    row = db.execute("SELECT document FROM packages WHERE digest = ?", (key,)).fetchone()
    return codec.decode_package(row["document"]) if row else None


def known(db: sqlite3.Connection, key: str) -> bool:
    """Whether there is a package of that key."""
    return db.execute("SELECT 1 FROM packages WHERE digest = ?", (key,)).fetchone() is not None


def sweep(db: sqlite3.Connection, keys: Iterable[str]) -> None:
    """Forgets those of some packages that no run, no version and no schedule refers to."""
    db.execute(
        """DELETE FROM packages WHERE digest IN (SELECT value FROM json_each(?))
            AND NOT EXISTS (SELECT 1 FROM runs WHERE package = digest)
            AND NOT EXISTS (SELECT 1 FROM versions WHERE package = packages.digest)
            AND NOT EXISTS (SELECT 1 FROM schedules WHERE package = packages.digest)""",
        (json.dumps(sorted(keys)),),
    )
