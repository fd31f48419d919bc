"""How long to wait after a fault: 2 s, twice as long after each more, 5 min at most; a new commit begins anew.

Pure. Chance spreads agents that a common fault has stopped together.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST_SECONDS = 2.0
MOST_SECONDS = 300.0
# A wait differs from its nominal length by so much at most.
SPREAD = 0.2


class Patience:
    """When to try again. `chance` is uniform in [0, 1)."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._faults = 0
        self._until = float("-inf")

    def fault(self, now: float) -> float:
        """Something went wrong; the seconds to wait."""
        # Far beyond the longest wait the power would overflow.
        nominal = min(FIRST_SECONDS * 2.0 ** min(self._faults, 30), MOST_SECONDS)
        self._faults += 1
        seconds = nominal * self.spread()
        self._until = now + seconds
        return seconds

    def reset(self) -> None:
        """All is well, or something else is to be tried."""
        self._faults, self._until = 0, float("-inf")

    def left(self, now: float) -> float:
        """Seconds until the next try; none where nothing waits."""
        return max(0.0, self._until - now)

    def spread(self) -> float:
        """A factor around 1."""
        return 1 - SPREAD + 2 * SPREAD * self._chance()
