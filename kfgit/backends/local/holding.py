"""Which server holds an environment: the lock of `kfgit up`, with a note that says who, where, and what runs there.

Commands ask for the holder to know whether they execute a run themselves. The lock dies with the server; a note
without a lock is what a killed server left, and counts for nothing.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kfgit.backend import Locked
from kfgit.backends.local import locks
from kfgit.events import Holder

_FILE = "server.lock"
# Whoever asks for the holder has the lock for an instant.
_TRIES = 20
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Hold:
    """An environment that is held; `tell` says more about the holder than there was to say at first."""

    lock: locks.Lock

    def tell(self, holder: Holder) -> None:
        """Writes the note."""
        self.lock.note(json.dumps(asdict(holder)))

    def release(self) -> None:
        """Lets go, and leaves no note."""
        self.lock.note("")
        self.lock.release()


def hold(state: Path, holder: Holder) -> Hold:
    """Takes the environment whose folder `state` is; raises `Locked`, which says who has it."""
    path = state / _FILE
    for _ in range(_TRIES):
        lock = locks.take(path)
        if lock is not None:
            held = Hold(lock)
            held.tell(holder)
            return held
        time.sleep(_PAUSE_SECONDS)
    raise Locked(f"another server runs here: {_read(path) or 'it does not say who it is'}")


def holder(state: Path) -> Holder | None:
    """The server that holds the environment, None where there is none."""
    path = state / _FILE
    if locks.is_free(path):
        return None
    return _read(path) or Holder("somebody", 0, "a moment ago")


def this_process(who: str, since: str, *, engine: bool, scheduler: bool) -> Holder:
    """What a server says of itself before it listens."""
    return Holder(who, os.getpid(), since, engine=engine, scheduler=scheduler)


def _read(path: Path) -> Holder | None:
    try:
        told: dict[str, Any] = json.loads(path.read_text())
        return Holder(
            str(told["who"]),
            int(told["pid"]),
            str(told["since"]),
            str(told["url"]),
            bool(told["engine"]),
            bool(told["scheduler"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
