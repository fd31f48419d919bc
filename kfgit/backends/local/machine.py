"""What this machine may use: processors and memory, within what a container or a service around kfgit allows.

A scheduler of Kubernetes knows what is allocatable on a node; here it is what the kernel lets this process have: the
processors it may run on, and the tightest limits of its control groups and those around them, of version 1 or 2.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kfgit.graph import quantity

_KIBI = 1024
# Version 1 says "no limit" with a number near 2^63, which depends on the size of a page.
_UNLIMITED = 2**60


@dataclass(frozen=True, slots=True)
class Capacity:
    """Thousandths of a processor, and bytes of memory."""

    cpu: int
    memory: int


def capacity(told: Mapping[str, str] | None = None, root: Path = Path("/")) -> Capacity:
    """What tasks may hold together: as an environment's `target.capacity` says, and for what it leaves out the machine.

    `root` is where `/proc` and `/sys` are.
    """
    told = told or {}
    cpu, memory = (quantity(told.get(key)) for key in ("cpu", "memory"))
    return Capacity(
        _processors(root) if cpu is None else max(1, round(cpu * 1000)),
        _memory(root) if memory is None else max(1, round(memory)),
    )


def _processors(root: Path) -> int:
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        count = os.cpu_count() or 1
    limits = [count * 1000]
    for folder in _groups(root, "cpu"):
        quota, period = _quota(folder)
        if quota > 0 and period > 0:
            limits.append(max(1, quota * 1000 // period))
    return min(limits)


def _quota(folder: Path) -> tuple[int, int]:
    """How many microseconds in which period; -1 without a limit."""
    both = _read(folder / "cpu.max").split()
    if len(both) == 2:
        return _number(both[0], -1), _number(both[1], 0)
    return _number(_read(folder / "cpu.cfs_quota_us"), -1), _number(_read(folder / "cpu.cfs_period_us"), 0)


def _memory(root: Path) -> int:
    limits = [_whole_memory(root)]
    for folder in _groups(root, "memory"):
        told = (_number(_read(folder / name), 0) for name in ("memory.max", "memory.limit_in_bytes"))
        limits += [limit for limit in told if 0 < limit < _UNLIMITED]
    return min(limits)


def _whole_memory(root: Path) -> int:
    for line in _read(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return _number(line.split()[1], 0) * _KIBI or _UNLIMITED
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return _UNLIMITED


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of kfgit's own control group and of those around it, as far as they can be seen from here."""
    base = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            mounts = [base]
        elif controller in controllers.split(","):
            mounts = [base / controllers, base / controller]
        else:
            continue
        own = PurePosixPath(path)
        for part in (own, *own.parents):
            yield from (mount / str(part).lstrip("/") for mount in mounts)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(text: str, without: int) -> int:
    """A whole number; `max`, or nothing at all, is none."""
    try:
        return int(text)
    except ValueError:
        return without
