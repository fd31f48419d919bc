"""Control groups of Linux, version 2: a group with limits for an attempt, where the kernel lets kfgit make one.

Where that is: at the root of all groups, which alone may have processes beside groups with limits; or in kfgit's own
group, if nobody is in it but kfgit and what it started, as in a unit or scope with `Delegate=yes`. There its processes
go one level down, because a group that shares out its memory has no processes of its own (Documentation/admin-guide/
cgroup-v2.rst, "No Internal Process Constraint"). Anywhere else nothing is touched: whoever shares the group with
kfgit, such as a shell, stays where it is, and `Refusal` says what would help.

The reaper (`reaper`) knows of all that is made here and undoes it when kfgit is gone, however it died.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, Protocol

from kfgit.backends.local.reaping import REAPER

_WANTED = ("memory", "cpu")
# Between two looks at the processes of the group kfgit may start another one.
_TRIES = 20
_PATIENCE_SECONDS = 1.0
_OWN_SCOPE = "start it as `systemd-run --user --scope -p Delegate=yes kfgit …`"


class Files(Protocol):
    """The kernel's files, which tests stand in for. Each method but `read` and `folders` raises OSError."""

    def read(self, path: str) -> str | None:
        """What a file says; None where there is none, or none to read."""

    def write(self, path: str, text: str) -> None:
        """Writes to a file that is there."""

    def make(self, path: str) -> None:
        """Makes a folder."""

    def remove(self, path: str) -> None:
        """Removes a folder, which for a group may have files but no groups and no processes."""

    def folders(self, path: str) -> tuple[str, ...]:
        """The names of the folders in a folder."""


class Keeper(Protocol):
    """Who undoes what kfgit leaves behind."""

    def add_group(self, path: str) -> None:
        """A group is about to be made."""

    def remove_group(self, path: str) -> None:
        """It is gone."""

    def add_place(self, path: str, inner: str) -> None:
        """The processes of a group are about to go into `inner`, below it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in which groups are made, and what they can have limits for."""

    folder: str
    controllers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why kfgit makes no groups here, as the end of a sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of memory and thousandths of a processor; None is no limit."""

    memory: int | None = None
    cpu: int | None = None


UNLIMITED = Limits()
Killed = Literal["by its limit", "by others"]


class Groups:
    """The groups of this process. The place is looked for, and made, by the first who asks. Thread-safe."""

    def __init__(self, files: Files, keeper: Keeper, pid: int | None = None) -> None:
        self._files = files
        self._keeper = keeper
        self._given = pid
        self._found: tuple[int, Place | Refusal] | None = None
        self._lock = threading.Lock()

    def place(self) -> Place | Refusal:
        """Where groups can be made; kfgit's own processes may go one level down for that."""
        pid = os.getpid() if self._given is None else self._given
        with self._lock:
            if self._found is None or self._found[0] != pid:
                self._found = pid, _place(self._files, self._keeper, pid)
            return self._found[1]

    def make(self, place: Place, name: str, limits: Limits) -> str:
        """Makes a group that has no processes yet, and returns its folder. Raises OSError."""
        pid = os.getpid() if self._given is None else self._given
        folder = f"{place.folder}/kfgit-{pid}-{name}"
        self._keeper.add_group(folder)
        try:
            self._files.make(folder)
            for file, text in _settings(limits).items():
                # Not every kernel can swap, or kill a group as a whole.
                if file in ("memory.max", "cpu.max") or self._files.read(f"{folder}/{file}") is not None:
                    self._files.write(f"{folder}/{file}", text)
        except OSError:
            self.end(folder)
            raise
        return folder

    def killed(self, folder: str) -> Killed | None:
        """Whether a process of the group was killed for want of memory, and whether the group's own limit was why."""
        events = _numbers(self._files.read(f"{folder}/memory.events"))
        if not events.get("oom_kill"):
            return None
        return "by its limit" if events.get("oom") else "by others"

    def end(self, folder: str) -> None:
        """Kills whatever is in the group, and removes it; what does not die in time is the keeper's."""
        with suppress(OSError):
            self._files.write(f"{folder}/cgroup.kill", "1")
        until = time.monotonic() + _PATIENCE_SECONDS
        while not _removed(self._files, folder):
            if time.monotonic() > until:
                return
            time.sleep(0.005)
        self._keeper.remove_group(folder)


def _settings(limits: Limits) -> dict[str, str]:
    """As kubelet and its runtimes do: no swap beside the limit, and a container dies as a whole."""
    found: dict[str, str] = {}
    if limits.memory is not None:
        found |= {"memory.max": str(limits.memory), "memory.swap.max": "0", "memory.oom.group": "1"}
    if limits.cpu is not None:
        found["cpu.max"] = f"{max(1000, limits.cpu * 100)} 100000"
    return found


def _removed(files: Files, folder: str) -> bool:
    """Whether it is gone, with the groups that its own processes may have made in it."""
    for name in files.folders(folder):
        _removed(files, f"{folder}/{name}")
    try:
        files.remove(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


# --- the place ----------------------------------------------------------------------------------------------


def _place(files: Files, keeper: Keeper, pid: int) -> Place | Refusal:
    own = _own_group(files)
    if isinstance(own, Refusal):
        return own
    available = frozenset((files.read(f"{own}/cgroup.controllers") or "").split()) & {*_WANTED}
    if "memory" not in available:
        return Refusal(
            "the memory controller is not one of cgroup v2 here, or not handed down to kfgit's cgroup"
        )
    kind = files.read(f"{own}/cgroup.type")
    if kind is None:
        found = _at_root(files, own, available, pid)
    elif kind.strip() != "domain":
        return Refusal("kfgit's cgroup is one of threads")
    else:
        found = _moved(files, keeper, own, available, pid)
    if isinstance(found, Place):
        _tidy(files, found.folder)
    return found


def _own_group(files: Files) -> str | Refusal:
    """The folder of the group that kfgit is in, as it is mounted here (proc_pid_mountinfo(5), cgroups(7))."""
    mounts = [line.split() for line in (files.read("/proc/self/mountinfo") or "").splitlines()]
    found = [(line[3], line[4]) for line in mounts if "-" in line and line[line.index("-") + 1] == "cgroup2"]
    lines = (files.read("/proc/self/cgroup") or "").splitlines()
    path = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    for root, mount in found if path is not None else ():
        own = PurePosixPath(path or "/")
        if own.is_relative_to(root) and ".." not in own.parts:
            return f"{_unescaped(mount)}/{own.relative_to(root)}".removesuffix("/.")
    return Refusal(
        "this machine has no cgroup v2" if not found else "kfgit's cgroup is not to be seen from here"
    )


def _unescaped(text: str) -> str:
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _enabled(files: Files, folder: str, available: frozenset[str]) -> Place | Refusal:
    """The place, once its groups can have limits of memory and, where that can be, of processors."""
    already = frozenset((files.read(f"{folder}/cgroup.subtree_control") or "").split())
    try:
        if "memory" not in already:
            files.write(f"{folder}/cgroup.subtree_control", "+memory")
    except OSError as fault:
        return Refusal(f"kfgit may not share out the memory of its cgroup: {fault.strerror}")
    for other in available - already - {"memory"}:
        with suppress(OSError):
            files.write(f"{folder}/cgroup.subtree_control", f"+{other}")
    now = frozenset((files.read(f"{folder}/cgroup.subtree_control") or "").split())
    return Place(folder, now & {*_WANTED})


def _at_root(files: Files, own: str, available: frozenset[str], pid: int) -> Place | Refusal:
    """The root as the place, if kfgit may make groups there."""
    tried = f"{own}/kfgit-{pid}"
    try:
        files.make(tried)
        files.remove(tried)
    except OSError as fault:
        return Refusal(f"kfgit may not make groups in its cgroup ({fault.strerror}); {_OWN_SCOPE}")
    return _enabled(files, own, available)


def _moved(files: Files, keeper: Keeper, own: str, available: frozenset[str], pid: int) -> Place | Refusal:
    """The own group as the place, its processes one level down."""
    if _strangers(files, own, pid):
        return Refusal(f"kfgit is not alone in its cgroup; {_OWN_SCOPE}")
    inner = f"{own}/kfgit-{pid}"
    keeper.add_place(own, inner)
    try:
        files.make(inner)
        # Its own first: who may not do that has moved nobody.
        files.write(f"{inner}/cgroup.procs", str(pid))
    except OSError as fault:
        with suppress(OSError):
            files.remove(inner)
        return Refusal(f"kfgit may not make groups in its cgroup ({fault.strerror}); {_OWN_SCOPE}")
    found: Place | Refusal = Refusal("kfgit's cgroup does not come to rest")
    for _ in range(_TRIES):
        for process in _processes(files, own):
            _move(files, process, inner)
        found = _enabled(files, own, available)
        if isinstance(found, Place) or _strangers(files, own, pid):
            break
    if isinstance(found, Refusal):
        for process in _processes(files, inner):
            _move(files, process, own)
        with suppress(OSError):
            files.remove(inner)
    return found


def _move(files: Files, process: int, folder: str) -> None:
    with suppress(OSError):  # it may have ended meanwhile
        files.write(f"{folder}/cgroup.procs", str(process))


def _processes(files: Files, folder: str) -> Iterator[int]:
    return (int(line) for line in (files.read(f"{folder}/cgroup.procs") or "").split())


def _strangers(files: Files, folder: str, pid: int) -> bool:
    """Whether somebody else is in a group. Who is in another namespace of processes is there as 0."""
    return not all(_is_ours(files, process, pid) for process in _processes(files, folder))


def _is_ours(files: Files, process: int, pid: int) -> bool:
    above = process
    while above > 1 and above != pid:
        stat = files.read(f"/proc/{above}/stat")
        if stat is None:
            return above == process  # it has ended meanwhile
        # The name of a program, in brackets, may have anything in it.
        above = int(stat.rpartition(")")[2].split()[1])
    return above == pid


def _tidy(files: Files, folder: str) -> None:
    """Removes empty groups of a kfgit that was killed together with its reaper."""
    for name in files.folders(folder):
        kind, _, rest = name.partition("-")
        owner = rest.split("-")[0]
        if kind == "kfgit" and owner.isdigit() and files.read(f"/proc/{owner}/stat") is None:
            with suppress(OSError):
                files.remove(f"{folder}/{name}")


def _numbers(text: str | None) -> Mapping[str, int]:
    pairs = (line.split() for line in (text or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


class Kernel:
    """The real files."""

    def read(self, path: str) -> str | None:
        """See `Files`."""
        try:
            with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - no file of the user's
                return file.read()
        except OSError:
            return None

    def write(self, path: str, text: str) -> None:
        """In one piece: the kernel takes each write for a command of its own."""
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def make(self, path: str) -> None:
        """See `Files`."""
        os.mkdir(path)  # noqa: PTH102

    def remove(self, path: str) -> None:
        """See `Files`."""
        os.rmdir(path)  # noqa: PTH106

    def folders(self, path: str) -> tuple[str, ...]:
        """See `Files`."""
        try:
            with os.scandir(path) as found:
                return tuple(each.name for each in found if each.is_dir(follow_symlinks=False))
        except OSError:
            return ()


GROUPS = Groups(Kernel(), REAPER)
