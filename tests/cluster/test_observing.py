"""What is live of KFP's objects: ours by mark or inventory, drift by fields, what is gone, what was cut off."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import pytest

from kfgit.backends.cluster.connection.wire import Answer, Wire
from kfgit.backends.cluster.kfp import capabilities
from kfgit.backends.cluster.kfp.api import KfpApi, KfpFault, RunQuery
from kfgit.backends.cluster.live import observing
from kfgit.backends.cluster.records import marks
from kfgit.ir import Resource
from kfgit.plan import (
    UNRECORDED,
    Change,
    Create,
    Delete,
    Live,
    LiveObject,
    Plan,
    Replace,
    Unchanged,
    Update,
    subject,
)
from tests.cluster import carrying
from tests.cluster.carrying import Fated, Killed, Target, killed_before, package, resource, run, schedule


class Wanted:
    """An experiment, a pipeline, a schedule and a run."""

    def __init__(self) -> None:
        tag = uuid4().hex[:8]
        self.made_of = package("hello")
        self.experiment = resource("Experiment", f"exp-{tag}", {"description": "about it"})
        self.pipeline = self.of(self.made_of, f"pipe-{tag}")
        self.schedule = schedule(
            f"nightly-{tag}", f"pipe-{tag}", self.made_of, f"exp-{tag}", inputs={"who": "x"}
        )
        self.run = run(f"smoke-{tag}", f"pipe-{tag}", self.made_of, f"exp-{tag}")
        self.all = [self.experiment, self.pipeline, self.schedule, self.run]

    @staticmethod
    def of(made_of: Any, name: str, **other: Any) -> Resource:
        spec = {"displayName": "", "description": "says it", "digest": made_of.digest, **other}
        return resource("Pipeline", name, spec, made_of)


@pytest.fixture
def wanted(target: Target) -> Wanted:
    """Applied already."""
    found = Wanted()
    assert {each.state for each in target.apply(found.all)} == {"done"}
    return found


def look(target: Target, desired: list[Resource], *, refresh: bool = False, wire: Any = None) -> Live:
    kfp = KfpApi(cast("Wire", wire or target.wire))
    _, _, ledger = target.plan([])
    scene = observing.Scene(kfp, capabilities.ask(kfp), ledger.read(), target.owner, refresh=refresh)
    return observing.observe(scene, desired)


def live(found: Live, wanted: Resource) -> LiveObject:
    return next(each for each in found.objects if (each.kind, each.name) == (wanted.kind, wanted.name))


def change(found: Plan, wanted: Resource) -> Change:
    return next(each for each in found.changes if subject(each) == (wanted.kind, wanted.name))


def pending(target: Target, desired: list[Resource]) -> list[tuple[str, str]]:
    return [(type(each).__name__, subject(each)[0]) for each in target.plan(desired)[0].pending]


def told(change: Change) -> list[tuple[str, Any, Any, bool]]:
    assert isinstance(change, Update | Replace)
    return [(each.path, each.before, each.after, each.drift) for each in change.diff]


# --- nothing changed


def test_what_was_applied_is_as_it_was(target: Target, wanted: Wanted) -> None:
    found = look(target, wanted.all)
    for each in wanted.all:
        there = live(found, each)
        assert (there.spec, there.digest, there.applied) == (each.spec, each.digest, each.digest)
        assert there.owned
    assert pending(target, wanted.all) == []
    assert found.vanished == frozenset()
    assert [key for key in found.notes if key in {(each.kind, each.name) for each in wanted.all}] == []


def test_looking_takes_as_many_requests_as_there_are_lists(target: Target, wanted: Wanted) -> None:
    kfp = KfpApi(target.wire)
    scene = observing.Scene(kfp, capabilities.ask(kfp), target.plan([])[2].read(), target.owner)
    before = target.wire.requests
    observing.observe(scene, wanted.all)
    lists = {
        "experiments": len(kfp.experiments()), "pipelines": len(kfp.pipelines()), "schedules": len(kfp.schedules()),
    }  # fmt: skip
    assert all(count < 200 for count in lists.values())
    assert target.wire.requests - before - 3 == 3


def test_what_others_made_is_foreign(wanted: Wanted, wire: Wire) -> None:
    other = carrying.target(wire)
    found = look(other, wanted.all)
    for each in wanted.all[:3]:
        assert not live(found, each).owned
    assert [type(change(other.plan(wanted.all)[0], each)) for each in wanted.all[:3]] == [Unchanged] * 3


# --- without an inventory


def test_marks_are_enough_where_the_inventory_is_lost(target: Target, wanted: Wanted) -> None:
    target.maps.there.clear()
    found = look(target, wanted.all[:3])
    for each in wanted.all[:3]:
        there = live(found, each)
        assert (there.spec, there.applied, there.owned) == (each.spec, each.digest, True)
    plan, _, _ = target.plan(wanted.all[:3])
    assert [(type(each), told(each), each.notes) for each in plan.pending] == [
        (Update, [], (UNRECORDED,))
    ] * 3
    assert {kind for _, kind in pending(target, [])} == {"Experiment", "Pipeline", "Schedule"}
    _, _, ledger = target.plan([])
    (remark,) = observing.lost(ledger.read(), found.objects, "kfgit-demo-prod")
    assert "ConfigMap `kfgit-demo-prod`" in remark
    target.apply(wanted.all[:3])
    _, seen, ledger = target.plan([])
    assert observing.lost(ledger.read(), seen.objects, "kfgit-demo-prod") == ()
    assert pending(target, wanted.all[:3]) == []


def test_a_kfp_that_lacks_all_that_was_applied_is_another_one(target: Target, wanted: Wanted) -> None:
    _, seen, ledger = target.plan(wanted.all)
    before = replace(ledger.read(), kfp="KFP at http://old")
    all_of_them = frozenset((each.kind, each.name) for each in wanted.all[:3])
    assert observing.moved(before, seen.vanished, "KFP at http://new") == (), (
        "all is there: only the way is new"
    )
    assert observing.moved(before, all_of_them, "KFP at http://old") == ()
    assert observing.moved(replace(before, kfp=None), all_of_them, "KFP at http://new") == ()
    (remark,) = observing.moved(before, all_of_them, "KFP at http://new")
    assert remark.startswith("the last apply went to KFP at http://old: ")


def test_a_run_starts_once_also_without_an_inventory(target: Target, wanted: Wanted) -> None:
    target.maps.there.clear()
    assert ("Create", "Run") in pending(target, wanted.all)
    target.apply(wanted.all)
    assert len(target.kfp.runs(RunQuery(display_name=wanted.run.name))) == 1
    assert pending(target, wanted.all) == []


def test_drift_shows_also_without_an_inventory(target: Target, wanted: Wanted) -> None:
    target.maps.there.clear()
    target.kfp.disable(target.schedules(wanted.schedule.name)[0].recurring_run_id)
    found = change(target.plan(wanted.all[:3])[0], wanted.schedule)
    assert isinstance(found, Update)
    assert (found.cause, told(found)) == ("drift", [("enabled", False, True, False)])


def test_a_long_description_is_no_difference(target: Target) -> None:
    wanted = resource("Experiment", f"long-{uuid4().hex[:8]}", {"description": "ü" * 300})
    target.apply([wanted])
    assert pending(target, [wanted]) == []
    assert change(target.plan([wanted])[0], wanted).notes == ()
    target.maps.there.clear()
    assert change(target.plan([wanted])[0], wanted).notes == (UNRECORDED,)


@pytest.mark.parametrize("description", ["to the 🚀", "🚀" * 200, "x" * 300])
def test_what_kfp_cannot_keep_of_a_text_is_no_difference(target: Target, description: str) -> None:
    tag, made_of = uuid4().hex[:8], package("hello")
    desired = [
        resource("Experiment", f"exp-{tag}", {"description": description}),
        Wanted.of(made_of, f"pipe-{tag}", description=description, displayName=description[:40]),
    ]
    assert [each.error for each in target.apply(desired) if each.state != "done"] == []
    plan, _, _ = target.plan(desired)
    assert [(type(each), each.notes) for each in plan.changes if subject(each)[1].endswith(tag)] == [
        (Unchanged, ()),
        (Unchanged, ()),
    ]


def test_what_kfp_cannot_keep_at_all_is_told_before_it_fails(target: Target, wanted: Wanted) -> None:
    inputs = {"who": "the 🚀"}
    bad = schedule(
        f"bad-{uuid4().hex[:8]}", wanted.pipeline.name, wanted.made_of, wanted.experiment.name, inputs=inputs
    )
    (note,) = change(target.plan([*wanted.all, bad])[0], bad).notes
    assert note == (
        "KFP's database keeps no characters beyond U+FFFF, such as `🚀` in the inputs: write it otherwise"
    )
    (failed,) = [each for each in target.apply([*wanted.all, bad]) if each.state == "failed"]
    assert failed.error == f"schedule `{bad.name}` is not sent: {note}"
    assert target.schedules(bad.name) == []


# --- drift


def remade(target: Target, wanted: Wanted, **changes: Any) -> str:
    """Somebody deletes the schedule and makes it again with our description, as a restored backup would."""
    old = target.schedules(wanted.schedule.name)[0]
    message = {
        key: value
        for key, value in old.raw.items()
        if key not in ("recurring_run_id", "created_at", "updated_at", "status", "namespace")
    }
    made = target.kfp.create_schedule({**message, **changes})
    target.kfp.delete_schedule(old.recurring_run_id)
    return made.recurring_run_id


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"trigger": {"cron_schedule": {"cron": "0 0 2 * * *"}}}, ("cron", "0 0 2 * * *", "0 0 3 * * *")),
        ({"runtime_config": {"parameters": {"who": "y"}}}, ("inputs.who", "y", "x")),
        ({"max_concurrency": "4"}, ("maxConcurrency", 4, 1)),
    ],
)
def test_drift_is_told_field_by_field(
    target: Target, wanted: Wanted, changes: dict[str, Any], difference: tuple[str, Any, Any]
) -> None:
    id_ = remade(target, wanted, **changes)
    found = change(target.plan(wanted.all)[0], wanted.schedule)
    assert isinstance(found, Replace)
    assert found.live.id == id_
    assert [(path, before, after) for path, before, after, _ in told(found)] == [difference]
    target.apply(wanted.all)
    assert pending(target, wanted.all) == []


def test_what_drifts_and_what_changes_is_told_apart(target: Target, wanted: Wanted) -> None:
    target.kfp.disable(target.schedules(wanted.schedule.name)[0].recurring_run_id)
    changed = replace(wanted.schedule, spec={**wanted.schedule.spec, "maxConcurrency": 2}, digest="f" * 64)
    found = change(target.plan([wanted.experiment, wanted.pipeline, changed])[0], changed)
    assert isinstance(found, Replace)
    assert (found.cause, told(found)) == (
        "source",
        [("enabled", False, True, True), ("maxConcurrency", 1, 2, False)],
    )


def test_descriptions_cannot_be_changed_and_that_is_told(target: Target, wanted: Wanted) -> None:
    other = resource("Experiment", wanted.experiment.name, {"description": "another"})
    pipeline = wanted.of(wanted.made_of, wanted.pipeline.name, description="another")
    found = target.plan([other, pipeline])[0]
    assert [change(found, each).notes for each in (other, pipeline)] == [
        ("KFP cannot change the description of an experiment: it stays until the object is made anew",),
        ("KFP cannot change the description of a pipeline: it stays until the object is made anew",),
    ]
    assert [type(change(found, each)) for each in (other, pipeline)] == [Unchanged, Unchanged]


def test_display_names_are_compared_as_kfp_shows_them(target: Target, wanted: Wanted) -> None:
    shown = wanted.of(wanted.made_of, wanted.pipeline.name, displayName="Shown")
    desired = [wanted.experiment, shown, wanted.schedule, wanted.run]
    assert told(change(target.plan(desired)[0], shown)) == [("displayName", "", "Shown", False)]
    target.apply(desired)
    assert pending(target, desired) == []
    target.kfp.update_pipeline(live(look(target, desired), shown).id, "Somebody's")
    found = change(target.plan(desired)[0], shown)
    assert isinstance(found, Update)
    assert (found.cause, told(found)) == ("drift", [("displayName", "Somebody's", "Shown", True)])
    own = wanted.of(wanted.made_of, wanted.pipeline.name, displayName=wanted.pipeline.name)
    target.apply([own])
    assert change(target.plan([own])[0], own).notes == ()
    assert isinstance(change(target.plan([own])[0], own), Unchanged)


def test_what_changes_inside_a_pipeline_is_shown(target: Target, wanted: Wanted) -> None:
    changed = wanted.of(package("goodbye"), wanted.pipeline.name)
    paths = {
        path: (before, after) for path, before, after, _ in told(change(target.plan([changed])[0], changed))
    }
    assert paths.pop("digest") == (wanted.made_of.digest, package("goodbye").digest)
    assert paths == {"deploymentSpec.executors.exec-say.container.command[1]": ("hello", "goodbye")}


def test_tags_taken_off_are_put_on_again(target: Target, wanted: Wanted) -> None:
    pipeline = live(look(target, wanted.all), wanted.pipeline)
    target.kfp.update_pipeline(pipeline.id, tags={"team": "growth"})
    found = change(target.plan(wanted.all)[0], wanted.pipeline)
    assert isinstance(found, Update)
    assert (found.cause, told(found)) == ("drift", [("digest", None, wanted.made_of.digest, True)])
    target.apply(wanted.all)
    assert pending(target, wanted.all) == []
    assert target.kfp.pipeline(pipeline.id).tags["team"] == "growth"  # type: ignore[union-attr]


# --- gone


def test_what_somebody_removed_is_made_again(target: Target, wanted: Wanted) -> None:
    pipeline = live(look(target, wanted.all), wanted.pipeline)
    target.kfp.delete_schedule(target.schedules(wanted.schedule.name)[0].recurring_run_id)
    target.kfp.delete_pipeline(pipeline.id)
    found, there, _ = target.plan(wanted.all)
    assert there.vanished >= {("Pipeline", wanted.pipeline.name), ("Schedule", wanted.schedule.name)}
    assert change(found, wanted.pipeline) == Create(wanted.pipeline, "drift")
    assert change(found, wanted.schedule) == Create(wanted.schedule, "drift")
    target.apply(wanted.all)
    assert pending(target, wanted.all) == []


def test_a_schedule_of_a_pipeline_that_was_removed_is_replaced(target: Target, wanted: Wanted) -> None:
    pipeline = live(look(target, wanted.all), wanted.pipeline)
    target.kfp.delete_pipeline(pipeline.id)
    found = change(target.plan(wanted.all)[0], wanted.schedule)
    assert told(found) == [("pipeline", f"{pipeline.id} (not found)", wanted.pipeline.name, True)]
    target.apply(wanted.all)
    assert pending(target, wanted.all) == []


class Skips(Fated):
    """A wire whose lists leave out all objects of some ids, as pages may that others write into."""

    ids: tuple[str, ...] = ()

    def read(self, method: str, path: str, **given: Any) -> Answer:
        answer = super().read(method, path, **given)
        body = json.loads(answer.body)
        for key, items in body.items():
            if isinstance(items, list) and path.count("/") == 3:
                body[key] = [
                    each for each in items if not set(self.ids) & {str(value) for value in each.values()}
                ]
        return answer._replace(body=json.dumps(body).encode())


def test_what_a_list_left_out_is_asked_for_and_not_made_again(target: Target, wanted: Wanted) -> None:
    found = look(target, wanted.all)
    wire = Skips(target.wire)
    wire.ids = tuple(live(found, each).id for each in wanted.all[:3])
    assert look(target, wanted.all, wire=wire) == found


class Fails(Fated):
    """A wire on which one list fails."""

    part = ""

    def read(self, method: str, path: str, **given: Any) -> Answer:
        if path.endswith(self.part):
            return Answer(
                500, {}, b'{"code":13,"message":"x","details":[{"code":13,"message":"database is gone"}]}'
            )
        return super().read(method, path, **given)


@pytest.mark.parametrize("part", ["/experiments", "/pipelines", "/recurringruns", "/healthz"])
def test_a_list_that_fails_is_no_empty_list(target: Target, wanted: Wanted, part: str) -> None:
    wire = Fails(target.wire)
    wire.part = part
    with pytest.raises(KfpFault, match="database is gone"):
        look(target, wanted.all, wire=wire)


# --- siblings


def test_of_two_of_ours_the_known_one_counts(target: Target, wanted: Wanted) -> None:
    known = target.schedules(wanted.schedule.name)[0]
    message = {
        key: value
        for key, value in known.raw.items()
        if key not in ("recurring_run_id", "created_at", "updated_at", "status", "namespace")
    }
    other = target.kfp.create_schedule({**message, "mode": "DISABLE"})
    found = [each for each in look(target, wanted.all).objects if each.name == wanted.schedule.name]
    assert {each.id: (each.owned, each.leftover) for each in found} == {
        known.recurring_run_id: (True, False),
        other.recurring_run_id: (True, True),
    }
    plan = target.plan(wanted.all)[0]
    assert [each.live.id for each in plan.pending if isinstance(each, Delete)] == [other.recurring_run_id]
    target.apply(wanted.all)
    assert [each.recurring_run_id for each in target.schedules(wanted.schedule.name)] == [
        known.recurring_run_id
    ]


def test_a_foreign_schedule_of_the_same_name_is_left_alone(target: Target, wanted: Wanted) -> None:
    known = target.schedules(wanted.schedule.name)[0]
    message = {
        key: value
        for key, value in known.raw.items()
        if key not in ("recurring_run_id", "created_at", "updated_at", "status", "namespace", "description")
    }
    target.kfp.create_schedule(message)
    found = change(target.plan(wanted.all)[0], wanted.schedule)
    assert isinstance(found, Unchanged)
    assert found.notes == ("others have made 1 schedule of this name as well: left alone",)
    assert pending(target, wanted.all) == []


def test_a_name_that_differs_in_case_alone_is_told(target: Target) -> None:
    name = f"Case-{uuid4().hex[:8]}"
    target.kfp.create_experiment(name)
    wanted = resource("Experiment", name.lower(), {"description": ""})
    (note,) = change(target.plan([wanted])[0], wanted).notes
    assert note.startswith(
        f"the server has `{name}`, and its database does not tell names by upper and lower case"
    )


# --- cut off


def test_an_apply_that_was_cut_off_is_told_and_finished(target: Target) -> None:
    wanted = Wanted()
    with pytest.raises(Killed):
        target.apply(wanted.all, Fated(target.wire, 4, killed_before))
    found, there, _ = target.plan(wanted.all)
    assert there.remarks == ("apply 1 by tests did not finish: an apply goes on from where it stopped",)
    assert {subject(each)[0] for each in found.pending} >= {"Schedule", "Run"}
    target.apply(wanted.all)
    found, there, _ = target.plan(wanted.all)
    assert (found.pending, there.remarks) == ((), ())


def test_a_run_that_was_started_and_not_written_down_is_told(target: Target) -> None:
    wanted = Wanted()
    context, _, _ = target.begin(wanted.all)
    id_ = marks.run_id(target.owner, wanted.run.name, "once")
    made = target.kfp.create_pipeline(wanted.pipeline.name)
    version = target.kfp.upload_version(made.pipeline_id, "v", wanted.made_of.to_yaml())
    reference = {"pipeline_id": made.pipeline_id, "pipeline_version_id": version.pipeline_version_id}
    target.kfp.create_run(
        {"run_id": id_, "display_name": wanted.run.name, "pipeline_version_reference": reference}
    )
    assert context.number == 1
    found = change(target.plan([wanted.run])[0], wanted.run)
    assert isinstance(found, Create)
    assert found.notes == (
        f"an apply that was cut off has started it, as {id_}: it is written down, and not started again",
    )


# --- refresh


def test_refresh_sees_a_version_that_was_deleted(target: Target, wanted: Wanted) -> None:
    pipeline = live(look(target, wanted.all), wanted.pipeline)
    (version,) = target.kfp.versions(pipeline.id)
    target.kfp.delete_version(pipeline.id, version.pipeline_version_id)
    assert look(target, wanted.all).notes == {}
    found = look(target, wanted.all, refresh=True)
    assert live(found, wanted.pipeline).spec["digest"] is None
    assert found.notes["Pipeline", wanted.pipeline.name] == (
        "its version was deleted in KFP, and is uploaded again",
    )
    assert live(found, wanted.schedule).spec["version"] == f"{version.pipeline_version_id} (not found)"


def test_refresh_sees_a_newer_version_of_somebody_else(target: Target, wanted: Wanted) -> None:
    pipeline = live(look(target, wanted.all), wanted.pipeline)
    target.kfp.upload_version(pipeline.id, "theirs", package("theirs").to_yaml())
    found = look(target, wanted.all, refresh=True)
    told = found.notes["Pipeline", wanted.pipeline.name]
    assert told == ("somebody uploaded a newer version, `theirs`: schedules of kfgit stay with theirs",)
    assert live(found, wanted.pipeline).spec == wanted.pipeline.spec


def test_refresh_of_what_is_as_it_was_finds_nothing(target: Target, wanted: Wanted) -> None:
    assert look(target, wanted.all, refresh=True) == look(target, wanted.all)
