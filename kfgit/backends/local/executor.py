"""Executes what others asked for: runs that wait are picked up, oldest first, so many at once.

Any process may add a run to the store, so the executor looks now and then, and at once when it is nudged. A fault in
one run is told and lets the others go on; a run that could not even be taken is tried again later. Runs whose process
died are ended as such, and so are those that were canceled before anybody began them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable

from kfgit.backend import MachineFault
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.runner import Execution

POLL_SECONDS = 0.25
# At least so long between two looks, however often it is nudged.
BREATH_SECONDS = 0.02
_RETRY_SECONDS = 30.0


def usual_runs() -> int:
    """How many runs go on at once: they mostly wait, and their attempts are bounded by the backend's pool."""
    return max(16, 4 * (os.cpu_count() or 1))


class Executor:
    """The runs that one process executes. `troubled` is told what could not be done, `ended` hears of each end."""

    def __init__(
        self,
        backend: LocalBackend,
        limit: int,
        troubled: Callable[[str], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._backend = backend
        self._ended = ended
        self._limit = limit
        self._troubled = troubled
        self._changed = threading.Condition()
        self._nudged = False
        self._stopping = False
        self._fault = ""
        self._going: dict[str, Execution] = {}
        self._set_aside: dict[str, float] = {}
        self._loop = threading.Thread(target=self._watch, name="kfgit-executor", daemon=True)

    @property
    def active(self) -> int:
        """How many runs go on."""
        return len(self._going)

    def start(self) -> None:
        """Begins to look for runs."""
        self._loop.start()

    def nudge(self) -> None:
        """Something is pending, or somebody was asked to stop."""
        with self._changed:
            self._nudged = True
            self._changed.notify_all()

    def stop(self, patience: float) -> None:
        """Takes no more runs and cancels those that go on; after `patience` seconds what is left is stopped at once."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._loop.join()
        for execution in self._executions():
            execution.cancel(at_once=False)
        with self._changed:
            self._changed.wait_for(lambda: not self._going, patience)
        self.stop_at_once()

    def stop_at_once(self) -> None:
        """Ends every run that goes on without its exit task. `stop` returns soon after that."""
        going = self._executions()
        for execution in going:
            execution.cancel(at_once=True)
        for execution in going:
            execution.stop_and_wait()

    def hurry(self) -> None:
        """Makes a `stop` that waits stop at once; safe in a signal handler."""
        for execution in tuple(self._going.values()):
            execution.cancel(at_once=True)

    def _executions(self) -> Iterable[Execution]:
        with self._changed:
            return tuple(self._going.values())

    def _watch(self) -> None:
        while True:
            self._pass_safely()
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, BREATH_SECONDS)
                self._changed.wait_for(lambda: self._nudged or self._stopping, POLL_SECONDS)
                self._nudged = False
                if self._stopping:
                    return

    def _pass_safely(self) -> None:
        try:
            self._pass()
        except Exception as fault:  # noqa: BLE001 - whatever it is, the next look may do better
            text = str(fault) or repr(fault)
            if text != self._fault:
                self._troubled(f"the executor could not look for runs: {_told(fault)}")
            self._fault = text
        else:
            self._fault = ""

    def _pass(self) -> None:
        self._backend.recover()
        now = time.monotonic()
        self._set_aside = {id_: until for id_, until in self._set_aside.items() if until > now}
        free = self._limit - len(self._going)
        if free <= 0:
            return
        waiting = self._backend.pending(free + len(self._set_aside))
        for run_id in [each for each in waiting if each not in self._set_aside][:free]:
            self._begin(run_id)

    def _begin(self, run_id: str) -> None:
        try:
            job = self._backend.claim(run_id)
            if job is None:
                return
            execution = Execution(job)
            with self._changed:
                self._going[run_id] = execution
            execution.start()
            threading.Thread(
                target=self._see_through,
                args=(run_id, execution),
                name=f"kfgit-see-{run_id[:8]}",
                daemon=True,
            ).start()
        except Exception as fault:  # noqa: BLE001 - one run's trouble, whatever it is, is not the others'
            self._set_aside[run_id] = time.monotonic() + _RETRY_SECONDS
            self._forget(run_id)
            self._troubled(f"run {run_id} cannot be begun: {_told(fault)}")

    def _see_through(self, run_id: str, execution: Execution) -> None:
        try:
            for _ in execution.events():
                pass
            execution.finished()
        except Exception as fault:  # noqa: BLE001 - as above
            self._troubled(f"run {run_id}: {_told(fault)}")
        finally:
            self._forget(run_id)
            self._ended()

    def _forget(self, run_id: str) -> None:
        with self._changed:
            self._going.pop(run_id, None)
            self._nudged = True
            self._changed.notify_all()


def _told(fault: Exception) -> str:
    match fault:
        case MachineFault():
            return str(fault)
        case OSError(strerror=str(why), filename=str(path)):
            return f"{why.lower()}: {path}"
        case _:
            return f"{type(fault).__name__}: {fault}"
