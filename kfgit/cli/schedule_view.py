"""A schedule and its ticks as `kfgit schedules` tells them, to machines and to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from kfgit.backend import ScheduleStatus
from kfgit.cron import CronError, zone_of
from kfgit.events import TickRecord
from kfgit.ir import DEFAULT_EXPERIMENT
from kfgit.render import runs as show
from kfgit.render.envelope import envelope
from kfgit.render.style import Style, ago, clean, every, instant, moment, table

HEAD = ("NAME", "PIPELINE", "WHEN", "ENABLED", "LAST", "NEXT")
PAST = ("TICK", "WHAT BECAME OF IT", "RUN", "WHY")


class _Ahead(NamedTuple):
    """What is to come of a schedule, in its zone; `owed` are the newest ticks that should have fired since `since`."""

    times: Sequence[datetime] = ()
    owed: Sequence[datetime] = ()
    since: datetime | None = None


def as_json(told: ScheduleStatus, now: datetime, count: int) -> dict[str, Any]:
    """A schedule with what it last did, what it owes and the next `count` times."""
    one, ahead = told, _ahead(told, now, count)
    return envelope(
        "Schedule",
        id=one.id,
        name=one.name,
        owned=told.owned,
        spec={**one.spec, "enabled": one.enabled},
        next=[instant(at) for at in ahead.times],
        owed=[instant(at) for at in ahead.owed],
        last=None if told.fired is None else tick_json(told.fired, told),
        held=None if told.held is None else tick_json(told.held, told),
    )


def tick_json(tick: TickRecord, told: ScheduleStatus) -> dict[str, Any]:
    """A tick and what became of it."""
    return {
        "at": instant(tick.at),
        "state": tick.state,
        "decidedAt": instant(tick.decided_at),
        "run": tick.run,
        "runState": told.state if tick == told.fired else None,
        "reason": tick.reason,
    }


# --- for people


def _zone(told: ScheduleStatus) -> ZoneInfo | None:
    try:
        return zone_of(str(told.spec.get("timezone") or "UTC"))
    except CronError:
        return None


def _ahead(told: ScheduleStatus, now: datetime, count: int) -> _Ahead:
    """Nothing where it cannot be read: its ticks say so."""
    zone = _zone(told)
    try:
        since = told.owed_since(now)
        return _Ahead(
            [at.astimezone(zone) for at in told.upcoming(now, count)],
            [at.astimezone(zone) for at in told.owed(now)],
            since.astimezone(zone) if since else None,
        )
    except (ValueError, TypeError, ArithmeticError):
        return _Ahead()


def row(told: ScheduleStatus, now: datetime, style: Style) -> Sequence[str]:
    """One line of the list."""
    one, last = told, told.fired
    outcome = "never" if last is None else ago(last.at, now)
    if last is not None and told.state is not None:
        outcome = f"{show.sign(told.state, style)} {show.word(told.state, style)} {outcome}"
    times = _ahead(told, now, 1).times
    return (
        one.name,
        str(one.spec.get("pipeline") or ""),
        _when(one.spec),
        "yes" if one.enabled else "no",
        outcome,
        moment(times[0]) if times else "never",
    )


def why(told: ScheduleStatus, tick: TickRecord, style: Style) -> str:
    """Which tick did not fire, or not yet, and for what reason."""
    at = moment(tick.at.astimezone(_zone(told)))
    what = "lets the tick of {} wait" if tick.state == "waiting" else "skipped the tick of {}"
    return style.yellow(f"{what.format(at)}: {clean(tick.reason or '')}")


def _when(spec: Mapping[str, Any]) -> str:
    """The trigger as people write it: cron in five fields where the seconds say nothing."""
    cron = spec.get("cron")
    if cron is not None:
        zone = "" if str(cron).startswith("@every") else f" {spec.get('timezone')}"
        return f"{str(cron).removeprefix('0 ')}{zone}"
    return "once" if spec.get("every") is None else f"every {every(int(spec['every']))}"


def heading(told: ScheduleStatus, style: Style) -> str:
    """Its name and its trigger."""
    return f"{style.bold(clean(told.name))}  {style.dim(clean(_when(told.spec)))}\n"


def facts(told: ScheduleStatus, style: Style) -> str:
    """What it runs, and by which rules."""
    spec = told.spec
    rows = [
        ("id", told.id),
        ("pipeline", f"{spec.get('pipeline') or ''} {spec.get('version') or ''}".strip()),
        ("experiment", str(spec.get("experiment") or DEFAULT_EXPERIMENT)),
        ("start", str(spec.get("start") or "")),
        ("end", str(spec.get("end") or "")),
        ("catchup", "yes" if spec.get("catchup") else "no"),
        ("maxConcurrency", str(spec.get("maxConcurrency") or 1)),
        ("inputs", ", ".join(f"{k}={show.shown(v)}" for k, v in (spec.get("inputs") or {}).items())),
        ("owned", "yes" if told.owned else "no"),
    ]
    return table([(f"  {style.dim(name)}", value) for name, value in rows if value], style=style)


def upcoming(told: ScheduleStatus, now: datetime, count: int, style: Style) -> str:
    """The times of one schedule; in the reader's zone too where that is another."""
    if not told.enabled:
        return "  disabled: it does not fire\n"
    ahead = _ahead(told, now, count)
    lead = ""
    if told.held is not None and told.held.state == "waiting":
        lead = f"  it {why(told, told.held, style)}\n"
    elif ahead.since is not None:
        lead = f"  owed since {moment(ahead.since)}: it fires as soon as a server looks\n"
    rows = [(f"  {moment(at)}", moment(at.astimezone())) for at in ahead.times]
    if not rows:
        return f"{lead}  never again\n"
    if all(its.strip() == yours for its, yours in rows):
        return lead + table([(its,) for its, _ in rows], style=style)
    return lead + table(rows, ("  ITS ZONE", "YOURS"), style)


def past(told: ScheduleStatus, tick: TickRecord, style: Style) -> Sequence[str]:
    """One line of its history."""
    paint = {"fired": style.green, "skipped": style.yellow}.get(tick.state, style.cyan)
    late = (tick.decided_at - tick.at).total_seconds()
    reason = tick.reason or ("" if late < 60 else f"{every(int(late))} late")
    return (moment(tick.at.astimezone(_zone(told))), paint(tick.state), (tick.run or "")[:8], reason)
