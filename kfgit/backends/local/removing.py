"""Removes runs: first from the store, then their folders, in steps that a crash may come between."""

from __future__ import annotations

from collections.abc import Sequence

from kfgit.backends.local.folders import Folders
from kfgit.backends.local.locks import is_free
from kfgit.backends.local.store import Database, removal


def remove(
    database: Database, folders: Folders, ids: Sequence[str], spared: frozenset[str] = removal.UNENDED
) -> tuple[str, ...]:
    """Removes those of some runs that are not in the states `spared`, and returns their ids."""
    with database.write() as db:
        gone = removal.remove(db, ids, spared)
    clear(database, folders)
    return gone


def clear(database: Database, folders: Folders) -> None:
    """Removes the folders that nobody needs any more, also those that a crash has left.

    That of a run which is executed still is removed by whoever executes it.
    """
    with database.read() as db:
        left = [each for each in removal.left(db) if is_free(folders.lock(each))]
    if not left:
        return
    for folder in left:
        folders.delete(folder)
    with database.write() as db:
        removal.cleared(db, left)
