"""One server from its first moment to its last: it takes the environment, listens, schedules, executes, and ends.

Everything that goes on here belongs to this process: API calls on worker threads, the scheduler on a thread of its
own, runs on theirs. The first signal ends it as Ctrl-C ends `kfgit run`: no more calls, no more ticks, runs are
canceled and their exit tasks still run, for so long; the second stops them at once. What waits stays for the next
server.
"""

from __future__ import annotations

import logging
import signal
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import FrameType

from kfgit.backend import MachineFault
from kfgit.backends.local import holding
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.executor import Executor, usual_runs
from kfgit.backends.local.store import experiments, runs, schedules
from kfgit.events import Holder
from kfgit.ir import DEFAULT_EXPERIMENT
from kfgit.model import Retention
from kfgit.scheduler import Scheduler
from kfgit.server import app, guard
from kfgit.server.answering import ROUTE, Api
from kfgit.server.calls import Context, Route
from kfgit.server.listening import Server, config, listening, url
from kfgit.server.log import Log, Watched
from kfgit.server.metrics import Looked, Metrics
from kfgit.server.sweeper import Sweeper

# Exit tasks of the runs that the server's end cancels.
END_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server is wanted. `port` 0 is any that is free."""

    host: str
    port: int
    token: bytes | None
    scheduler: bool
    engine: bool
    who: str
    retention: Retention


@dataclass(frozen=True, slots=True)
class Voice:
    """Who hears what: that it is ready, what goes wrong, how many runs its end cancels; `line` hears the whole log."""

    ready: Callable[[Holder], None]
    trouble: Callable[[str], None]
    ending: Callable[[int], None]
    line: Callable[[str], None] | None = None


def serve(backend: LocalBackend, settings: Settings, voice: Voice) -> None:
    """Serves until a signal comes. Raises `Locked` where another server has it, `MachineFault` for a port in use."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    who = holding.this_process(settings.who, since, engine=settings.engine, scheduler=settings.scheduler)
    held = holding.hold(backend.settings.state, who)
    try:
        with listening(settings.host, settings.port) as listener:
            address = url(settings.host, listener.getsockname()[1])
            _Serving(backend, settings, voice, listener, replace(who, url=address), held).run()
    finally:
        held.release()


class _Serving:
    """The parts of one server, and their order."""

    def __init__(
        self,
        backend: LocalBackend,
        settings: Settings,
        voice: Voice,
        listener: socket.socket,
        holder: Holder,
        held: holding.Hold,
    ) -> None:
        self._backend, self._settings, self._voice = backend, settings, voice
        self._listener, self._holder, self._held = listener, holder, held
        self._log = Log(backend.settings.state / "server.log", voice.line)
        self._executor = (
            Executor(backend, usual_runs(), self._trouble, self._run_ended) if settings.engine else None
        )
        self._scheduler = (
            Scheduler(backend, _now, self._trouble, self._nudge_executor) if settings.scheduler else None
        )
        self._sweeper = Sweeper(backend, settings.retention, _now, self._trouble)
        self._metrics = Metrics(self._look)
        self._signals = 0
        self._server: Server | None = None

    def run(self) -> None:
        """From ready to ended."""
        with self._backend.database.write() as db:
            # KFP's server has it from its first moment.
            experiments.ensure(db, DEFAULT_EXPERIMENT, _now())
        context = Context(self._backend, _now, self._nudge)
        api = Api(app.routes(), context, self._fault)
        rules = guard.rules(self._settings.host, self._settings.token)
        served = Watched(app.make(api, rules, self._metrics.page), self._log, self._metrics.count, ROUTE)
        self._server = Server(config(served), self._begin)
        with self._signalled(), _noted(self._log):
            try:
                self._server.run([self._listener])
            finally:
                api.close()
                try:
                    self._end()
                finally:
                    self._log.event("ended")
                    self._log.close()

    def _begin(self) -> None:
        """The socket answers now."""
        self._held.tell(self._holder)
        if self._executor is not None:
            self._executor.start()
        if self._scheduler is not None:
            self._scheduler.start()
        self._sweeper.start()
        self._log.event("started", url=self._holder.url, pid=self._holder.pid)
        self._voice.ready(self._holder)

    def _end(self) -> None:
        if self._scheduler is not None:
            self._scheduler.stop()
        self._sweeper.stop()
        if self._executor is not None:
            self._voice.ending(self._executor.active)
            self._executor.stop(END_SECONDS)

    def _nudge(self) -> None:
        self._nudge_executor()
        self._run_ended()

    def _nudge_executor(self) -> None:
        if self._executor is not None:
            self._executor.nudge()

    def _run_ended(self) -> None:
        # A schedule may wait for one of its runs to end.
        if self._scheduler is not None:
            self._scheduler.nudge()

    @contextmanager
    def _signalled(self) -> Iterator[None]:
        wanted = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            wanted.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._signal) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        if self._server is not None:
            self._server.should_exit = True
            self._server.force_exit = self._signals > 1
        if self._signals > 1 and self._executor is not None:
            self._executor.hurry()

    def _trouble(self, what: str) -> None:
        self._log.event("trouble", message=what)
        self._voice.trouble(what)

    def _fault(self, number: str, route: Route, fault: Exception) -> None:
        text = "".join(traceback.format_exception(fault))
        self._log.event("fault", id=number, route=f"{route.method} {route.path}", traceback=text[-8000:])
        self._voice.trouble(
            f"this is a mistake in kfgit itself, in {route.method} {route.path}: {type(fault).__name__}: {fault} "
            f"({number} in server.log)"
        )

    def _look(self) -> Iterator[Looked]:
        # Of a store that cannot be read nothing is told; the others' numbers are wanted then all the more.
        with suppress(MachineFault):
            with self._backend.database.read() as db:
                by_state, enabled = runs.counts(db), schedules.enabled(db)
            yield Looked("kfgit_runs", "Runs in the store.", by_state)
            yield Looked("kfgit_schedules_enabled", "Schedules that fire.", {"": enabled})
        if self._scheduler is not None:
            decided = {"fired": self._scheduler.fired_ticks, "skipped": self._scheduler.skipped_ticks}
            yield Looked("kfgit_schedule_ticks_total", "Ticks that this server decided on.", decided)
        if self._executor is not None:
            yield Looked(
                "kfgit_executor_active", "Runs that this server executes.", {"": self._executor.active}
            )


class _Notes(logging.Handler):
    """What libraries have to say, as lines of the server's own log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one."""
        self._log.event("note", by=record.name, message=self.format(record)[:8000])


@contextmanager
def _noted(log: Log) -> Iterator[None]:
    notes, root = _Notes(log), logging.getLogger()
    # Of each form that is none; the client is told, and its call is in the log.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    root.addHandler(notes)
    try:
        yield
    finally:
        root.removeHandler(notes)


def _now() -> datetime:
    return datetime.now(UTC)
