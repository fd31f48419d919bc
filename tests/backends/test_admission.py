"""Who may begin: never above capacity, everybody gets a turn, nobody waits for what nobody wants."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings, strategies as st

from kfgit.backends.local.admission import Ask, Free, Queue, Round, asked
from kfgit.backends.local.machine import Capacity

CPU, MEMORY, GPUS = 8, 16, 3


@dataclass
class Counted:
    """Devices that are only counted. `others` is what other processes have of them."""

    free: int = GPUS
    others: int = 0

    def kind(self, ask: Ask) -> str:
        return ask.resource

    def take(self, ask: Ask) -> int | None:
        if ask.count > self.free - self.others:
            return None
        self.free -= ask.count
        return ask.count


@dataclass
class Playing:
    """A machine on which attempts begin and end as a test wants."""

    devices: Counted = field(default_factory=Counted)
    free: Free = field(default_factory=lambda: Free(CPU, MEMORY))
    slots: int = 6
    queue: Queue[int] = field(default_factory=Queue)
    going: dict[int, tuple[Ask, int]] = field(default_factory=dict)
    lacks: dict[Ask, frozenset[str]] = field(default_factory=dict)
    came: int = 0

    def arrive(self, ask: Ask) -> int:
        self.came += 1
        self.queue.add(self.came, ask, self.came)
        self.look()
        return self.came

    def look(self) -> None:
        this: Round[int, int] = Round(self.free, self.devices)
        this.go(self.queue, self.slots - len(self.going))
        self.free, self.lacks = this.free, this.lacks
        for who, ask, devices in this.begun:
            self.going[who] = ask, devices or 0
        self.sound()

    def end(self, who: int) -> None:
        ask, devices = self.going.pop(who)
        self.free = self.free.more(ask)
        self.devices.free += devices
        self.look()

    def sound(self) -> None:
        asks = [ask for ask, _ in self.going.values()]
        assert self.free == Free(CPU - sum(a.cpu for a in asks), MEMORY - sum(a.memory for a in asks))
        assert min(self.free.cpu, self.free.memory, self.devices.free) >= 0
        assert self.devices.free == GPUS - sum(a.count for a in asks)
        assert len(asks) <= self.slots


def an_ask() -> st.SearchStrategy[Ask]:
    devices = st.one_of(st.just(("", 0)), st.tuples(st.just("gpu"), st.integers(1, GPUS)))
    return st.builds(
        lambda cpu, memory, gpus: Ask(cpu, memory, *gpus),
        st.integers(0, CPU),
        st.integers(0, MEMORY),
        devices,
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(an_ask(), max_size=40), st.data())
def test_never_above_capacity_and_everybody_gets_a_turn(asks: list[Ask], data: st.DataObject) -> None:
    machine = Playing()
    waiting = list(asks)
    begun: set[int] = set()
    while waiting or machine.going:
        if waiting and (not machine.going or data.draw(st.booleans())):
            machine.arrive(waiting.pop())
        elif machine.going:
            machine.end(data.draw(st.sampled_from(sorted(machine.going))))
        begun |= set(machine.going)
        assert machine.going or not len(machine.queue), "somebody waits, and nobody goes on"
    assert begun == set(range(1, len(asks) + 1))


@settings(max_examples=300, deadline=None)
@given(st.lists(an_ask(), max_size=20), an_ask(), st.lists(an_ask(), max_size=40), st.data())
def test_whoever_is_first_waits_for_none_that_came_later(
    older: list[Ask], first: Ask, later: list[Ask], data: st.DataObject
) -> None:
    machine = Playing()
    for ask in older:
        machine.arrive(ask)
    while len(machine.queue):
        machine.end(min(machine.going))
    before = set(machine.going)
    wanted = machine.arrive(first)
    for ask in later:
        machine.arrive(ask)
        if data.draw(st.booleans()) and before:
            machine.end(before.pop())
    for who in before:
        machine.end(who)
    assert wanted in machine.going


def test_a_later_one_may_begin_with_what_the_first_does_not_need() -> None:
    machine = Playing()
    machine.arrive(Ask(cpu=6))
    machine.arrive(Ask(cpu=4, memory=10))  # waits for processors, and sets memory aside
    small, large, none = machine.arrive(Ask(memory=6)), machine.arrive(Ask(memory=1)), machine.arrive(Ask())
    assert {small, none} <= set(machine.going)
    assert large in machine.queue
    assert machine.lacks == {Ask(cpu=4, memory=10): {"cpu"}, Ask(memory=1): {"memory"}}


def test_of_those_that_wait_for_the_same_only_the_first_sets_something_aside() -> None:
    machine = Playing(slots=20)
    machine.arrive(Ask(resource="gpu", count=3))
    for _ in range(3):
        machine.arrive(Ask(cpu=4, resource="gpu", count=2))
    assert machine.arrive(Ask(cpu=4)) in machine.going
    assert machine.arrive(Ask(cpu=1)) in machine.queue


def test_what_other_processes_have_is_waited_for() -> None:
    machine = Playing(Counted(others=2))
    wanted, small = machine.arrive(Ask(resource="gpu", count=2)), machine.arrive(Ask(resource="gpu", count=1))
    assert machine.lacks == {Ask(resource="gpu", count=n): {"gpu"} for n in (1, 2)}
    assert {wanted, small}.isdisjoint(machine.going)
    machine.devices.others = 0
    machine.look()
    assert {wanted, small} <= set(machine.going)


def test_ten_thousand_that_wait_cost_little() -> None:
    machine = Playing(slots=4)
    for _ in range(10_000):
        machine.queue.add(machine.came, Ask(cpu=5), machine.came)
        machine.came += 1
    machine.look()
    for _ in range(1_000):
        machine.end(min(machine.going))
    assert len(machine.queue) == 8_999


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ({}, Ask()),
        ({"resourceCpuRequest": "500m", "resourceCpuLimit": "2", "cpuLimit": 2.0}, Ask(cpu=500)),
        ({"resourceCpuLimit": "2", "resourceMemoryLimit": "8Gi"}, Ask(cpu=2000, memory=8 * 2**30)),
        ({"cpuRequest": 0.25, "memoryRequest": 1.5}, Ask(cpu=250, memory=1_500_000_000)),
        ({"resourceMemoryRequest": "lots", "memoryLimit": 1}, Ask(memory=1_000_000_000)),
        ({"resourceMemoryRequest": "9" * 400, "cpuRequest": float("inf")}, Ask(cpu=2**60 * 1000)),
        ({"cpuRequest": float("nan"), "memoryRequest": -1}, Ask()),
        (
            {
                "accelerator": {
                    "resourceType": "nvidia.com/gpu",
                    "resourceCount": "2",
                    "type": "a",
                    "count": "1",
                }
            },
            Ask(resource="nvidia.com/gpu", count=2),
        ),
        ({"accelerator": {"type": "NVIDIA_L4", "count": "1"}}, Ask(resource="NVIDIA_L4", count=1)),
        ({"accelerator": {"type": "nvidia.com/gpu", "count": "many"}}, Ask()),
        ({"accelerator": {"type": "nvidia.com/gpu", "count": "0"}}, Ask()),
    ],
)
def test_what_a_container_asks_for(resources: dict[str, object], wanted: Ask) -> None:
    assert asked(resources) == wanted


def test_what_asks_for_more_than_there_is_holds_all_of_it() -> None:
    assert Ask(5000, 2**40).within(Capacity(2000, 2**30)) == Ask(2000, 2**30)
