"""Following a run to its end: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kfgit.backends.local.backend import LocalBackend
from kfgit.cli import exits
from kfgit.cli.session import Session
from kfgit.events import Preparing, RunFinished, RunRecord, RunStarted, TaskChanged
from kfgit.render import runs as show
from kfgit.render.style import clean

_CLEAR = "\r\x1b[K"


def follow(session: Session, backend: LocalBackend, run_id: str, timeout: float | None = None) -> RunRecord:
    """Watches a run, executing it here where nobody else does. Ctrl-C cancels it, and its exit task still runs."""
    view = _View(session)
    with _terminable(), _limited(backend, run_id, timeout):
        for event in backend.watch(run_id):
            view.tell(event)
            if isinstance(event, RunFinished):
                return event.run
    return backend.runs.get(run_id)


def code(run: RunRecord) -> int:
    """The exit code that tells how a run ended."""
    return {"SUCCEEDED": exits.DONE, "CANCELED": exits.INTERRUPTED}.get(run.state, exits.FAILED)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does; the runner itself listens to Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _limited(backend: LocalBackend, run_id: str, timeout: float | None) -> Iterator[None]:
    if timeout is None:
        yield
        return
    timer = threading.Timer(timeout, backend.runs.cancel, (run_id,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _View:
    """One line for each ended task; on a terminal also one line that says what runs now."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running: dict[str, None] = {}
        self._told: dict[str, str] = {}

    def tell(self, event: object) -> None:
        """Says what an event means, if it means something to people."""
        style = self._session.err
        match event:
            case RunStarted(run=run):
                self._line(f"{show.sign('RUNNING', style)} run {style.bold(clean(run.name))} of {clean(run.pipeline)}  {style.dim(run.id)}\n")
            case Preparing(what=what):
                self._line(f"  {style.dim('… ' + clean(what))}\n")
            case TaskChanged(task=task):
                self._task(event)
                if task.state in {"RUNNING", "CANCELING"}:
                    self._running[task.path] = None
                else:
                    self._running.pop(task.path, None)
            case RunFinished(run=run):
                self._running.clear()
                self._line(show.ending(run, style))
            case _:
                pass
        self._status()

    def _task(self, event: TaskChanged) -> None:
        task = event.task
        if task.state in {"PENDING", "CANCELING"} or self._told.get(task.key or task.path) == task.state:
            return
        if task.component is None and task.state != "FAILED" and not self._session.verbose:
            return
        if task.state == "RUNNING" and (self._session.live or self._session.quiet):
            return
        self._told[task.key or task.path] = task.state
        self._line(show.progress(event, self._session.err))

    def _line(self, text: str) -> None:
        self._session.say(_CLEAR + text if self._session.live and not self._session.quiet else text)

    def _status(self) -> None:
        if not self._session.live or self._session.quiet:
            return
        import sys  # noqa: PLC0415 - terminals only

        names = ", ".join(self._running)
        room = self._session.err.width - 14
        shown = names if len(names) < room else names[: room - 1] + "…"
        sys.stderr.write(_CLEAR + (self._session.err.cyan(f"  ▸ running: {clean(shown)}") if shown else ""))
        sys.stderr.flush()
