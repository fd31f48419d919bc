"""Threads that carry out attempts: at most so many at once, the others wait in the order they came."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable

_IDLE_SECONDS = 5.0


def usual_limit() -> int:
    """How many attempts run at once: most of them wait for their processes, so twice the processors, at least 8."""
    return max(8, 2 * (os.cpu_count() or 1))


class Pool:
    """Jobs are plain functions that never raise. The threads are daemons: kfgit's end does not wait for them.

    A thread that runs out of jobs waits a little for the next one, since starting one costs more than a short job.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._threads = 0
        self._idle = 0
        self._next_ticket = 0
        self._waiting: OrderedDict[int, Callable[[], None]] = OrderedDict()
        self._changed = threading.Condition()

    def submit(self, job: Callable[[], None]) -> int:
        """Starts the job now or when its turn comes; the ticket withdraws it."""
        with self._changed:
            self._next_ticket += 1
            self._waiting[self._next_ticket] = job
            if len(self._waiting) <= self._idle:
                self._changed.notify()
            elif self._threads < self._limit:
                self._begin_thread()
            return self._next_ticket

    def withdraw(self, ticket: int) -> bool:
        """Takes a job back; False when it has begun."""
        with self._changed:
            return self._waiting.pop(ticket, None) is not None

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
        while (job := self._next()) is not None:
            job()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._idle += 1
            came = self._changed.wait_for(lambda: bool(self._waiting), _IDLE_SECONDS)
            self._idle -= 1
            if came:
                return self._waiting.popitem(last=False)[1]
            self._threads -= 1
            return None
