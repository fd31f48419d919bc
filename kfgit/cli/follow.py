"""Following a run to its end: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from kfgit.backend import Backend, Refused
from kfgit.cli import exits
from kfgit.cli.session import Session
from kfgit.events import Event, Preparing, RunFinished, RunRecord, RunStarted, TaskChanged
from kfgit.plan import LOCAL_TARGET
from kfgit.render import runs as show
from kfgit.render.style import clean, duration, one_line

if TYPE_CHECKING:
    from kfgit.backend import Backend

CLEAR = "\r\x1b[K"


class Followed(NamedTuple):
    """A run that was watched to its end, and the exit code that tells how it ended."""

    run: RunRecord
    code: int


def follow(session: Session, backend: Backend, run_id: str, timeout: float | None = None) -> Followed:
    """Watches a run, executing it here where nobody else does. Ctrl-C cancels it, and its exit task still runs.

    How it ended is the result, on stdout; what happens on the way goes to stderr.
    """
    view = _View(session, _ending_words(backend))
    with terminable(), _limited(backend, run_id, timeout) as late:
        for event in backend.watch(run_id):
            view.tell(event)
    run = backend.runs.get(run_id)
    if late.is_set() and run.state == "CANCELED":
        session.warn(
            f"kfgit: run {clean(run.name)} took longer than {duration(timeout)} and was canceled, as its `wait` says"
        )
        return Followed(run, exits.FAILED)
    return Followed(run, code(run))


def see_through(session: Session, backend: Backend, run_id: str, timeout: float | None = None) -> Followed:
    """Follows a run that this command has begun: Ctrl-C ends it also where a server executes it."""
    try:
        return follow(session, backend, run_id, timeout)
    except KeyboardInterrupt:
        # What a server executes goes on without us: it is asked to stop, and that is seen through.
        backend.runs.cancel(run_id)
        return follow(session, backend, run_id)


def check_served(backend: Backend) -> None:
    """Raises `Refused` where nobody executes a run that is left to itself."""
    environment = backend.environment
    if not backend.served():
        raise Refused(
            f"no server executes the runs of `{environment}`, so this one would wait for ever; "
            f"start one: kfgit up -e {environment}, or leave --detach out"
        )


def code(run: RunRecord) -> int:
    """The exit code that tells how a run ended."""
    return {"SUCCEEDED": exits.DONE, "CANCELED": exits.INTERRUPTED}.get(run.state, exits.FAILED)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM and a lost terminal end a run as Ctrl-C does, which the runner itself listens to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    # Under nohup SIGHUP is ignored, and stays so.
    wanted = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ending_words(backend: Backend) -> str:
    """What becomes of a run that is canceled. KFP gives its workflow no time any more (`TerminateWorkflow`)."""
    return "the exit task still runs" if backend.identity == LOCAL_TARGET else "KFP ends its tasks"


def _executed_here() -> bool:
    """The runner listens to Ctrl-C itself; what others execute is not stopped by it."""
    return signal.getsignal(signal.SIGINT) is not signal.default_int_handler


@contextmanager
def _limited(backend: Backend, run_id: str, timeout: float | None) -> Iterator[threading.Event]:
    late = threading.Event()
    if timeout is None:
        yield late
        return

    def end() -> None:
        late.set()
        backend.runs.cancel(run_id)

    timer = threading.Timer(timeout, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


class _View:
    """One line for each ended task; on a terminal also one line that says what runs now."""

    def __init__(self, session: Session, canceling: str) -> None:
        self._session = session
        self._words = canceling
        self._live = session.live and not session.quiet
        self._drawn = ""
        self._canceling = False
        self._running: dict[str, None] = {}
        self._told: dict[str, str] = {}
        self._since: datetime | None = None

    def tell(self, event: Event) -> None:
        """Says what an event means, if it means something to people."""
        style = self._session.err
        match event:
            case RunStarted(run=run):
                self._since = run.started_at
                self._line(show.beginning(run, style))
            case Preparing(what=what):
                self._line(f"  {style.dim('… ' + clean(what))}")
            case TaskChanged(task=task):
                self._task(event)
                if task.state not in {"RUNNING", "CANCELING"}:
                    self._running.pop(task.path, None)
                elif task.component is not None:
                    self._running[task.path] = None
            case RunFinished(run=run):
                self._running.clear()
                self._ending(run)
            case _:
                pass
        self._status()

    def _ending(self, run: RunRecord) -> None:
        if self._session.door.output == "json":
            self._line(show.ending(run, self._session.err))
            return
        self._wipe()
        self._session.print(show.ending(run, self._session.out))

    def _task(self, event: TaskChanged) -> None:
        task = event.task
        if task.state in {"CANCELING", "CANCELED"} and not self._canceling:
            self._canceling = True
            again = "; Ctrl-C again stops at once" if _executed_here() else ""
            self._line(f"  {self._session.err.yellow('▾ canceling')}: {self._words}{again}")
        if task.state in {"PENDING", "CANCELING"} or self._told.get(task.key or task.path) == task.state:
            return
        if task.component is None and task.state != "FAILED" and not self._session.verbose:
            return
        if task.state == "RUNNING" and self._live:
            return
        self._told[task.key or task.path] = task.state
        self._line(show.progress(event, self._session.err, self._since))

    def _line(self, text: str) -> None:
        self._wipe()
        self._session.say(text)

    def _status(self) -> None:
        names = one_line(", ".join(self._running), self._session.err.width - 14)
        if self._live and names != self._drawn:
            self._wipe()
            if names:
                self._session.door.draw(self._session.err.cyan(f"  ▸ running: {names}"))
            self._drawn = names

    def _wipe(self) -> None:
        if self._drawn:
            self._session.door.draw(CLEAR)
            self._drawn = ""
