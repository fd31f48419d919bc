"""Which ticks of a schedule are due, which it passes over, and when to look again; exactly as KFP's controller decides.

The rules are those of KFP 2.17.0's ScheduledWorkflow controller (backend/src/crd/controller/scheduledworkflow/util:
`cron_schedule.go`, `periodic_schedule.go`, `scheduled_workflow.go`). A tick is reckoned from the last one that fired,
else from `start`, else from when the schedule was made. With catch-up every tick that was missed fires, one after the
other; without it a cron fires the newest of them, and an interval fires at the instant of the look and counts on from
there. Times are whole seconds. Four things are better here: a cron that never fires is never due; nothing fires at a
start that is after the end; a look after years costs no walk through them; and a clock that was wrong does not silence
a schedule until that time comes again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any, assert_never

from kfgit import cron
from kfgit.cron import CronError

# So many of the ticks that are passed over are told one by one.
TAIL = 24
# A last tick so far ahead of now means that the clock was wrong then. cron(8) draws the line there too.
CLOCK_ERROR = timedelta(hours=3)

_SECOND = timedelta(seconds=1)
# So many ticks are walked through one by one; beyond them the newest are searched for.
_CHAIN = 4 * TAIL


@dataclass(frozen=True, slots=True)
class Times:
    """A cron in a time zone."""

    cron: cron.Cron
    zone: str


@dataclass(frozen=True, slots=True)
class Every:
    """An interval. Without catch-up a late tick moves all later ones."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Delay:
    """The cron `@every 90m` of KFP's API: an interval that follows the rules of crons."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Once:
    """No trigger at all: one tick, at once."""


Trigger = Times | Every | Delay | Once


@dataclass(frozen=True, slots=True)
class Rule:
    """When a schedule fires. `end` still belongs to it, `start` does not; how many run at once is the caller's."""

    trigger: Trigger
    start: datetime | None = None
    end: datetime | None = None
    catchup: bool = False
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """All that must be remembered of a schedule: when it was made, or its trigger last changed, and the last tick."""

    since: datetime
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a look found.

    `due` is to fire, in this order. `missed` was passed over in favour of it: the newest ones, `more` if there were
    others. `waiting` is owed but has no slot. `wake` is when time alone changes something, None for never.
    """

    due: tuple[datetime, ...] = ()
    missed: tuple[datetime, ...] = ()
    more: bool = False
    waiting: datetime | None = None
    wake: datetime | None = None


def decide(rule: Rule, standing: Standing, now: datetime, slots: int) -> Decision:
    """What is due now, if `slots` more runs may begin. Whoever fires `due` sets `Standing.last` to the last of it."""
    now = now.replace(microsecond=0)
    first = _after(rule, standing) if rule.enabled else None
    if first is None:
        return Decision()
    if first > now:
        return Decision(wake=first)
    if rule.catchup or isinstance(rule.trigger, Once):
        return _one_by_one(rule, standing, now, slots)
    return _newest(rule, standing, first, now, slots)


def settled(rule: Rule, standing: Standing, now: datetime) -> Standing:
    """The standing with what a wrong clock wrote into it taken back: the count goes on from now."""
    latest = standing.since if standing.last is None else standing.last
    if latest - now <= CLOCK_ERROR:
        return standing
    now = now.replace(microsecond=0)
    once = isinstance(rule.trigger, Once)
    fresh = standing.last is None if once else rule.start is not None and rule.start > now
    return Standing(since=now) if fresh else replace(standing, last=now)


def owed(rule: Rule, standing: Standing, now: datetime) -> tuple[datetime, ...]:
    """The newest of the ticks up to now that have not fired, oldest first: what giving up on them passes over."""
    first = owed_since(rule, standing, now)
    if first is None or isinstance(rule.trigger, Once):
        return () if first is None else (first,)
    now = now.replace(microsecond=0)
    until = now if rule.end is None else min(now, rule.end.astimezone(UTC).replace(microsecond=0))
    return _passed(rule, _base(rule, standing), first, until)[0]


def owed_since(rule: Rule, standing: Standing, now: datetime) -> datetime | None:
    """The first tick up to now that has not fired."""
    first = _after(rule, standing) if rule.enabled else None
    return first if first is not None and first <= now.replace(microsecond=0) else None


def upcoming(rule: Rule, standing: Standing, now: datetime, count: int) -> tuple[datetime, ...]:
    """The next `count` times later than now, if whatever is owed fires now; fewer, or none, where it ends."""
    now = now.replace(microsecond=0)
    if not rule.enabled:
        return ()
    if isinstance(rule.trigger, Once):
        first = _after(rule, standing)
        return (first,) if first is not None and first > now else ()
    if isinstance(rule.trigger, Every) and not rule.catchup:
        fired = decide(rule, standing, now, 1).due
        standing = replace(standing, last=fired[-1]) if fired else standing
    base = _base(rule, standing)
    match rule.trigger:
        case Times(cron=times, zone=zone):
            found = cron.next_times(times, max(base, now), zone, count)
        case Every(seconds=seconds) | Delay(seconds=seconds):
            found = cron.next_every(seconds, base, max(base, now), count)
        case _:
            assert_never(rule.trigger)
    return tuple(at for at in found if rule.end is None or at <= rule.end)


def read(spec: Mapping[str, Any], *, enabled: bool = True) -> Rule:
    """The rule of a Schedule as it is stored (`kfgit.desired`, or made through the API); raises `CronError`."""
    return Rule(
        trigger=_trigger(spec),
        start=_instant(spec.get("start")),
        end=_instant(spec.get("end")),
        catchup=bool(spec.get("catchup")),
        enabled=enabled,
    )


def from_api(text: str) -> str:
    """A cron of KFP's API as it is stored: five fields begin with seconds there; raises `CronError`."""
    if text.startswith(_EVERY):
        return f"{_EVERY}{_delay(text)}s"
    fields = 0 if text.startswith("@") else len(text.split())
    return cron.six_fields(cron.parse(f"{text} *" if fields == 5 else text))


# --- from one tick to the next


def _base(rule: Rule, standing: Standing) -> datetime:
    """What the next tick is counted from."""
    base = _second(standing.last or rule.start or standing.since)
    if rule.start is None or _second(rule.start) <= base:
        return base
    base = _second(rule.start)
    if isinstance(rule.trigger, Every):
        # KFP: what has fired before its start fires at the start, not only an interval later as a new one does.
        with suppress(OverflowError):  # an interval of millennia
            return base - timedelta(seconds=rule.trigger.seconds)
    return base


def _second(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _after(rule: Rule, standing: Standing) -> datetime | None:
    """The first tick that has not fired; None where there is none."""
    if isinstance(rule.trigger, Once):
        return standing.since.replace(microsecond=0) if standing.last is None else None
    return _following(rule, _base(rule, standing))


def _following(rule: Rule, at: datetime) -> datetime | None:
    match rule.trigger:
        case Times(cron=times, zone=zone):
            found = cron.next_times(times, at, zone, 1)
        case Every(seconds=seconds) | Delay(seconds=seconds):
            found = cron.next_every(seconds, at, at, 1)
        case Once():
            found = ()
        case _:
            assert_never(rule.trigger)
    return next((tick for tick in found if rule.end is None or tick <= rule.end), None)


def _one_by_one(rule: Rule, standing: Standing, now: datetime, slots: int) -> Decision:
    due: list[datetime] = []
    following = _after(rule, standing)
    while following is not None and following <= now and len(due) < slots:
        due.append(following)
        following = _following(rule, following)
    if following is not None and following <= now:
        return Decision(tuple(due), waiting=following)
    return Decision(tuple(due), wake=following)


def _newest(rule: Rule, standing: Standing, first: datetime, now: datetime, slots: int) -> Decision:
    until = now if rule.end is None else min(now, rule.end.astimezone(UTC).replace(microsecond=0))
    passed, more = _passed(rule, _base(rule, standing), first, until)
    tick = passed[-1]
    # KFP: an interval that is late by a whole one is "rescheduled to now", but not beyond its end.
    if isinstance(rule.trigger, Every) and (now - first).total_seconds() >= rule.trigger.seconds:
        tick = until
    if slots < 1:
        return Decision(waiting=tick)
    return Decision((tick,), passed[:-1], more, wake=_following(rule, tick))


# --- the newest of many


# After a night without a server many schedules have missed the same ticks.
@lru_cache(maxsize=64)
def _passed(
    rule: Rule, base: datetime, first: datetime, until: datetime
) -> tuple[tuple[datetime, ...], bool]:
    """The newest of the ticks from `first` up to `until`, oldest first, and whether there were others before them."""
    if isinstance(rule.trigger, Every | Delay):
        step = timedelta(seconds=rule.trigger.seconds)
        count = (until - base) // step
        shown = range(max(1, count - TAIL), count + 1)
        return tuple(base + n * step for n in shown), shown.start > 1
    rest = _chain(rule, first, until)
    ticks = (first, *rest) if len(rest) <= _CHAIN else _end_of(rule, first, until)
    told = ticks[-TAIL - 1 :]
    return told, told[0] != first


def _end_of(rule: Rule, low: datetime, until: datetime) -> tuple[datetime, ...]:
    """The newest ticks of a long chain, found by bisection: each second left out is one tick less at most.

    Where the clock jumps at midnight robfig's next time depends on where it is asked from. Then bisection may end
    before a long chain, and is a step on the way.
    """
    while True:
        high = until
        while high - low > _SECOND:
            middle = (low + (high - low) // 2).replace(microsecond=0)
            ticks = _chain(rule, middle, until)
            if len(ticks) <= TAIL:
                high = middle
            elif len(ticks) > _CHAIN:
                low = middle
            else:
                return ticks
        ticks = _chain(rule, low, until)
        if len(ticks) <= _CHAIN:
            return ticks
        low = ticks[_CHAIN // 2]


def _chain(rule: Rule, base: datetime, until: datetime) -> tuple[datetime, ...]:
    """The first ticks after `base` up to `until`; one more than `_CHAIN` where there are many."""
    return tuple(takewhile(lambda tick: tick <= until, islice(_ticks(rule, base), _CHAIN + 1)))


def _ticks(rule: Rule, at: datetime) -> Iterator[datetime]:
    following = _following(rule, at)
    while following is not None:
        yield following
        following = _following(rule, following)


# --- from texts

_EVERY = "@every "
# Go's `time.ParseDuration`, whose nanoseconds fit into 64 bits.
_UNITS = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "μs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_LONGEST = Fraction(2**63 - 1, 10**9)
_AMOUNT = re.compile(r"([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(ns|us|µs|μs|ms|s|m|h)")


def _trigger(spec: Mapping[str, Any]) -> Trigger:
    text, seconds = spec.get("cron"), spec.get("every")
    if text and str(text).startswith(_EVERY):
        return Delay(_delay(str(text)))
    if text:
        zone = str(spec.get("timezone") or "UTC")
        cron.zone_of(zone)
        return Times(_parsed(str(text)), zone)
    return Every(max(1, int(seconds))) if seconds is not None else Once()


@lru_cache(maxsize=256)
def _parsed(text: str) -> cron.Cron:
    # A scheduler reads the same few texts over and over.
    return cron.parse(text)


def _delay(text: str) -> int:
    """The whole seconds of `@every 1h30m`; less than one is one, as in robfig's `Every`."""
    written = text.removeprefix(_EVERY)
    body = written.removeprefix("-") if written.startswith("-") else written.removeprefix("+")
    amounts = list(_AMOUNT.finditer(body))
    if body != "0" and (not amounts or "".join(found[0] for found in amounts) != body):
        raise CronError(f"`{written}` is no duration; write one like `1h30m`")
    total = sum((Fraction(found[1]) * _UNITS[found[2]] for found in amounts), Fraction(0))
    if total > _LONGEST:
        raise CronError(f"`{written}` is longer than a duration can be")
    return max(1, int(-total if written.startswith("-") else total))


def _instant(value: Any) -> datetime | None:
    if not value:
        return None
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
