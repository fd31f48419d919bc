"""Follows a run of a cluster to its end.

Nothing is executed here: the server is asked, ever less often while nothing happens, and one that does not answer for a
while is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.wire import Unreachable
from kfgit.backends.cluster.history import run_calls
from kfgit.backends.cluster.history.run_records import Told
from kfgit.backends.cluster.history.runs import ClusterRuns
from kfgit.backends.cluster.kfp.answers import KfpFault
from kfgit.events import FINAL, Event, Preparing, RunFinished, RunRecord, RunStarted, TaskChanged

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 1.0, 10.0, 1.5
# A server that is upgraded may be away for so long.
PATIENCE_SECONDS = 900.0
Read: TypeAlias = Callable[[], tuple[RunRecord, tuple[Told, ...]]]
_TAIL_LINES, _LINE_CHARACTERS = 15, 2000


@dataclass(frozen=True, slots=True)
class Clock:
    """Tests hand in another."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def watch(runs: ClusterRuns, id_or_prefix: str, clock: Clock = Clock()) -> Iterator[Event]:
    """What happens, and at last `RunFinished`; raises `NotFound` for a run that is not there, or not any more."""
    run_id = runs.resolve(id_or_prefix)
    read, pause, begun = runs.reader(run_id), FIRST_PAUSE, False
    told: dict[str, Told] = {}
    while True:
        run, tasks = yield from _asked(read, run_id, clock)
        if not begun and run.state != "PENDING":
            begun = True
            yield RunStarted(run)
        news = [one for one in tasks if told.get(one.record.key or one.record.path) != one]
        for one in news:
            told[one.record.key or one.record.path] = one
            yield _changed(runs, run_id, one)
        if run.state in FINAL:
            yield RunFinished(run)
            return
        pause = FIRST_PAUSE if news else min(pause * GROWTH, LONGEST_PAUSE)
        clock.sleep(pause)


def _asked(
    read: Read, run_id: str, clock: Clock
) -> Generator[Event, None, tuple[RunRecord, tuple[Told, ...]]]:
    """What the server says; while it has no answer it is asked again, for as long as it may be away."""
    since, pause = clock.now(), FIRST_PAUSE
    while True:
        try:
            return read()
        except (Unreachable, KfpFault) as fault:
            if isinstance(fault, KfpFault) and fault.status < 500:
                raise
            if clock.now() - since > PATIENCE_SECONDS:
                raise
            if pause == FIRST_PAUSE:
                yield Preparing(run_id, f"{fault}; the run goes on, and KFP is asked again")
            clock.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE)


def _changed(runs: ClusterRuns, run_id: str, one: Told) -> TaskChanged:
    """The news of a task; of one that failed with the end of what it said, where that can still be read."""
    task = one.record
    if task.state != "FAILED" or not one.logs or task.component is None:
        return TaskChanged(run_id, task)
    try:
        lines = (run_calls.log(runs.api, run_id, one.logs[-1]) or "").splitlines()
    except MachineFault:
        return TaskChanged(run_id, task)
    return TaskChanged(run_id, task, tuple(line[:_LINE_CHARACTERS] for line in lines[-_TAIL_LINES:]))
