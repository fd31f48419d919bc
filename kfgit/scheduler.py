"""The clock of the local server: fires the schedules of a store when they are due.

A thin loop around `firing`. It sleeps until the next tick or a nudge, but never long: other processes change the store
without a word, clocks are set, and laptops are closed and opened. Nothing is kept here that would be lost with the
process; what it missed, the next one finds owed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from kfgit.backends.local import firing
from kfgit.backends.local.backend import LocalBackend

POLL_SECONDS = 1.0
# At least so long between two looks, however often it is nudged, and between two batches: others want to write too.
BREATH_SECONDS = 0.02
_AFTER_A_FAULT = 5.0
# The same fault is not told again for so long: a schedule may be skipped every second.
_TOLD_FOR = timedelta(hours=1)
# A step back of the clock; less is what keeping it right does all the time.
_STEP_BACK = timedelta(seconds=5)


class Scheduler:
    """The schedules of one environment. `now` is the clock, `told` hears of faults, `fired` of runs that wait now."""

    def __init__(
        self,
        backend: LocalBackend,
        now: Callable[[], datetime],
        told: Callable[[str], None],
        fired: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = backend.database
        self._environment = backend.settings.environment
        self._now = now
        self._told = told
        self._fired = fired
        # Since the start, for those who count.
        self.fired_ticks = self.skipped_ticks = 0
        self._looked_at: datetime | None = None
        self._fault: str | None = None
        self._faults: dict[str, datetime] = {}
        self._changed = threading.Condition()
        self._nudged = False
        self._stopping = False
        self._thread = threading.Thread(target=self._watch, name="kfgit-scheduler", daemon=True)

    def start(self) -> None:
        """Begins to fire what is due, first of all what is owed from before."""
        self._thread.start()

    def nudge(self) -> None:
        """A schedule changed, or a run of one ended."""
        with self._changed:
            self._nudged = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Returns when nothing fires any more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> float:
        """Fires all that is due, and returns after how many seconds to look again. Raises what goes wrong."""
        now = self._now()
        if self._looked_at is None or now < self._looked_at - _STEP_BACK:
            firing.look_at_all(self._database)
        self._looked_at = now
        while not self._stopping:
            done = firing.fire(self._database, self._environment, now)
            self.fired_ticks += len(done.fired)
            self.skipped_ticks += done.skipped
            self._tell(done.faults, now)
            if done.fired:
                self._fired()
            if done.looked < firing.BATCH:
                break
            self._pause(BREATH_SECONDS)
        wake = firing.next_wake(self._database, now)
        if wake is None:
            return POLL_SECONDS
        return min(max((wake - self._now()).total_seconds(), BREATH_SECONDS), POLL_SECONDS)

    def _tell(self, faults: Sequence[str], now: datetime) -> None:
        self._faults = {text: at for text, at in self._faults.items() if abs(now - at) < _TOLD_FOR}
        for fault in faults:
            if fault not in self._faults:
                self._told(fault)
                self._faults[fault] = now

    def _watch(self) -> None:
        while not self._stopping:
            self._pause(self._look_safely(), until_nudged=True)
            self._pause(BREATH_SECONDS)

    def _look_safely(self) -> float:
        try:
            seconds = self.look()
        except Exception as fault:  # noqa: BLE001 - whatever it is, the next look may do better
            text = str(fault) or repr(fault)
            if text != self._fault:
                self._told(f"the scheduler could not look at the schedules: {text}")
            self._fault = text
            return _AFTER_A_FAULT
        self._fault = None
        return seconds

    def _pause(self, seconds: float, *, until_nudged: bool = False) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or (until_nudged and self._nudged), seconds)
            if until_nudged:
                self._nudged = False
