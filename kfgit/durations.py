"""How long runs took: what backends tell of those that succeeded, and costs are reckoned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RunTimes:
    """A run that succeeded: how many seconds it took, and how many each of its tasks executed.

    Tasks are told by their paths, with the numbers of iterations in them. What the cache gave, and what was skipped,
    executed for none.
    """

    seconds: float
    tasks: Mapping[str, float]


def elapsed(start: datetime | None, end: datetime | None) -> float:
    """The seconds between two times; none where one is not known, or a clock was set back in between."""
    return max(0.0, (end - start).total_seconds()) if start is not None and end is not None else 0.0
