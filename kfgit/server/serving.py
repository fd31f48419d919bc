"""One server from its first moment to its last: it takes the environment, listens, schedules, executes, and ends.

Everything that goes on here belongs to this process: API calls on worker threads, the scheduler on a thread of its
own, runs on theirs. The first signal ends it as Ctrl-C ends `kfgit run`: no more calls, no more ticks, runs are
canceled and their exit tasks still run, for so long; the second stops them at once. What waits stays for the next
server.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import uvicorn

from kfgit.backend import MachineFault
from kfgit.backends.local import holding
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.executor import Executor, usual_runs
from kfgit.backends.local.store import runs, schedules
from kfgit.model import Retention
from kfgit.scheduler import Scheduler
from kfgit.server import app, guard
from kfgit.server.access import Log, Watched
from kfgit.server.answering import ROUTE, Api
from kfgit.server.calls import Context, Route
from kfgit.server.connections import Connection, sweep
from kfgit.server.keeping import Keeper
from kfgit.server.metrics import Looked, Metrics

KEEP_ALIVE_SECONDS = 75
# Calls that are under way when the server ends.
DRAIN_SECONDS = 5
# Exit tasks of the runs that the server's end cancels.
END_SECONDS = 20.0
# Calls answer with JSON, and nothing of it is to be kept, framed or guessed at.
HEADERS = [
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
]


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
    """Who is told what: that it is ready, what goes wrong, and each line of the log where somebody wants to see it."""

    ready: Callable[[holding.Holder], None]
    trouble: Callable[[str], None]
    ending: Callable[[int], None]
    line: Callable[[str], None] | None = None


def serve(backend: LocalBackend, settings: Settings, voice: Voice) -> None:
    """Serves until a signal comes. Raises `Locked` where another server has it, `MachineFault` for a port in use."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    who = holding.this_process(settings.who, since, engine=settings.engine, scheduler=settings.scheduler)
    held = holding.hold(backend.settings.state, who)
    try:
        with _listening(settings.host, settings.port) as listener:
            url = _url(settings.host, listener.getsockname()[1])
            _Serving(backend, settings, voice, listener, replace(who, url=url), held).run()
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
        holder: holding.Holder,
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
        self._keeper = Keeper(backend, settings.retention, _now, self._trouble)
        self._metrics = Metrics(self._look)
        self._signals = 0
        self._server: _Uvicorn | None = None

    def run(self) -> None:
        """From ready to ended."""
        context = Context(self._backend, _now, self._nudge)
        api = Api(app.routes(), context, self._fault)
        rules = guard.rules(self._settings.host, self._settings.token)
        served = Watched(app.make(api, rules, self._metrics.page), self._log, self._metrics.count, ROUTE)
        self._server = _Uvicorn(_config(served), self._begin)
        with self._signalled():
            try:
                self._server.run([self._listener])
            finally:
                self._end()
                api.close()
                self._log.event("ended")
                self._log.close()

    def _begin(self) -> None:
        """The socket answers now."""
        self._held.tell(self._holder)
        if self._executor is not None:
            self._executor.start()
        if self._scheduler is not None:
            self._scheduler.start()
        self._keeper.start()
        self._log.event("started", url=self._holder.url, pid=self._holder.pid)
        self._voice.ready(self._holder)

    def _end(self) -> None:
        if self._scheduler is not None:
            self._scheduler.stop()
        self._keeper.stop()
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


class _Uvicorn(uvicorn.Server):
    """uvicorn without its own signals, and with the sweep over its connections."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun = begun
        self._sweeping: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, and says so."""
        await super().startup(sockets)
        self._sweeping = asyncio.get_running_loop().create_task(sweep(self.server_state.connections))
        self._begun()

    def capture_signals(self) -> Any:
        """Signals are the business of whoever runs this."""
        return nullcontext()


def _config(served: Any) -> uvicorn.Config:
    # What uvicorn has to say is said by others: calls by the access log, broken ones by the handler's own log.
    logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn.error").propagate = False
    return uvicorn.Config(
        served,
        http=Connection,
        ws="none",
        lifespan="off",
        loop="uvloop" if _has_uvloop() else "asyncio",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=HEADERS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        backlog=256,
    )


def _has_uvloop() -> bool:
    from importlib.util import find_spec

    return find_spec("uvloop") is not None


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound to the address; raises `MachineFault` where it cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as fault:
        raise MachineFault(f"nobody knows the address `{host}`: {fault.strerror}") from fault
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as fault:
        listener.close()
        why = "it is in use" if fault.errno == 98 else (fault.strerror or str(fault)).lower()
        raise MachineFault(
            f"cannot listen at {host}:{port}: {why}; --port 0 takes any that is free"
        ) from fault
    with listener:
        yield listener


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _now() -> datetime:
    return datetime.now(UTC)
