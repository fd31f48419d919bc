"""How an apply goes: a line for each change that ended; on a terminal also one that says how many are done."""

from __future__ import annotations

from kfgit.cli.follow import CLEAR
from kfgit.cli.session import Session
from kfgit.events import ChangeFinished, ChangeStarted, Event
from kfgit.render import plans as show
from kfgit.render.style import one_line


class Progress:
    """The changes of one apply, told on stderr as they happen."""

    def __init__(self, session: Session, total: int) -> None:
        self._session = session
        self._live = session.live and not session.quiet
        self._total = total
        self._done = 0
        self._running: dict[str, None] = {}
        self._drawn = ""

    def tell(self, event: Event) -> None:
        """Says what an event means."""
        match event:
            case ChangeStarted(kind=kind, name=name):
                self._running[f"{kind.lower()}/{name}"] = None
            case ChangeFinished(kind=kind, name=name):
                self._running.pop(f"{kind.lower()}/{name}", None)
                self._done += 1
                self.wipe()
                self._session.say(show.result(event, self._session.err))
            case _:
                pass
        self._status()

    def _status(self) -> None:
        if not self._live:
            return
        room = self._session.err.width - 20
        text = f"  ▸ {self._done} of {self._total}: {one_line(', '.join(list(self._running)[:8]), room)}"
        shown = text if self._running else ""
        if shown != self._drawn:
            self.wipe()
            if shown:
                self._session.door.draw(self._session.err.cyan(shown))
            self._drawn = shown

    def wipe(self) -> None:
        """Takes the line away that says how many are done."""
        if self._drawn:
            self._session.door.draw(CLEAR)
            self._drawn = ""
