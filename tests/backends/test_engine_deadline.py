"""What a run's `activeDeadlineSeconds` does: what runs is stopped and fails, exit tasks are let be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kfgit.backends.local import engine
from kfgit.backends.local.protocol import Stop, Tick, WakeAt
from kfgit.ir import Package
from tests.backends.test_engine_play import (
    STR,
    T0,
    Worker,
    by_name,
    const,
    dag,
    each,
    job,
    outer,
    package,
    param,
    ready,
    task,
)

STOPPED = "it was stopped, because the run has used up its active deadline"
LATE = engine.Outcome("FAILED", {}, "it took longer than its active deadline of 60s")
COMPONENTS = {
    "c": job({"item": param(STR, "none")}, gives={"Output": STR}),
    "exit": job({"status": param("TASK_FINAL_STATUS", optional=True)}),
    "two": dag({"x": task("c"), "y": task("c", after=["x"])}),
}


def bounded(root: dict[str, Any], components: dict[str, Any] | None = None, seconds: Any = 60) -> Package:
    made = package({**COMPONENTS, **(components or {})}, root)
    return replace(
        made, platform={"platforms": {"kubernetes": {"pipelineConfig": {"activeDeadlineSeconds": seconds}}}}
    )


def guarded(exit_component: str, body: dict[str, Any]) -> Package:
    status = (
        {"status": {"taskFinalStatus": {"producerTask": "exit-handler-1"}}}
        if exit_component == "exit"
        else {}
    )
    tasks = {
        "exit-handler-1": task("body"),
        "bye": task(exit_component, status, after=["exit-handler-1"], always=True),
    }
    return bounded(dag(tasks), {"body": dag(body)})


def late(worker: Worker, seconds: int = 60) -> Any:
    return worker.send(Tick(T0 + timedelta(seconds=seconds)))


def test_what_runs_is_stopped_and_fails_and_nothing_starts_any_more() -> None:
    worker = ready(bounded(dag({"a": task("c"), "b": task("c", after=["a"]), "free": task("c")})))
    assert worker.wakes == [T0 + timedelta(seconds=60)]
    worker.finish("free")
    assert late(worker, 59) == ()
    assert late(worker) == (Stop("a"),)
    assert engine.outcome(worker.state) is None
    assert worker.to_end() == LATE
    assert worker.states == {"a": "FAILED", "b": "SKIPPED", "free": "SUCCEEDED"}
    assert worker.record("a").error == STOPPED


@pytest.mark.parametrize("component", ["exit", "two"])
def test_the_exit_task_runs_after_the_deadline_with_all_that_is_in_it(component: str) -> None:
    worker = ready(guarded(component, {"a": task("c")}))
    assert late(worker) == (Stop("exit-handler-1/a"),)
    worker.finish("exit-handler-1/a")
    if component == "exit":
        status = worker.command("bye").parameters["status"]
        assert (status["state"], status["error"]["message"]) == (
            "FAILED",
            f"task `exit-handler-1/a` failed: {STOPPED}",
        )
    assert worker.to_end() == LATE
    assert {state for key, state in worker.states.items() if key.startswith("bye")} == {"SUCCEEDED"}


def test_an_exit_task_that_runs_already_is_not_stopped_and_the_run_is_not_late() -> None:
    worker = ready(guarded("exit", {"a": task("c")}))
    worker.finish("exit-handler-1/a")
    assert late(worker) == ()
    assert worker.to_end().state == "SUCCEEDED"


def nested() -> Package:
    status = {"status": {"taskFinalStatus": {"producerTask": "exit-handler-1"}}}
    call = dag({
        "exit-handler-1": task("body"), "bye": task("exit", status, after=["exit-handler-1"], always=True),
    })  # fmt: skip
    tasks = {"call": task("call"), "next": task("c", after=["call"])}
    return bounded(dag(tasks), {"body": dag({"a": task("c")}), "call": call})


def test_the_exit_task_of_a_nested_pipeline_runs_after_the_deadline() -> None:
    worker = ready(nested())
    assert late(worker) == (Stop("call/exit-handler-1/a"),)
    worker.finish("call/exit-handler-1/a")
    assert list(worker.running) == ["call/bye"]
    assert worker.to_end() == LATE
    assert (worker.states["call/bye"], worker.states["next"]) == ("SUCCEEDED", "SKIPPED")


def test_a_nested_exit_task_that_runs_is_not_stopped_but_the_run_is_late() -> None:
    worker = ready(nested())
    worker.finish("call/exit-handler-1/a")
    assert late(worker) == ()
    worker.finish("call/bye")
    assert worker.to_end() == LATE
    assert (worker.states["call"], worker.states["next"]) == ("SUCCEEDED", "SKIPPED")


def test_retries_and_iterations_end_with_the_run() -> None:
    again: dict[str, Any] = {"retryPolicy": {"maxRetryCount": 3, "backoffDuration": "3600s"}}
    loop = task("body", **each('["x", "y"]', "item", 1))
    body = dag({"one": task("c", {"item": outer("item")}, **again)}, {"item": STR})
    worker = ready(
        bounded(dag({"l": loop, "r": task("c", {"item": const("x")}, **again)}), {"body": body}),
        by_name(r="no"),
    )
    worker.finish("r")
    assert late(worker) == (Stop("l/0/one"),)
    assert worker.to_end() == LATE
    assert worker.states == {"l": "FAILED", "l/0/one": "FAILED", "r": "FAILED"}


def test_whoever_cancels_first_is_told() -> None:
    worker = ready(bounded(dag({"a": task("c")})))
    worker.cancel()
    assert late(worker) == ()
    assert worker.to_end().state == "CANCELED"

    worker = ready(bounded(dag({"a": task("c")})))
    late(worker)
    assert worker.cancel() == ()
    assert worker.to_end() == LATE


@pytest.mark.parametrize("seconds", [0, -5, None])
def test_no_deadline_where_the_number_is_not_positive(seconds: int | None) -> None:
    worker = ready(bounded(dag({"a": task("c")}), seconds=seconds))
    assert not any(isinstance(command, WakeAt) for command in worker.log)


@pytest.mark.parametrize("config", [[], "x", None])
def test_a_pipeline_config_that_is_none(config: Any) -> None:
    made = package(COMPONENTS, dag({"a": task("c")}))
    made = replace(made, platform={"platforms": {"kubernetes": {"pipelineConfig": config}}})
    assert engine.load(made).deadline is None


@pytest.mark.parametrize("seconds", ["soon", [1], float("inf"), float("nan")])
def test_a_deadline_that_is_no_number(seconds: Any) -> None:
    with pytest.raises(engine.EngineError, match="is no number of seconds"):
        engine.load(bounded(dag({"a": task("c")}), seconds=seconds))


def test_a_deadline_of_a_thousand_centuries() -> None:
    assert ready(bounded(dag({"a": task("c")}), seconds=10**13)).to_end().state == "SUCCEEDED"


def test_a_run_in_time_ends_by_itself() -> None:
    worker = ready(bounded(dag({"a": task("c")})))
    assert worker.to_end().state == "SUCCEEDED"
    assert late(worker) == ()
