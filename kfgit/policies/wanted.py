"""What a task asks a cluster for, amount by amount, with the words for it: of whom it is, and where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from kfgit.demand import Ask
from kfgit.graph.quantities import exact
from kfgit.source import Span

# What every pod asks for.
EACH_POD = ("cpu", "memory")


# Most tasks have the amounts of a few profiles.
_exact = lru_cache(maxsize=1024)(exact)


class Wanted(NamedTuple):
    """An amount that a task asks for, and in words; `who` asks, the task or its profile, which say it at `span`."""

    resource: str
    amount: Fraction
    told: str
    who: str
    span: Span


def requested(ask: Ask) -> Iterator[Wanted]:
    """Requests, which are the limits where only these are said, and devices."""
    for name in EACH_POD:
        yield from _amount(ask, name, "requests", "limits")
    yield from _devices(ask)


def limited(ask: Ask) -> Iterator[Wanted]:
    """The most that a task may use; where it says no limit, what it asks for."""
    for name in EACH_POD:
        yield from _amount(ask, name, "limits", "requests")


def _amount(ask: Ask, name: str, *words: str) -> Iterator[Wanted]:
    amounts = {"requests": ask.resources.requests, "limits": ask.resources.limits}
    which = next((word for word in words if name in amounts[word]), None)
    amount = _exact(amounts[which][name]) if which is not None else None
    if which is not None and amount is not None:
        key = f"{which}.{name}"
        span = ask.resources.spans.get(key)
        theirs = ask.profile.resources.spans.get(key) if ask.profile is not None else None
        yield Wanted(
            name, amount, f"{amounts[which][name]} of {name}", _who(ask, span, theirs), span or ask.task.span
        )


def _devices(ask: Ask) -> Iterator[Wanted]:
    device = ask.resources.accelerator
    if device is not None and device.count > 0:
        theirs = ask.profile.resources.accelerator if ask.profile is not None else None
        who = _who(ask, device.span, theirs.span if theirs is not None else None)
        told = f"{device.count} × {device.resource}"
        yield Wanted(device.resource, Fraction(device.count), told, who, device.span or ask.task.span)


def _who(ask: Ask, span: Span | None, theirs: Span | None) -> str:
    """Where the profile says it no task is named: it is told there once for all of them."""
    if ask.profile is not None and span is not None and span == theirs:
        return f"a task with the profile `{ask.profile.name}`"
    return f"`{ask.path}`"
