"""Names with their places, and what may be missing because of a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kfgit.diagnostics import nearest
from kfgit.source import Span


class Name(NamedTuple):
    """A name that was written somewhere."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Unclear:
    """What may be missing only because of a fault that was told: these names, or anything in one of these maps."""

    names: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.names or self.maps)

    def covers(self, name: str, holder: str) -> bool:
        """Whether nobody knows if a map holds something of this name."""
        return holder in self.maps or (bool(self.names) and nearest(name, self.names) is not None)


CLEAR = Unclear()


UNCLEAR = Unclear(maps=frozenset({"inputs", "outputs", "tasks"}))
