"""A run told in the author's words."""

from __future__ import annotations

from datetime import timedelta

from kfgit.backends.local import engine
from tests.backends.test_engine_play import (
    INT,
    LIST,
    STR,
    T0,
    artifact,
    by_name,
    const,
    dag,
    each,
    gave,
    job,
    out,
    outer,
    package,
    play,
    ready,
    slot,
    task,
)

FALSE = "1 == 2"
C = {"c": job({"x": STR}, {"Output": STR}, makes={"m": slot()})}
X = {"x": const("v")}


def test_a_record_has_times_inputs_and_outputs() -> None:
    worker = play(package(C, dag({"a": task("c", {**X, "extra": const(1)})})))
    record = worker.record("a")
    assert (record.started_at, record.finished_at) == (T0 + timedelta(seconds=1), T0 + timedelta(seconds=2))
    assert record.inputs == {"x": "v"}
    assert record.outputs == {"Output": "text", "m": artifact("a.m")}
    assert (record.component, record.attempts, record.cached, record.error) == ("c", 1, False, None)


def test_a_task_is_pending_until_its_process_starts() -> None:
    worker = ready(package(C, dag({"a": task("c", X), "b": task("c", X, after=["a"])})))
    assert worker.states == {"a": "PENDING", "b": "PENDING"}
    assert worker.record("a").attempts == 1
    assert worker.record("b").attempts == 0


def test_groups_without_a_label_are_looked_through() -> None:
    components = {**C, "guard": dag({"t": task("c", X)}), "out": dag({"g": task("guard", when=FALSE)})}
    labels = {"out/g": "", "guard/t": "train", "root/o": "nested"}
    worker = play(package(components, dag({"o": task("out")}), labels))
    assert worker.states == {"nested": "SUCCEEDED", "nested/train": "SKIPPED"}
    assert worker.record("nested/train").key == "o/g/t"


def test_the_error_of_a_nameless_guard_is_told_by_its_task() -> None:
    components = {**C, "guard": dag({"t": task("c", X)})}
    pack = package(
        components, dag({"g": task("guard", when="inputs.parameter_values['y'] == 1")}), {"root/g": ""}
    )
    worker = play(pack)
    record = worker.record("t")
    assert record.state == "FAILED"
    assert record.error is not None
    assert record.error.startswith("its condition cannot be evaluated")
    outcome = engine.outcome(worker.state)
    assert outcome is not None
    assert outcome.error == f"task `t` failed: {record.error}"


def test_a_nameless_group_of_several_blames_none_of_them() -> None:
    components = {**C, "guard": dag({"t": task("c", X), "u": task("c", X)})}
    pack = package(components, dag({"g": task("guard", when="1 == 1.0")}), {"root/g": ""})
    worker = play(pack)
    assert worker.states == {"t": "SKIPPED", "u": "SKIPPED"}
    outcome = engine.outcome(worker.state)
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.error.startswith("task `g` failed: its condition cannot be read")


def test_tasks_of_a_dag_that_was_never_reached_are_pending_and_then_skipped() -> None:
    components = {**C, "n": dag({"t": task("c", X)})}
    worker = ready(package(components, dag({"a": task("c", X), "n": task("n", after=["a"])})))
    assert worker.states == {"a": "PENDING", "n": "PENDING", "n/t": "PENDING"}
    worker.finish("a", "no")
    assert worker.states == {"a": "FAILED", "n": "SKIPPED", "n/t": "SKIPPED"}


def test_changes_of_one_event_are_few() -> None:
    loop = dag({"t": task("c", X), "u": task("c", X)}, {"i": INT})
    worker = ready(package({**C, "loop": loop}, dag({"l": task("loop", **each("[1, 2, 3]", "i"))})))
    before = worker.state
    worker.finish("l/1/t")
    assert [record.path for record in engine.changes(before, worker.state)] == ["l/1/t"]


def test_outputs_of_the_run() -> None:
    loop = dag(
        {"t": task("c", {"x": outer("i")})},
        {"i": STR},
        {"all": (LIST, "t")},
        makes={"ms": (slot(many=True), ("t", "m"))},
    )
    root = dag(
        {"l": task("loop", **each('["a", "b"]', "i")), "a": task("c", {"x": out("s")}), "s": task("c", X)},
        gives={"last": (STR, "a"), "all": (LIST, ("l", "all"))},
        makes={"m": (slot(), ("a", "m")), "ms": (slot(many=True), ("l", "ms"))},
    )
    worker = play(package({**C, "loop": loop}, root), by_name(a=gave(Output="end")))
    outcome = engine.outcome(worker.state)
    assert outcome is not None
    assert outcome.outputs == {
        "last": "end",
        "all": ["text", "text"],
        "ms": (artifact("l/0/t.m"), artifact("l/1/t.m")),
    }
