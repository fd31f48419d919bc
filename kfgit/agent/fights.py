"""Two that each put a field right, again and again: somebody has to stop, and it is us.

A field that was healed `MOST` times within `WINDOW` seconds is left as it is from then on, until there is a new
commit, or until it is as wanted by itself. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kfgit.plan import Change, Create, Replace, Update, subject

MOST = 3
WINDOW = 600.0
GONE = "the object itself"

# Kind, name and path of a field.
Field: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Fight:
    """Fields of one object that somebody else changes back, and how often they were healed.

    KFP keeps no book of who does it. Kubernetes does: another manager's field is not taken there, and he is named.
    """

    kind: str
    name: str
    fields: tuple[str, ...]
    count: int


def drifted(change: Change) -> Iterator[str]:
    """The fields that a change would heal; none where the source asks for it."""
    match change:
        case Create(cause="drift"):
            yield GONE
        case Update(cause="drift", diff=diff) | Replace(cause="drift", diff=diff):
            moved = [d.path for d in diff if d.drift]
            yield from moved or [d.path for d in diff]
        case _:
            pass


class Fights:
    """What was healed, and when; times in seconds of any clock that only goes forward."""

    def __init__(self) -> None:
        self._healed: dict[Field, list[float]] = {}
        self._given_up: set[Field] = set()

    def forget(self) -> None:
        """Begins anew: what is wanted has changed."""
        self._healed.clear()
        self._given_up.clear()

    def healed(self, change: Change, now: float) -> None:
        """A change was carried out."""
        for path in drifted(change):
            self._healed.setdefault((*subject(change), path), []).append(now)

    def found(self, changes: Sequence[Change], now: float) -> Mapping[tuple[str, str], Fight]:
        """Which of the changes of a plan would go on with a fight, by object."""
        self._healed = {
            field: recent
            for field, times in self._healed.items()
            if (recent := [at for at in times if now - at < WINDOW]) or field in self._given_up
        }
        there = {(*subject(change), path) for change in changes for path in drifted(change)}
        lost = {field for field in there if len(self._healed.get(field, ())) >= MOST}
        self._given_up = (self._given_up & there) | lost
        return {
            subject(change): fight
            for change in changes
            if (fight := self._fight(change, self._given_up)) is not None
        }

    def _fight(self, change: Change, given_up: Collection[Field]) -> Fight | None:
        kind, name = subject(change)
        fields = tuple(path for path in drifted(change) if (kind, name, path) in given_up)
        if not fields:
            return None
        count = max(len(self._healed.get((kind, name, path), ())) for path in fields)
        return Fight(kind, name, fields, max(count, MOST))
