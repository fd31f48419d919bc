"""One SQLite file, opened the way several processes and threads can share it.

Every write transaction is `BEGIN IMMEDIATE`: a deferred one that turns into a writer fails at once with "database is
locked", whatever the busy timeout says. WAL with `synchronous=NORMAL` loses nothing when a process dies; a power
cut may lose the last transactions, and with them the runs that were executing, but never corrupts.
Every fault of the file becomes one `MachineFault` with a way out.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kfgit.backend import MachineFault
from kfgit.backends.local.store.schema import APPLICATION_ID, MIGRATIONS

BUSY_SECONDS = 30.0
_IDLE_CONNECTIONS = 8


class Database:
    """Connections to one file, lent to whoever asks; any thread may."""

    def __init__(self, path: Path) -> None:
        """Makes the file where there is none, and brings an older one up to date."""
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        weakref.finalize(self, _close_all, self._idle)
        self._guard = threading.Lock()
        self._turn = threading.RLock()
        with _explained(path), _reachable(path), _alone(path):
            connection = self._connect()
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
        self._idle.append(connection)
        self._file = _identity(path)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A snapshot: all statements see the same state."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; waits for other writers up to `BUSY_SECONDS`.

        Threads take turns before they ask SQLite, which lets a writer that waits sleep for up to 100 ms at a time.
        """
        with self._turn, self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Gives the idle connections back; the object can still be used."""
        with self._guard:
            _close_all(self._idle)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with _explained(self.path):
            # What is written to a file that has no name any more is lost, and a new connection would make another.
            if _identity(self.path) != self._file:
                raise MachineFault(
                    f"the state file {self.path} was removed or replaced while it was in use; "
                    "end what uses it, such as `kfgit up`, and begin again"
                )
            connection = self._borrow()
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                self._return(connection)

    def _borrow(self) -> sqlite3.Connection:
        with self._guard:
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _return(self, connection: sqlite3.Connection) -> None:
        with self._guard:
            if len(self._idle) < _IDLE_CONNECTIONS and not connection.in_transaction:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _reachable(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite gives `-wal` and `-shm` the mode of the file itself.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        yield
    except OSError as fault:
        raise MachineFault(f"the state file {path} cannot be used: {fault.strerror or fault}") from fault


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    # Turning WAL on ignores the busy timeout, so two first processes must take turns.
    descriptor = os.open(path.with_name("open.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and (application or version or tables):
        raise MachineFault(
            f"{path} is a SQLite file of another program; move it away, and kfgit makes its own"
        )
    if version > len(MIGRATIONS):
        raise MachineFault(
            f"{path} was written by a newer kfgit (format {version}, this one knows {len(MIGRATIONS)}); "
            f"update kfgit, or move the folder {path.parent} away to begin anew"
        )
    if version < len(MIGRATIONS):
        connection.execute("PRAGMA journal_mode = WAL")
        _migrate(connection, version)


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for migration in MIGRATIONS[version:]:
        for statement in migration:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


def _roll_back(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as fault:
        raise MachineFault(_sentence(path, fault)) from fault


def _sentence(path: Path, fault: sqlite3.Error) -> str:
    match getattr(fault, "sqlite_errorname", "").split("_")[1:2]:
        case ["BUSY"] | ["LOCKED"]:
            return f"{path} is kept busy by another process for more than {BUSY_SECONDS:.0f} s; end it and try again"
        case ["FULL"]:
            return f"the disk of {path} is full; free some space (`kfgit runs delete` removes old runs) and try again"
        case ["NOTADB"] | ["CORRUPT"]:
            return (
                f"the state file {path} is damaged ({fault}); move it away and kfgit makes a new one: the folders of "
                "the runs stay readable, and apply puts schedules and pipelines back"
            )
        case ["READONLY"] | ["PERM"] | ["CANTOPEN"]:
            return f"{path} cannot be written ({fault}); check the owner and the mode of {path.parent}"
        case _:
            return f"the state file {path} cannot be used: {fault}"
