"""The process that ends what kfgit leaves behind, however kfgit dies; `reaping` starts it and tells it what there is.

A killed kfgit (`kill -9`, out of memory) cannot clean up, so a second, tiny process does. It holds the read end of a
pipe whose only write end is kfgit's, close-on-exec; the end of the file therefore means that kfgit is gone and that
nothing it was about to start is still on its way. Then every registered process group is killed, and on Linux also
every process whose environment still carries a task's marker: that finds grandchildren which made their own session,
and children born in the instant before kfgit died, without anything to run between fork and exec. A marker is a
`NAME=value` pair that is in the environment of one task alone. When a task ends in the ordinary way the same sweep is
made beside the critical path, so a daemon that a task left behind ends with it, as it does in a container. Elsewhere
than on Linux there is no `/proc`, and only process groups are killed.
"""

# This file is run as a script and imports next to nothing, to be there before it is needed.
# ruff: noqa: PTH106, PTH112, PTH123, PTH208, SIM105

from __future__ import annotations

import os
import signal
import time

PROC = "/proc"


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
            kill_group(group, signal.SIGKILL)
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


def kill_group(group: int, number: int) -> None:
    """Sends a signal to a process group, if it is there."""
    if group > 1:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            pass


if __name__ == "__main__":
    supervise()
