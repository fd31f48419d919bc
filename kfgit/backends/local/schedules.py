"""Schedules as people look at them: what they did, what they will do, and what they owe."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from kfgit import ticks
from kfgit.backend import NotFound, Refused
from kfgit.backends.local import scheduled
from kfgit.backends.local.attempts import now
from kfgit.backends.local.history import Ambiguous
from kfgit.backends.local.scheduled import Named, Programs
from kfgit.backends.local.store import Database, ledger, runs, schedules, ticks as records
from kfgit.backends.local.store.schedules import Schedule
from kfgit.backends.local.store.ticks import TickRecord
from kfgit.events import State


class SameName(Ambiguous):
    """Several schedules have the same name; `known` are their ids."""

    def __init__(self, name: str, ids: Sequence[str]) -> None:
        super().__init__("schedule", name, ids)
        self.args = (f"several schedules are called `{name}`; give the id of one: {', '.join(ids)}",)


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """A schedule, its newest ticks and the last that fired; `state` is how that one's run came out."""

    schedule: Schedule
    owned: bool
    history: tuple[TickRecord, ...]
    fired: TickRecord | None
    state: State | None

    @property
    def held(self) -> TickRecord | None:
        """The newest tick, where it was skipped or waits."""
        newest = self.history[0] if self.history else None
        return newest if newest and newest.state != "fired" else None

    def upcoming(self, at: datetime, count: int) -> tuple[datetime, ...]:
        """When it fires next; raises `CronError` where it cannot be read."""
        rule, standing = self._at(at)
        return ticks.upcoming(rule, standing, at, count)

    def owed(self, at: datetime) -> tuple[datetime, ...]:
        """The newest ticks that should have fired; raises `CronError` where it cannot be read."""
        rule, standing = self._at(at)
        return ticks.owed(rule, standing, at)

    def owed_since(self, at: datetime) -> datetime | None:
        """The first tick that should have fired; raises `CronError` where it cannot be read."""
        rule, standing = self._at(at)
        return ticks.owed_since(rule, standing, at)

    def _at(self, at: datetime) -> tuple[ticks.Rule, ticks.Standing]:
        rule = scheduled.rule_of(self.schedule)
        return rule, ticks.settled(rule, scheduled.standing_of(self.schedule, rule), at)


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
    state = runs.state(db, fired.run) if fired and fired.run else None
    return ScheduleStatus(
        schedule, schedule.id in owned, records.newest(db, schedule.id, limit), fired, state
    )


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
