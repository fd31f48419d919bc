"""Attempts on a machine with little room: what they hold, what they wait for, and what is said of it."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kfgit.backend import Refused
from kfgit.backends.local import firing
from kfgit.backends.local.admission import Ask, asked
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.devices import Inventory
from kfgit.backends.local.machine import Capacity
from kfgit.backends.local.nvml import WHOLE, Device, Found
from kfgit.backends.local.pool import Pool
from kfgit.backends.local.protocol import Execute, Outputs
from kfgit.backends.local.room import Room
from kfgit.backends.local.store import packages, schedules
from kfgit.backends.local.store.schedules import Links
from kfgit.backends.local.worker import AttemptPlace, Hooks, WorkerSettings
from kfgit.events import Preparing, RunFinished, RunRecord
from kfgit.ir import Package
from tests.backends import local_samples as samples
from tests.backends.test_runner import Watcher, run
from tests.e2e.door import until

GIBI = 2**30
EIGHT = {"resourceMemoryRequest": "8Gi"}
ONE_GPU = {"accelerator": {"resourceType": WHOLE, "resourceCount": "1"}}
TWO_GPUS = {"accelerator": {"resourceType": WHOLE, "resourceCount": "2"}}
WAY_OUT = "the environment says `gpu: require`, with `gpu: emulate` it would run with what there is"
CARDS = tuple(Device(f"GPU-{number}", WHOLE, "NVIDIA L4", 24 * GIBI) for number in range(3))


@dataclass
class Noticing:
    """Attempts that write down who goes on beside whom, and with which devices."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    going: dict[str, tuple[Ask, tuple[str, ...]]] = field(default_factory=dict)
    held: list[Ask] = field(default_factory=list)
    together: list[int] = field(default_factory=list)
    devices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    twice: bool = False

    def attempt(
        self, command: Execute, place: AttemptPlace, settings: WorkerSettings, hooks: Hooks
    ) -> Outputs:
        ask, who = asked(command.executor.get("resources") or {}), f"{settings.run_id}/{command.key}"
        with self.guard:
            taken = [uuid for _, uuids in self.going.values() for uuid in uuids]
            self.twice |= not set(taken).isdisjoint(hooks.devices)
            self.going[who] = ask, hooks.devices
            self.devices[command.task_name] = hooks.devices
            asks = [each for each, _ in self.going.values()]
            self.held.append(Ask(sum(a.cpu for a in asks), sum(a.memory for a in asks)))
            self.together.append(len(asks))
        try:
            return samples.attempt(command, place, settings, hooks)
        finally:
            with self.guard:
                del self.going[who]


def demanding(tasks: Mapping[str, tuple[list[str], Mapping[str, Any]]]) -> Package:
    """A pipeline of tasks `name: (args, resources)` that do not wait for each other."""
    made = samples.package({name: (args, ()) for name, (args, _) in tasks.items()})
    executors = {
        f"exec-{name}": {
            "container": {"image": "demo", "command": ["demo"], "args": args, "resources": resources}
        }
        for name, (args, resources) in tasks.items()
    }
    return replace(made, spec={**made.spec, "deploymentSpec": {"executors": executors}})


def machine(
    root: Path, noticing: Noticing | None = None, *cards: Device, require: bool = False, cpu: int = 4000
) -> LocalBackend:
    """A machine of four processors and 16 Gi."""
    attempt = samples.attempt if noticing is None else noticing.attempt
    room = Room(Capacity(cpu, 16 * GIBI), Inventory(lambda: Found(cards), root / "devices"), require)
    return replace(samples.backend(root, attempt=attempt), pool=Pool(8, room))


def states(record: RunRecord) -> set[str]:
    return {task.state for task in record.tasks}


def test_ten_tasks_of_eight_gibi_do_not_start_at_once(tmp_path: Path) -> None:
    noticing = Noticing()
    record, events = run(
        machine(tmp_path, noticing),
        demanding({f"t{number}": (["sleep", "0.02"], EIGHT) for number in range(10)}),
    )
    assert record.state == "SUCCEEDED"
    assert max(ask.memory for ask in noticing.held) <= 16 * GIBI
    assert max(noticing.together) <= 2
    told = [event.what for event in events if isinstance(event, Preparing)]
    *named, others = told
    assert len(set(named)) == 3
    assert all(re.fullmatch(r"t\d waits for 8Gi of memory", what) for what in named)
    assert others == "others wait for 8Gi of memory"
    assert record.notes == ("placement has no effect",)


def test_processors_and_memory_together(tmp_path: Path) -> None:
    noticing = Noticing()
    half = {"resourceCpuRequest": "1500m", "resourceMemoryLimit": "6Gi"}
    much = {"cpuLimit": 3.0, "memoryLimit": 1.0}
    tasks = {f"t{number}": (["sleep", "0.01"], (half, much, EIGHT)[number % 3]) for number in range(12)}
    record, _ = run(machine(tmp_path, noticing), demanding(tasks))
    assert states(record) == {"SUCCEEDED"}
    assert max(ask.cpu for ask in noticing.held) <= 4000
    assert max(ask.memory for ask in noticing.held) <= 16 * GIBI


def test_more_than_everything_runs_alone_and_says_so(tmp_path: Path) -> None:
    noticing = Noticing()
    huge = {"resourceMemoryRequest": "64Gi", "resourceCpuRequest": "1"}
    record, _ = run(
        machine(tmp_path, noticing), demanding({"a": ([], EIGHT), "b": ([], huge), "c": ([], EIGHT)})
    )
    assert states(record) == {"SUCCEEDED"}
    assert max(ask.memory for ask in noticing.held) == 64 * GIBI
    assert record.notes[1:] == (
        "tasks may hold 16Gi of memory together: one that asks for more waits until all of it is free",
    )


def test_what_failed_gives_back_what_it_held(tmp_path: Path) -> None:
    record, _ = run(
        machine(tmp_path, None, *CARDS),
        demanding({f"t{n}": (["fail" if n % 2 else "break"], {**EIGHT, **TWO_GPUS}) for n in range(5)}),
    )
    assert states(record) == {"FAILED"}


def test_who_waits_can_be_canceled(tmp_path: Path) -> None:
    backend = machine(tmp_path)
    started = backend.start(
        samples.request(demanding({"a": (["hang"], EIGHT), "b": (["hang"], EIGHT), "c": ([], EIGHT)}))
    )
    watcher = Watcher(backend, started.id)
    until(lambda: any(isinstance(event, Preparing) for event in watcher.events))
    backend.runs.cancel(started.id)
    record = watcher.finished
    assert record.state == "CANCELED"
    assert "SUCCEEDED" not in states(record)
    after, _ = run(backend, demanding({"d": ([], {"resourceMemoryRequest": "16Gi"})}))
    assert after.state == "SUCCEEDED"


def test_two_runs_of_one_process_have_the_same_room(tmp_path: Path) -> None:
    noticing = Noticing()
    backend = machine(tmp_path, noticing, *CARDS)
    made = demanding({f"t{number}": (["sleep", "0.02"], {**EIGHT, **ONE_GPU}) for number in range(4)})
    watchers = [Watcher(backend, backend.start(samples.request(made, cache=False)).id) for _ in range(3)]
    assert [watcher.finished.state for watcher in watchers] == ["SUCCEEDED"] * 3
    assert max(noticing.together) <= 2
    assert not noticing.twice


def test_each_gpu_task_has_its_own_and_the_others_have_none(tmp_path: Path) -> None:
    noticing = Noticing()
    tasks = {f"t{number}": (["sleep", "0.05"], ONE_GPU) for number in range(6)}
    record, events = run(
        machine(tmp_path, noticing, *CARDS), demanding({**tasks, "two": ([], TWO_GPUS), "plain": ([], {})})
    )
    assert record.state == "SUCCEEDED"
    assert not noticing.twice
    assert {len(noticing.devices[name]) for name in tasks} == {1}
    assert (len(noticing.devices["two"]), noticing.devices["plain"]) == (2, ())
    told = [event.what for event in events if isinstance(event, Preparing)]
    assert any(what.endswith(f"waits for 1 × {WHOLE}") for what in told)
    assert f"two waits for 2 × {WHOLE}" in told


def test_a_device_that_another_process_has_is_waited_for(tmp_path: Path) -> None:
    elsewhere = Inventory(lambda: Found(CARDS[:1]), tmp_path / "devices")
    held = elsewhere.take(Ask(resource=WHOLE, count=1))
    assert held is not None
    noticing = Noticing()
    backend = machine(tmp_path, noticing, *CARDS[:1])
    watcher = Watcher(backend, backend.start(samples.request(demanding({"a": ([], ONE_GPU)}))).id)
    until(lambda: any(isinstance(event, Preparing) for event in watcher.events))
    assert not noticing.devices
    elsewhere.give(held)
    assert watcher.finished.state == "SUCCEEDED"
    assert noticing.devices == {"a": ("GPU-0",)}


def test_too_few_devices_are_emulated_with_a_note(tmp_path: Path) -> None:
    noticing = Noticing()
    record, _ = run(machine(tmp_path, noticing), demanding({"a": ([], TWO_GPUS)}))
    assert (record.state, noticing.devices) == ("SUCCEEDED", {"a": ()})
    assert record.notes[1:] == ("this machine has no `nvidia.com/gpu`: tasks that ask for it run without",)


def test_required_devices_that_are_not_here_refuse_the_run(tmp_path: Path) -> None:
    backend = machine(tmp_path, None, *CARDS[:1], require=True)
    with pytest.raises(
        Refused, match=r"^`b` asks for 2 × nvidia.com/gpu, and this machine has 1; the environment says"
    ):
        backend.start(samples.request(demanding({"a": ([], ONE_GPU), "b": ([], TWO_GPUS)})))
    assert backend.runs.page(10).items == ()
    fine, _ = run(backend, demanding({"a": ([], ONE_GPU)}))
    assert fine.state == "SUCCEEDED"


def test_a_run_of_a_schedule_fails_with_that_error(tmp_path: Path) -> None:
    backend = machine(tmp_path, require=True)
    spec = {"cron": "0 0 * * * *", "timezone": "UTC", "pipeline": "demo", "inputs": {}}
    made = datetime(2026, 3, 1, 0, 0, 30, tzinfo=UTC)
    with backend.database.write() as db:
        links = Links(package=packages.save(db, demanding({"a": ([], ONE_GPU)})))
        schedules.save(db, "s", "nightly", spec, made, links)
    firing.fire(backend.database, "test", made.replace(hour=1, minute=0))
    (waiting,) = backend.pending()
    last = list(backend.watch(waiting))[-1]
    assert isinstance(last, RunFinished)
    assert last.run.state == "FAILED"
    assert last.run.error == f"`a` asks for 1 × {WHOLE}, and this machine has none; {WAY_OUT}"


def test_a_number_that_is_known_only_when_it_runs_fails_the_task(tmp_path: Path) -> None:
    backend = machine(tmp_path, require=True)
    count = {"accelerator": {"resourceType": WHOLE, "resourceCount": "{{$.inputs.parameters['n']}}"}}
    made = demanding({"a": ([], count)})
    spec = {**made.spec, "components": {"comp-a": {
        **made.spec["components"]["comp-a"],
        "inputDefinitions": {"parameters": {"n": {"parameterType": "NUMBER_INTEGER"}}},
    }}}  # fmt: skip
    task = {
        **made.spec["root"]["dag"]["tasks"]["a"],
        "inputs": {"parameters": {"n": {"runtimeValue": {"constant": 2}}}},
    }
    spec["root"] = {**made.spec["root"], "dag": {"tasks": {"a": task}}}
    record, _ = run(backend, replace(made, spec=spec))
    assert record.tasks[0].error == f"it asks for 2 × {WHOLE}, and this machine has none; {WAY_OUT}"
