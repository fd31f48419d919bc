"""A cron of one time zone in the words of another, where that is exact.

KFP's controller has one time zone for all its schedules (CRON_SCHEDULE_TIMEZONE). A cron of another zone fires there at
the same instants if its fields can be shifted by what the clocks of the two are apart: always the same, or by
something that makes no difference to this cron, as an hour makes none to one that fires each hour. Day fields must
shift as a whole: the days of the week always do, the days of the month unless a month ends in between.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from kfgit.cron import Cron, CronError, Field, parse, zone_of

# From here on clocks are compared, and for so many years: the rules of daylight saving seldom stand still for longer.
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
_YEARS = 12


def moved(cron: Cron, zone: str, to: str, since: datetime = SINCE) -> Cron:
    """The cron that fires in `to` when this one does in `zone`; raises `CronError`, which says why there is none."""
    here, there = zone_of(zone), zone_of(to)
    apart = _apart(here, there, since)
    if apart == {0}:
        return cron
    try:
        ways = [_shifted(cron, seconds) for seconds in sorted(apart)]
    except CronError as fault:
        if len(apart) == 1:
            raise
        raise CronError(_UNSTEADY) from fault
    if len({_meaning(each) for each in ways}) > 1 or any(_jumps_oddly(each, since) for each in (here, there)):
        raise CronError(_UNSTEADY)
    return ways[0]


_UNSTEADY = "the two clocks are not always equally far apart"


# --- how far two clocks are apart


@dataclass(frozen=True, slots=True)
class _Jump:
    """An instant at which a clock is put forward or back, and what it would show and shows then."""

    at: datetime
    before: datetime
    after: datetime


@lru_cache(maxsize=256)
def _apart(here: ZoneInfo, there: ZoneInfo, since: datetime) -> frozenset[int]:
    """By how many seconds the second clock is ahead of the first, at any time from `since` on."""
    instants = [since, *(jump.at for zone in (here, there) for jump in _jumps(zone, since))]
    return frozenset(int((_offset(there, at) - _offset(here, at)).total_seconds()) for at in instants)


@lru_cache(maxsize=256)
def _jumps(zone: ZoneInfo, since: datetime) -> tuple[_Jump, ...]:
    """All jumps of a clock, found by looking at it each week."""
    weeks = [since + timedelta(weeks=week) for week in range(_YEARS * 53)]
    return tuple(
        _jump(zone, one, other)
        for one, other in pairwise(weeks)
        if _offset(zone, one) != _offset(zone, other)
    )


def _jump(zone: ZoneInfo, before: datetime, after: datetime) -> _Jump:
    old, new = _offset(zone, before), _offset(zone, after)
    while after - before > timedelta(seconds=1):
        half = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (half, after) if _offset(zone, half) == old else (before, half)
    return _Jump(after, after + old, after + new)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


@lru_cache(maxsize=256)
def _jumps_oddly(zone: ZoneInfo, since: datetime) -> bool:
    """Whether robfig/cron goes its own ways at a jump of the clock: where midnight is part of it, or half an hour."""
    return any(
        jump.before.date() != jump.after.date()
        or any(wall.minute or not wall.hour for wall in (jump.before, jump.after))
        for jump in _jumps(zone, since)
    )


# --- the fields


def _shifted(cron: Cron, seconds: int) -> Cron:
    """The cron for a clock that is so far ahead."""
    minutes, rest = divmod(seconds, 60)
    if rest:
        raise CronError("the two clocks are apart by less than a minute")
    daily = _is_daily(cron)
    # What of a day's times falls on which day there, at which hour and minute.
    times = {
        divmod(hour * 60 + minute + minutes, 24 * 60)
        for hour in cron.hour.values
        for minute in cron.minute.values
    }
    days = {0} if daily else {day for day, _ in times}
    at = {divmod(time, 60) for _, time in times}
    hours, past = {hour for hour, _ in at}, {minute for _, minute in at}
    if len(at) != len(hours) * len(past):
        raise CronError(f"its hours and minutes cannot be shifted by {_told(minutes)} in one cron")
    if len(days) > 1:
        raise CronError(
            f"shifted by {_told(minutes)}, some of its times fall on another day, and others do not"
        )
    minute, hour = _list(cron.minute, past, 60), _list(cron.hour, hours, 24)
    by = days.pop()
    of_month, month, of_week = _days_shifted(cron, by) if by else _days(cron)
    return parse(f"{cron.second.text} {minute} {hour} {of_month} {month} {of_week}")


def _is_daily(cron: Cron) -> bool:
    return len(cron.month.values) == 12 and _is_any_day(cron)


def _is_any_day(cron: Cron) -> bool:
    """Whether its two day fields let every day be."""
    of_month, of_week = len(cron.day_of_month.values) == 31, len(cron.day_of_week.values) == 7
    return (of_month and of_week) or (_either(cron) and (of_month or of_week))


def _either(cron: Cron) -> bool:
    """Whether one of the day fields is enough: it is where none has a star."""
    return not (cron.day_of_month.star or cron.day_of_week.star)


def _days(cron: Cron) -> tuple[str, str, str]:
    return cron.day_of_month.text, cron.month.text, cron.day_of_week.text


def _days_shifted(cron: Cron, by: int) -> tuple[str, str, str]:
    """Day of month, month and day of week, so many days later; raises `CronError` where no fields say that."""
    of_month, of_week = cron.day_of_month.values, cron.day_of_week.values
    both = len(of_month) < 31 and len(of_week) < 7
    if both and (not _either(cron) or len(cron.month.values) < 12):
        raise CronError("its day fields cannot be shifted by a day in one cron")
    if _is_any_day(cron):
        of_month, of_week = frozenset(range(1, 32)), frozenset(range(7))
    months, days = _dates_shifted(cron.month.values, of_month, by)
    weekdays = {(day + by) % 7 for day in of_week}
    # A star in one field is what makes the other one count alone.
    return _text(days, 1, 31), _list(cron.month, months, 12), _text(weekdays, 0, 6)


def _dates_shifted(
    months: Collection[int], days: Collection[int], by: int
) -> tuple[frozenset[int], frozenset[int]]:
    """The months and days whose dates are those of `months` and `days`, so many days later, in every year."""
    later = {
        year: {
            (there.month, there.day)
            for there in (each + timedelta(days=by) for each in _dates(year, months, days))
        }
        for year in (2023, 2024)  # one without a leap day, one with
    }
    found = frozenset[tuple[int, int]]().union(*later.values())
    if not found:
        raise CronError("it never fires")
    new_months, new_days = frozenset(month for month, _ in found), frozenset(day for _, day in found)
    for year, dates in later.items():
        if {(each.month, each.day) for each in _dates(year, new_months, new_days)} != dates:
            raise CronError("its days of the month would move over the end of a month")
    return new_months, new_days


def _dates(year: int, months: Iterable[int], days: Collection[int]) -> list[date]:
    return [date(year, month, day) for month in months for day in days if day <= monthrange(year, month)[1]]


# --- as text


def _list(written: Field, values: Collection[int], count: int) -> str:
    """The field as it was written where it still says that."""
    if values == written.values:
        return written.text
    return "*" if len(values) == count else _numbers(values)


def _text(values: Collection[int], low: int, high: int) -> str:
    return "*" if len(values) == high - low + 1 else _numbers(values)


def _numbers(values: Iterable[int]) -> str:
    """`1,2,3,7` as `1-3,7`."""
    runs = [
        [value for _, value in run]
        for _, run in groupby(enumerate(sorted(values)), lambda pair: pair[1] - pair[0])
    ]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)


def _told(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    told = " ".join(f"{count} {unit}" for count, unit in ((hours, "h"), (rest, "min")) if count)
    return f"-{told}" if minutes < 0 else told


def _meaning(cron: Cron) -> tuple[tuple[frozenset[int], bool], ...]:
    """What decides when it fires; a star does only in the day fields."""
    times = [(field.values, False) for field in (cron.second, cron.minute, cron.hour, cron.month)]
    return (*times, *((field.values, field.star) for field in (cron.day_of_month, cron.day_of_week)))
