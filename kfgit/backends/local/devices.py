"""GPUs for tasks: each has its own, also across all processes of one user.

A file for each device in the cache folder is locked for as long as a task has the device, alone or together with others
that share it, and the lock dies with its process. Whoever finds too few keeps the turn of that kind of device, which is
another lock, so that no other process takes what becomes free meanwhile.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from kfgit.backend import MachineFault
from kfgit.backends.local import locks
from kfgit.backends.local.admission import Ask
from kfgit.backends.local.nvml import NVIDIA, WHOLE, Device, Found

SHARED = f"{WHOLE}.shared"
_MIG = f"{NVIDIA}mig"


@dataclass(frozen=True, slots=True)
class Held:
    """The devices of one task, and their locks."""

    uuids: tuple[str, ...]
    locks: tuple[locks.Lock, ...]


class Inventory:
    """The devices of this machine; `find` is called when they are asked for first. `folder` is where the locks are.

    All but `found` is for one thread at a time.
    """

    def __init__(self, find: Callable[[], Found], folder: Path) -> None:
        self._find = find
        self._folder = folder
        self._turns: dict[str, locks.Lock] = {}
        self._users: Counter[str] = Counter()

    @cached_property
    def found(self) -> Found:
        """What there is. Without a place for locks nothing is given out: two tasks would get the same device."""
        found = self._find()
        if not found.devices:
            return found
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as fault:
            return replace(found, devices=(), fault=f"{self._folder} cannot be made: {fault.strerror}")
        if not os.access(self._folder, os.W_OK | os.X_OK):
            return replace(found, devices=(), fault=f"{self._folder} cannot be written to")
        return found

    def count(self, resource: str) -> int:
        """How many tasks may have one of the resource at the same time, each its own where it is not shared."""
        return len(self._serving(resource))

    def substitute(self, resource: str) -> str:
        """What comes nearest to a resource that is not here; nothing where nothing does.

        For a slice that is a GPU shared with others, for a GPU the largest slice.
        """
        if self.count(resource):
            return resource
        if resource.startswith(_MIG) and self.count(SHARED):
            return SHARED
        slices = [each for each in self.found.devices if each.resource != WHOLE]
        if resource in (WHOLE, SHARED) and slices:
            return max(slices, key=lambda each: each.memory).resource
        return ""

    def kind(self, ask: Ask) -> str:
        """Asks of one kind compete: whole GPUs and shared ones are the same devices."""
        return WHOLE if ask.resource == SHARED else ask.resource

    def take(self, ask: Ask) -> Held | None:
        """Devices for a task, all or none. After None the turn is kept until `leave`, if another process has it not."""
        kind = self.kind(ask)
        if kind not in self._turns:
            turn = self._lock(f"{kind}.turn", locks.take)
            if turn is None:
                return None
            self._turns[kind] = turn
        held = self._held(ask)
        if held is not None:
            self._turns.pop(kind).release()
        return held

    def give(self, held: Held) -> None:
        """Gives devices back."""
        self._users.subtract(held.uuids)
        for lock in held.locks:
            lock.release()

    def leave(self, but: Collection[str] = ()) -> None:
        """Lets other processes have their turn, but for the kinds that somebody here still waits for."""
        for kind in [each for each in self._turns if each not in but]:
            self._turns.pop(kind).release()

    def _serving(self, resource: str) -> Sequence[Device]:
        wanted = WHOLE if resource == SHARED else resource
        return [each for each in self.found.devices if each.resource == wanted]

    def _held(self, ask: Ask) -> Held | None:
        how = locks.share if ask.resource == SHARED else locks.take
        taken: dict[str, locks.Lock] = {}
        # Who shares gets what fewest have.
        for device in sorted(self._serving(ask.resource), key=lambda each: self._users[each.uuid]):
            if len(taken) < ask.count and (lock := self._lock(f"{device.uuid}.lock", how)) is not None:
                taken[device.uuid] = lock
        held = Held(tuple(taken), tuple(taken.values()))
        self._users.update(held.uuids)
        if len(taken) == ask.count:
            return held
        self.give(held)
        return None

    def _lock(self, name: str, how: Callable[[Path], locks.Lock | None]) -> locks.Lock | None:
        # What cannot be locked now, for want of descriptors or room, counts as taken: it is tried again.
        with suppress(OSError, MachineFault):
            return how(self._folder / re.sub(r"[^\w.-]", "-", name))
        return None
