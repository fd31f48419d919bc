"""The line to the reaper: what is about to begin is said before it does, and what has ended afterwards.

There is one reaper for a process. Whatever kills it, the next message starts another, which is told all that there is.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

from kfgit.backends.local import reaper

_REMEMBERED = 256
_KEPT = (
    "PATH",
    "HOME",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "CONTAINER_HOST",
)


class Reaper:
    """The line to the reaper of this process; it is started by the first message."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        # What ended lately: a reaper that was killed may not have swept after it yet.
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget)

    def add(self, marker: str, group: int = 0) -> None:
        """A task with this marker is about to start (`group` 0) or runs in this process group."""
        self._say(marker, f"+ {marker}\t{group}")

    def remove(self, marker: str) -> None:
        """The task ended; its group must not have been waited for yet, so that its number cannot be another's."""
        self._unsay(marker, f"- {marker}")

    def add_container(self, name: str, tool: Path) -> None:
        """A container with this name is about to start."""
        self._say(name, f"c {name}\t{tool}")

    def remove_container(self, name: str) -> None:
        """The container is gone."""
        self._unsay(name, f"x {name}")

    def add_group(self, path: str) -> None:
        """A control group is about to be made."""
        self._say(path, f"g {path}")

    def remove_group(self, path: str) -> None:
        """The control group is gone."""
        self._unsay(path, f"h {path}")

    def add_place(self, path: str, inner: str) -> None:
        """The processes of a control group are about to go into `inner`, one level down."""
        self._say(path, f"p {path}\t{inner}")

    @property
    def pid(self) -> int | None:
        """The reaper's process, if it was needed yet."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """Ends the reaper and everything that still runs."""
        with self._lock:
            if self._process is not None:
                os.close(self._pipe)
                self._process.wait()
                self._process = None

    def _say(self, key: str, line: str) -> None:
        with self._lock:
            self._known[key] = line
            self._write(line)

    def _unsay(self, key: str, line: str) -> None:
        with self._lock:
            self._known.pop(key, None)
            self._write(line)
            self._ended.append(line)

    def _write(self, line: str) -> None:
        if self._process is None or self._process.poll() is not None:
            self._start()
        message = line.encode("utf-8", "surrogateescape") + b"\n"
        try:
            os.write(self._pipe, message)
        except BrokenPipeError:  # somebody killed it just now
            self._start()
            os.write(self._pipe, message)

    def _start(self) -> None:
        if self._process is not None:
            os.close(self._pipe)
        source, self._pipe = os.pipe()
        argv = [sys.executable, "-I", "-S", reaper.__file__]
        env = {name: os.environ[name] for name in _KEPT if name in os.environ}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            argv, stdin=source, stdout=quiet, stderr=quiet, env=env, cwd="/", start_new_session=True
        )
        os.close(source)
        for line in (*self._known.values(), *self._ended):
            os.write(self._pipe, line.encode("utf-8", "surrogateescape") + b"\n")

    def _forget(self) -> None:
        """After a fork the child is another process: holding the pipe would hide the parent's death."""
        if self._process is not None:
            os.close(self._pipe)
            self._process.returncode = 0
        self._lock, self._known, self._process = threading.Lock(), {}, None
        self._ended.clear()


REAPER = Reaper()
