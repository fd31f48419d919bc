"""GPUs of machines that we have not: what the driver would say is played, the locks are real."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from kfgit.backends.local import nvml
from kfgit.backends.local.admission import Ask
from kfgit.backends.local.devices import SHARED, Inventory
from kfgit.backends.local.machine import Capacity
from kfgit.backends.local.nvml import WHOLE, Device, Found
from kfgit.backends.local.room import Room, cores, size, words
from kfgit.backends.local.worker.visible import gpu_variables

SLICE = "nvidia.com/mig-1g.10gb"
L4 = "NVIDIA L4"
NOT_NVIDIA = "that kfgit could hand out, only NVIDIA's devices"


def gpu(number: int, resource: str = WHOLE, memory: int = 24 * 2**30) -> Device:
    return Device(f"{'GPU' if resource == WHOLE else 'MIG'}-{number}", resource, L4, memory)


def inventory(folder: Path, *devices: Device, fault: str = "") -> Inventory:
    return Inventory(lambda: Found(devices, "550.1", fault), folder)


def room(folder: Path, *devices: Device, require: bool = False) -> Room:
    return Room(Capacity(4000, 16 * 2**30), inventory(folder, *devices), require)


# --- what there is


@dataclass
class Card:
    """A GPU or an instance of one, as the driver tells of it."""

    uuid: str
    name: str = L4
    instances: Sequence[Card | None] | None = None


def driver(*cards: Card, **changed: Any) -> Any:
    """The functions of NVML over made up cards, with the real errors and numbers."""

    def mig_mode(card: Card) -> tuple[int, int]:
        if card.instances is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return pynvml.NVML_DEVICE_MIG_ENABLE, pynvml.NVML_DEVICE_MIG_ENABLE

    def instance(card: Card, index: int) -> Card:
        found = (card.instances or ())[index]
        if found is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return found

    errors = {name: getattr(pynvml, name) for name in dir(pynvml) if name.startswith("NVMLError")}
    functions = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: len(cards),
        "nvmlDeviceGetHandleByIndex": cards.__getitem__,
        "nvmlDeviceGetMigMode": mig_mode,
        "nvmlDeviceGetMaxMigDeviceCount": lambda card: len(card.instances or ()),
        "nvmlDeviceGetMigDeviceHandleByIndex": instance,
        "nvmlDeviceGetUUID": lambda card: card.uuid,
        "nvmlDeviceGetName": lambda card: card.name,
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=24 * 2**30),
        "nvmlSystemGetDriverVersion": lambda: "550.1",
    }
    numbers = {"NVML_DEVICE_MIG_ENABLE": pynvml.NVML_DEVICE_MIG_ENABLE}
    return SimpleNamespace(**{**errors, **numbers, **functions, **changed})


def fails(code: int) -> Any:
    def raising(*_: object) -> None:
        raise pynvml.NVMLError(code)

    return raising


SLICED = Card(
    "GPU-s",
    "NVIDIA H100 80GB HBM3",
    [
        Card("MIG-a", "NVIDIA H100 80GB HBM3 MIG 1g.10gb"),
        None,
        Card("MIG-b", "NVIDIA H100 80GB HBM3 MIG 1g.10gb+me"),
    ],
)


def test_whole_gpus_and_instances() -> None:
    found = nvml.find(nvml=driver(Card("GPU-0"), SLICED))
    assert [(each.uuid, each.resource) for each in found.devices] == [
        ("GPU-0", WHOLE),
        ("MIG-a", SLICE),
        ("MIG-b", "nvidia.com/mig-1g.10gb.me"),
    ]
    assert (found.driver, found.fault) == ("550.1", "")


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED])
def test_a_machine_without_a_driver_has_none(code: int) -> None:
    assert nvml.find(nvml=driver(nvmlInit=fails(code))) == Found()


def test_a_driver_that_does_not_answer_is_told() -> None:
    found = nvml.find(nvml=driver(nvmlInit=fails(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH)))
    assert not found.devices
    assert found.fault == "the NVIDIA driver does not answer: RM has detected an NVML/RM version mismatch."


def test_what_one_card_cannot_say_takes_no_other_away() -> None:
    lost = [Card("GPU-0"), Card("GPU-1")]

    def by_index(index: int) -> Card:
        if index == 0:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return lost[index]

    played = driver(
        *lost,
        nvmlDeviceGetHandleByIndex=by_index,
        nvmlDeviceGetMemoryInfo=fails(pynvml.NVML_ERROR_NOT_SUPPORTED),
    )
    assert nvml.find(nvml=played).devices == (Device("GPU-1", WHOLE, L4, 0),)


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (None, ["GPU-aa", "GPU-ab", "MIG-a", "MIG-b"]),
        ("1", ["GPU-ab"]),
        ("1, 0", ["GPU-ab", "GPU-aa"]),
        ("0,7,1", ["GPU-aa"]),
        ("GPU-ab", ["GPU-ab"]),
        ("GPU-a", []),
        ("MIG-b,GPU-aa", ["MIG-b", "GPU-aa"]),
        ("2", ["MIG-a", "MIG-b"]),
        ("0,0", ["GPU-aa"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_what_kfgit_may_see_is_what_there_is(visible: str | None, seen: list[str]) -> None:
    found = nvml.find(visible, driver(Card("GPU-aa"), Card("GPU-ab"), SLICED))
    assert [each.uuid for each in found.devices] == seen


# --- who has what


def test_each_task_has_its_own(tmp_path: Path) -> None:
    mine = inventory(tmp_path, gpu(0), gpu(1), gpu(2))
    two, one = mine.take(Ask(resource=WHOLE, count=2)), mine.take(Ask(resource=WHOLE, count=1))
    assert two is not None
    assert one is not None
    assert sorted(two.uuids + one.uuids) == ["GPU-0", "GPU-1", "GPU-2"]
    assert mine.take(Ask(resource=WHOLE, count=1)) is None
    mine.give(one)
    assert mine.take(Ask(resource=WHOLE, count=2)) is None
    mine.give(two)
    assert mine.take(Ask(resource=WHOLE, count=3)) is not None


def test_two_processes_share_one_machine(tmp_path: Path) -> None:
    cards = gpu(0), gpu(1)
    mine, theirs = inventory(tmp_path, *cards), inventory(tmp_path, *cards)
    first, second = mine.take(Ask(resource=WHOLE, count=1)), theirs.take(Ask(resource=WHOLE, count=1))
    assert first is not None
    assert second is not None
    assert {*first.uuids, *second.uuids} == {"GPU-0", "GPU-1"}


def test_who_waits_for_many_is_not_passed_by_who_wants_one(tmp_path: Path) -> None:
    cards = gpu(0), gpu(1)
    mine, theirs, third = (inventory(tmp_path, *cards) for _ in range(3))
    one = Ask(resource=WHOLE, count=1)
    held = mine.take(one)
    assert held is not None
    assert theirs.take(Ask(resource=WHOLE, count=2)) is None
    assert third.take(one) is None, "one is free, and it is not its turn"
    mine.give(held)
    assert theirs.take(Ask(resource=WHOLE, count=2)) is not None
    assert third.take(one) is None
    third.leave()


def test_who_waits_no_more_lets_others_have_their_turn(tmp_path: Path) -> None:
    cards = gpu(0), gpu(1)
    mine, theirs = inventory(tmp_path, *cards), inventory(tmp_path, *cards)
    one, two = Ask(resource=WHOLE, count=1), Ask(resource=WHOLE, count=2)
    assert mine.take(one) is not None
    assert mine.take(two) is None
    mine.leave({WHOLE})
    assert theirs.take(one) is None
    mine.leave()
    assert theirs.take(one) is not None


def test_a_process_that_dies_gives_its_devices_back(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from kfgit.backends.local import locks
held = locks.take(Path({str(tmp_path / "GPU-0.lock")!r}))
assert held is not None
print("held", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        mine = inventory(tmp_path, gpu(0))
        assert mine.take(Ask(resource=WHOLE, count=1)) is None
        child.kill()
        child.wait()
        assert mine.take(Ask(resource=WHOLE, count=1)) is not None


def test_who_shares_gets_what_fewest_have_and_who_does_not_waits(tmp_path: Path) -> None:
    mine, theirs = inventory(tmp_path, gpu(0), gpu(1)), inventory(tmp_path, gpu(0), gpu(1))
    share = Ask(resource=SHARED, count=1)
    taken = [mine.take(share) for _ in range(4)]
    assert sorted(held.uuids[0] for held in taken if held is not None) == ["GPU-0", "GPU-0", "GPU-1", "GPU-1"]
    assert theirs.take(share) is not None
    assert mine.take(Ask(resource=WHOLE, count=1)) is None
    assert mine.kind(share) == mine.kind(Ask(resource=WHOLE, count=1))


def test_instances_are_devices_of_their_own(tmp_path: Path) -> None:
    mine = inventory(tmp_path, gpu(0), gpu(1, SLICE), gpu(2, SLICE))
    one = Ask(resource=SLICE, count=1)
    taken = [mine.take(one), mine.take(one), mine.take(one)]
    assert [held.uuids for held in taken if held is not None] == [("MIG-1",), ("MIG-2",)]
    assert mine.take(Ask(resource=WHOLE, count=1)) is not None


def test_without_a_place_for_locks_nothing_is_given_out(tmp_path: Path) -> None:
    (tmp_path / "devices").write_text("a file")
    mine = inventory(tmp_path / "devices", gpu(0))
    assert not mine.count(WHOLE)
    assert "devices cannot be made: File exists" in mine.found.fault


# --- what a task gets, and what is said of it


@pytest.mark.parametrize(
    ("devices", "asked", "given", "note"),
    [
        ((), (WHOLE, 2), ("", 0), "has no `nvidia.com/gpu`: tasks that ask for it run without"),
        (
            (gpu(0),),
            (WHOLE, 2),
            (WHOLE, 1),
            "has 1 × `nvidia.com/gpu`: tasks that ask for more get what there is",
        ),
        ((gpu(0), gpu(1)), (WHOLE, 2), (WHOLE, 2), None),
        ((gpu(0),), (SHARED, 1), (SHARED, 1), None),
        ((gpu(0),), (SLICE, 1), (SHARED, 1), f"has no `{SLICE}`: tasks that ask for it share its GPUs"),
        ((gpu(0, SLICE),), (WHOLE, 1), (SLICE, 1), f"has no `{WHOLE}`: tasks that ask for it get `{SLICE}`"),
        (
            (gpu(0),),
            ("google.com/tpu", 4),
            ("", 0),
            f"has no `google.com/tpu` {NOT_NVIDIA}: tasks that ask for it run without",
        ),
    ],
)
def test_who_asks_for_what_is_not_here_gets_what_comes_nearest(
    devices: tuple[Device, ...],
    asked: tuple[str, int],
    given: tuple[str, int],
    note: str | None,
    tmp_path: Path,
) -> None:
    here, ask = room(tmp_path, *devices), Ask(0, 0, *asked)
    assert here.within(ask) == Ask(0, 0, *given)
    assert tuple(here.notes(ask)) == (() if note is None else (f"this machine {note}",))
    assert here.lack(ask) is None


def test_where_devices_are_required_nothing_stands_in_for_them(tmp_path: Path) -> None:
    here = room(tmp_path, gpu(0), require=True)
    assert here.lack(Ask(resource=WHOLE, count=1)) is None
    assert here.lack(Ask(cpu=64_000)) is None
    four, slice_ = here.lack(Ask(resource=WHOLE, count=4)), here.lack(Ask(resource=SLICE, count=1))
    assert four == f"asks for 4 × {WHOLE}, and this machine has 1"
    assert slice_ == f"asks for 1 × {SLICE}, and this machine has none"


def test_a_driver_that_fails_is_told_with_the_refusal(tmp_path: Path) -> None:
    broken = Room(
        Capacity(1, 1), inventory(tmp_path, fault="the NVIDIA driver does not answer: x"), require=True
    )
    assert broken.lack(Ask(resource=WHOLE, count=1)) == (
        f"asks for 1 × {WHOLE}, and this machine has none (the NVIDIA driver does not answer: x)"
    )


def test_more_than_everything_is_told(tmp_path: Path) -> None:
    assert tuple(room(tmp_path).notes(Ask(5000, 2**40))) == (
        "tasks may hold 4 cpus together: one that asks for more waits until all of it is free",
        "tasks may hold 16Gi of memory together: one that asks for more waits until all of it is free",
    )


def test_amounts_in_words() -> None:
    assert [cores(1000), cores(500), cores(2000)] == ["1 cpu", "0.5 cpus", "2 cpus"]
    assert [size(n) for n in (8 * 2**30, 25276510208, 2**29, 3 * 2**40, 0, 1023)] == [
        "8Gi", "23.5Gi", "512Mi", "3Ti", "0", "1020",
    ]  # fmt: skip
    ask = Ask(2000, 2**33, WHOLE, 2)
    assert words(ask, frozenset({"cpu", "memory", WHOLE})) == f"2 cpus and 8Gi of memory and 2 × {WHOLE}"
    assert words(ask, frozenset({"memory"})) == "8Gi of memory"


# --- what a program sees


@pytest.mark.parametrize(
    ("devices", "declared", "seen"),
    [
        ((), {}, ("", "void")),
        (("GPU-1", "GPU-2"), {}, ("GPU-1,GPU-2", "GPU-1,GPU-2")),
        (("GPU-1", "GPU-2"), {"CUDA_VISIBLE_DEVICES": "1"}, ("GPU-2", "GPU-1,GPU-2")),
        (("GPU-1",), {"CUDA_VISIBLE_DEVICES": "0, 1"}, ("GPU-1", "GPU-1")),
        (("GPU-1",), {"CUDA_VISIBLE_DEVICES": "GPU-9"}, ("", "GPU-1")),
        ((), {"CUDA_VISIBLE_DEVICES": "0"}, ("", "void")),
        (("GPU-1",), {"NVIDIA_VISIBLE_DEVICES": "all"}, ("GPU-1", "GPU-1")),
    ],
)
def test_a_program_sees_what_it_was_given(
    devices: tuple[str, ...], declared: dict[str, str], seen: tuple[str, str]
) -> None:
    found = gpu_variables(devices, declared)
    assert (found["CUDA_VISIBLE_DEVICES"], found["NVIDIA_VISIBLE_DEVICES"]) == seen
