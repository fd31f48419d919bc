"""GPUs of a real machine: its driver, its CUDA, and tasks that are started by typed commands.

Needs no CUDA toolkit, only the driver: what a task sees it asks of the driver's own library. MIG is left as it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.local import locks, nvml
from kfgit.backends.local.nvml import WHOLE
from tests.e2e.door import Project, Run, alive, most_at_once, until

GPUS = tuple(
    device for device in nvml.find(os.environ.get("CUDA_VISIBLE_DEVICES")).devices if device.resource == WHOLE
)

pytestmark = pytest.mark.skipif(
    not GPUS,
    reason="this machine has no NVIDIA GPU that is whole (no driver, none visible, or all in MIG mode)",
)

# A resource, how many, and the program's arguments.
Probe = tuple[str, int, list[str]]
# Prints what CUDA shows of the machine, then does as its arguments say: `touch FILE`, or `wait FILE` until it is there.
PROBE = """
import ctypes, json, os, sys, time, uuid
from pathlib import Path

cuda = ctypes.CDLL("libcuda.so.1")
began = cuda.cuInit(0)
assert began in (0, 100), f"cuInit: {began}"  # 100: no device
count = ctypes.c_int(0)
assert began == 100 or cuda.cuDeviceGetCount(ctypes.byref(count)) == 0
seen = []
for number in range(count.value):
    raw = (ctypes.c_ubyte * 16)()
    assert cuda.cuDeviceGetUuid_v2(ctypes.byref(raw), ctypes.c_int(number)) == 0
    seen.append(f"GPU-{uuid.UUID(bytes=bytes(raw))}")
told = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")}
print(json.dumps({"seen": seen, **told}), flush=True)
for what, file in zip(sys.argv[1::2], sys.argv[2::2]):
    if what == "touch":
        Path(file).touch()
    while what == "wait" and not Path(file).exists():
        time.sleep(0.02)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project, with a cache that it shares with no other."""
    monkeypatch.setenv("KFGIT_CACHE", str(tmp_path / "cache"))
    made = Project.new(tmp_path / "project")
    made.write("probe.py", PROBE)
    return made


def pipeline(project: Project, name: str, **tasks: Probe) -> None:
    """A pipeline of probes `name=(resource, count, arguments)` that do not wait for each other."""
    spec: dict[str, Any] = {}
    for task, (resource, count, args) in tasks.items():
        command = [sys.executable, str(project.root / "probe.py")]
        container = {"image": "probe:1", "command": command, "args": args}
        spec[task] = {"component": {"container": container}, "cache": False}
        if count:
            spec[task]["resources"] = {"accelerator": {"resource": resource, "count": count}}
    project.pipeline(name, json.dumps({"tasks": spec}, indent=2))


def seen(project: Project, run: Run, path: str) -> dict[str, Any]:
    lines = [line for line in project.log(run, path).splitlines() if line.startswith("{")]
    return dict(json.loads(lines[0]))


def test_the_driver_and_cuda_name_the_same_devices(project: Project) -> None:
    probe = [sys.executable, str(project.root / "probe.py")]
    listed = subprocess.run(probe, capture_output=True, text=True, check=True)
    assert sorted(json.loads(listed.stdout)["seen"]) == sorted(device.uuid for device in GPUS)
    assert all(device.memory > 2**30 and device.model for device in GPUS)


def test_each_task_sees_its_own_and_the_others_none(project: Project) -> None:
    tasks: dict[str, Probe] = {f"t{number}": (WHOLE, 1, []) for number in range(len(GPUS) + 2)}
    pipeline(project, "many", plain=("", 0, []), **tasks)
    run = project.run("many")
    assert run.state == "SUCCEEDED"
    assert most_at_once([run.span(name) for name in tasks]) <= len(GPUS)
    for name in tasks:
        told = seen(project, run, name)
        assert told["seen"] == [told["CUDA_VISIBLE_DEVICES"]] == [told["NVIDIA_VISIBLE_DEVICES"]]
        assert told["seen"][0] in {device.uuid for device in GPUS}
    assert seen(project, run, "plain") == {
        "seen": [],
        "CUDA_VISIBLE_DEVICES": "",
        "NVIDIA_VISIBLE_DEVICES": "void",
    }
    assert not [note for note in run.document["notes"] if "gpu" in note]


def test_two_commands_at_once_have_no_device_in_common(project: Project) -> None:
    tasks: dict[str, Probe] = {f"t{number}": (WHOLE, len(GPUS), []) for number in range(4)}
    pipeline(project, "all", **tasks)
    with ThreadPoolExecutor(2) as both:
        runs = list(both.map(lambda _: project.run("all"), range(2)))
    assert {run.state for run in runs} == {"SUCCEEDED"}
    assert most_at_once([run.span(name) for run in runs for name in tasks]) == 1
    assert {len(seen(project, run, name)["seen"]) for run in runs for name in tasks} == {len(GPUS)}


def test_who_shares_runs_at_the_same_time(project: Project, tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    shared = f"{WHOLE}.shared"
    first, second = ["touch", one, "wait", two], ["touch", two, "wait", one]
    pipeline(project, "shared", a=(shared, 1, first), b=(shared, 1, second))
    run = project.run("shared")
    assert run.state == "SUCCEEDED"
    assert {len(seen(project, run, name)["seen"]) for name in ("a", "b")} == {1}


def test_a_slice_that_is_not_here_is_emulated_on_a_gpu(project: Project) -> None:
    pipeline(project, "sliced", a=("nvidia.com/mig-1g.10gb", 1, []))
    run = project.run("sliced")
    assert len(seen(project, run, "a")["seen"]) == 1
    assert (
        "this machine has no `nvidia.com/mig-1g.10gb`: tasks that ask for it share its GPUs"
        in run.document["notes"]
    )


def test_too_few_are_emulated_or_refused(project: Project) -> None:
    pipeline(project, "wide", a=(WHOLE, 1000, []))
    run = project.run("wide")
    assert len(seen(project, run, "a")["seen"]) == len(GPUS)
    note = f"this machine has {len(GPUS)} × `{WHOLE}`: tasks that ask for more get what there is"
    assert note in run.document["notes"]
    project.write("environments/local.yaml", _REQUIRED)
    refused = project.kfgit("run", "wide", code=3)
    assert f"asks for 1000 × {WHOLE}, and this machine has {len(GPUS)}" in refused.err
    pipeline(project, "one", a=(WHOLE, 1, []))
    assert project.run("one").state == "SUCCEEDED"


def test_a_killed_kfgit_gives_its_devices_back(project: Project, tmp_path: Path) -> None:
    there = tmp_path / "there"
    pipeline(project, "held", a=(WHOLE, len(GPUS), ["touch", str(there), "wait", str(tmp_path / "never")]))
    pipeline(project, "after", a=(WHOLE, len(GPUS), []))
    files = [tmp_path / "cache" / "devices" / f"{device.uuid}.lock" for device in GPUS]
    with project.started("run", "held") as process:
        until(there.exists, "the task that holds all devices")
        assert not any(locks.is_free(file) for file in files)
        process.kill()
        until(lambda: not alive(process.pid), "the end of kfgit")
        assert project.run("after").state == "SUCCEEDED"


def test_doctor_names_them(project: Project) -> None:
    findings = {
        each["name"]: each for each in project.kfgit("doctor", "-o", "json", code=None).json["findings"]
    }
    assert findings["gpus"]["state"] == "ok"
    assert GPUS[0].model in findings["gpus"]["message"]


_REQUIRED = """
    apiVersion: kfgit.dev/v1
    kind: Environment
    metadata: {name: local}
    spec:
      target: {type: local, executor: process}
      gpu: require
"""
