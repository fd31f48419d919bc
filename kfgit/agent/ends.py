"""How the runs that past applies started came out, written into the target's history once they have ended.

`apply --wait` does that for what it waits for; an agent does not wait.
"""

from __future__ import annotations

from contextlib import suppress

from kfgit.backend import Backend, Locked
from kfgit.events import FINAL

# So many runs are asked for in one turn, each with a request.
_MOST = 50


class Ends:
    """The runs whose end the history does not know. It is read once, and again after each apply."""

    def __init__(self) -> None:
        self._unknown: list[str] | None = None

    def forget(self) -> None:
        """There may be new runs."""
        self._unknown = None

    def note(self, backend: Backend, who: str) -> None:
        """Asks for them, and writes down those that have ended; while somebody else applies, that waits."""
        if self._unknown is None:
            every = (run for record in backend.applies() for run in record.runs)
            self._unknown = list(dict.fromkeys(run.id for run in every if run.id and run.state is None))
        asked = self._unknown[:_MOST]
        states = backend.runs.states(asked) if asked else {}
        ended = {id_: state for id_, state in states.items() if state in FINAL}
        with suppress(Locked):
            if ended:
                with backend.lock(who):
                    backend.note_runs(ended)
            # Nobody will ever know of those that are gone.
            going = [id_ for id_ in asked if id_ in states and id_ not in ended]
            self._unknown = [*self._unknown[_MOST:], *going]
