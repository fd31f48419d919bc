"""Advisory locks that die with their process: `flock` on a file, never a remembered process id.

`flock` belongs to the open file, so two threads of one process exclude each other like two processes, and no child
inherits it across `exec`.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from kfgit.backend import Locked, MachineFault


class Lock:
    """A lock that is held until `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def note(self, text: str) -> None:
        """Writes into the file who holds it; readers must not rely on it being there."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Lets go; doing it twice is once."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def take(path: Path) -> Lock | None:
    """The lock, making its file and folders where needed; None when somebody holds it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _take(path, os.O_CREAT)


def share(path: Path) -> Lock | None:
    """The same, held together with others who share it; None when somebody holds it alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _take(path, os.O_CREAT, fcntl.LOCK_SH)


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock; makes nothing."""
    try:
        # Shared: whoever else only asks must not look like a holder.
        lock = _take(path, 0, fcntl.LOCK_SH)
    except FileNotFoundError:
        return True
    if lock is None:
        return False
    lock.release()
    return True


@contextmanager
def apply_lock(path: Path, owner: str) -> Iterator[None]:
    """Holds the lock of a whole environment; raises `Locked`, which says who has it, since when."""
    lock = take(path)
    if lock is None:
        raise Locked(_holder(path))
    try:
        lock.note(
            json.dumps(
                {"who": owner, "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
            )
        )
        yield
    finally:
        lock.note("")
        lock.release()


def applying(path: Path) -> str | None:
    """Who holds the lock of a whole environment, since when; None where nobody does."""
    return None if is_free(path) else _holder(path)


def _take(path: Path, flags: int, how: int = fcntl.LOCK_EX) -> Lock | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
    except FileNotFoundError:
        raise
    except OSError as fault:
        raise MachineFault(f"the lock {path} cannot be used: {fault.strerror}") from fault
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Lock(descriptor)


def _holder(path: Path) -> str:
    try:
        told = json.loads(path.read_text())
        return f"{told['who']} (process {told['pid']}) has been applying since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process is applying"
