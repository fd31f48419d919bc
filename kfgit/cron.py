"""When a schedule fires, exactly as KFP's controller reckons it.

KFP parses and steps its crons with robfig/cron v1.2.0 (`parser.go`, `spec.go`), in the time zone of the controller.
What that library accepts is accepted here, and what it makes of daylight saving is made of it here: a tick that
falls into the missing hour is skipped, one in the doubled hour fires twice, and where the clock jumps at midnight
days go wrong in its way. Three things differ. Five fields are read as people and cron(5) write them, minute first,
while KFP takes the first for seconds: so `six_fields` is what is sent. `@every` is refused: that is `every`. And where
a zone left out a whole day, as Samoa did, the next time is found, while robfig looks for it without end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

# Where robfig gives up: a cron that does not fire up to the end of the fifth year from now never does.
YEARS_AHEAD = 5


class CronError(ValueError):
    """Text that is no schedule, or no time zone; the message is one lower-case sentence."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field as it was written, and what it matches.

    `star` tells that `*` or `?` occurs in it, also as `*/2`: that decides how the two day fields combine.
    """

    text: str
    values: frozenset[int]
    star: bool


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed schedule. A field of commas alone matches nothing, as in KFP: such a cron never fires."""

    second: Field
    minute: Field
    hour: Field
    day_of_month: Field
    month: Field
    day_of_week: Field


def parse(text: str) -> Cron:
    """Reads five fields (minute first), six (seconds first) or `@daily` and its like; raises `CronError`."""
    if text.startswith("@"):
        text = _descriptor(text)
    fields = text.split()
    if len(fields) not in {5, 6}:
        raise CronError(f"a cron has 5 fields, or 6 with seconds first; this has {len(fields)}")
    if len(fields) == 5:
        fields = ["0", *fields]
    return Cron(*(_field(written, bounds) for written, bounds in zip(fields, _BOUNDS, strict=True)))


def six_fields(cron: Cron) -> str:
    """The text that KFP understands as this cron: seconds first, all six fields."""
    fields = (cron.second, cron.minute, cron.hour, cron.day_of_month, cron.month, cron.day_of_week)
    return " ".join(field.text for field in fields)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name in the IANA database; raises `CronError`."""
    try:
        return ZoneInfo(name)
    except (OSError, KeyError, ValueError) as fault:  # a folder such as `Europe`, an unknown name, `../x`
        raise CronError(f"there is no time zone `{name}`") from fault


def fires_after(cron: Cron, day: date) -> bool:
    """Whether it fires in UTC on any later day up to where robfig gives up; cheap also where it does not."""
    days = _days_after(day)
    return bool(cron.second.values and cron.minute.values and cron.hour.values) and any(
        _matches(cron, of_month, of_week)
        for month in cron.month.values
        for of_month, of_week in days[month - 1]
    )


def next_times(cron: Cron, after: datetime, zone: str, count: int) -> tuple[datetime, ...]:
    """The first `count` times later than `after` (aware), in UTC; fewer, or none, where it stops firing."""
    place = zone_of(zone)
    found: list[datetime] = []
    while len(found) < count:
        following = _next(cron, found[-1] if found else after, place)
        if following is None:
            break
        found.append(following)
    return tuple(found)


def next_every(interval_seconds: int, start: datetime, after: datetime, count: int) -> tuple[datetime, ...]:
    """The first `count` times later than `after`, in UTC, of a schedule that fires every so many seconds.

    The first is one interval after `start`, not `start` itself, as in KFP (`PeriodicSchedule`).
    """
    if interval_seconds <= 0:
        raise CronError("an interval is at least one second")
    try:
        interval = timedelta(seconds=interval_seconds)
        first = max(1, (after - start) // interval + 1)
        return tuple((start + n * interval).astimezone(UTC) for n in range(first, first + count))
    except OverflowError:  # an interval of millennia
        return ()


def matches_hour(cron: Cron, moment: datetime) -> bool:
    """Whether it fires in the hour of a local time, at its minutes and seconds."""
    in_month = moment.month in cron.month.values
    return in_month and moment.hour in cron.hour.values and _day_matches(cron, moment)


class _Bounds(NamedTuple):
    """What a field may hold."""

    what: str
    low: int
    high: int
    names: Mapping[str, int] = {}


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS = (
    _Bounds("second", 0, 59),
    _Bounds("minute", 0, 59),
    _Bounds("hour", 0, 23),
    _Bounds("day of month", 1, 31),
    _Bounds("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    _Bounds("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_DESCRIPTORS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
# Go's `strconv.Atoi`, up to 18 digits: a sign and leading zeros are fine.
_NUMBER = re.compile(r"\+?0*([0-9]{1,18})")


def _descriptor(text: str) -> str:
    if text.startswith("@every"):
        raise CronError("`@every` is written `every: 2h` instead of `cron`")
    if text not in _DESCRIPTORS:
        raise CronError(f"`{text}` is none of {', '.join(_DESCRIPTORS)}")
    return _DESCRIPTORS[text]


def _field(text: str, bounds: _Bounds) -> Field:
    parts = [_part(part, bounds) for part in text.split(",") if part]
    return Field(text, frozenset().union(*(part.values for part in parts)), any(part.star for part in parts))


def _part(text: str, bounds: _Bounds) -> Field:
    """One item of a list: a number, a range or a star, each with or without a step."""
    written, *steps = text.split("/")
    if len(steps) > 1:
        raise CronError(f"{bounds.what}: `{text}` has two steps")
    star = written.split("-")[0] in {"*", "?"}  # robfig ignores what follows a star and a hyphen
    low, high = (bounds.low, bounds.high) if star else _range(written, bounds, stepped=bool(steps))
    step = _digits(steps[0], bounds) if steps else 1
    if step == 0:
        raise CronError(f"{bounds.what}: the step of `{text}` must be at least 1")
    return Field(text, frozenset(range(low, high + 1, step)), star)


def _range(text: str, bounds: _Bounds, *, stepped: bool) -> tuple[int, int]:
    """The ends of a range; `5/10` begins at 5 and ends where the field does."""
    ends = [_number(end, bounds) for end in text.split("-")]
    if len(ends) > 2:
        raise CronError(f"{bounds.what}: `{text}` has more than two ends")
    low, high = ends[0], bounds.high if stepped and len(ends) == 1 else ends[-1]
    for end in (low, high):
        if not bounds.low <= end <= bounds.high:
            sunday = "; Sunday is 0" if bounds.what == "day of week" and end == 7 else ""
            raise CronError(f"{bounds.what}: {end} is not between {bounds.low} and {bounds.high}{sunday}")
    if low > high:
        forwards = f"{low}-{bounds.high},{bounds.low}-{high}"
        raise CronError(f"{bounds.what}: the range `{text}` runs backwards; write `{forwards}`")
    return low, high


def _number(text: str, bounds: _Bounds) -> int:
    """A number or a name."""
    named = bounds.names.get(text.lower())
    return _digits(text, bounds) if named is None else named


def _digits(text: str, bounds: _Bounds) -> int:
    written = _NUMBER.fullmatch(text)
    if written is None:
        raise CronError(f"{bounds.what}: `{text}` is not a number" + (" or a name" if bounds.names else ""))
    return int(written[1])


def _next(cron: Cron, after: datetime, zone: ZoneInfo) -> datetime | None:
    """The first time later than `after`: robfig's `SpecSchedule.Next`, its labels and gotos as a cursor over stages.

    Each stage advances its unit until the field matches. When a unit wraps around, the larger ones are asked again.
    """
    if not (cron.second.values and cron.minute.values and cron.hour.values and cron.month.values):
        return None
    try:
        moment = _moved(after.replace(microsecond=0).astimezone(zone), timedelta(seconds=1))
        last_year = moment.year + YEARS_AHEAD
        trimmed, stage = False, 0
        while stage < len(_STAGES):
            unit = _STAGES[stage]
            if unit.matches(cron, moment):
                stage += 1
                continue
            if (
                not trimmed
            ):  # once: later the smaller units stand at their beginning, or where the clock's jump left them
                moment, trimmed = unit.trim(moment), True
            moment = unit.advance(cron, moment)
            if unit.wrapped(moment):
                stage = 0
                if moment.year > last_year:
                    return None
        return moment.astimezone(UTC)
    except (OverflowError, ValueError):  # the calendar ends at 9999-12-31
        return None


class _Stage(NamedTuple):
    """One unit of time, largest first. Moments are local and carry the zone."""

    matches: Callable[[Cron, datetime], bool]
    trim: Callable[[datetime], datetime]
    advance: Callable[[Cron, datetime], datetime]
    wrapped: Callable[[datetime], bool]


def _settled(wall: datetime) -> datetime:
    """The moment of a wall-clock time, chosen as Go's `time.Date` does where the zone has none or two of it."""
    as_utc = wall.replace(tzinfo=UTC)
    guess = as_utc - _offset(as_utc, wall)
    return (as_utc - _offset(guess, wall)).astimezone(wall.tzinfo)


def _offset(instant: datetime, wall: datetime) -> timedelta:
    return instant.astimezone(wall.tzinfo).replace(tzinfo=UTC) - instant


def _moved(moment: datetime, by: timedelta) -> datetime:
    """So much real time later; `+` moves the wall clock."""
    return (moment.astimezone(UTC) + by).astimezone(moment.tzinfo)


def _day_matches(cron: Cron, moment: datetime) -> bool:
    return _matches(cron, moment.day, moment.isoweekday() % 7)


def _matches(cron: Cron, day_of_month: int, day_of_week: int) -> bool:
    """Both day fields must match if one of them has a star; without stars either will do."""
    of_month = day_of_month in cron.day_of_month.values
    of_week = day_of_week in cron.day_of_week.values
    if cron.day_of_month.star or cron.day_of_week.star:
        return of_month and of_week
    return of_month or of_week


@lru_cache(maxsize=1)
def _days_after(day: date) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The later days of each month, each with its weekday, up to the end of the fifth year from now."""
    count = (date(day.year + YEARS_AHEAD, 12, 31) - day).days
    found = [day + timedelta(days=n) for n in range(1, count + 1)]
    return tuple(
        tuple(sorted({(one.day, one.isoweekday() % 7) for one in found if one.month == month}))
        for month in range(1, 13)
    )


def _leap(moment: datetime, values: frozenset[int], at: int, unit: timedelta) -> datetime:
    """The next of `values`, or where the unit wraps around: where the clock runs evenly, all single steps at once."""
    steps = next((value for value in range(at + 1, 60) if value in values), 60) - at
    there = _moved(moment, steps * unit)
    return there if there.utcoffset() == moment.utcoffset() else _moved(moment, unit)


def _next_month(_cron: Cron, moment: datetime) -> datetime:
    years, month = divmod(moment.month, 12)
    first = moment.replace(year=moment.year + years, month=month + 1, day=1)
    # A clock that jumps over midnight leaves us on the last day of a month; Go lets the 31st of a short one run over.
    return _settled(first + timedelta(days=moment.day - 1))


def _next_day(_cron: Cron, moment: datetime) -> datetime:
    following = _settled(moment + timedelta(days=1))
    # Where a zone left out a whole day (Samoa, 2011-12-30), robfig would stand still for ever.
    return following if following > moment else _moved(moment, timedelta(days=1))


_STAGES = (
    _Stage(
        matches=lambda cron, moment: moment.month in cron.month.values,
        trim=lambda moment: _settled(moment.replace(day=1, hour=0, minute=0, second=0)),
        advance=_next_month,
        wrapped=lambda moment: moment.month == 1,
    ),
    _Stage(
        matches=_day_matches,
        trim=lambda moment: _settled(moment.replace(hour=0, minute=0, second=0)),
        advance=_next_day,
        wrapped=lambda moment: moment.day == 1,
    ),
    _Stage(
        matches=lambda cron, moment: moment.hour in cron.hour.values,
        trim=lambda moment: _settled(moment.replace(minute=0, second=0)),
        advance=lambda _cron, moment: _moved(moment, timedelta(hours=1)),
        wrapped=lambda moment: moment.hour == 0,
    ),
    _Stage(
        matches=lambda cron, moment: moment.minute in cron.minute.values,
        trim=lambda moment: moment.astimezone(UTC).replace(second=0).astimezone(moment.tzinfo),
        advance=lambda cron, moment: _leap(moment, cron.minute.values, moment.minute, timedelta(minutes=1)),
        wrapped=lambda moment: moment.minute == 0,
    ),
    _Stage(
        matches=lambda cron, moment: moment.second in cron.second.values,
        trim=lambda moment: moment,
        advance=lambda cron, moment: _leap(moment, cron.second.values, moment.second, timedelta(seconds=1)),
        wrapped=lambda moment: moment.second == 0,
    ),
)
