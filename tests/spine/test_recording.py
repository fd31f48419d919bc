"""What an apply writes down of the runs that its source wants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st

from kfgit import apply as applying
from kfgit.events import AppliedRun, ApplyRecord, ChangeFinished, done_by_action, outcome, undone
from kfgit.ir import Package, Resource
from kfgit.plan import Applied, Live, LiveObject, Plan, Rules, WantedRun, adoption, destroy, plan

PACKAGE = Package("hello", {"pipelineInfo": {"name": "hello"}})


def run(name: str, key: str) -> Resource:
    spec = {"pipeline": "me-hello", "key": key, "trigger": "onChange"}
    return Resource("Run", f"me-{name}", spec, f"{name} {key}", PACKAGE, (name,))


HELLO = Resource("Pipeline", "me-hello", {"digest": PACKAGE.digest}, "p", PACKAGE, ("hello",))


def started(wanted: Resource, id_: str) -> LiveObject:
    return LiveObject("Run", wanted.name, id_, wanted.spec, wanted.digest, owned=True, applied=wanted.digest)


def planned(*live: LiveObject, desired: tuple[Resource, ...]) -> Plan:
    return plan("prod", "there", desired, Live(live), Rules(), commit="c0ffee")


def test_runs_are_told_by_their_documents_and_by_the_run_that_was_started_before() -> None:
    old, new, other = run("old", "1"), run("new", "2"), run("new", "1")
    made = planned(started(old, "r1"), started(other, "r2"), desired=(HELLO, old, new))
    assert made.runs == (
        WantedRun("me-new", "new", "hello", PACKAGE.digest, None),
        WantedRun("me-old", "old", "hello", PACKAGE.digest, "r1"),
    )
    assert destroy("prod", "there", Live((started(old, "r1"),)), Rules()).runs == ()
    assert adoption("prod", "there", (HELLO, old), Live(()), {}).runs == ()


class Target:
    """A target that starts runs, but for those that it cannot."""

    parallelism = 1

    def __init__(self, broken: set[str]) -> None:
        self.broken = broken
        self.told: list[Any] = []

    def begin_apply(self, _plan: Plan, _who: str) -> int:
        return 7

    def perform(self, change: Any) -> str:
        name = change.desired.name
        if name in self.broken:
            raise ValueError(name)
        return f"id of {name}"

    def end_apply(self, number: int, results: Any, runs: Any = ()) -> None:
        self.told = [number, results, runs]


NAMES = st.sets(st.sampled_from("abcdef"))


@given(NAMES, NAMES, NAMES)
def test_all_wanted_runs_are_written_down_with_the_ids_of_those_that_started(
    before: set[str], now: set[str], broken: set[str]
) -> None:
    desired = (HELLO, *(run(name, "1") for name in sorted(before | now)))
    target = Target({f"me-{name}" for name in broken})
    made = planned(*(started(run(name, "1"), f"old {name}") for name in before), desired=desired)
    list(applying.carry_out(made, target, "ada"))  # type: ignore[arg-type]
    number, results, runs = target.told
    assert number == 7
    assert {each.name: each.id for each in runs} == {
        name: f"old {name}" if name in before else "" if name in broken else f"id of me-{name}"
        for name in before | now
    }
    assert {each.pipeline for each in runs} <= {"hello"}
    assert undone(outcome(results)) == len((now - before) & broken)
    assert done_by_action(results).get("create", 0) == len(now - before - broken) + 1


def test_a_commit_is_written_down_once_though_it_changes_nothing() -> None:
    target, nothing = Target(set()), Plan("prod", "there", (), "c0ffee")
    list(applying.carry_out(replace(nothing, last=Applied("c0ffee")), target, "ada"))  # type: ignore[arg-type]
    assert target.told == []
    list(applying.carry_out(replace(nothing, last=Applied("other")), target, "ada"))  # type: ignore[arg-type]
    assert target.told == [7, [], ()]


class Runs:
    """The runs of a target."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def states(self, ids: list[str]) -> dict[str, str]:
        self.asked += ids
        return {id_: "SUCCEEDED" for id_ in ids if id_ != "gone"}


def test_only_runs_that_nobody_saw_succeed_are_asked_for_each_once_and_so_many() -> None:
    class Backend:
        runs = Runs()

    def record(*runs: AppliedRun) -> Any:
        return ApplyRecord(1, "p", "c", "d", "w", None, None, {}, runs=runs)  # type: ignore[arg-type]

    def one(id_: str, state: Any = None) -> AppliedRun:
        return AppliedRun("r", "p", "d", id_, state)

    told = applying.refreshed(
        Backend(),  # type: ignore[arg-type]
        [
            record(one("a"), one("b", "SUCCEEDED"), one("")),
            record(one("a"), one("gone", "FAILED"), one("late")),
        ],
        most=2,
    )
    assert Backend.runs.asked == ["a", "gone"]
    assert [[run.state for run in each.runs] for each in told] == [
        ["SUCCEEDED", "SUCCEEDED", None], ["SUCCEEDED", "FAILED", None],
    ]  # fmt: skip


def test_changes_are_counted_by_what_was_done() -> None:
    results = [
        ChangeFinished("create", "Run", "a", "1", "done"),
        ChangeFinished("create", "Run", "b", None, "failed"),
        ChangeFinished("delete", "Run", "c", "3", "done"),
    ]
    assert done_by_action(results) == {"create": 1, "delete": 1}
