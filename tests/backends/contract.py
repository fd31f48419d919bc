"""What every backend promises, as laws over the protocol alone: `Contract` is played by each of them.

A `Place` is where one of them works: it opens backends, and does what other people do there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kfgit import apply as applying, canonical, plan as plans
from kfgit.backend import Backend, Locked, NotFound, RunRequest
from kfgit.events import FINAL, ChangeFinished, RunFinished
from kfgit.ir import DEFAULT_EXPERIMENT, Package, Resource
from kfgit.plan import Adopt, Applied, LiveObject, Plan, Rules, Update

PRUNING = Rules(dict.fromkeys(("schedules", "experiments", "pipelines", "runs"), "delete"))
KEEPING = Rules()
RUN = "0f0f0f0f-1111-4222-8333-444444444444"


class Open(Backend, Protocol):
    """A backend that somebody closes."""

    def close(self) -> None: ...


class Place(Protocol):
    """Where a backend works."""

    def open(self, project: str = "demo", environment: str = "prod") -> Open:
        """A backend as another process would have it."""

    def disable(self, schedule: str) -> None:
        """Somebody else turns a schedule off, by its id."""

    def remove(self, kind: str, id_: str) -> None:
        """Somebody else removes an object."""


def package(text: str = "one", name: str = "demo") -> Package:
    """A pipeline with the input `lr` and one task, which anybody can run."""
    container = {"image": "alpine:3.20", "command": ["echo"], "args": [text]}
    return Package(
        name,
        {
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
            "pipelineInfo": {"name": name},
            "components": {"comp-work": {"executorLabel": "exec-work"}},
            "deploymentSpec": {"executors": {"exec-work": {"container": container}}},
            "root": {
                "inputDefinitions": {
                    "parameters": {"lr": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.5}}
                },
                "dag": {
                    "tasks": {
                        "work": {
                            "taskInfo": {"name": "work"},
                            "componentRef": {"name": "comp-work"},
                            "cachingOptions": {},
                        }
                    }
                },
            },
        },
    )


def resource(kind: str, name: str, spec: dict[str, Any], content: Package | None = None) -> Resource:
    return Resource(kind, name, spec, canonical.digest([kind, name, spec]), content)


def experiment(description: str | None = "tests") -> Resource:
    return resource("Experiment", "course", {"description": description})


def pipeline(text: str = "one") -> Resource:
    content = package(text)
    spec = {"displayName": "Demo", "description": "A demo.", "digest": content.digest}
    return resource("Pipeline", "demo", spec, content)


def schedule(text: str = "one", name: str = "nightly", **changed: Any) -> Resource:
    """As `desired` makes it."""
    content = package(text)
    spec: dict[str, Any] = {
        "pipeline": "demo",
        "version": content.digest[:12],
        "experiment": "course",
        "cron": "0 0 2 * * *",
        "every": None,
        "timezone": "UTC",
        "start": None,
        "end": None,
        "catchup": False,
        "maxConcurrency": 1,
        "enabled": True,
        "inputs": {},
        "serviceAccount": None,
        "pipelineRoot": None,
    }
    return resource("Schedule", name, spec | changed, content)


def run(key: str = "k1", text: str = "one") -> Resource:
    content = package(text)
    spec = {
        "pipeline": "demo",
        "experiment": "course",
        "inputs": {"lr": 0.25},
        "trigger": "onChange",
        "key": key,
        "serviceAccount": None,
        "pipelineRoot": None,
    }
    return Resource("Run", "once", spec, canonical.digest(["once", "onChange", key]), content)


def everything(text: str = "one") -> tuple[Resource, ...]:
    return experiment(), pipeline(text), schedule(text), run(text=text)


def planned(backend: Backend, desired: Sequence[Resource], rules: Rules = PRUNING) -> Plan:
    return plans.plan(backend.environment, backend.identity, desired, backend.observe(desired), rules)


def carried_out(backend: Backend, plan: Plan) -> list[ChangeFinished]:
    """What `kfgit apply` does with a plan, under the lock."""
    number = backend.begin_apply(plan, "tests")
    results = [event for event in applying.apply(plan, backend) if isinstance(event, ChangeFinished)]
    backend.end_apply(number, results)
    return results


def applied(
    place: Place, *desired: Resource, rules: Rules = PRUNING, project: str = "demo"
) -> dict[str, str]:
    """Makes the place equal to what is desired; the ids by kind and name. A second plan must be empty."""
    with closing(place.open(project)) as backend:
        with backend.lock("tests"):
            results = carried_out(backend, planned(backend, desired, rules))
        assert [each.error for each in results if each.state != "done"] == []
        assert planned(backend, desired, rules).pending == ()
    return {f"{each.kind}/{each.name}": str(each.id) for each in results}


def of_commit(place: Place, commit: str, *desired: Resource, branch: str | None = None) -> int:
    """Applies what a commit wants as the command does; how many changes that took."""
    with closing(place.open()) as backend, backend.lock("tests"):
        plan = replace(planned(backend, desired), commit=commit, branch=branch)
        told = [
            each for each in applying.carry_out(plan, backend, "tests") if isinstance(each, ChangeFinished)
        ]
        assert [each.error for each in told if each.state != "done"] == []
        return len(told)


def changes(plan: Plan) -> dict[str, tuple[str, str | None]]:
    return {
        "/".join(plans.subject(change)): (plans.action(change), getattr(change, "cause", None))
        for change in plan.pending
    }


def owned(backend: Backend, desired: Sequence[Resource] = ()) -> dict[str, LiveObject]:
    return {f"{each.kind}/{each.name}": each for each in backend.observe(desired).objects if each.owned}


def named(objects: Iterable[LiveObject], kind: str) -> list[LiveObject]:
    names = {"Experiment": "course", "Pipeline": "demo", "Schedule": "nightly", "Run": "once"}
    return [each for each in objects if (each.kind, each.name) == (kind, names[kind])]


class Contract:
    """The laws; whoever inherits them has a fixture `place`."""

    def test_what_is_created_is_live_owned_and_as_desired(self, place: Place) -> None:
        desired = everything()
        made = applied(place, *desired)
        assert sorted(made) == ["Experiment/course", "Pipeline/demo", "Run/once", "Schedule/nightly"]
        with closing(place.open()) as backend:
            found = owned(backend, desired)
            assert {key: each.id for key, each in found.items()} == made
            wanted = {f"{each.kind}/{each.name}": each for each in desired}
            assert {k: (v.spec, v.applied) for k, v in found.items()} == {
                k: (v.spec, v.digest) for k, v in wanted.items()
            }

    def test_doing_a_change_twice_is_doing_it_once(self, place: Place) -> None:
        first, second = (
            everything(),
            (experiment("other"), pipeline("two"), schedule("two", cron="0 0 3 * * *")),
        )
        for desired in (first, second, ()):
            with closing(place.open()) as backend, backend.lock("tests"):
                plan = planned(backend, desired)
                number = backend.begin_apply(plan, "tests")
                results = []
                for change in plan.pending:
                    ids = {backend.perform(change), backend.perform(change)}
                    assert len(ids) == 1, change
                    kind, name = plans.subject(change)
                    results.append(ChangeFinished(plans.action(change), kind, name, ids.pop(), "done"))
                backend.end_apply(number, results)
                assert planned(backend, desired).pending == ()

    def test_a_pipeline_is_changed_in_place(self, place: Place) -> None:
        made = applied(place, pipeline("one"))
        with closing(place.open()) as backend:
            assert changes(planned(backend, [pipeline("two")])) == {"Pipeline/demo": ("update", "source")}
        assert applied(place, pipeline("two")) == made
        assert applied(place, pipeline("one")) == made

    def test_a_schedule_is_turned_on_and_off_in_place_and_replaced_for_all_else(self, place: Place) -> None:
        made = applied(place, pipeline(), schedule())
        off = schedule(enabled=False)
        with closing(place.open()) as backend:
            assert changes(planned(backend, [pipeline(), off])) == {"Schedule/nightly": ("update", "source")}
        assert applied(place, pipeline(), off)["Schedule/nightly"] == made["Schedule/nightly"]
        assert applied(place, pipeline(), schedule())["Schedule/nightly"] == made["Schedule/nightly"]
        for other in (schedule(cron="0 0 3 * * *"), schedule(inputs={"lr": 0.25}), schedule(catchup=True)):
            with closing(place.open()) as backend:
                plan = planned(backend, [pipeline(), other])
                assert changes(plan) == {"Schedule/nightly": ("replace", "source")}
            before, made = made, {**made, **applied(place, pipeline(), other)}
            assert made["Schedule/nightly"] != before["Schedule/nightly"]
            with closing(place.open()) as backend:
                assert [each.id for each in named(backend.observe().objects, "Schedule")] == [
                    made["Schedule/nightly"]
                ]

    def test_what_nobody_wants_any_more_goes_where_the_rules_say_so(self, place: Place) -> None:
        applied(place, *everything())
        applied(place, rules=KEEPING)
        with closing(place.open()) as backend:
            assert sorted(owned(backend)) == [
                "Experiment/course", "Pipeline/demo", "Run/once", "Schedule/nightly",
            ]  # fmt: skip
        applied(place, experiment())
        with closing(place.open()) as backend:
            assert sorted(owned(backend)) == ["Experiment/course"]
            # What a run did is history, and stays.
            assert len(backend.runs.all()) == 1

    def test_what_somebody_else_made_is_told_and_left_alone(self, place: Place) -> None:
        theirs = applied(place, experiment("theirs"), pipeline("two"), schedule("two"), project="other")
        with closing(place.open()) as backend:
            found = backend.observe(everything()).objects
            desired = (experiment(), pipeline(), schedule())
            plan = planned(backend, desired)
            assert changes(plan) == {}
            told = {plans.subject(each): each.notes[0] for each in plan.changes}
            assert told.keys() == {(each.kind, each.name) for each in desired}
            # Others who keep it by kfgit are named, and it is not there to be taken over.
            assert all("that belongs to" in note and "kfgit adopt" not in note for note in told.values())
            assert not plans.destroy("prod", backend.identity, backend.observe(), KEEPING).pending
        applied(place, *desired)
        with closing(place.open()) as backend:
            assert backend.observe(everything()).objects == found
            assert {f"{each.kind}/{each.name}": each.id for each in found if not each.owned} | theirs == {
                f"{each.kind}/{each.name}": each.id for each in found if not each.owned
            }

    @pytest.mark.parametrize("kind", ["Experiment", "Pipeline"])
    def test_somebody_who_was_quicker_keeps_what_he_made(self, place: Place, kind: str) -> None:
        ours: Resource = experiment() if kind == "Experiment" else pipeline()
        theirs = experiment("theirs") if kind == "Experiment" else pipeline("two")
        with closing(place.open()) as backend:
            plan = planned(backend, [ours])
            applied(place, theirs, project="other")
            before = backend.observe([ours]).objects
            with backend.lock("tests"):
                (result,) = carried_out(backend, plan)
            assert (result.state, backend.observe([ours]).objects) == ("failed", before)

    @pytest.mark.parametrize("kind", ["Experiment", "Pipeline", "Schedule"])
    def test_what_is_adopted_is_ours_as_it_is(self, place: Place, kind: str) -> None:
        theirs = applied(place, experiment("theirs"), pipeline("two"), schedule("two"), project="other")
        ours = {each.kind: each for each in (experiment("theirs"), pipeline("two"), schedule("two"))}
        with closing(place.open()) as backend:
            (found,) = named(backend.observe(tuple(ours.values())).objects, kind)
            adopt = Adopt(ours[kind], found, ())
            with backend.lock("tests"):
                plan = replace(planned(backend, ()), changes=(adopt,))
                results = carried_out(backend, plan)
            assert [(each.state, each.id) for each in results] == [("done", found.id)]
            assert found.id == theirs[f"{kind}/{found.name}"]
            taken = owned(backend, [ours[kind]])[f"{kind}/{found.name}"]
            assert (taken.id, taken.owned) == (found.id, True)
            assert all(d.path != "digest" for d in plans.difference(taken.spec, ours[kind].spec))
        applied(place, ours[kind], rules=KEEPING)

    @pytest.mark.parametrize("kind", ["Experiment", "Pipeline", "Schedule"])
    def test_what_somebody_removed_comes_back_as_drift(self, place: Place, kind: str) -> None:
        desired = everything()
        made = applied(place, *desired)
        (name,) = (key for key in made if key.startswith(kind))
        place.remove(kind, made[name])
        with closing(place.open()) as backend:
            assert changes(planned(backend, desired))[name] == ("create", "drift")
        again = applied(place, *desired)
        assert again[name] != made[name]

    def test_what_somebody_changed_is_told_field_by_field_and_changed_back(self, place: Place) -> None:
        desired = (pipeline(), schedule())
        made = applied(place, *desired)
        place.disable(made["Schedule/nightly"])
        with closing(place.open()) as backend:
            (change,) = planned(backend, desired).pending
            assert isinstance(change, Update)
            assert (change.cause, [(d.path, d.before, d.after, d.drift) for d in change.diff]) == (
                "drift",
                [("enabled", False, True, True)],
            )
        assert applied(place, *desired) == {"Schedule/nightly": made["Schedule/nightly"]}

    def test_a_trigger_key_starts_one_run_whatever_happens(self, place: Place) -> None:
        base = (experiment(), pipeline())
        first = applied(place, *base, run("k1"))["Run/once"]
        assert applied(place, *base, run("k1")) == {}
        second = applied(place, *base, run("k2"))["Run/once"]
        assert first != second
        with closing(place.open()) as backend:
            assert {each.id for each in backend.runs.all()} == {first, second}
        place.remove("Run", first)
        # Back under the first key nothing starts: it has fired, whatever became of its run.
        with closing(place.open()) as backend:
            with backend.lock("tests"):
                carried_out(backend, planned(backend, (*base, run("k1"))))
            assert [each.id for each in backend.runs.all()] == [second]

    def test_another_environment_starts_its_own(self, place: Place) -> None:
        desired = (experiment(), pipeline("one"), run())
        one = applied(place, *desired)["Run/once"]
        with closing(place.open(environment="two")) as backend, backend.lock("tests"):
            results = carried_out(backend, planned(backend, (run(),)))
        assert results[-1].id != one

    def test_one_holds_the_lock_and_the_other_hears_who(self, place: Place) -> None:
        with closing(place.open()) as one, closing(place.open()) as two:
            with one.lock("alice"), pytest.raises(Locked, match="alice"), two.lock("bob"):
                pass
            with two.lock("bob"):
                pass

    def test_history_tells_what_was_applied_and_what_was_cut_off(self, place: Place) -> None:
        with closing(place.open()) as backend:
            assert (backend.last_apply(), backend.applies()) == (None, ())
        applied(place, experiment())
        with closing(place.open()) as backend:
            with backend.lock("tests"):
                plan = planned(backend, (experiment(), pipeline()))
                backend.begin_apply(plan, "alice")
            last = backend.last_apply()
        assert last is not None
        assert (last.who, last.digest, last.finished_at, last.project) == ("alice", plan.digest, None, "demo")
        applied(place, experiment(), pipeline())
        with closing(place.open()) as backend:
            told = backend.applies()
            assert [each.result.get("done") for each in told if each.finished_at is not None] == [1, 1]
            assert [each.id for each in told] == sorted({each.id for each in told}, reverse=True)
            assert backend.applies(1) == told[:1]

    def test_an_apply_tells_its_commit_and_the_runs_that_it_wanted(self, place: Place) -> None:
        desired = (experiment(), pipeline(), run("k1"))
        of_commit(place, "c1", *desired, branch="main")
        of_commit(place, "c2", *desired, schedule())
        of_commit(place, "c3", experiment(), pipeline(), run("k2"))
        with closing(place.open()) as backend:
            newest, second, first = backend.applies()
            assert [(each.commit, each.branch) for each in (first, second, newest)] == [
                ("c1", "main"), ("c2", None), ("c3", None),
            ]  # fmt: skip
            assert [dict(each.changes) for each in (first, second, newest)] == [
                {"create": 3}, {"create": 1}, {"create": 1, "delete": 1},
            ]  # fmt: skip
            (one,), (same,), (other,) = first.runs, second.runs, newest.runs
            assert (one.name, one.pipeline, one.digest) == ("once", "demo", package().digest)
            assert one == same
            assert {one.id, other.id} == {each.id for each in backend.runs.all()}
            assert one.id != other.id

    def test_how_a_run_ended_is_known_to_all_applies_that_wanted_it(self, place: Place) -> None:
        desired = (experiment(), pipeline(), run("k1"))
        of_commit(place, "c1", *desired)
        of_commit(place, "c2", *desired)
        with closing(place.open()) as backend:
            assert [each.state for record in backend.applies() for each in record.runs] == [None, None]
            (id_,) = (each.id for each in backend.runs.all())
            *_, last = backend.watch(id_)
            assert isinstance(last, RunFinished)
            with backend.lock("tests"):
                backend.note_runs({id_: last.run.state, "another": "FAILED"})
        # Also of those that come later.
        of_commit(place, "c3", *desired)
        with closing(place.open()) as backend:
            assert [(each.id, each.state) for record in backend.applies() for each in record.runs] == [
                (id_, "SUCCEEDED")
            ] * 3
            assert applying.refreshed(backend, backend.applies()) == backend.applies()
            assert backend.runs.states([id_, RUN]) == {id_: "SUCCEEDED"}
            backend.runs.delete(id_)
            assert [each.runs[0].state for each in backend.applies()] == ["SUCCEEDED"] * 3

    def test_a_commit_that_changes_nothing_is_told_once(self, place: Place) -> None:
        assert of_commit(place, "c1", experiment()) == 1
        assert of_commit(place, "c1", experiment()) == 0
        assert of_commit(place, "c2", experiment()) == 0
        assert of_commit(place, "c2", experiment()) == 0
        assert of_commit(place, "c1", experiment()) == 0
        with closing(place.open()) as backend:
            told = backend.applies()
            assert [each.commit for each in told] == ["c1", "c2", "c1"]
            assert [each.applied for each in told] == [Applied("c1"), Applied("c2"), Applied("c1")]
            assert all(each.who == "tests" and each.finished_at is not None for each in told)
            assert backend.observe().last == Applied("c1")

    def test_what_was_cut_off_or_only_taken_over_is_not_what_the_target_is_equal_to(
        self, place: Place
    ) -> None:
        of_commit(place, "c1", experiment())
        with closing(place.open()) as backend:
            with backend.lock("tests"):
                backend.begin_apply(replace(planned(backend, (pipeline(),)), commit="c2"), "alice")
            assert backend.applies(1)[0].applied is None
        of_commit(place, "c1", experiment())
        with closing(place.open()) as backend:
            assert backend.observe().last == Applied("c1")
            with backend.lock("tests"):
                list(
                    applying.carry_out(
                        replace(planned(backend, ()), commit="c3", verb="adopt"), backend, "tests"
                    )
                )
            assert backend.observe().last is None
            assert [each.commit for each in backend.applies()] == ["c3", "c1", "c2", "c1"]

    @pytest.mark.parametrize("before", ["", "one"])
    def test_what_was_done_before_an_apply_was_cut_off_is_known_to_the_next(
        self, place: Place, before: str
    ) -> None:
        if before:
            applied(place, *everything(before))
        desired, other = everything("two"), everything("three")
        with closing(place.open()) as backend, backend.lock("tests"):
            plan = planned(backend, desired)
            backend.begin_apply(plan, "tests")
            for change in plan.pending:
                backend.perform(change)
        applied(place, *desired)
        # Whoever changes the source afterwards is not told that somebody else did.
        with closing(place.open()) as backend:
            told = planned(backend, other).pending
            assert {getattr(change, "cause", None) for change in told} == {"source"}
            assert not any(
                each.drift for change in told if isinstance(change, Update) for each in change.diff
            )

    def test_a_run_is_started_once_and_followed_to_its_end(self, place: Place) -> None:
        applied(place, experiment(), pipeline())
        request = RunRequest(RUN, "by hand", "demo", package(), {"lr": 2.0}, experiment="course")
        with closing(place.open()) as backend:
            started = backend.start(request)
            assert (started.id, started.inputs["lr"]) == (RUN, 2.0)
            assert backend.start(request).id == RUN
            *_, last = backend.watch(RUN)
            assert isinstance(last, RunFinished)
            assert (last.run.id, last.run.state) == (RUN, "SUCCEEDED")
            assert [each.id for each in backend.runs.newest(5)] == [RUN]
            assert backend.runs.get(RUN[:8]).state in FINAL
            found = dict(backend.runs.durations(["demo", "other"], 10))
            assert [list(each.tasks) for each in found.pop("demo")] == [["work"]]
            assert not found
            assert not backend.runs.durations(["demo"], 0)
            assert backend.runs.cancel(RUN).state == "SUCCEEDED"
            backend.runs.delete(RUN)
            with pytest.raises(NotFound):
                backend.runs.get(RUN)

    @settings(
        max_examples=8,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(
        wanted=st.lists(
            st.tuples(st.sampled_from(["", "one", "two"]), st.booleans(), st.booleans(), st.booleans()),
            min_size=1, max_size=3,
        )
    )  # fmt: skip
    def test_any_history_of_wishes_ends_as_the_last_one(
        self, place: Place, wanted: list[tuple[str, bool, bool, bool]]
    ) -> None:
        for text, with_experiment, with_schedule, enabled in wanted:
            desired: list[Resource] = [experiment()] if with_experiment else []
            desired += [pipeline(text)] if text else []
            # An experiment without a document is made and owned by nobody.
            by_nobody = schedule(text, enabled=enabled, experiment=DEFAULT_EXPERIMENT)
            desired += [by_nobody] if text and with_schedule else []
            applied(place, *desired)
            with closing(place.open()) as backend:
                found = owned(backend, desired)
            assert {key: each.spec for key, each in found.items() if each.kind != "Run"} == {
                f"{each.kind}/{each.name}": each.spec for each in desired
            }
