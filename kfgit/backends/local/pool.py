"""Threads that carry out attempts: at most so many at once, the others wait in the order they came."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable


def usual_limit() -> int:
    """How many attempts run at once: most of them wait for their processes, so twice the processors, at least 8."""
    return max(8, 2 * (os.cpu_count() or 1))


class Pool:
    """Jobs are plain functions that never raise. The threads are daemons: kfgit's end does not wait for them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running = 0
        self._waiting: OrderedDict[int, Callable[[], None]] = OrderedDict()
        self._next_ticket = 0
        self._guard = threading.Lock()

    def submit(self, job: Callable[[], None]) -> int:
        """Starts the job now or when its turn comes; the ticket withdraws it."""
        with self._guard:
            self._next_ticket += 1
            ticket = self._next_ticket
            if self._running >= self._limit:
                self._waiting[ticket] = job
                return ticket
            self._running += 1
        self._start(job)
        return ticket

    def withdraw(self, ticket: int) -> bool:
        """Takes a job back; False when it has begun."""
        with self._guard:
            return self._waiting.pop(ticket, None) is not None

    def _start(self, job: Callable[[], None]) -> None:
        try:
            threading.Thread(target=self._work, args=(job,), name="kfgit-attempt", daemon=True).start()
        except BaseException:
            with self._guard:
                self._running -= 1
            raise

    def _work(self, job: Callable[[], None] | None) -> None:
        while job is not None:
            try:
                job()
            finally:
                job = self._take_next()

    def _take_next(self) -> Callable[[], None] | None:
        with self._guard:
            if self._waiting:
                return self._waiting.popitem(last=False)[1]
            self._running -= 1
            return None
