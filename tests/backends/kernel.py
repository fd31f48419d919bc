"""A small model of control groups of Linux, version 2, which keeps the kernel's rules."""

from __future__ import annotations

import errno
import posixpath
from dataclasses import dataclass, field

MOUNT = "/sys/fs/cgroup"
KFGIT, CHILD, SHELL = 100, 101, 50
MOUNTS = f"30 20 0:26 / {MOUNT} rw,nosuid - cgroup2 cgroup2 rw\n"


@dataclass
class Group:
    processes: set[int] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    writable: bool = True


@dataclass
class Model:
    """Documentation/admin-guide/cgroup-v2.rst: who may have processes, what a group is handed down, when it goes."""

    groups: dict[str, Group]
    controllers: set[str]
    own: str
    parents: dict[int, int]
    mounts: str = MOUNTS
    kind: str = "domain"
    rooted: bool = True
    # Processes that kfgit starts between two looks.
    coming: list[int] = field(default_factory=list)

    def controllers_of(self, path: str) -> set[str]:
        return self.controllers if path == MOUNT else self.groups[posixpath.dirname(path)].shared

    def is_root(self, path: str) -> bool:
        return self.rooted and path == MOUNT

    def read(self, path: str) -> str | None:
        if path.startswith("/proc/"):
            return self.of_process(path)
        folder, name = posixpath.split(path)
        group = self.groups.get(folder)
        if group is None:
            return None
        told = {
            "cgroup.controllers": " ".join(sorted(self.controllers_of(folder))),
            "cgroup.subtree_control": " ".join(sorted(group.shared)),
            "cgroup.procs": "".join(f"{each}\n" for each in sorted(group.processes)),
            "cgroup.type": None if self.is_root(folder) else self.kind,
        }
        return told[name] if name in told else group.files.get(name)

    def of_process(self, path: str) -> str | None:
        if path == "/proc/self/mountinfo":
            return self.mounts
        if path == "/proc/self/cgroup":
            return f"4:memory:/old\n0::{self.own.removeprefix(MOUNT) or '/'}\n"
        pid = int(path.split("/")[2])
        return f"{pid} (a ) b) S {self.parents[pid]} 1 1" if pid in self.parents else None

    def write(self, path: str, text: str) -> None:
        folder, name = posixpath.split(path)
        group = self.groups.get(folder)
        if group is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        if not group.writable:
            raise PermissionError(errno.EACCES, "Permission denied")
        match name:
            case "cgroup.subtree_control":
                self.share(folder, text)
            case "cgroup.procs":
                self.move(int(text), folder)
            case "cgroup.kill":
                for path_, each in self.groups.items():
                    if f"{path_}/".startswith(f"{folder}/"):
                        each.processes.clear()
            case _ if name.partition(".")[0] in self.controllers_of(folder):
                group.files[name] = text
            case _:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    def share(self, folder: str, text: str) -> None:
        assert text[0] == "+"
        if text[1:] not in self.controllers_of(folder):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        if self.groups[folder].processes and not self.is_root(folder):
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.groups[folder].shared.add(text[1:])

    def move(self, pid: int, folder: str) -> None:
        if pid not in self.parents:
            raise ProcessLookupError(errno.ESRCH, "No such process")
        if self.groups[folder].shared and not self.is_root(folder):
            raise OSError(errno.EBUSY, "Device or resource busy")
        for group in self.groups.values():
            group.processes.discard(pid)
        self.groups[folder].processes.add(pid)
        if self.coming:
            born = self.coming.pop()
            self.parents[born] = KFGIT
            self.groups[self.own].processes.add(born)

    def make(self, path: str) -> None:
        if not self.groups[posixpath.dirname(path)].writable:
            raise PermissionError(errno.EACCES, "Permission denied")
        self.groups[path] = Group(files={"memory.oom.group": "0"})

    def remove(self, path: str) -> None:
        if path not in self.groups:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        if self.groups[path].processes or self.folders(path):
            raise OSError(errno.EBUSY, "Device or resource busy")
        del self.groups[path]

    def folders(self, path: str) -> tuple[str, ...]:
        return tuple(posixpath.basename(each) for each in self.groups if posixpath.dirname(each) == path)

    def where(self) -> dict[int, str]:
        return {pid: path for path, group in self.groups.items() for pid in group.processes}


@dataclass
class Keeper:
    """Remembers what it would have to undo."""

    groups: set[str] = field(default_factory=set)
    places: dict[str, str] = field(default_factory=dict)

    def add_group(self, path: str) -> None:
        self.groups.add(path)

    def remove_group(self, path: str) -> None:
        self.groups.discard(path)

    def add_place(self, path: str, inner: str) -> None:
        self.places[path] = inner
