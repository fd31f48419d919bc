"""Executes one run: the engine decides, threads carry out, the store remembers, events tell.

A driver thread alone touches the engine's state: it takes what happened since it last looked, lets the engine answer,
writes what changed in one transaction, and only then carries the commands out. The consumer's thread does nothing but
wait for events, so Ctrl-C never interrupts a transaction: the first cancels (the exit task still runs), the second
stops everything at once, and closing the generator early is like the second.
"""

from __future__ import annotations

import heapq
import queue
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from signal import SIGINT, default_int_handler, getsignal, signal as handle
from types import FrameType
from typing import Any

from kfgit.backend import MachineFault
from kfgit.backends.local import engine, removing, worker
from kfgit.backends.local.attempts import Attempts, now
from kfgit.backends.local.folders import write_run
from kfgit.backends.local.job import Job, initial
from kfgit.backends.local.journal import Journal
from kfgit.backends.local.protocol import Begin, Cancel, Command, Failed, Signal, Succeeded, Tick, WakeAt
from kfgit.backends.local.store import runs, successes, transitions
from kfgit.events import FINAL, Event, RunFinished, RunStarted, State, TaskRecord

CANCEL_POLL_SECONDS = 0.3
_BATCH = 256


def execute(job: Job) -> Iterator[Event]:
    """Executes a claimed run to its end and tells what happens. Ends with `RunFinished`.

    Raises `MachineFault` when kfgit itself cannot go on; the run is then written as failed as far as that is possible.
    """
    execution = Execution(job)
    with _interrupts_reach(execution):
        try:
            execution.start()
            yield from execution.events()
        finally:
            execution.stop_and_wait()
    yield execution.finished()


@contextmanager
def _interrupts_reach(execution: Execution) -> Iterator[None]:
    # Ctrl-C may come while the consumer renders an event, where it would end the loop around this generator. A program
    # that handles SIGINT in its own way, or watches on another thread, is left alone.
    if (
        threading.current_thread() is not threading.main_thread()
        or getsignal(SIGINT) is not default_int_handler
    ):
        yield
        return
    handle(SIGINT, execution.interrupt)
    try:
        yield
    finally:
        with suppress(ValueError):  # closed by the garbage collector on another thread
            handle(SIGINT, default_int_handler)


class Execution:
    """One run that is being executed; `told` and `over` are for its one consumer, which takes `events`."""

    def __init__(self, job: Job) -> None:
        # None only wakes the consumer up.
        self.told: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.over = threading.Event()
        self._job = job
        # A daemon: a kfgit that ends must not wait for it.
        self._thread = threading.Thread(target=self._drive, name=f"kfgit-run-{job.id[:8]}", daemon=True)
        self._signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self._attempts = Attempts(job, self._signals.put, self.told.put)
        self._journal = Journal(job, self._attempts)
        self._wakes: list[tuple[float, datetime]] = []
        self._interrupts = 0
        self._canceled = False
        # No lock guards it: a signal handler sets it.
        self._at_once = False
        self._stopping_since: float | None = None
        self._polled_at = time.monotonic()
        self._finished: RunFinished | None = None
        self._fault: BaseException | None = None

    def start(self) -> None:
        """Lets the driver begin."""
        self._thread.start()

    def events(self) -> Iterator[Event]:
        """What happens, until all is over; `RunFinished` is not among it: see `finished`."""
        while not self.over.is_set() or not self.told.empty():
            try:
                event = self.told.get(timeout=0.2)
            except queue.Empty:
                continue
            except KeyboardInterrupt:
                self.interrupt()
                continue
            if event is not None:
                yield event

    def cancel(self, *, at_once: bool) -> None:
        """Asks the run to end; `at_once` without its exit task."""
        if at_once:
            self._at_once = True
        self._signals.put(Cancel(now()))

    def interrupt(self, number: int = SIGINT, frame: FrameType | None = None) -> None:
        """Ctrl-C: the first cancels, the second stops at once, a third is for the program. Safe in a signal handler."""
        self._interrupts += 1
        if self._interrupts > 2:
            default_int_handler(number, frame)
        self.cancel(at_once=self._interrupts > 1)

    def stop_and_wait(self) -> None:
        """Ends what is still going on; returns when the driver is through."""
        if not self.over.is_set():
            self.cancel(at_once=True)
        if self._thread.ident is None:
            # Interrupted before it began: it still has to say so.
            self._thread.start()
        self.over.wait(self._job.work.stop_seconds + 5)

    def finished(self) -> RunFinished:
        """The last event; raises what broke the driver."""
        if self._finished is not None:
            return self._finished
        if isinstance(self._fault, MachineFault):
            raise self._fault
        raise MachineFault(f"run {self._job.id} broke off: {self._fault!r}") from self._fault

    def _drive(self) -> None:
        try:
            self._run()
        except BaseException as fault:  # noqa: BLE001 - `finished` hands it to the consumer
            self._fault = fault
            self._attempts.stop_all()
            with suppress(Exception), self._job.database.write() as db:
                transitions.abandon(db, self._job.id, f"kfgit broke off: {fault}", now())
        finally:
            self._job.ownership.release()
            with suppress(Exception):
                self._clear()
            self.over.set()
            self.told.put(None)

    def _clear(self) -> None:
        with self._job.database.read() as db:
            deleted = runs.state(db, self._job.id) is None
        if deleted:
            removing.clear(self._job.database, self._job.folders)

    def _run(self) -> None:
        self.told.put(RunStarted(self._job.run.record))
        try:
            self._attempts.settle()
            state = initial(self._job)
        except (engine.EngineError, worker.TaskFailure) as fault:
            self._finish("FAILED", error=str(fault))
            return
        state = self._step(state, [Begin(now())])
        while (outcome := engine.outcome(state)) is None and not self._written_off():
            state = self._step(state, self._collect())
        self._attempts.stop_all()
        if outcome is None:
            self._finish("CANCELED", cut_off(engine.records(state)), error="stopped at once")
        else:
            end: State = "CANCELED" if self._at_once else outcome.state
            self._finish(end, engine.records(state), outcome.outputs, outcome.error)

    def _step(self, before: engine.RunState, signals: Sequence[Signal]) -> engine.RunState:
        state, commands = before, list[Command]()
        waiting = deque(signals)
        while waiting:
            signal = waiting.popleft()
            if isinstance(signal, Succeeded | Failed):
                self._attempts.ended(signal.key)
            if isinstance(signal, Failed) and self._at_once:
                # It was stopped, maybe without the engine's asking, and that is no failure: see `cut_off`.
                continue
            state, more = engine.advance(state, signal)
            # What is kept is there at once: nothing else can fail before it.
            answers = [(command, self._attempts.kept(command)) for command in more]
            commands += [command for command, answer in answers if answer is None]
            waiting.extendleft(answer for _, answer in reversed(answers) if answer is not None)
        if state is not before:
            succeeded = [signal for signal in signals if isinstance(signal, Succeeded)]
            changed = engine.changes(before, state)
            for event in self._journal.write(changed, succeeded, lambda: engine.records(state)):
                self.told.put(event)
        for command in commands:
            if isinstance(command, WakeAt):
                seconds = (command.at - now()).total_seconds()
                heapq.heappush(self._wakes, (time.monotonic() + seconds, command.at))
            else:
                self._attempts.carry_out(command)
        return state

    def _collect(self) -> list[Signal]:
        signals: list[Signal] = []
        with suppress(queue.Empty):
            signals.append(self._signals.get(timeout=self._patience()))
            while len(signals) < _BATCH:
                signals.append(self._signals.get_nowait())
        signals += self._due()
        if self._asked_to_cancel():
            signals.append(Cancel(now()))
        return [signal for signal in signals if not isinstance(signal, Cancel) or self._first_cancel()]

    def _patience(self) -> float:
        until = min([self._polled_at + CANCEL_POLL_SECONDS, *(at for at, _ in self._wakes[:1])])
        return max(0.0, until - time.monotonic())

    def _due(self) -> list[Tick]:
        """One tick for all that is due, at no earlier an instant: the clock may have been set back meanwhile."""
        instants = []
        while self._wakes and self._wakes[0][0] <= time.monotonic():
            instants.append(heapq.heappop(self._wakes)[1])
        return [Tick(max(now(), *instants))] if instants else []

    def _asked_to_cancel(self) -> bool:
        if time.monotonic() - self._polled_at < CANCEL_POLL_SECONDS:
            return False
        self._polled_at = time.monotonic()
        with self._job.database.read() as db:
            state = runs.state(db, self._job.id)
        if state is None:
            # The run was deleted: nobody wants its exit task.
            self._at_once = True
        return not self._canceled and state != "RUNNING"

    def _first_cancel(self) -> bool:
        first, self._canceled = not self._canceled, True
        if first:
            with self._job.database.write() as db:
                transitions.request_cancel(db, self._job.id, now())
        return first

    def _written_off(self) -> bool:
        # The engine ends by itself once every attempt has answered; a retry's wait or a deaf process is cut short.
        if not self._at_once:
            return False
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            self._attempts.stop_all()
        idle = self._canceled and self._signals.empty() and self._attempts.idle
        return idle or time.monotonic() - self._stopping_since > self._job.work.stop_seconds

    def _finish(
        self,
        state: State,
        tasks: Sequence[TaskRecord] = (),
        outputs: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        for event in self._journal.settle(tasks):
            self.told.put(event)
        record = replace(
            self._job.run.record,
            state=state,
            tasks=tuple(tasks),
            outputs=outputs or {},
            error=error,
            finished_at=now(),
            notes=tuple(dict.fromkeys((*self._job.run.record.notes, *self._attempts.notes))),
        )
        with self._job.database.write() as db:
            transitions.finish(db, record)
            if state == "SUCCEEDED":
                successes.drop(db, record.id)
        with suppress(OSError):
            write_run(self._job.folder, record)
        if state == "SUCCEEDED" and self._job.workspace is not None:
            # As Argo does with the claim (its volumeClaimGC); what a failed run left there may tell why it failed.
            shutil.rmtree(self._job.workspace, ignore_errors=True)
        self._finished = RunFinished(record)


def cut_off(tasks: Sequence[TaskRecord]) -> tuple[TaskRecord, ...]:
    """Tasks of a run that was written off: what ran is canceled, what waited is skipped."""
    at = now()
    return tuple(
        task
        if task.state in FINAL
        else replace(task, state="SKIPPED")
        if task.state == "PENDING" and not task.attempts
        else replace(task, state="CANCELED", finished_at=at)
        for task in tasks
    )
