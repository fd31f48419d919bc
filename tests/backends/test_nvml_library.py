"""GPUs by a shared library that answers as NVIDIA's does: nvidia-ml-py and all that stands on it are the real ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.door import Project, most_at_once

_SOURCE = Path(__file__).parent / "nvml.c"
_FIND = """
import dataclasses, json, os
from kfgit.backends.local import nvml
found = nvml.find(os.environ.get("CUDA_VISIBLE_DEVICES"))
print(json.dumps(dataclasses.asdict(found)))
"""
_PROBE = (
    'echo "{\\"cuda\\": \\"$CUDA_VISIBLE_DEVICES\\", \\"nvidia\\": \\"$NVIDIA_VISIBLE_DEVICES\\"}"; sleep 0.2'
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the library, for LD_LIBRARY_PATH."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no C compiler here to build the library with, or this is not Linux")
    folder = tmp_path_factory.mktemp("nvml")
    argv = [
        compiler,
        "-shared",
        "-fPIC",
        "-Wall",
        "-Werror",
        "-o",
        str(folder / "libnvidia-ml.so.1"),
        str(_SOURCE),
    ]
    subprocess.run(argv, check=True)
    return folder


@pytest.fixture
def machine(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Processes that are started find the library, and a cache of their own."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("KFGIT_CACHE", str(tmp_path / "cache"))
    for name in ("CUDA_VISIBLE_DEVICES", "FAKE_NVML"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def found() -> Any:
    done = subprocess.run([sys.executable, "-c", _FIND], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def uuid(number: int, instance: int = 0) -> str:
    return f"{'MIG' if instance else 'GPU'}-{number:08x}-0000-0000-0000-{instance:012x}"


def resources(told: Any) -> list[tuple[str, str]]:
    return [(each["uuid"], each["resource"].removeprefix("nvidia.com/")) for each in told["devices"]]


def test_whole_gpus_and_instances(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("FAKE_NVML", "w3o")
    told = found()
    assert (told["driver"], told["fault"]) == ("575.57.08", "")
    assert resources(told) == [
        (uuid(0), "gpu"),
        (uuid(1, 1), "mig-3g.40gb"),
        (uuid(1, 2), "mig-1g.10gb"),
        (uuid(1, 3), "mig-1g.10gb"),
        (uuid(2), "gpu"),
    ]
    memory = [each["memory"] >> 30 for each in told["devices"]]
    assert memory == [24, 40, 10, 10, 24]
    assert told["devices"][0]["model"] == "NVIDIA L4"


def test_what_is_lost_or_has_no_memory_of_its_own_stops_no_other(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("FAKE_NVML", "lwu")
    told = found()
    assert resources(told) == [(uuid(1), "gpu"), (uuid(2), "gpu")]
    assert [each["memory"] >> 30 for each in told["devices"]] == [24, 0]


def test_a_machine_without_a_driver_and_one_that_does_not_answer(machine: pytest.MonkeyPatch) -> None:
    assert found() == {"devices": [], "driver": "", "fault": ""}
    machine.setenv("FAKE_NVML", "!")
    assert (
        found()["fault"] == "the NVIDIA driver does not answer: RM has detected an NVML/RM version mismatch."
    )


def test_what_kfgit_was_given_is_all_there_is(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("FAKE_NVML", "ww2")
    for visible, wanted in (
        ("1", [uuid(1)]),
        (f"{uuid(2, 2)},{uuid(0)}", [uuid(2, 2), uuid(0)]),
        ("0,9,1", [uuid(0)]),
        ("", []),
    ):
        machine.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert [each for each, _ in resources(found())] == wanted


def pipeline(project: Project, name: str, **tasks: tuple[str, int]) -> None:
    """Tasks `name=(resource, count)` that print what they see and go on for a moment."""
    spec: dict[str, Any] = {}
    for task, (resource, count) in tasks.items():
        spec[task] = {"component": {"container": {"image": "probe:1", "script": _PROBE}}, "cache": False}
        if count:
            accelerator = {"resource": f"nvidia.com/{resource}", "count": count}
            spec[task]["resources"] = {"accelerator": accelerator}
    project.pipeline(name, json.dumps({"tasks": spec}))


def test_tasks_get_devices_of_their_own(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setenv("FAKE_NVML", "ww3")
    project = Project.new(tmp_path / "project")
    whole = {f"w{number}": ("gpu", 1) for number in range(4)}
    small = {f"s{number}": ("mig-1g.10gb", 1) for number in range(4)}
    pipeline(project, "mixed", none=("", 0), pair=("gpu", 2), large=("mig-3g.40gb", 1), **whole, **small)
    run = project.run("mixed")
    assert run.state == "SUCCEEDED"
    seen = {path: json.loads(project.log(run, path)) for path in run.tasks}
    assert {path: (told["cuda"] or "void") == told["nvidia"] for path, told in seen.items()} == dict.fromkeys(
        seen, True
    )
    assert seen["none"] == {"cuda": "", "nvidia": "void"}
    assert set(seen["pair"]["cuda"].split(",")) == {uuid(0), uuid(1)}
    assert seen["large"]["cuda"] == uuid(2, 1)
    assert {seen[path]["cuda"] for path in whole} <= {uuid(0), uuid(1)}
    assert {seen[path]["cuda"] for path in small} <= {uuid(2, 2), uuid(2, 3)}
    users: dict[str, list[str]] = {}
    for path, told in seen.items():
        for device in filter(None, told["cuda"].split(",")):
            users.setdefault(device, []).append(path)
    assert {most_at_once([run.span(path) for path in paths]) for paths in users.values()} == {1}
    assert most_at_once([run.span(path) for path in ("pair", *whole)]) <= 2
    assert not [note for note in run.document["notes"] if "nvidia" in note]


def test_doctor_and_refusals_know_them(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setenv("FAKE_NVML", "w2")
    project = Project.new(tmp_path / "project")
    pipeline(project, "three", a=("gpu", 3))
    text = (project.root / "environments/local.yaml").read_text()
    project.write("environments/local.yaml", text + "  gpu: require\n")
    told = {each["name"]: each for each in project.kfgit("doctor", "-o", "json", code=None).json["findings"]}
    assert told["gpus"]["message"] == (
        "1 × NVIDIA L4, 24Gi (nvidia.com/gpu), 1 × NVIDIA H100 80GB HBM3 MIG 3g.40gb, 40Gi (nvidia.com/mig-3g.40gb), "
        "1 × NVIDIA H100 80GB HBM3 MIG 1g.10gb, 10Gi (nvidia.com/mig-1g.10gb); driver 575.57.08"
    )
    refused = project.kfgit("run", "three", code=3)
    assert "`a` asks for 3 × nvidia.com/gpu, and this machine has 1" in refused.err
