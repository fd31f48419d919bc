"""Changes carried out against a KFP server: killed, cut, doubled at every write, and the same state in the end."""

from __future__ import annotations

import random
from contextlib import suppress
from functools import partial
from uuid import uuid4

import pytest

from kfgit.backend import MachineFault, Refused
from kfgit.backends.cluster.changes import performing, switching
from kfgit.backends.cluster.changes.applying import Calls
from kfgit.backends.cluster.connection.wire import Wire
from kfgit.backends.cluster.kfp import messages
from kfgit.backends.cluster.kfp.api import RunQuery
from kfgit.backends.cluster.records import marks
from kfgit.ir import Resource
from kfgit.plan import Adopt, Create, Unchanged
from tests.cluster import carrying
from tests.cluster.carrying import FATES, Fated, Killed, Target, package, resource, run, schedule

# So many writes has the smaller of the two applies.
WRITES = 14


class Wanted:
    """What two commits of one project want; the second one changes, replaces and deletes."""

    def __init__(self) -> None:
        tag = uuid4().hex[:8]
        self.tag = tag
        self.e, self.p, self.gone = f"exp-{tag}", f"pipe-{tag}", f"gone-{tag}"
        self.nightly, self.hourly, self.off = f"nightly-{tag}", f"hourly-{tag}", f"off-{tag}"
        self.one, self.two = package("hello"), package("goodbye")

    @property
    def first(self) -> list[Resource]:
        return [
            resource("Experiment", self.e, {"description": "a first one"}),
            self._pipeline(self.gone, "hello"),
            self._pipeline(self.p, "hello"),
            schedule(self.hourly, self.p, self.one, self.e, cron="0 0 * * * *", inputs={"who": "hourly"}),
            schedule(self.nightly, self.p, self.one, f"loose-{self.tag}"),
            schedule(self.off, self.p, self.one, self.e, enabled=False),
            schedule(f"late-{self.gone}", self.gone, self.one, self.e),
            run(f"begin-{self.tag}", self.p, self.one, self.e),
        ]

    @property
    def second(self) -> list[Resource]:
        return [
            resource("Experiment", self.e, {"description": "a first one"}),
            self._pipeline(self.p, "goodbye"),
            schedule(self.hourly, self.p, self.two, self.e, cron="0 30 * * * *", inputs={"who": "hourly"}),
            schedule(self.nightly, self.p, self.two, f"loose-{self.tag}", enabled=False),
            schedule(self.off, self.p, self.one, self.e),
            run(f"begin-{self.tag}", self.p, self.two, self.e, key="twice"),
        ]

    def _pipeline(self, name: str, word: str) -> Resource:
        made_of = package(word)
        spec = {"displayName": "", "description": "says it", "digest": made_of.digest}
        return resource("Pipeline", name, spec, made_of)


def check(target: Target, desired: list[Resource], runs: int) -> None:
    """The server has what is wanted, once, the inventory says so, and a plan finds nothing to do."""
    found, live, ledger = target.plan(desired)
    assert [change for change in found.changes if not isinstance(change, Unchanged)] == []
    there = {(each.kind, each.name): each.id for each in live.objects if each.owned}
    known = {(each.kind, each.name, each.id, each.digest) for each in ledger.read().entries}
    assert known == {(each.kind, each.name, there[each.kind, each.name], each.digest) for each in desired}
    for each in desired:
        if each.kind == "Schedule":
            assert [one.enabled for one in target.schedules(each.name)] == [each.spec["enabled"]]
        if each.kind == "Run":
            assert len(target.kfp.runs(RunQuery(display_name=each.name))) == runs


def never_two(target: Target, wanted: Wanted) -> None:
    """Of no name two schedules are on."""
    for name in (wanted.nightly, wanted.hourly, wanted.off):
        assert sum(each.enabled for each in target.schedules(name)) <= 1


def test_what_is_wanted_comes_to_be_and_changes_and_goes(target: Target) -> None:
    wanted = Wanted()
    for desired, runs in ((wanted.first, 1), (wanted.second, 2)):
        told = target.apply(desired)
        assert [each.error for each in told if each.state != "done"] == []
        check(target, desired, runs)
    assert target.kfp.pipeline_named(wanted.gone) is None
    assert [each.error for each in target.apply([]) if each.state != "done"] == []
    assert target.kfp.pipeline_named(wanted.p) is None
    assert target.kfp.experiment_named(wanted.e) is None
    assert target.kfp.experiment_named(f"loose-{wanted.tag}") is not None


def meet(target: Target, desired: list[Resource], wanted: Wanted, fate: str, n: int) -> bool:
    """An apply whose `n`th write meets its fate, and another one; whether there was such a write."""
    wire = Fated(target.wire, n, FATES[fate], watch=partial(never_two, target, wanted))
    with suppress(Killed):
        target.apply(desired, wire)
    following = Fated(target.wire, late=wire.late, wait=n % 9, watch=wire.watch)
    told = target.apply(desired, following)
    assert [each.error for each in told if each.state != "done"] == []
    for each in following.late:
        each()
    if fate in ("late", "killed_late"):
        # What came in after it was looked for is a leftover.
        target.apply(desired)
    return len(wire.writes) >= n


@pytest.mark.parametrize("fate", FATES)
def test_at_some_writes_of_two_commits(wire: Wire, fate: str) -> None:
    """`python -m tests.cluster.matrix` plays all of them, through the door."""
    for n in sorted(random.Random(fate).sample(range(1, WRITES + 1), 2)):
        wanted = Wanted()
        target = carrying.target(wire)
        meet(target, wanted.first, wanted, fate, n)
        check(target, wanted.first, 1)
        assert meet(target, wanted.second, wanted, fate, n)
        check(target, wanted.second, 2)


@pytest.mark.parametrize("fate", ["killed_before", "killed_after"])
def test_who_changes_their_mind_gets_what_they_had(wire: Wire, fate: str) -> None:
    for n in sorted(random.Random(fate).sample(range(1, WRITES + 1), 2)):
        target, wanted = carrying.target(wire), Wanted()
        target.apply(wanted.first)
        watch = partial(never_two, target, wanted)
        with pytest.raises(Killed):
            target.apply(wanted.second, Fated(wire, n, FATES[fate], watch=watch))
        target.apply(wanted.first, Fated(wire, watch=watch))
        started = len(target.kfp.runs(RunQuery(display_name=f"begin-{wanted.tag}")))
        check(target, wanted.first, started)
        target.apply(wanted.second)
        check(target, wanted.second, 2)


# --- what others made


def test_a_name_that_somebody_else_has_is_refused(target: Target) -> None:
    wanted = Wanted()
    context, _, _ = target.begin([])
    target.kfp.create_experiment(wanted.e, "theirs")
    target.kfp.create_pipeline(wanted.p, tags={"team": "theirs"})
    for each in wanted.first[0], wanted.first[2]:
        with pytest.raises(Refused, match=r"this project did not make it.*kfgit adopt"):
            performing.perform(Create(each), context)
    pipeline = target.kfp.pipeline_named(wanted.p)
    assert pipeline is not None
    assert pipeline.tags == {"team": "theirs"}
    assert target.kfp.versions(pipeline.pipeline_id) == ()


def test_a_name_that_is_taken_and_not_there_is_told_as_such(target: Target) -> None:
    wanted = Wanted()
    wire = Fated(target.wire, 1, carrying.taken)
    context, _, _ = target.begin([], wire)
    with pytest.raises(MachineFault, match="shows none: its server died making one"):
        performing.perform(Create(wanted.first[0]), context)
    assert len(wire.writes) == 1


def test_tags_of_others_stay(target: Target) -> None:
    wanted = Wanted()
    target.apply(wanted.first)
    pipeline = target.kfp.pipeline_named(wanted.p)
    assert pipeline is not None
    target.kfp.update_pipeline(pipeline.pipeline_id, tags={**pipeline.tags, "team": "theirs"})
    target.apply(wanted.second)
    changed = target.kfp.pipeline(pipeline.pipeline_id)
    assert changed is not None
    assert changed.tags["team"] == "theirs"
    assert marks.tagged_digest(changed.tags) == wanted.two.digest


def test_a_pipeline_with_versions_of_others_is_not_deleted(target: Target) -> None:
    wanted = Wanted()
    target.apply(wanted.first)
    pipeline = target.kfp.pipeline_named(wanted.gone)
    assert pipeline is not None
    target.kfp.upload_version(pipeline.pipeline_id, "by-hand", package("by hand").to_yaml())
    told = target.apply(wanted.second)
    errors = [each.error or "" for each in told if each.state == "failed"]
    assert ["versions that kfgit did not make (`by-hand`)" in each for each in errors] == [True]
    assert len(target.kfp.versions(pipeline.pipeline_id)) == 2


def test_a_pipeline_that_a_schedule_of_others_runs_is_not_deleted(target: Target) -> None:
    wanted = Wanted()
    target.apply(wanted.first)
    (ours,) = target.schedules(f"late-{wanted.gone}")
    message = {key: ours.raw[key] for key in ("trigger", "pipeline_version_reference", "experiment_id")}
    theirs = {"display_name": "theirs", "max_concurrency": "1", "mode": "ENABLE", **message}
    foreign = target.kfp.create_schedule(theirs)
    told = target.apply(wanted.second)
    errors = [each.error or "" for each in told if each.state == "failed"]
    assert ["still used by schedules that are not deleted with it: `theirs`" in each for each in errors] == [
        True
    ]
    assert target.kfp.schedule(foreign.recurring_run_id) == foreign
    target.kfp.delete_schedule(foreign.recurring_run_id)


def test_what_others_made_is_taken_over_as_it_is_and_made_equal_by_the_next_apply(target: Target) -> None:
    wanted = Wanted()
    experiment = target.kfp.create_experiment(wanted.e, "theirs")
    pipeline = target.kfp.create_pipeline(wanted.p, description="says it")
    version = target.kfp.upload_version(pipeline.pipeline_id, "v1", wanted.one.to_yaml())
    reference = {
        "pipeline_id": pipeline.pipeline_id,
        "pipeline_version_id": version.pipeline_version_id,
    }
    theirs = target.kfp.create_schedule(
        {
            "display_name": wanted.hourly,
            "max_concurrency": "1",
            "mode": "ENABLE",
            "trigger": {"cron_schedule": {"cron": "0 0 * * * *"}},
            "pipeline_version_reference": reference,
            "experiment_id": experiment.experiment_id,
        }
    )
    desired = [wanted.first[0], wanted.first[2], wanted.first[3]]
    assert target.plan(desired)[0].pending == ()
    context, _, ledger = target.begin(desired)
    objects = {(each.kind, each.name): each for each in target.plan(desired)[1].objects}
    for each in desired:
        live = objects[each.kind, each.name]
        assert performing.perform(Adopt(each, live, ()), context) == live.id
    ledger.end([])
    assert target.kfp.schedule(theirs.recurring_run_id) == theirs
    told = target.apply(desired)
    assert [(each.kind, each.action, each.state) for each in told] == [
        ("Pipeline", "update", "done"),
        ("Schedule", "replace", "done"),
    ]
    check(target, desired, 0)
    assert target.kfp.pipeline_named(wanted.p) is not None
    assert target.kfp.schedule(theirs.recurring_run_id) is None


# --- single faults


def test_without_the_lock_nothing_is_written(target: Target) -> None:
    def lost() -> None:
        raise MachineFault("the lock was lost")

    wanted = Wanted()
    target.apply(wanted.first)
    wire = Fated(target.wire)
    context, found, _ = target.begin(wanted.second, wire, lost)
    assert found.pending
    for change in found.pending:
        # What stands on a version that could not be uploaded is refused.
        with pytest.raises((MachineFault, Refused)):
            performing.perform(change, context)
    # The question whether schedules can be orphaned is a deletion that the server must refuse.
    assert [each for each in wire.writes if "NO_SUCH_POLICY" not in each] == []
    check(target, wanted.first, 1)


@pytest.mark.parametrize("what", [carrying.refused, carrying.forbidden, carrying.other_than_sent])
def test_what_kfp_refuses_leaves_the_old_schedule_on(target: Target, what: carrying.Treatment) -> None:
    wanted = Wanted()
    target.apply(wanted.first)
    before = target.schedules(wanted.hourly)
    told = target.apply(wanted.second, Fated(target.wire, fate=what, on="/recurringruns"))
    assert any(each.state == "failed" and each.name == wanted.hourly for each in told)
    after = target.schedules(wanted.hourly)
    assert [(each.recurring_run_id, each.enabled) for each in after] == [(before[0].recurring_run_id, True)]
    target.apply(wanted.second)
    check(target, wanted.second, 2)


def test_a_replacement_that_fails_half_way_says_that_nothing_fires(target: Target) -> None:
    wanted = Wanted()
    target.apply(wanted.first)
    told = target.apply(wanted.second, Fated(target.wire, fate=carrying.cut_before, on="/recurringruns"))
    assert [each.enabled for each in target.schedules(wanted.hourly)] == [False]
    (failed,) = (each for each in told if each.state == "failed" and each.name == wanted.hourly)
    assert str(failed.error).endswith(f"; `{wanted.hourly}` is switched off until an apply succeeds")
    assert all(wanted.off not in str(each.error) for each in told), "it was off before"
    target.apply(wanted.second)
    check(target, wanted.second, 2)


@pytest.mark.parametrize("cron", ["CRON_TZ=Asia/Tokyo 0 0 3 * * *", "@daily", "whenever"])
def test_the_last_tick_of_a_cron_that_only_kfp_reads_is_what_its_runs_say(target: Target, cron: str) -> None:
    times = {"created_at": "2026-03-01T00:00:00Z", "updated_at": "2026-03-02T00:00:00Z"}
    message = {"recurring_run_id": str(uuid4()), "display_name": "theirs", **times}
    theirs = messages.schedule({**message, "trigger": {"cron_schedule": {"cron": cron}}})
    assert switching.newest_tick(Calls(target.kfp, looks=(0.0,)), theirs, "UTC") is None


def test_a_schedule_whose_workflow_is_gone_is_replaced(target: Target) -> None:
    """Deleted with kubectl it cannot be switched any more, and KFP goes on calling it enabled."""
    wanted = Wanted()
    target.apply(wanted.first)
    wire = Fated(target.wire, fate=carrying.without_workflow, on=":disable")
    told = target.apply(wanted.second, wire)
    done = {(each.kind, each.name): each.state for each in told}
    assert done["Schedule", wanted.hourly] == "done"
    assert [each.enabled for each in target.schedules(wanted.hourly)] == [True]
    enabled = [n for n, each in enumerate(wire.writes) if each.endswith(":enable")]
    deleted = [n for n, each in enumerate(wire.writes) if each.startswith("DELETE") and "recurring" in each]
    assert deleted[0] < enabled[0]


def test_a_schedule_that_cannot_be_switched_on_again_is_made_anew(target: Target) -> None:
    wanted = Wanted()
    target.apply(wanted.first)
    (before,) = target.schedules(wanted.off)
    dead = f"{before.recurring_run_id}:enable"
    target.apply(wanted.second, Fated(target.wire, fate=carrying.without_workflow, on=dead))
    (after,) = target.schedules(wanted.off)
    assert after.recurring_run_id != before.recurring_run_id
    check(target, wanted.second, 2)


def test_runs_of_an_old_schedule_go_on(target: Target) -> None:
    wanted = Wanted()
    target.apply(wanted.first)
    wire = Fated(target.wire)
    target.apply(wanted.second, wire)
    deletions = [
        each
        for each in wire.writes
        if each.startswith("DELETE /apis/v2beta1/recurringruns") and "NO_SUCH_POLICY" not in each
    ]
    assert len(deletions) == 3
    assert all("'propagation_policy': 'ORPHAN'" in each for each in deletions)


def test_what_is_gone_already_is_deleted(target: Target) -> None:
    wanted = Wanted()
    target.apply(wanted.first)
    context, found, ledger = target.begin([])
    for each in (*found.pending, *found.pending):
        performing.perform(each, context)
    ledger.checkpoint()
    assert target.plan([])[0].pending == ()


def test_a_run_starts_once_under_a_key(target: Target) -> None:
    wanted = Wanted()
    target.apply(wanted.first)
    begin = wanted.first[-1]
    context, _, ledger = target.begin([])
    first = performing.perform(Create(begin), context)
    target.kfp.delete_run(first)
    # Its key has fired, whatever became of the run.
    assert performing.perform(Create(begin), context) == first
    assert target.kfp.run(first) is None
    assert ledger.read().fired == {f"{begin.name} once": first}
