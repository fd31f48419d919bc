"""The limits of an attempt: which there are, how docker and podman get them, and what is said where they fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.local import containers
from kfgit.backends.local.cgroups import UNLIMITED, Groups, Limits
from kfgit.backends.local.containers import Container, Engine, Mount, Tool
from kfgit.backends.local.protocol import Execute
from kfgit.backends.local.worker.memory import ContainerBound, Limit, limit, limit_notes, limits
from tests.backends.kernel import Keeper, Model

ABLE: dict[str, Any] = {
    "NCPU": 4, "MemoryLimit": True, "SwapLimit": True, "CpuCfsQuota": True,
    "host": {"cpus": 4, "cgroupControllers": ["memory", "cpu"]},
}  # fmt: skip
UNABLE: dict[str, Any] = {
    "NCPU": 4, "MemoryLimit": False, "CpuCfsQuota": False, "host": {"cpus": 4, "cgroupControllers": ["pids"]},
}  # fmt: skip

# No file says that this machine has control groups.
NOWHERE = Groups(Model({}, set(), "", {}, mounts=""), Keeper())


def command(**resources: Any) -> Execute:
    given = {"mem": "2Gi", "none": None}
    return Execute("t", "t", "t", "c", {}, {"resources": resources} if resources else {}, given, {})


def engine(folder: Path, tool: Tool, info: dict[str, Any] | None) -> Engine:
    """An engine that tells this of itself; None fails."""
    binary = folder / tool
    told = "exit 1" if info is None else f"cat <<'END'\n{json.dumps(info)}\nEND"
    binary.write_text(f"#!/bin/sh\n{told}\n")
    binary.chmod(0o755)
    return Engine(tool, binary)


def flags(found: Engine, **more: Any) -> list[str]:
    container = Container("n", "img", ("true",), {}, (), (), Path("/private"), **more)
    argv = list(containers.command_line(found, container))
    return argv[argv.index("--label") + 2 : argv.index("--entrypoint")]


@pytest.mark.parametrize(
    ("resources", "found"),
    [
        ({"resourceMemoryLimit": "512Mi", "memoryLimit": 0.536870912}, Limit(512 << 20, "512Mi")),
        ({"memoryLimit": 0.536870912}, Limit(512 << 20, "512Mi")),
        ({"memoryLimit": 1.5}, Limit(1_500_000_000, "1.5G")),
        ({"resourceMemoryLimit": "{{$.inputs.parameters['mem']}}"}, Limit(2 << 30, "2Gi")),
        ({"resourceMemoryLimit": "{{$.inputs.parameters['none']}}"}, None),
        ({"resourceMemoryLimit": "{{$.inputs.parameters['other']}}"}, None),
        ({"resourceMemoryRequest": "1Gi", "memoryLimit": 0.0}, None),
        ({}, None),
    ],
)
def test_a_limit_is_found_in_both_forms_and_as_it_was_written(
    resources: dict[str, Any], found: Limit | None
) -> None:
    assert limit(command(**resources), "memory") == found


def test_limits_are_whole_numbers() -> None:
    assert limits(command(resourceMemoryLimit="1500m", resourceCpuLimit="0.25")) == Limits(1, 250)
    assert limits(command()) == UNLIMITED


@pytest.mark.parametrize("tool", ["docker", "podman"])
def test_a_container_gets_its_limits_as_a_pod_does(tool: Tool, tmp_path: Path) -> None:
    able = engine(tmp_path, tool, ABLE)
    assert flags(able, limits=Limits(1 << 30, 1500)) == [
        "--memory", str(1 << 30), "--memory-swap", str(1 << 30), "--cpus", "1.5",
    ]  # fmt: skip
    # docker takes neither more processors than there are nor less than 6 MiB.
    least = str(6 << 20)
    assert flags(able, limits=Limits(1, 64_000)) == [
        "--memory", least, "--memory-swap", least, "--cpus", "4",
    ]  # fmt: skip
    assert flags(able) == []


@pytest.mark.parametrize("tool", ["docker", "podman"])
def test_what_an_engine_cannot_is_not_asked_for_and_told(tool: Tool, tmp_path: Path) -> None:
    unable = engine(tmp_path, tool, UNABLE)
    both = command(resourceMemoryLimit="1Gi", resourceCpuLimit="1")
    assert flags(unable, limits=limits(both)) == []
    assert list(limit_notes(both, NOWHERE, unable)) == [
        f"memory limits are not enforced: {tool} cannot here",
        f"cpu limits are not enforced: {tool} cannot here",
    ]


def test_an_engine_that_says_nothing_of_itself_is_asked_for_all(tmp_path: Path) -> None:
    silent = engine(tmp_path, "docker", None)
    assert "--memory" in flags(silent, limits=Limits(1 << 30))


def test_gpus_are_named_one_by_one(tmp_path: Path) -> None:
    two = ("GPU-a", "GPU-b")
    assert flags(engine(tmp_path, "docker", ABLE), devices=two) == ["--gpus", '"device=GPU-a,GPU-b"']
    assert flags(engine(tmp_path, "podman", ABLE), devices=two) == [
        "--device", "nvidia.com/gpu=GPU-a", "--device", "nvidia.com/gpu=GPU-b",
    ]  # fmt: skip


def test_memory_that_is_a_volume_has_its_size(tmp_path: Path) -> None:
    found = engine(tmp_path, "docker", ABLE)

    def mounted(path: str, size: int | None) -> list[str]:
        return flags(found, mounts=(Mount(tmp_path, path, memory=True, size=size),))

    assert mounted("/dev/shm", 1 << 30) == ["--shm-size", str(1 << 30)]
    assert mounted("/cache", 1 << 20) == ["--mount", f"type=tmpfs,target=/cache,tmpfs-size={1 << 20}"]
    assert mounted("/dev/shm", None) == ["--mount", "type=tmpfs,target=/dev/shm"]


def test_a_killed_container_is_told_with_its_limit() -> None:
    bound = ContainerBound(Limit(1 << 30, "1Gi"))
    assert bound.told(137) == (
        "it was killed (exit code 137), as one is that uses more than its limit of 1Gi of memory"
    )
    assert bound.told(1) is None
    assert ContainerBound(None).told(137) is None


def test_a_process_without_a_group_is_told_why() -> None:
    assert list(limit_notes(command(resourceMemoryLimit="1Gi", cpuLimit=1.0), NOWHERE, None)) == [
        "memory limits are not enforced: this machine has no cgroup v2",
        "cpu limits are not enforced",
    ]
    assert list(limit_notes(command(resourceMemoryRequest="1Gi"), NOWHERE, None)) == []
