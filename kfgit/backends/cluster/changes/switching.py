"""Schedules of KFP made, switched and replaced: the steps of `replacing`, carried out and looked at.

Names of recurring runs are not unique, and a request whose answer got lost, or that was sent twice on the way, may have
made two. All of them are made switched off and marked, and each look sees all that are ours under the name: what is
not needed is deleted, whoever made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kfgit import ticks
from kfgit.backend import MachineFault, Refused
from kfgit.backends.cluster.changes import replacing
from kfgit.backends.cluster.changes.applying import Calls, Context, experiment_id, pipeline_id, version_id
from kfgit.backends.cluster.changes.replacing import Count, Create, Delete, Disable, Done, Enable, Standing
from kfgit.backends.cluster.connection.wire import Forbidden
from kfgit.backends.cluster.kfp import translate
from kfgit.backends.cluster.kfp.api import KfpFault, KfpSchedule, RunQuery
from kfgit.backends.cluster.kfp.translate import Ids
from kfgit.backends.cluster.records import marks
from kfgit.cron import CronError
from kfgit.ir import Resource

# No replacement takes so many steps, unless somebody else changes the same schedules at the same time.
MAX_STEPS = 60
# A run shows a moment after its tick: KFP's persistence agent has to report it first.
REPORTED_WITHIN = timedelta(seconds=20)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be there. `known` are ids that are ours without a mark, `resting` those that were off on purpose."""

    desired: Resource
    ids: Ids
    known: frozenset[str] = frozenset()
    resting: frozenset[str] = frozenset()

    @property
    def enabled(self) -> bool:
        """Whether it shall be on."""
        return bool(self.desired.spec.get("enabled", True))


def ids_of(context: Context, spec: translate.Spec) -> Ids:
    """What a schedule or run stands on, each looked for or made once in an apply."""
    pipeline = str(spec["pipeline"])
    return Ids(
        pipeline_id(context, pipeline),
        version_id(context, pipeline, str(spec["version"])),
        experiment_id(context, str(spec["experiment"])),
    )


def converge(context: Context, wish: Wish, *, fresh: bool) -> KfpSchedule:
    """Follows the steps until one schedule is there as it is wished; returns it. `fresh`: none was there before.

    A replacement that KFP refuses leaves the old schedule as it was; where it is off after all the fault says so.
    """
    scene = _Scene(context, wish, () if fresh else _ours(context, wish))
    before = [each.recurring_run_id for each in scene.there if each.enabled]
    scene.on.update(before)
    try:
        for _ in range(MAX_STEPS):
            step = replacing.next_step(list(scene.standings()), enabled=wish.enabled)
            if isinstance(step, Done):
                return scene.found(step.id)
            scene.follow(step)
    except (MachineFault, Refused) as fault:
        if isinstance(fault, (KfpFault, Refused, Forbidden)):
            with suppress(MachineFault, Refused):
                scene.restore(before)
        if before and wish.enabled and not scene.on:
            fault.args = (f"{fault}; `{wish.desired.name}` is switched off until an apply succeeds",)
        raise
    raise MachineFault(f"schedule `{wish.desired.name}` does not come to rest: does somebody else change it?")


@dataclass(eq=False, slots=True)
class _Scene:
    """The schedules of ours under one name, as they were seen last, and what was learnt of them since."""

    context: Context
    wish: Wish
    there: Sequence[KfpSchedule]
    last: dict[str, datetime | None] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    on: set[str] = field(default_factory=set)

    def found(self, id_: str) -> KfpSchedule:
        return next(each for each in self.there if each.recurring_run_id == id_)

    def standings(self) -> Iterator[Standing]:
        wanted = self.message(None)
        for each in self.there:
            id_ = each.recurring_run_id
            entry = self.context.entry("Schedule", id_)
            other = set(translate.unlike(wanted, each.raw, entry.spec if entry else None)) - {"enabled"}
            if "start" in other and self._start_is_ours(each):
                other.remove("start")
            yield Standing(
                id_,
                enabled=each.enabled,
                fits=not other,
                continues=not other & {"cron", "every"},
                created=each.created_at or _NEVER,
                start=translate.start_of(each.raw),
                stopped=None if each.enabled or id_ in self.wish.resting else each.updated_at,
                last=self.last.get(id_),
                counted=id_ in self.last,
                dead=id_ in self.dead,
            )

    def message(self, start: datetime | None) -> dict[str, Any]:
        context, desired = self.context, self.wish.desired
        mark = context.mark("Schedule", desired.name, desired.digest)
        # People meet it in KFP's own dashboard, where it can be clicked on.
        place = context.ledger.place
        text = marks.describe(f"Kept by kfgit ({place.project}, {place.environment}).", mark)
        return translate.schedule_message(
            desired.name, desired.spec, self.wish.ids, zone=context.zone, description=text, start=start
        )

    def follow(self, step: replacing.Step) -> None:
        context = self.context
        match step:
            case Disable(id=id_):
                self._switched(id_, context.kfp.disable)
                self.on.discard(id_)
                self._look()
            case Count(id=id_):
                self.last[id_] = newest_tick(context, self.found(id_), context.zone)
            case Create(start=start):
                self._create(start)
            case Enable(id=id_):
                if self._switched(id_, context.kfp.enable):
                    self.on.add(id_)
                    self.there = [
                        replace(each, enabled=True) if each.recurring_run_id == id_ else each
                        for each in self.there
                    ]
                else:
                    self._look()
            case Delete(id=id_):
                context.again(lambda: context.kfp.delete_schedule(id_, orphan=context.capabilities.orphan))
                self.there = [each for each in self.there if each.recurring_run_id != id_]
            case Done():
                pass

    def restore(self, before: Sequence[str]) -> None:
        """Switches on again what was on at the beginning, where nothing else is."""
        self._look()
        self.on = {each.recurring_run_id for each in self.there if each.enabled}
        left = [each for each in self.there if each.recurring_run_id in before]
        if left and not any(each.enabled for each in self.there):
            self.context.again(lambda: self.context.kfp.enable(left[-1].recurring_run_id))
            self.on.add(left[-1].recurring_run_id)

    def _look(self) -> None:
        self.there = _ours(self.context, self.wish)

    def _switched(self, id_: str, switch: Callable[[str], None]) -> bool:
        """Whether KFP could switch it: not one whose ScheduledWorkflow is gone, which fires nothing (#10123)."""
        try:
            self.context.again(lambda: switch(id_))
        except KfpFault as fault:
            if fault.status not in (404, 500) or "not found" not in fault.message:
                raise
            self.dead.add(id_)
            return False
        return True

    def _create(self, start: datetime | None) -> None:
        context, message = self.context, self.message(start)
        known = {each.recurring_run_id for each in self.there}

        def fresh() -> KfpSchedule | None:
            found = [each for each in _ours(context, self.wish) if each.recurring_run_id not in known]
            return next((each for each in found if each.description == message["description"]), None)

        made = context.written(lambda: context.kfp.create_schedule(message), fresh, times=2)
        # All that were there are off, so that what they fired last stays what it is; this one has not begun.
        self.last[made.recurring_run_id] = None
        self._look()
        kept = next((each for each in self.there if each.recurring_run_id == made.recurring_run_id), None)
        other = ["everything"] if kept is None else sorted(translate.unlike(message, kept.raw))
        if other:
            context.again(
                lambda: context.kfp.delete_schedule(made.recurring_run_id, orphan=context.capabilities.orphan)
            )
            raise Refused(
                f"KFP did not keep schedule `{self.wish.desired.name}` as it was sent: {', '.join(other)} came back "
                "otherwise; what was there before stays"
            )

    def _start_is_ours(self, each: KfpSchedule) -> bool:
        """Whether its start only says where it went on for another one, which is no matter of the document's."""
        mark, start = marks.mark_of(each.description), translate.start_of(each.raw)
        if mark is None or mark.set != self.context.owner or start is None or each.created_at is None:
            return False
        return (_wanted_start(self.wish.desired.spec) or _NEVER) <= start <= each.created_at


def _wanted_start(spec: translate.Spec) -> datetime | None:
    """The start that a document gives."""
    written = spec.get("start")
    return datetime.fromisoformat(str(written)).astimezone(UTC).replace(microsecond=0) if written else None


def _ours(context: Context, wish: Wish) -> list[KfpSchedule]:
    return [
        each
        for each in context.kfp.schedules_named(wish.desired.name)
        if each.recurring_run_id in wish.known
        or ((mark := marks.mark_of(each.description)) is not None and mark.set == context.owner)
    ]


def newest_tick(calls: Calls, found: KfpSchedule, zone: str) -> datetime | None:
    """The scheduled time of the newest run of a schedule that is off; waits for one that is about to show."""
    query = RunQuery(recurring_run_id=found.recurring_run_id, sort_by="scheduled_at desc")

    def ask() -> datetime | None:
        newest = next(iter(calls.kfp.runs(query, limit=1)), None)
        return None if newest is None else newest.scheduled_at

    last = ask()
    for pause in calls.looks:
        if not _just_missed(found, last, zone):
            break
        calls.sleep(pause)
        last = ask()
    return last


def _just_missed(found: KfpSchedule, last: datetime | None, zone: str) -> bool:
    """Whether a tick right before the switching off has no run, as far as one sees."""
    if found.updated_at is None or found.created_at is None:
        return False
    trigger = found.raw.get("trigger") or {}
    cron = (trigger.get("cron_schedule") or {}).get("cron")
    every = (trigger.get("periodic_schedule") or {}).get("interval_second")
    if not cron and not every:
        return False
    try:
        rule = ticks.read(
            {
                "cron": cron and ticks.from_api(cron),
                "every": every,
                "timezone": zone,
                "start": translate.start_of(found.raw),
                "catchup": not found.raw.get("no_catchup"),
            }
        )
    except CronError:
        # What others made may have a cron that KFP alone can read, such as one with a time zone of its own.
        return False
    owed = ticks.owed(rule, ticks.Standing(found.created_at, last), found.updated_at)
    return bool(owed) and found.updated_at - owed[-1] <= REPORTED_WITHIN
