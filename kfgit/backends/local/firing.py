"""One pass over the schedules of a store: ticks that are due become runs.

What is due is for `kfgit.ticks` to say. A tick is one transaction: its run, what became of it, how far the schedule
has come and when it must be looked at again. So a process that dies leaves it owed or fired, and as the run's id is
made of schedule and tick, none fires twice, whoever else passes here at the same time. Packages and inputs are
looked at before the transaction, which many schedules share and which must be short: what changes meanwhile is left
for the next pass.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kfgit import ticks
from kfgit.backend import MachineFault, Refused
from kfgit.backends.local import scheduled
from kfgit.backends.local.scheduled import Prepared, Programs, Source
from kfgit.backends.local.store import Database, runs, schedules, ticks as records
from kfgit.backends.local.store.schedules import Schedule
from kfgit.events import TickRecord
from kfgit.ticks import Decision, Rule, Standing

BATCH = 64
# A schedule that cannot be read may become readable: its time zone with the next tzdata, its row by hand.
_LOOK_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass did: the schedules it looked at, the runs that it recorded, faults to tell people, ticks skipped."""

    looked: int = 0
    fired: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """A schedule with what `ticks` says of it now."""

    schedule: Schedule
    active: int
    rule: Rule
    standing: Standing
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """A schedule that no `apply` and no client wrote so."""

    schedule: Schedule
    why: str


def fire(database: Database, environment: str, now: datetime) -> Pass:
    """Settles at most `BATCH` of the schedules that must be looked at; more remain where it looked at so many."""
    with database.read() as db:
        looks = [_look_or_fault(db, one, now) for one in schedules.due(db, now, BATCH)]
        due = [look for look in looks if isinstance(look, _Look) and look.decision.due]
        sources = {look.schedule.id: scheduled.source_of(db, look.schedule) for look in due}
        programs = Programs(db, {one.package for one in sources.values() if isinstance(one, Source)})
    prepared = {
        look.schedule.id: _prepared(programs, look.schedule, sources[look.schedule.id]) for look in due
    }
    return _settle_all(database, [(look, prepared.get(look.schedule.id)) for look in looks], environment, now)


def look_at_all(database: Database) -> None:
    """Has every schedule looked at anew: what was reckoned under another clock, or by another kfgit, may be wrong."""
    with database.write() as db:
        schedules.forget_wakes(db)


def next_wake(database: Database, now: datetime) -> datetime | None:
    """When a schedule must be looked at again; None where none must."""
    with database.read() as db:
        at_once, later = schedules.wake(db)
    return now if at_once else later


def _look_or_fault(db: sqlite3.Connection, schedule: Schedule, now: datetime) -> _Look | _Unreadable:
    try:
        rule = scheduled.rule_of(schedule)
        standing = ticks.settled(rule, scheduled.standing_of(schedule, rule), now)
        active = runs.active_of(db, schedule.id)
        decision = ticks.decide(rule, standing, now, scheduled.concurrency(schedule) - active)
    except (ValueError, TypeError, ArithmeticError) as fault:
        return _Unreadable(schedule, f"it cannot be read: {fault}")
    return _Look(schedule, active, rule, standing, decision)


def _prepared(programs: Programs, schedule: Schedule, source: Source | Refused) -> Prepared | Refused:
    return programs.prepare(schedule, source) if isinstance(source, Source) else source


# --- the transaction


def _settle_all(
    database: Database,
    batch: Sequence[tuple[_Look | _Unreadable, Prepared | Refused | None]],
    environment: str,
    now: datetime,
) -> Pass:
    """Settles a batch; where one of it breaks the transaction, each in one of its own."""
    if not batch:
        return Pass()
    try:
        with database.write() as db:
            return _together([_settle(db, one, made, environment, now) for one, made in batch])
    except MachineFault:
        raise
    except Exception as fault:  # noqa: BLE001 - one schedule must not stop the others
        if len(batch) > 1:
            return _together([_settle_all(database, [each], environment, now) for each in batch])
        schedule = batch[0][0].schedule
        with database.write() as db:
            _put_off(db, schedule, now)
        return Pass(1, faults=(f"schedule `{schedule.name}` is put off: {fault!r}",))


def _together(passes: Sequence[Pass]) -> Pass:
    return Pass(
        sum(each.looked for each in passes),
        tuple(run for each in passes for run in each.fired),
        tuple(fault for each in passes for fault in each.faults),
        sum(each.skipped for each in passes),
    )


def _settle(
    db: sqlite3.Connection,
    look: _Look | _Unreadable,
    prepared: Prepared | Refused | None,
    environment: str,
    now: datetime,
) -> Pass:
    seen = look.schedule
    if schedules.get(db, seen.id) != seen:
        return Pass(1)  # changed, deleted, or settled by another process
    if isinstance(look, _Look) and look.active != runs.active_of(db, seen.id):
        look = _look_or_fault(db, seen, now)
    if isinstance(look, _Unreadable):
        records.add(db, seen.id, TickRecord(now.replace(microsecond=0), "skipped", now, reason=look.why))
        _put_off(db, seen, now)
        return Pass(1, faults=(f"schedule `{seen.name}`: {look.why}",), skipped=1)
    if not look.decision.due:
        _advance(db, look, look.standing.last, look.decision, now)
        return Pass(1)
    match prepared:
        case Refused():
            return _give_up(db, look, str(prepared), now)
        case Prepared() if scheduled.source_of(db, seen) == prepared.source:
            return _start(db, look, prepared, environment, now)
        case _:
            return Pass(1)  # a slot came free, or a newer version, since it was looked at


def _start(db: sqlite3.Connection, look: _Look, prepared: Prepared, environment: str, now: datetime) -> Pass:
    schedule, decision = look.schedule, look.decision
    waited = records.take_waiting(db, schedule.id)
    passed_over = _passed_over(schedule, decision, waited, now)
    records.add(db, schedule.id, *passed_over)
    fired = []
    for tick in decision.due:
        run = scheduled.of_tick(schedule, tick)
        # It may have fired before the clock was set back, or before `apply` gave the schedule a new id.
        known = records.has_fired(db, schedule.id, tick)
        if not known and scheduled.record(db, schedule, prepared, run, environment, now):
            fired.append(run.id)
        records.add(db, schedule.id, TickRecord(tick, "fired", now, run=run.id))
    _advance(db, look, decision.due[-1], decision, now)
    return Pass(1, tuple(fired), skipped=len(passed_over))


def _advance(
    db: sqlite3.Connection, look: _Look, last: datetime | None, decision: Decision, now: datetime
) -> None:
    schedule = look.schedule
    if decision.waiting is not None and records.waiting(db, schedule.id) is None:
        # The first that waits stays written down, as it tells since when.
        records.add(db, schedule.id, TickRecord(decision.waiting, "waiting", now, reason=_busy(schedule)))
    schedules.advance(db, schedule.id, last, decision.wake, look.standing.since)


def _put_off(db: sqlite3.Connection, schedule: Schedule, now: datetime) -> None:
    schedules.advance(db, schedule.id, schedule.last_tick, now + _LOOK_AGAIN, schedule.since)


# --- what does not fire


def _give_up(db: sqlite3.Connection, look: _Look, why: str, now: datetime) -> Pass:
    """Skips all that is owed: it would fail for the same reason."""
    schedule, rule = look.schedule, look.rule
    records.take_waiting(db, schedule.id)
    skipped = ticks.owed(rule, look.standing, now) if rule.catchup else look.decision.due
    records.add(db, schedule.id, *(TickRecord(tick, "skipped", now, reason=why) for tick in skipped))
    after = ticks.decide(rule, replace(look.standing, last=skipped[-1]), now, 1)
    _advance(db, look, skipped[-1], after, now)
    told = f"schedule `{schedule.name}` skips what is due: {why}"
    return Pass(1, faults=(told,), skipped=len(skipped))


def _passed_over(
    schedule: Schedule, decision: Decision, waited: datetime | None, now: datetime
) -> list[TickRecord]:
    """The ticks in whose place a newer one fires, each with the reason."""
    found = []
    for tick in decision.missed:
        if waited is not None and tick >= waited:
            why = _busy(schedule)
        elif tick <= schedule.updated_at:
            why = (
                "it was due before the schedule was last enabled or changed; without catchup the newest fires"
            )
        else:
            why = "no server ran at that time; without catchup the newest fires"
        found.append(TickRecord(tick, "skipped", now, reason=why))
    if found and decision.more:
        found[0] = replace(found[0], reason=f"{found[0].reason}; others before it were passed over too")
    return found


def _busy(schedule: Schedule) -> str:
    limit = scheduled.concurrency(schedule)
    return f"maxConcurrency is {limit}, and {'a run' if limit == 1 else f'{limit} runs'} of it had not ended"
