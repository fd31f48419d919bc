"""Threads that carry out attempts: at most so many at once, and only while there is room for what they ask for."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from kfgit.backends.local.admission import NOTHING, Ask, Free, Queue, Round
from kfgit.backends.local.devices import Held, Inventory
from kfgit.backends.local.machine import Capacity
from kfgit.backends.local.nvml import Found
from kfgit.backends.local.room import Room, words

_IDLE_SECONDS = 5.0
# So often it is looked whether another process has given a device back.
_LOOK_SECONDS = 0.5
# More than any machine has.
_BOUNDLESS = Capacity(2**62, 2**62)

Devices: TypeAlias = tuple[str, ...]


def usual_limit() -> int:
    """How many attempts run at once: most of them wait for their processes, so twice the processors, at least 8."""
    return max(8, 2 * (os.cpu_count() or 1))


def boundless() -> Room:
    """Room for everything, without any device."""
    return Room(_BOUNDLESS, Inventory(Found, Path()))


@dataclass(slots=True, eq=False)
class _Job:
    """`run` is called with the devices that the job has; `waits` is told what it waits for, once."""

    run: Callable[[Devices], None]
    waits: Callable[[str], None]
    told: bool = False

    def tell(self, what: str) -> None:
        if not self.told:
            self.told = True
            self.waits(what)


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A job that may begin, and what it holds until it has ended."""

    job: _Job
    ask: Ask
    held: Held | None


class Pool:
    """Jobs are plain functions that never raise. The threads are daemons: kfgit's end does not wait for them.

    A thread that runs out of jobs waits a little for the next one, since starting one costs more than a short job.
    """

    def __init__(self, limit: int, room: Room | None = None) -> None:
        self.room = room or boundless()
        self._limit = limit
        self._free = Free(self.room.capacity.cpu, self.room.capacity.memory)
        self._threads = 0
        self._idle = 0
        self._going = 0
        self._next_ticket = 0
        self._queue: Queue[_Job] = Queue()
        self._lacks: dict[Ask, frozenset[str]] = {}
        self._ready: deque[_Admitted] = deque()
        self._looking = False
        self._changed = threading.Condition()

    def submit(
        self,
        run: Callable[[Devices], None],
        ask: Ask = NOTHING,
        waits: Callable[[str], None] = lambda _: None,
    ) -> int:
        """Starts the job now or when there is room; the ticket withdraws it. `waits` is called on any thread."""
        held, job = self.room.within(ask), _Job(run, waits)
        with self._changed:
            self._next_ticket += 1
            self._queue.add(self._next_ticket, held, job)
            try:
                self._admit()
            except RuntimeError:
                self._forget(self._next_ticket, job)
                raise
            if self._next_ticket in self._queue and held in self._lacks:
                job.tell(words(held, self._lacks[held]))
            return self._next_ticket

    def withdraw(self, ticket: int) -> bool:
        """Takes a job back; False when it has begun."""
        with self._changed:
            if ticket not in self._queue:
                return False
            self._queue.remove(ticket)
            self._admit()  # what was set aside for it is for others
            return True

    def _forget(self, ticket: int, job: _Job) -> None:
        """Nobody can carry it out: what it holds is for others, who begin when there is a thread for them."""
        if ticket in self._queue:
            self._queue.remove(ticket)
        for admitted in [each for each in self._ready if each.job is job]:
            self._ready.remove(admitted)
            self._give_back(admitted)

    def _admit(self) -> None:
        """Lets begin who may, and remembers what the others lack."""
        inventory = self.room.inventory
        this: Round[_Job, Held] = Round(self._free, inventory)
        this.go(self._queue, self._limit - self._going)
        self._free, self._lacks = this.free, this.lacks
        inventory.leave({lack for lacking in this.lacks.values() for lack in lacking})
        for job, ask, held in this.begun:
            self._going += 1
            self._ready.append(_Admitted(job, ask, held))
        for _ in this.begun:
            self._call_thread()
        for ask, lacking in this.lacks.items():
            if (first := self._queue.first(ask)) is not None:
                first[1].tell(words(ask, lacking))
        self._look_out()

    def _call_thread(self) -> None:
        if len(self._ready) <= self._idle:
            self._changed.notify()
        elif self._threads < self._limit:
            self._begin_thread()

    def _begin_thread(self) -> None:
        thread = threading.Thread(target=self._work, name="kfgit-attempt", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The machine has no more threads: the job waits for one of those there are, if there are any.
            if not self._threads:
                raise
        else:
            self._threads += 1

    def _work(self) -> None:
        while (admitted := self._next()) is not None:
            try:
                admitted.job.run(() if admitted.held is None else admitted.held.uuids)
            finally:
                self._end(admitted)

    def _next(self) -> _Admitted | None:
        with self._changed:
            self._idle += 1
            came = self._changed.wait_for(lambda: bool(self._ready), _IDLE_SECONDS)
            self._idle -= 1
            if came:
                return self._ready.popleft()
            self._threads -= 1
            return None

    def _end(self, admitted: _Admitted) -> None:
        with self._changed:
            self._give_back(admitted)
            self._admit()

    def _give_back(self, admitted: _Admitted) -> None:
        self._going -= 1
        self._free = self._free.more(admitted.ask)
        if admitted.held is not None:
            self.room.inventory.give(admitted.held)

    def _look_out(self) -> None:
        """Other processes tell nobody when they give a device back: as long as one is wanted, somebody looks."""
        if not self._looking and self._wants_devices():
            with suppress(RuntimeError):  # no more threads: the next end looks again
                threading.Thread(target=self._look, name="kfgit-devices", daemon=True).start()
                self._looking = True

    def _wants_devices(self) -> bool:
        return any(lacking - {"cpu", "memory"} for lacking in self._lacks.values())

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._changed:
                with suppress(RuntimeError):
                    self._admit()
                if not self._wants_devices():
                    self._looking = False
                    return
