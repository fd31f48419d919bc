"""Processes that never outlive kfgit, however it dies.

A killed kfgit (`kill -9`, out of memory) cannot clean up, so a second, tiny process does. It holds the read end of a
pipe whose only write end is kfgit's, close-on-exec; the end of the file therefore means that kfgit is gone and that
nothing it was about to start is still on its way. Then every registered process group is killed, and on Linux also
every process whose environment still carries a task's marker: that finds grandchildren which made their own session,
and children born in the instant before kfgit died, without anything to run between fork and exec. A marker is a
`NAME=value` pair that is in the environment of one task alone. When a task ends in the ordinary way the same sweep is
made beside the critical path, so a daemon that a task left behind ends with it, as it does in a container.

This file is both sides: imported it starts and watches processes, run as a script it is the reaper. Elsewhere than on
Linux there is no `/proc`, and only process groups are killed.
"""

# The reaper imports next to nothing, to be there before it is needed.
# ruff: noqa: PTH106, PTH112, PTH123, PTH208, SIM105

from __future__ import annotations

import os
import signal
import sys
import time

PROC = "/proc"


# --- the reaper's own side ----------------------------------------------------------------------------------


def sweep(markers: set[bytes]) -> int:
    """Kills every process whose environment holds one of the markers; returns how many there were."""
    found = 0
    for name in os.listdir(PROC) if markers and os.path.isdir(PROC) else ():
        try:
            with open(f"{PROC}/{name}/environ", "rb") as file:
                pairs = set(file.read().split(b"\0")) if name.isdigit() else set()
            if pairs & markers:
                os.kill(int(name), signal.SIGKILL)
                found += 1
        except OSError:
            continue
    return found


def sweep_until_clean(markers: set[bytes], rounds: int = 50) -> None:
    """Sweeps until two sweeps in a row find nothing: a process may fork while it is being looked for."""
    clean = 0
    while markers and clean < 2 and rounds > 0:
        clean = 0 if sweep(markers) else clean + 1
        rounds -= 1
        time.sleep(0.01)


class _Register:
    """What the reaper knows: one line for each message, see `Reaper.add` and its fellows."""

    def __init__(self) -> None:
        self.groups: dict[bytes, int] = {}
        self.containers: dict[bytes, bytes] = {}
        self.cgroups: dict[bytes, None] = {}
        self.places: dict[bytes, bytes] = {}
        self.ended: set[bytes] = set()

    def hear(self, line: bytes) -> None:
        kind, _, rest = line.partition(b" ")
        first, _, second = rest.partition(b"\t")
        if kind == b"+":
            self.groups[first] = int(second)
        elif kind == b"-":
            self.groups.pop(first, None)
            self.ended.add(first)
        elif kind == b"c":
            self.containers[first] = second
        elif kind == b"x":
            self.containers.pop(first, None)
        elif kind == b"g":
            self.cgroups[first] = None
        elif kind == b"h":
            self.cgroups.pop(first, None)
        elif kind == b"p":
            self.places[first] = second

    def end_all(self) -> None:
        for group in self.groups.values():
            _kill_group(group, signal.SIGKILL)
        sweep_until_clean(set(self.groups) | self.ended)
        for folder in self.cgroups:
            _remove_cgroup(folder)
        for folder, inner in self.places.items():
            _leave_cgroup(folder, inner)
        for name, tool in self.containers.items():
            _remove_container(tool, name)


def _remove_cgroup(folder: bytes) -> None:
    """Kills what is in a control group (Linux 5.14; before, the sweep has) and removes it, as soon as that can be."""
    _tell(folder + b"/cgroup.kill", b"1")
    for _ in range(200):
        for above, _, _ in os.walk(folder, topdown=False):
            try:
                os.rmdir(above)
            except OSError:
                pass
        if not os.path.isdir(folder):
            return
        time.sleep(0.01)


def _leave_cgroup(folder: bytes, inner: bytes) -> None:
    """Undoes what `cgroups` has made of kfgit's own group: one that shares nothing out, with all processes in it."""
    for controller in (b"-cpu", b"-memory"):
        _tell(folder + b"/cgroup.subtree_control", controller)
    try:
        with open(inner + b"/cgroup.procs", "rb") as file:
            processes = file.read().split()
        for process in processes:
            _tell(folder + b"/cgroup.procs", process)
        os.rmdir(inner)
    except OSError:
        pass


def _tell(path: bytes, text: bytes) -> None:
    try:
        with open(path, "wb", buffering=0) as file:
            file.write(text)
    except OSError:
        pass


def _remove_container(tool: bytes, name: bytes) -> None:
    """The daemon may still be making the container that a dead client asked for, so ask more than once."""
    for _ in range(5):
        try:
            pid = os.posix_spawn(tool, [tool, b"rm", b"-f", name], os.environ)
        except OSError:
            return
        os.waitpid(pid, 0)
        time.sleep(0.3)


def supervise(source: int = 0) -> None:
    """Listens until kfgit is gone, then ends all that is left of it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    register, rest = _Register(), b""
    while data := os.read(source, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            register.hear(line)
        if register.ended:
            sweep_until_clean(register.ended)
            register.ended = set()
    register.end_all()


def _kill_group(group: int, number: int) -> None:
    if group > 1:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            pass


if __name__ == "__main__":
    supervise()
    sys.exit()

# --- kfgit's side -------------------------------------------------------------------------------------------

import atexit  # noqa: E402  (the reaper has no use for these and starts quicker without)
import select  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402
from collections import deque  # noqa: E402
from collections.abc import Callable, Mapping  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Literal  # noqa: E402

_TICK = 0.05
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
        argv = [sys.executable, "-I", "-S", __file__]
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
        _kill_group(self._process.pid, signal.SIGKILL)
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
            _kill_group(self._process.pid, number)
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
