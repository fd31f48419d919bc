"""When a schedule fires, in words: a comparison knows no time, so it tells the rule and not the next instants."""

from __future__ import annotations

from typing import NamedTuple

from kfgit import cron
from kfgit.cron import Cron, CronError, Field
from kfgit.model import Schedule

_DAYS = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays")
_WEEKDAYS, _WEEKEND = frozenset(range(1, 6)), frozenset({0, 6})
# So many times of a day are told one by one.
_TIMES = 4
_UNITS = (
    (86400, "day", "days"),
    (3600, "hour", "hours"),
    (60, "minute", "minutes"),
    (1, "second", "seconds"),
)


class Rule(NamedTuple):
    """`daily`, `at 02:00`, `UTC`; a rule without times or without a zone has an empty text there."""

    often: str
    times: str = ""
    zone: str = ""

    def __str__(self) -> str:
        """As one says it: `daily at 02:00 UTC`."""
        return " ".join(part for part in self if part)


def rule(schedule: Schedule) -> Rule:
    """When a schedule fires."""
    if schedule.every is not None:
        return Rule(f"every {_interval(schedule.every)}")
    written = schedule.cron or ""
    try:
        often, times = _words(cron.parse(written))
    except CronError:
        often, times = "", ""  # which was told
    return Rule(often, times, schedule.timezone) if often else Rule(f"at `{written}`", "", schedule.timezone)


def becomes(before: Rule, after: Rule) -> str:
    """What changes, and what stays said once: `daily at 02:00 → 03:00 UTC`."""
    if before.often == after.often and before.zone == after.zone and before.times and after.times:
        return f"{before.often} {before.times} → {after.times.removeprefix('at ')} {after.zone}"
    return f"{before} → {after}"


def _interval(seconds: int) -> str:
    """The largest unit that fits: `2 hours`, `90 minutes`, `day`."""
    size, one, many = next(unit for unit in _UNITS if seconds % unit[0] == 0)
    count = seconds // size
    return one if count == 1 else f"{count} {many}"


def _words(found: Cron) -> tuple[str, str]:
    """How often and at which times; empty where only the cron itself says it."""
    often = _often(found)
    minutes, hours = sorted(found.minute.values), sorted(found.hour.values)
    if found.second.values != {0} or not often or not minutes or not hours:
        return "", ""
    if len(minutes) * len(hours) <= _TIMES:
        told = ", ".join(f"{hour:02}:{minute:02}" for hour in hours for minute in minutes)
        return often, f"at {told}"
    if often != "daily":
        return "", ""
    return _through_the_day(found.minute, found.hour), ""


def _often(found: Cron) -> str:
    """On which days; empty where that takes more words."""
    days, month, week = found.day_of_month, found.month, found.day_of_week
    if not _any(month):
        return ""
    if _any(days) and _any(week):
        return "daily"
    if _any(week) and len(days.values) == 1:
        return f"on day {min(days.values)} of each month"
    if not _any(days) or not week.values:
        return ""
    if week.values == _WEEKDAYS:
        return "on weekdays"
    if week.values == _WEEKEND:
        return "on weekends"
    return f"on {' and '.join(_DAYS[day] for day in sorted(week.values))}" if len(week.values) < 3 else ""


def _through_the_day(minute: Field, hour: Field) -> str:
    if _any(hour) and len(minute.values) == 1:
        return f"hourly at :{min(minute.values):02}"
    step = _step(minute, 60)
    if _any(hour) and step is not None:
        return "every minute" if step == 1 else f"every {step} minutes"
    step = _step(hour, 24)
    if step is not None and len(minute.values) == 1:
        return f"every {step} hours at :{min(minute.values):02}"
    return ""


def _step(found: Field, size: int) -> int | None:
    """The distance between the values of a field, where it is the same all around."""
    step = size // max(1, len(found.values))
    return step if size % step == 0 and found.values == frozenset(range(0, size, step)) else None


def _any(found: Field) -> bool:
    return found.text in {"*", "?"}
