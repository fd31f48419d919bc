"""What kfgit believes that it may use, from the files of a kernel."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from kfgit.backends.local.machine import Capacity, capacity

GIBI = 2**30
CPUS = len(os.sched_getaffinity(0)) * 1000
MEMINFO = f"MemTotal:       {16 * 2**20} kB\nMemFree:        1 kB\n"


def machine(root: Path, files: Mapping[str, str], meminfo: str = MEMINFO) -> Path:
    for path, text in {"proc/meminfo": meminfo, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


V2 = {"proc/self/cgroup": "0::/user.slice/run.scope\n"}
GROUPS = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({}, Capacity(CPUS, 16 * GIBI)),
        # Version 2: the tightest of all around.
        (
            {
                **V2,
                f"{GROUPS}/user.slice/run.scope/cpu.max": "max 100000\n",
                f"{GROUPS}/user.slice/run.scope/memory.max": "max\n",
                f"{GROUPS}/user.slice/cpu.max": "50000 100000\n",
                f"{GROUPS}/user.slice/memory.max": f"{4 * GIBI}\n",
                f"{GROUPS}/memory.max": f"{8 * GIBI}\n",
            },
            Capacity(500, 4 * GIBI),
        ),
        # In a container the group is the root of what is to be seen.
        (
            {
                "proc/self/cgroup": "0::/\n",
                f"{GROUPS}/cpu.max": "150000 100000\n",
                f"{GROUPS}/memory.max": f"{2 * GIBI}\n",
            },
            Capacity(min(CPUS, 1500), 2 * GIBI),
        ),
        # Version 1, whose paths are those of the host, which a container does not see.
        (
            {
                "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n",
                f"{GROUPS}/memory/memory.limit_in_bytes": f"{3 * GIBI}\n",
                f"{GROUPS}/cpu,cpuacct/cpu.cfs_quota_us": "80000\n",
                f"{GROUPS}/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            Capacity(800, 3 * GIBI),
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/a\n3:cpu:/a\n",
                f"{GROUPS}/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
                f"{GROUPS}/cpu/a/cpu.cfs_quota_us": "-1\n",
                f"{GROUPS}/cpu/a/cpu.cfs_period_us": "100000\n",
            },
            Capacity(CPUS, 16 * GIBI),
        ),
        # Whatever stands there, no traceback.
        (
            {
                "proc/self/cgroup": "nonsense\n0::\n::\n",
                f"{GROUPS}/cpu.max": "many\n",
                f"{GROUPS}/memory.max": "",
            },
            Capacity(CPUS, 16 * GIBI),
        ),
    ],
)
def test_the_tightest_limit_counts(files: dict[str, str], wanted: Capacity, tmp_path: Path) -> None:
    assert capacity(root=machine(tmp_path, files)) == wanted


def test_an_environment_may_say_otherwise(tmp_path: Path) -> None:
    root = machine(tmp_path, {})
    assert capacity({"cpu": "64", "memory": "1Ti"}, root) == Capacity(64_000, 2**40)
    assert capacity({"memory": "512Mi"}, root) == Capacity(CPUS, 2**29)
    assert capacity({"memory": "a lot"}, root) == Capacity(CPUS, 16 * GIBI)


def test_this_machine_has_something() -> None:
    found = capacity()
    assert 0 < found.cpu <= (os.cpu_count() or 1) * 1000
    assert 2**20 < found.memory < 2**60
