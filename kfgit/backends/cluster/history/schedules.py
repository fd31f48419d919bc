"""The schedules of a KFP server, its recurring runs: what they did, and when they fire next.

KFP tells no ticks: that a schedule fired is told by its runs, and what was skipped leaves no trace. When it fires next
is reckoned here as KFP's controller does, in the controller's time zone, from the newest run on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from kfgit import cron, ticks
from kfgit.backend import Ambiguous, NotFound, SameName, ScheduleStatus
from kfgit.backends.cluster.connection.wire import Ambiguous as InDoubt
from kfgit.backends.cluster.history import naming, run_calls
from kfgit.backends.cluster.history.run_records import state_of
from kfgit.backends.cluster.kfp.api import KfpApi, KfpRun, KfpSchedule, RunQuery
from kfgit.backends.cluster.kfp.translate import Names, schedule_spec
from kfgit.backends.cluster.records import marks
from kfgit.backends.cluster.records.inventory import Entry
from kfgit.events import TickRecord

# So many of the newest runs are looked through for those of schedules, and so many schedules asked for theirs.
_NEWEST = 400
_ASKED = 200
_ASKED_VERSIONS = 40
_AT_ONCE = 8
_KEPT = 100
_LONGEST_NAME = 200
# What a run takes over from its schedule (backend/api/v2beta1, run.proto and recurring_run.proto).
_COPIED = (
    "experiment_id",
    "pipeline_version_reference",
    "pipeline_spec",
    "runtime_config",
    "service_account",
)
_NO_TIME = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class ClusterSchedules:
    """See `kfgit.backend.Schedules`. `zone` is the controller's, `owner` the set whose marks are ours (`marks.set_id`).

    `entries` tells what the inventory knows of schedules, by KFP's ids.
    """

    api: KfpApi
    zone: str
    owner: str
    entries: Callable[[], Mapping[str, Entry]]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def all(self) -> tuple[ScheduleStatus, ...]:
        """Every schedule, ours first, then by name, with its newest tick."""
        return self._all_told(self.api.schedules(), self.entries())

    def ours(self) -> tuple[ScheduleStatus, ...]:
        """Those of this project alone: nobody is asked about the others, of which there may be hundreds."""
        known = self.entries()
        return self._all_told([one for one in self.api.schedules() if self._owns(one, known)], known)

    def _all_told(
        self, found: Sequence[KfpSchedule], known: Mapping[str, Entry]
    ) -> tuple[ScheduleStatus, ...]:
        with run_calls.strictly(self.api, "a recurring run"):
            newest = self._newest_runs(found)
            names = self._names(found, known)
            told = [self._told(one, known, names, newest.get(one.recurring_run_id, ())) for one in found]
        return tuple(sorted(told, key=lambda one: (not one.owned, one.name, one.id)))

    def get(self, name: str) -> ScheduleStatus:
        """One schedule with its newest ticks; ours come before others of the same name."""
        known = self.entries()
        one = self._find(name, known)
        runs = self.api.runs(RunQuery(recurring_run_id=one.recurring_run_id), limit=_KEPT)
        with run_calls.strictly(self.api, f"recurring run {one.recurring_run_id}"):
            return self._told(one, known, self._names([one], known), runs)

    def enable(self, name: str, *, enabled: bool) -> ScheduleStatus:
        """Turns a schedule on or off; one that is so already stays as it is."""
        one = self._find(name, self.entries())
        if one.enabled != enabled:
            (self.api.enable if enabled else self.api.disable)(one.recurring_run_id)
        return self.get(one.recurring_run_id)

    def trigger(self, name: str) -> str:
        """Starts a run with what the schedule runs, and returns its id. KFP does not count it among the schedule's."""
        known = self.entries()
        one = self._find(name, known)
        with run_calls.strictly(self.api, f"recurring run {one.recurring_run_id}"):
            zone = self._spec(one, Names(), known.get(one.recurring_run_id)).get("timezone")
        message = {
            "run_id": str(uuid4()),
            "display_name": _run_name(one, self.now(), str(zone or "UTC")),
            **{key: one.raw[key] for key in _COPIED if one.raw.get(key)},
        }
        try:
            self.api.create_run(message)
        except InDoubt:
            if self.api.run(message["run_id"]) is None:
                raise
        return str(message["run_id"])

    # --- which

    def _find(self, name: str, known: Mapping[str, Entry]) -> KfpSchedule:
        """By id, by name, or by the begin of either; raises `NotFound`, `Ambiguous` or `SameName`."""
        wanted = name.removeprefix("schedule/")
        found = self.api.schedules()
        for one in found:
            if one.recurring_run_id == wanted:
                return one
        exact = [one for one in found if one.display_name == wanted]
        ours = [one for one in exact if self._owns(one, known)]
        if len(ours) == 1 or len(exact) == 1:
            return (ours or exact)[0]
        if exact:
            raise SameName(wanted, [one.recurring_run_id for one in exact])
        begun = [one for one in found if wanted and _begins(one, wanted)]
        if len(begun) == 1:
            return begun[0]
        if not begun:
            raise NotFound("schedule", wanted, [one.display_name for one in found])
        names = [one.display_name for one in begun]
        ids = [one.recurring_run_id for one in begun]
        raise Ambiguous("schedule", wanted, names if len(set(names)) == len(names) else ids)

    def _owns(self, one: KfpSchedule, known: Collection[str]) -> bool:
        mark = marks.mark_of(one.description)
        return one.recurring_run_id in known or (mark is not None and mark.set == self.owner)

    # --- what became of them

    def _newest_runs(self, found: Sequence[KfpSchedule]) -> Mapping[str, Sequence[KfpRun]]:
        """The newest run of each schedule: most are among the newest of all, others are asked for one by one."""
        if not found:
            return {}
        newest: dict[str, Sequence[KfpRun]] = {}
        for run in self.api.runs(limit=_NEWEST):
            if run.recurring_run_id:
                newest.setdefault(run.recurring_run_id, (run,))
        others = [
            one.recurring_run_id
            for one in found
            if one.recurring_run_id not in newest and self._has_ticked(one)
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            asked = pool.map(
                lambda id_: self.api.runs(RunQuery(recurring_run_id=id_), limit=1), others[:_ASKED]
            )
            newest |= dict(zip(others, asked, strict=False))
        return newest

    def _has_ticked(self, one: KfpSchedule) -> bool:
        """Whether it can have fired since it was made."""
        rule = self._rule(one, enabled=True)
        return rule is not None and ticks.owed_since(rule, _standing(one, ()), self.now()) is not None

    def _told(
        self, one: KfpSchedule, known: Mapping[str, Entry], names: Names, runs: Sequence[KfpRun]
    ) -> ScheduleStatus:
        entry = known.get(one.recurring_run_id)
        history = tuple(_tick(run) for run in runs)
        return ScheduleStatus(
            one.recurring_run_id,
            one.display_name,
            self._spec(one, names, entry),
            enabled=one.enabled,
            owned=self._owns(one, known),
            rule=self._rule(one, enabled=one.enabled),
            standing=_standing(one, runs),
            history=history,
            fired=history[0] if history else None,
            state=state_of(runs[0]) if runs else None,
        )

    def _spec(self, one: KfpSchedule, names: Names, entry: Entry | None) -> Mapping[str, Any]:
        """In the words of the document, where it has one; whether it should be on is that one's word, too."""
        if entry is None:
            return schedule_spec(one, names, self.zone, {}, None)
        spec = schedule_spec(one, names, self.zone, entry.spec, None)
        return {**spec, "enabled": entry.spec.get("enabled", one.enabled)}

    def _rule(self, one: KfpSchedule, *, enabled: bool) -> ticks.Rule | None:
        """When it fires, in the controller's zone; None where nobody can read that."""
        spec = schedule_spec(one, Names(), self.zone, {"timezone": self.zone}, None)
        try:
            return ticks.read(spec, enabled=enabled)
        except (ValueError, TypeError, ArithmeticError):
            return None

    def _names(self, found: Sequence[KfpSchedule], known: Mapping[str, Entry]) -> Names:
        """What schedules refer to, by name. The inventory knows the versions of ours; of others some are asked for."""
        names = naming.names(
            self.api, (one.pipeline_id for one in found), (one.experiment_id for one in found)
        )
        versions: dict[str, str] = {}
        foreign: dict[str, str] = {}
        for one in found:
            entry, id_ = known.get(one.recurring_run_id), one.pipeline_version_id
            if id_ and entry and entry.extra.get("versionId") == id_:
                versions[id_] = str(entry.spec.get("version"))
            elif id_ and one.pipeline_id:
                foreign[id_] = one.pipeline_id
        asked = list(foreign.items())[:_ASKED_VERSIONS]
        versions |= {id_: id_ for id_ in list(foreign)[_ASKED_VERSIONS:]}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            told = pool.map(lambda pair: self.api.version(pair[1], pair[0]), asked)
            versions |= {each.pipeline_version_id: each.name for each in told if each is not None}
        return replace(names, versions=versions)


def _run_name(one: KfpSchedule, at: datetime, zone: str) -> str:
    """By the time of the schedule's own zone, where anybody knows that."""
    with suppress(cron.CronError):
        at = at.astimezone(cron.zone_of(zone))
    return f"{one.display_name[:_LONGEST_NAME]}-{at:%Y-%m-%d-%H%M%S}"


def _begins(one: KfpSchedule, text: str) -> bool:
    return one.display_name.startswith(text) or one.recurring_run_id.startswith(text)


def _tick(run: KfpRun) -> TickRecord:
    made = run.created_at or _NO_TIME
    return TickRecord(run.scheduled_at or made, "fired", made, run=run.run_id)


def _standing(one: KfpSchedule, runs: Sequence[KfpRun]) -> ticks.Standing:
    """KFP's controller counts from the last tick, which the newest run tells."""
    last = max((run.scheduled_at for run in runs if run.scheduled_at), default=None)
    return ticks.Standing(one.created_at or _NO_TIME, last)
