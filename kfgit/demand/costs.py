"""What runs cost, and schedules in a month: how long tasks took before, by what an hour of their profiles costs.

A run costs what its newest predecessors did in the middle (the median), in today's prices: tasks that the cache spared,
and branches that were not taken, cost nothing there, and loops count as often as they ran. Where no run has succeeded
yet nobody knows. Currencies are kept apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import ceil
from statistics import median
from typing import Any

from kfgit import ticks
from kfgit.demand import fires
from kfgit.demand.asking import Ask, asks
from kfgit.demand.peaks import peak
from kfgit.durations import RunTimes
from kfgit.graph import CheckedProject
from kfgit.model import Cost

# So many of the newest runs are looked at.
RUNS = 10
MONTH = timedelta(days=30)
# Among so many of the next fires the shortest time in between is looked for.
_GAPS = 50
_HOUR = Decimal(3600)

Money = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Prices:
    """What an hour of a pipeline's tasks costs, by their paths; of `bare` ones with devices no profile says it."""

    tasks: Mapping[str, Cost]
    bare: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunCost:
    """What a run of a pipeline costs and how many seconds it takes, by so many `runs`; None for what nobody knows.

    `why` says why nobody does; `bare` are tasks with devices that are not in it, since nothing says what they cost.
    """

    pipeline: str
    money: Money | None
    runs: int = 0
    seconds: float | None = None
    why: str | None = None
    bare: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScheduleCost:
    """A schedule, how often it fires in the month from now, and the shortest time between two of its fires."""

    name: str
    run: RunCost
    fires: int
    gap: timedelta | None = None
    at_once: int = 1

    @property
    def month(self) -> Money | None:
        """What it costs in the month from now; None for what nobody knows. What does not fire costs nothing."""
        if not self.fires:
            return {}
        if self.run.money is None:
            return None
        return {currency: amount * self.times for currency, amount in self.run.money.items()}

    @property
    def times(self) -> int:
        """How many runs there can be in that time: of those that pile up only as many as there is time for."""
        if not self.piles_up or not self.run.seconds:
            return self.fires
        return min(self.fires, ceil(MONTH.total_seconds() * max(1, self.at_once) / self.run.seconds))

    @property
    def piles_up(self) -> bool:
        """Whether its runs last longer than all that may go on at once have time for."""
        if self.gap is None or self.run.seconds is None:
            return False
        return self.run.seconds > self.gap.total_seconds() * max(1, self.at_once)


@dataclass(frozen=True, slots=True)
class Costs:
    """What an environment costs, by the names that its pipelines and schedules have on the target.

    `before` is what the schedules that are live now would cost in a month, as far as that is known.
    """

    pipelines: Mapping[str, RunCost]
    schedules: tuple[ScheduleCost, ...] = ()
    before: Money = field(default_factory=dict)

    @property
    def month(self) -> Money:
        """What all schedules cost in the month from now, as far as that is known."""
        return total(each.month for each in self.schedules if each.month is not None)

    @property
    def unknown(self) -> tuple[ScheduleCost, ...]:
        """The schedules of which nobody knows it, or not of all their tasks."""
        return tuple(each for each in self.schedules if each.fires and (each.month is None or each.run.bare))


@dataclass(frozen=True, slots=True)
class Firing:
    """A schedule as it shall be live: what it runs, when, and how many at once."""

    name: str
    pipeline: str
    rule: ticks.Rule
    at_once: int = 1

    @classmethod
    def of(cls, name: str, spec: Mapping[str, Any]) -> Firing:
        """Of a Schedule's `spec` as `desired` makes it."""
        rule = ticks.read(spec, enabled=bool(spec["enabled"]))
        return cls(name, spec["pipeline"], rule, int(spec["maxConcurrency"] or 1))


@dataclass(frozen=True, slots=True)
class Firings:
    """The schedules that shall be live, and those that are."""

    wanted: tuple[Firing, ...]
    live: tuple[Firing, ...] = ()


def prices(checked: CheckedProject, pipeline: str) -> Prices:
    """What the profiles of a pipeline's tasks say that an hour of them costs."""
    found = asks(checked, pipeline)
    priced = {ask.path: ask.cost for ask in found if ask.cost is not None}
    bare = tuple(_named(ask) for ask in found if ask.cost is None and ask.count)
    if checked.project.pipelines[pipeline].package is not None and peak(checked, pipeline).count:
        bare = ("what its package asks for",)
    return Prices(priced, bare)


def _named(ask: Ask) -> str:
    return ask.path if ask.profile is None else f"{ask.path} ({ask.profile.name})"


def reckon(
    known: Mapping[str, Prices],
    seen: Mapping[str, Sequence[RunTimes]] | str,
    schedules: Firings,
    now: datetime,
) -> Costs:
    """What runs and schedules cost: by the prices of each pipeline, and its newest runs that succeeded.

    Instead of runs a text says why nobody could see them.
    """
    pipelines = {
        name: RunCost(name, None, why=seen, bare=each.bare)
        if isinstance(seen, str)
        else _run_cost(name, each, seen.get(name, ()))
        for name, each in known.items()
    }
    wanted, live = (
        [_schedule_cost(one, pipelines[one.pipeline], now) for one in each if one.pipeline in pipelines]
        for each in (schedules.wanted, schedules.live)
    )
    return Costs(pipelines, tuple(wanted), Costs(pipelines, tuple(live)).month)


def _run_cost(name: str, known: Prices, seen: Sequence[RunTimes]) -> RunCost:
    if not known.tasks:
        return RunCost(name, None, why="no profile says what its tasks cost", bare=known.bare)
    found = [(run, amounts) for run in seen if (amounts := _amounts(known, run)) is not None]
    if not found:
        why = "no run has succeeded yet" + (" since its tasks have changed" if seen else "")
        return RunCost(name, None, why=why, bare=known.bare)
    currencies = dict.fromkeys(cost.currency for cost in known.tasks.values())
    money = {each: median([amounts.get(each, Decimal(0)) for _, amounts in found]) for each in currencies}
    return RunCost(name, money, len(found), median(run.seconds for run, _ in found), bare=known.bare)


def _amounts(known: Prices, run: RunTimes) -> Money | None:
    """What a run cost; None for one that had not all the tasks of now."""
    names = _by_last_part({above for path in known.tasks for above in _upwards(path)})
    met: set[str] = set()
    entered: set[str] = set()
    found: dict[str, Decimal] = {}
    for path, seconds in run.tasks.items():
        if (above := _group(path, names)) is not None:
            entered.add(above)
        if (name := _name(path, names)) is None:
            continue
        met.add(name)
        if (cost := known.tasks.get(name)) is not None:
            amount = cost.per_hour * Decimal(str(seconds)) / _HOUR
            found[cost.currency] = found.get(cost.currency, Decimal(0)) + amount
    return found if all(_is_told(path, met, entered) for path in known.tasks) else None


def _is_told(path: str, met: Collection[str], entered: Collection[str]) -> bool:
    """Whether a run tells of a task, if only that what is around it was skipped, or had nothing to do."""
    innermost = next((each for each in _upwards(path) if each in met), None)
    return innermost == path or (innermost is not None and innermost not in entered)


def _upwards(path: str) -> Iterator[str]:
    """A task and the groups that it is in, the innermost first."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _by_last_part(names: Iterable[str]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(names, key=len, reverse=True):
        found.setdefault(name.rpartition("/")[2], []).append(name)
    return found


def _name(path: str, names: Mapping[str, Sequence[str]]) -> str | None:
    """The task or group of a path that has the numbers of iterations in it; None for an unknown one."""
    parts = path.split("/")
    return next((name for name in names.get(parts[-1], ()) if _fits(parts, name.split("/"))), None)


def _group(path: str, names: Mapping[str, Sequence[str]]) -> str | None:
    """The same of what is around a path: the loop, where that is one of its iterations."""
    above = path.rpartition("/")[0]
    found = _name(above, names)
    return _name(above.rpartition("/")[0], names) if found is None else found


def _fits(parts: Sequence[str], name: Sequence[str]) -> bool:
    """Whether the parts are a name but for numbers; tasks may be called by numbers, too."""
    left = list(name)
    for part in reversed(parts):
        if left and part == left[-1]:
            left.pop()
        elif not part.isdigit():
            return False
    return not left


def _schedule_cost(one: Firing, run: RunCost, now: datetime) -> ScheduleCost:
    gap = None
    if run.seconds is not None:
        times = ticks.upcoming(one.rule, ticks.Standing(now), now, _GAPS)
        gap = min((later - earlier for earlier, later in pairwise(times)), default=None)
    return ScheduleCost(one.name, run, fires.count(one.rule, now, now + MONTH), gap, one.at_once)


def total(amounts: Iterable[Money]) -> Money:
    """The sum, each currency by itself."""
    found: dict[str, Decimal] = {}
    for each in amounts:
        for currency, amount in each.items():
            found[currency] = found.get(currency, Decimal(0)) + amount
    return found
