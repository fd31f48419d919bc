"""How often a schedule fires in a span of time: counted, not walked through, so that every second costs no more.

Within an hour whose clock runs evenly a cron fires at each of its minutes and seconds, so hours are counted
whole, and days in which it does not jump.
Where a zone's clock jumps at midnight, or by half an hour, KFP's controller goes wrong in its own way (`kfgit.cron`):
there it is asked time by time, if that is not too often.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from kfgit import cron, ticks
from kfgit.cron import Cron
from kfgit.ticks import Rule, Standing, Times

# So many times are walked through one by one; more of them than this in a month make one more or less no matter.
_WALKED = 5_000
_SECOND, _MINUTE, _HOUR, _DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)


def count(rule: Rule, now: datetime, until: datetime) -> int:
    """How often it fires after `now` and up to `until`, if it begins to count now and nothing is owed."""
    now = now.astimezone(UTC).replace(microsecond=0)
    first = next(iter(ticks.upcoming(rule, Standing(now), now, 1)), None)
    last = until if rule.end is None else min(until, rule.end)
    if first is None or first > last:
        return 0
    match rule.trigger:
        case Times(cron=times, zone=zone):
            return _of_cron(times, cron.zone_of(zone), first, last)
        case ticks.Every(seconds=seconds) | ticks.Delay(seconds=seconds):
            return 1 + int((last - first) // timedelta(seconds=seconds))
        case ticks.Once():
            return 1


# Most schedules of a project fire as others do, and as they did before what changes them.
@lru_cache(maxsize=4096)
def _of_cron(times: Cron, zone: ZoneInfo, first: datetime, last: datetime) -> int:
    """How often a cron fires from one of its times on, that one included."""
    found, jumps = _counted(times, zone, first, last)
    if not jumps or found > _WALKED:
        return found
    walked = cron.next_times(times, first - _SECOND, zone.key, _WALKED)
    return sum(at <= last for at in walked) if len(walked) < _WALKED or walked[-1] > last else found


def _counted(times: Cron, zone: ZoneInfo, first: datetime, last: datetime) -> tuple[int, bool]:
    """The count hour by hour, and whether the clock jumps at a midnight in between."""
    at, found, jumps = first, 0, False
    end = last.astimezone(UTC).replace(microsecond=0) + _SECOND
    while at < end:
        local = at.astimezone(zone)
        if _is_even_day(at, local, zone, end):
            found += _in_day(times, local)
            at += _DAY
            continue
        following = min(_hour_after(at, local, zone), end)
        if cron.matches_hour(times, local):
            seconds = int((following - at).total_seconds())
            begun = local.minute * 60 + local.second
            found += _before(times, begun + seconds) - _before(times, begun)
        after = following.astimezone(zone)
        jumps = jumps or _jumps_oddly(local, after, local + (following - at))
        at = following
    return found, jumps


def _is_even_day(at: datetime, local: datetime, zone: ZoneInfo, end: datetime) -> bool:
    """Whether a day begins that is in the span as a whole, and in which the clock does not jump."""
    if local.hour or local.minute or local.second or at + _DAY > end:
        return False
    return all((at + part).astimezone(zone).utcoffset() == local.utcoffset() for part in (_DAY / 2, _DAY))


def _in_day(times: Cron, midnight: datetime) -> int:
    hours = sum(cron.matches_hour(times, midnight.replace(hour=hour)) for hour in times.hour.values)
    return hours * len(times.minute.values) * len(times.second.values)


def _jumps_oddly(before: datetime, after: datetime, without: datetime) -> bool:
    """Whether the clock jumped at a midnight, or by less than an hour; `without` is what it would have told."""
    jump = after.replace(tzinfo=None) - without.replace(tzinfo=None)
    return bool(jump) and (bool(jump % _HOUR) or 0 in {after.hour, without.hour, before.hour})


def _hour_after(at: datetime, local: datetime, zone: ZoneInfo) -> datetime:
    """Where the hour ends or, if that is before, where the clock jumps."""
    for unit in (_HOUR, _MINUTE, _SECOND):
        past = timedelta(minutes=local.minute, seconds=local.second) % unit
        following = at + (unit - past)
        if (following - _SECOND).astimezone(zone).utcoffset() == local.utcoffset():
            return following
    return at + _SECOND


def _before(times: Cron, seconds: int) -> int:
    """How often it fires in the first seconds of an hour in which it does."""
    minutes, rest = divmod(seconds, 60)
    whole = sum(minute < minutes for minute in times.minute.values) * len(times.second.values)
    return whole + (minutes in times.minute.values) * sum(second < rest for second in times.second.values)
