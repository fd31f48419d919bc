"""What an agent tells: events with a name that machines hold on to, and a sentence for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Told:
    """One event. `fields` are JSON values."""

    level: Level
    event: str
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)


class Voice:
    """Tells what stays so for many turns once, and again only after it was otherwise."""

    def __init__(self, tell: Callable[[Told], None]) -> None:
        self._tell = tell
        self._known: dict[str, str] = {}
        self._seen: set[str] = set()

    def once(self, key: str, told: Told) -> None:
        """Tells it unless the same was told under this key before and has not changed since."""
        self._seen.add(key)
        if self._known.get(key) != told.message:
            self._known[key] = told.message
            self._tell(told)

    @contextmanager
    def standing(self) -> Iterator[None]:
        """One whole look: what is not told in it does not hold any more. Nothing is concluded from one that fails."""
        self._seen.clear()
        yield
        self._known = {key: text for key, text in self._known.items() if key in self._seen}
