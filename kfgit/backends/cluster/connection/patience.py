"""How long a server is waited for, and how often it is asked."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Timing:
    """The clock, sleep and chance; tests hand in others."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits in seconds; `total` is that of all tries of one request together.

    Fewer `tries` are made before a server ever answered: a wrong address is likelier then than a server that restarts.
    """

    connect: float = 10.0
    silence: float = 60.0
    answer: float = 120.0
    total: float = 120.0
    tries: int = 8
    first_tries: int = 3


def pause(tries: int, headers: Mapping[str, str], chance: float) -> float:
    """Seconds before the next try: what the server asks for, else ever more; never the same for all threads."""
    asked = _retry_after(headers)
    if asked > 0:
        return asked + chance / 4
    return min(math.ldexp(0.25, tries - 1), 8.0) * (1 + chance) / 2


def _retry_after(headers: Mapping[str, str]) -> float:
    """A number of seconds or a date (RFC 9110, 10.2.3), by the server's own clock; 0 where neither can be read."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return (parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError):
        return 0.0
