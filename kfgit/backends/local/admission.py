"""Who may begin: attempts hold what their tasks declare, and all of them together never more than there is.

As kube-scheduler does, it goes by requests, and by limits where there are none; what a process really uses is not
looked at. Those that wait are taken in the order they came, but a later one may begin with what the earlier ones do
not need: of those that wait for the same thing the first one sets aside what it asks for, and nobody takes that. So
everybody gets a turn as long as those that began come to an end, and nothing is held by who waits, so that there is
no deadlock.

This module knows no threads, clocks and devices: `pool` brings the former and `devices` the latter.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from kfgit.backends.local.machine import Capacity
from kfgit.graph import quantity

_GIGABYTE = 1_000_000_000
_BEYOND = 2.0**60  # more than any machine has, and still a number that can be rounded
T = TypeVar("T")
D = TypeVar("D")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Ask:
    """What an attempt holds while it goes on: thousandths of a processor, bytes of memory, devices of one resource."""

    cpu: int = 0
    memory: int = 0
    resource: str = ""
    count: int = 0

    def within(self, capacity: Capacity) -> Ask:
        """The same, and no more than there is: what asks for more begins when all of it is free."""
        return replace(self, cpu=min(self.cpu, capacity.cpu), memory=min(self.memory, capacity.memory))


NOTHING = Ask()


def asked(resources: Mapping[str, Any]) -> Ask:
    """What a container asks for (pipeline_spec.proto, ResourceSpec), in either of the forms that KFP reads."""
    cpu, memory = _amount(resources, "cpu", 1.0), _amount(resources, "memory", _GIGABYTE)
    accelerator = resources.get("accelerator") or {}
    name = str(accelerator.get("resourceType") or accelerator.get("type") or "")
    try:
        count = int(accelerator.get("resourceCount") or accelerator.get("count") or 0)
    except (TypeError, ValueError):
        count = 0  # chosen when the run goes on
    return Ask(round(cpu * 1000), round(memory), name if count > 0 else "", max(count, 0))


def _amount(resources: Mapping[str, Any], name: str, unit: float) -> float:
    for which in ("Request", "Limit"):
        text, number = resources.get(f"resource{name.capitalize()}{which}"), resources.get(f"{name}{which}")
        found = quantity(text) if isinstance(text, str) else None
        if found is None and isinstance(number, int | float) and number > 0:
            found = number * unit
        if found is not None:
            return min(found, _BEYOND)
    return 0.0


@dataclass(frozen=True, slots=True)
class Free:
    """What nobody holds."""

    cpu: int
    memory: int

    def lacking(self, ask: Ask) -> frozenset[str]:
        """Which of what is asked for is not free."""
        return frozenset(name for name in ("cpu", "memory") if getattr(ask, name) > getattr(self, name))

    def less(self, ask: Ask) -> Free:
        """What is left when as much of what is asked for is taken as there is."""
        return Free(self.cpu - min(ask.cpu, self.cpu), self.memory - min(ask.memory, self.memory))

    def more(self, ask: Ask) -> Free:
        """What there is when it is given back."""
        return Free(self.cpu + ask.cpu, self.memory + ask.memory)


class Queue(Generic[T]):
    """Those that wait, in the order they came, those with the same wish together."""

    def __init__(self) -> None:
        self._by_ask: dict[Ask, OrderedDict[int, T]] = {}
        self._asks: dict[int, Ask] = {}

    def __len__(self) -> int:
        return len(self._asks)

    def __contains__(self, ticket: int) -> bool:
        return ticket in self._asks

    def add(self, ticket: int, ask: Ask, who: T) -> None:
        """At the end; tickets grow."""
        self._by_ask.setdefault(ask, OrderedDict())[ticket] = who
        self._asks[ticket] = ask

    def remove(self, ticket: int) -> T:
        """Takes one out of the queue; raises `KeyError` for one that is not in it."""
        ask = self._asks.pop(ticket)
        line = self._by_ask[ask]
        who = line.pop(ticket)
        if not line:
            del self._by_ask[ask]
        return who

    def first(self, ask: Ask) -> tuple[int, T] | None:
        """The first one with this wish."""
        line = self._by_ask.get(ask)
        return next(iter(line.items())) if line else None

    def asks(self) -> Iterator[tuple[int, Ask]]:
        """The ticket of the first one with each wish."""
        return ((next(iter(line)), ask) for ask, line in self._by_ask.items())


class Devices(Protocol[T_co]):
    """Where devices come from."""

    def kind(self, ask: Ask) -> str:
        """Asks of one kind compete."""

    def take(self, ask: Ask) -> T_co | None:
        """All that is asked for, None where too few are free: then who asked waits before all others of the kind."""


class Round(Generic[T, D]):
    """One pass over those that wait: who begins, with which devices, and what the first of the others lack."""

    def __init__(self, free: Free, devices: Devices[D]) -> None:
        self.begun: list[tuple[T, Ask, D | None]] = []
        self.lacks: dict[Ask, frozenset[str]] = {}
        self.free = free
        self._unreserved = free
        self._devices = devices
        # What somebody waits for already, and kinds of devices that are set aside.
        self._awaited: set[str] = set()

    def go(self, queue: Queue[T], slots: int) -> None:
        """Lets begin who can, at most so many, and takes them out of the queue."""
        lines = list(queue.asks())
        heapq.heapify(lines)  # tickets differ, so that asks are never compared
        while lines and len(self.begun) < slots:
            ticket, ask = heapq.heappop(lines)
            lacking, devices = self._tried(ask)
            if lacking:
                # So do all behind it that ask for the same.
                self.lacks[ask] = lacking
                self._set_aside(ask, lacking)
                continue
            self.free = self.free.less(ask)
            self._unreserved = self._unreserved.less(ask)
            self.begun.append((queue.remove(ticket), ask, devices))
            if (following := queue.first(ask)) is not None:
                heapq.heappush(lines, (following[0], ask))

    def _tried(self, ask: Ask) -> tuple[frozenset[str], D | None]:
        lacking = self._unreserved.lacking(ask)
        if lacking or not ask.count:
            return lacking, None
        kind = self._devices.kind(ask)
        devices = None if kind in self._awaited else self._devices.take(ask)
        return (frozenset() if devices is not None else frozenset({kind})), devices

    def _set_aside(self, ask: Ask, lacking: frozenset[str]) -> None:
        if self._awaited.isdisjoint(lacking):
            self._unreserved = self._unreserved.less(ask)
            self._awaited |= lacking
            if ask.count:
                self._awaited.add(self._devices.kind(ask))
