"""What runs were given that lies in the folders of other runs. Every function works inside its caller's transaction.

A cache hit, an import and an input hand out a thing where it is. So the folder that it lies in must stay for as long as
a run that was given it, also when the run that made it is deleted (see `removal`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from kfgit.backends.local.store import codec
from kfgit.events import Artifact


def take(db: sqlite3.Connection, run_id: str, things: Iterable[Artifact]) -> bool:
    """Notes that a run was given things; False when one of them lies in a folder that is being removed."""
    rows = []
    for thing in things:
        parts = json.dumps(_parts(thing.uri))
        if db.execute(
            "SELECT 1 FROM leavings WHERE folder IN (SELECT value FROM json_each(?))", (parts,)
        ).fetchone():
            return False
        rows.append((run_id, thing.id, _folder(db, run_id, parts)))
    db.executemany("INSERT OR IGNORE INTO loans (run, artifact, folder) VALUES (?, ?, ?)", rows)
    return True


def _folder(db: sqlite3.Connection, run_id: str, parts: str) -> str | None:
    """The folder that a path leads through: one of another run, which may be deleted already."""
    row = db.execute(
        """SELECT folder FROM runs WHERE folder IN (SELECT value FROM json_each(:parts)) AND id <> :run
            UNION ALL SELECT folder FROM loans WHERE folder IN (SELECT value FROM json_each(:parts)) LIMIT 1""",
        {"parts": parts, "run": run_id},
    ).fetchone()
    return row["folder"] if row else None


def _parts(uri: str) -> list[str]:
    if "://" not in uri:
        return str(codec.text(uri)).split("/")
    pieces = urlsplit(uri)
    return str(codec.text(unquote(pieces.path))).split("/") if pieces.scheme == "file" else []
