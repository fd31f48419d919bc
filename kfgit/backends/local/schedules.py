"""Schedules as people look at them: what they did, what they will do, and what they owe."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from uuid import uuid4

from kfgit import ticks
from kfgit.backend import Ambiguous, NotFound, Refused, SameName, ScheduleStatus
from kfgit.backends.local import scheduled
from kfgit.backends.local.attempts import now
from kfgit.backends.local.scheduled import Named, Programs
from kfgit.backends.local.store import Database, ledger, runs, schedules, ticks as records
from kfgit.backends.local.store.schedules import Schedule


@dataclass(frozen=True, slots=True)
class LocalSchedules:
    """The schedules of a local environment, those of `project` and those of others."""

    database: Database
    project: str
    environment: str

    def all(self) -> tuple[ScheduleStatus, ...]:
        """Every schedule, by name, with its newest tick."""
        with self.database.read() as db:
            owned = self._owned(db)
            return tuple(_told(db, one, owned, 1) for one in schedules.every(db))

    def ours(self) -> tuple[ScheduleStatus, ...]:
        """All of them: what one machine fires concerns whoever sits at it."""
        return self.all()

    def get(self, name: str) -> ScheduleStatus:
        """One schedule with all its ticks; see `find`."""
        with self.database.read() as db:
            return _told(db, _find(db, name), self._owned(db), records.KEPT)

    def enable(self, name: str, *, enabled: bool) -> ScheduleStatus:
        """Turns a schedule on or off; one that is so already stays as it is."""
        with self.database.write() as db:
            found = _find(db, name)
            if found.enabled != enabled:
                schedules.enable(db, found.id, now(), enabled=enabled)
        return self.get(found.id)

    def trigger(self, name: str) -> str:
        """Starts the run of a schedule out of turn, and returns its id. It is no tick. Raises `Refused`."""
        with self.database.read() as db:
            schedule = _find(db, name)
            source = scheduled.source_of(db, schedule)
            if isinstance(source, Refused):
                raise source
            programs = Programs(db, {source.package})
        prepared = programs.prepare(schedule, source)
        if isinstance(prepared, Refused):
            raise prepared
        at = now()
        run = Named(str(uuid4()), scheduled.run_name(schedule, at.replace(microsecond=0)))
        with self.database.write() as db:
            if schedules.get(db, schedule.id) is None or scheduled.source_of(db, schedule) != source:
                raise Refused(f"the schedule `{schedule.name}` changed in this moment; try again")
            scheduled.record(db, schedule, prepared, run, self.environment, at)
        return run.id

    def _owned(self, db: sqlite3.Connection) -> frozenset[str]:
        return frozenset(mark.id for mark in ledger.marks(db, self.project) if mark.kind == "Schedule")


def _told(db: sqlite3.Connection, schedule: Schedule, owned: frozenset[str], limit: int) -> ScheduleStatus:
    fired = records.last_fired(db, schedule.id)
    rule, standing = _standing(schedule)
    return ScheduleStatus(
        schedule.id,
        schedule.name,
        schedule.spec,
        enabled=schedule.enabled,
        owned=schedule.id in owned,
        rule=rule,
        standing=standing,
        history=records.newest(db, schedule.id, limit),
        fired=fired,
        state=runs.state(db, fired.run) if fired and fired.run else None,
    )


def _standing(schedule: Schedule) -> tuple[ticks.Rule | None, ticks.Standing]:
    try:
        rule = scheduled.rule_of(schedule)
    except (ValueError, TypeError, ArithmeticError):
        return None, ticks.Standing(schedule.since, schedule.last_tick)
    return rule, scheduled.standing_of(schedule, rule)


def _find(db: sqlite3.Connection, name: str) -> Schedule:
    """By id, by name, or by the begin of either; raises `NotFound`, `Ambiguous` or `SameName`."""
    wanted = name.removeprefix("schedule/")
    known = schedules.every(db)
    for exact in ([one for one in known if one.id == wanted], [one for one in known if one.name == wanted]):
        if len(exact) == 1:
            return exact[0]
        if exact:
            raise SameName(wanted, [one.id for one in exact])
    begun = [one for one in known if wanted and (one.name.startswith(wanted) or one.id.startswith(wanted))]
    if len(begun) == 1:
        return begun[0]
    if not begun:
        raise NotFound("schedule", wanted, [one.name for one in known])
    names = [one.name for one in begun]
    raise Ambiguous("schedule", wanted, names if len(set(names)) == len(names) else [one.id for one in begun])
