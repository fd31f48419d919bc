"""What templates may cost: a budget that everything draws on which could grow, loop or copy.

Jinja's sandbox keeps templates away from Python's insides, but not from the machine's time and memory. So each value
that is put together, compared, filtered or printed is weighed, nested and shared parts as often as they occur.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfgit.template.faults import Fault, TemplateFault

MAX_OUTPUT = 65_536
MAX_WEIGHT = 1_000_000
_BUDGET = 8_000_000
_PER_TEMPLATE = 8_000
TOO_MUCH = TemplateFault("template-too-large", "the templates here do too much work")


class Work:
    """The work that is left to the templates of one environment, or of one file."""

    __slots__ = ("_compiled", "left")

    def __init__(self, budget: int = _BUDGET) -> None:
        self.left = budget
        self._compiled: set[str] = set()

    def spend(self, units: int) -> None:
        """One unit is about a character copied, or an item visited."""
        self.left -= units
        if self.left < 0:
            raise Fault(TOO_MUCH)

    def compile(self, text: str) -> None:
        """Pays for a template, once, however often it is written: Jinja makes Python of it."""
        if text not in self._compiled:
            self.spend(_PER_TEMPLATE)
            self._compiled.add(text)

    def weighed(self, value: Any) -> Any:
        """The value, after its weight was paid for."""
        self.spend(weight(value, MAX_WEIGHT))
        return value


def weight(value: Any, limit: int) -> int:
    """About the characters that a value takes as text; more than `limit` is a fault."""
    if isinstance(value, str):
        total = len(value)
    elif isinstance(value, Mapping | list | tuple):
        total = _nested(value, limit)
    else:
        total = 8
    if total > limit:
        raise Fault(TemplateFault("template-too-large", "the value is too large"))
    return total


def _nested(value: Any, limit: int) -> int:
    total, pending = 0, [value]
    while pending and total <= limit:
        match pending.pop():
            case str() as text:
                total += len(text) + 4
            case Mapping() as entries:
                total += 4 + len(entries)
                pending += [*entries.keys(), *entries.values()] if total <= limit else []
            case list() | tuple() as items:
                total += 4 + len(items)
                pending += items if total <= limit else []
            case _:
                total += 8
    return total
