"""Runs a program in a session of its own, to its end, its timeout or until it is stopped; nothing of it is left."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kfgit.backends.local.reaper import kill_group
from kfgit.backends.local.reaping import REAPER

_TICK = 0.05


@dataclass(frozen=True, slots=True)
class Job:
    """A program to run. `marker` (`NAME=value`) is put into its environment. `grace` is seconds from TERM to KILL."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    marker: str
    timeout: float | None = None
    grace: float = 5.0
    timeout_grace: float = 2.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How it went: `code` is the exit code, or minus the signal's number."""

    code: int
    why: Literal["exited", "timeout", "stopped"]


def run(
    job: Job,
    output: int | Callable[[bytes], None],
    stop: threading.Event,
    started: Callable[[], None] = lambda: None,
    also: Callable[[int], None] = lambda _: None,
) -> Ended:
    """Runs a program in a session of its own to its end, its timeout or `stop`; nothing of its group is left.

    `output` takes stdout and stderr: a file descriptor, or a function that gets what comes. `also` is called with each
    signal before the group gets it, for a client whose work is elsewhere (docker). Raises OSError or ValueError if the
    program cannot be started.
    """
    name, _, value = job.marker.partition("=")
    pipe = (-1, -1) if isinstance(output, int) else os.pipe()
    sink = output if isinstance(output, int) else pipe[1]
    REAPER.add(job.marker)
    try:
        process = subprocess.Popen(
            job.argv,
            env={**job.env, name: value},
            cwd=job.cwd,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    except BaseException:
        REAPER.remove(job.marker)
        _close(pipe[0])
        raise
    finally:
        _close(pipe[1])
    watch = _Watch(process, pipe[0], None if isinstance(output, int) else output)
    try:
        REAPER.add(job.marker, process.pid)
        started()
        why = watch.until_end(job, stop, also)
    finally:
        code = watch.close(job.marker)
    return Ended(code, why)


class _Watch:
    """One running process and the pipe it writes to, if there is one."""

    def __init__(
        self, process: subprocess.Popen[bytes], pipe: int, output: Callable[[bytes], None] | None
    ) -> None:
        self._process, self._pipe, self._output = process, pipe, output
        self._poll = select.poll()
        self._pidfd = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else -1
        if self._pidfd >= 0:
            self._poll.register(self._pidfd, select.POLLIN)
        if pipe >= 0:
            os.set_blocking(pipe, False)
            self._poll.register(pipe, select.POLLIN)

    def until_end(
        self, job: Job, stop: threading.Event, also: Callable[[int], None]
    ) -> Literal["exited", "timeout", "stopped"]:
        deadline = time.monotonic() + job.timeout if job.timeout is not None else None
        while not self._wait(
            _TICK if deadline is None else min(_TICK, max(0.0, deadline - time.monotonic()))
        ):
            if stop.is_set():
                return self._end(job.grace, also, "stopped")
            if deadline is not None and time.monotonic() >= deadline:
                return self._end(job.timeout_grace, also, "timeout")
        return "exited"

    def close(self, marker: str) -> int:
        """Kills the rest of the group while the leader, not yet waited for, keeps its number from being reused."""
        kill_group(self._process.pid, signal.SIGKILL)
        self._drain(time.monotonic() + 0.2)
        REAPER.remove(marker)
        if self._pidfd >= 0:
            os.close(self._pidfd)
        _close(self._pipe)
        return self._process.wait()

    def _end(
        self, grace: float, also: Callable[[int], None], why: Literal["timeout", "stopped"]
    ) -> Literal["exited", "timeout", "stopped"]:
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            also(number)
            kill_group(self._process.pid, number)
            until = time.monotonic() + patience
            while time.monotonic() < until:
                if self._wait(_TICK):
                    return why
        return why

    def _wait(self, seconds: float) -> bool:
        """Waits a little, passes output on, and says whether the process has ended."""
        self._poll.poll(max(1, seconds * 1000) if self._pidfd >= 0 else min(10, seconds * 1000))
        self._drain(0.0)
        return self._has_ended()

    def _has_ended(self) -> bool:
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return self._process.poll() is not None

    def _drain(self, until: float) -> None:
        """Passes on what is there; with a time in the future, waits that long for the writers to close.

        It ends also under a writer that never pauses, so that `stop` and the timeout are looked at.
        """
        for turn in range(1_000_000):
            if self._output is None or self._pipe < 0 or (turn >= 16 and time.monotonic() >= until):
                return
            try:
                data = os.read(self._pipe, 65536)
            except BlockingIOError:
                if time.monotonic() >= until:
                    return
                time.sleep(0.005)
                continue
            if not data:
                self._poll.unregister(self._pipe)
                os.close(self._pipe)
                self._pipe = -1
                return
            self._output(data)


def _close(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)
