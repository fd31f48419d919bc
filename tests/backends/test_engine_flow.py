"""What starts when: dependencies, fail-fast, hooks, retries and cancel, as Argo runs what KFP's compiler writes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kfgit.backends.local import engine
from kfgit.backends.local.protocol import (
    Begin,
    Cancel,
    Execute,
    Failed,
    Outputs,
    Started,
    Stop,
    Succeeded,
    Tick,
    WakeAt,
)
from tests.backends.test_engine_play import (
    STR,
    STRUCT,
    T0,
    Worker,
    by_name,
    const,
    context,
    dag,
    each,
    gave,
    job,
    out,
    outer,
    package,
    param,
    play,
    ready,
    task,
)
from tests.counting import lines

JOB = {"c": job(gives={"Output": STR})}
EXIT = {"exit": job({"status": param("TASK_FINAL_STATUS", optional=True)})}
STATUS = {"status": {"taskFinalStatus": {"producerTask": "exit-handler-1"}}}
FALSE = "'a' == 'b'"


def over(worker: Worker) -> engine.Outcome:
    found = engine.outcome(worker.state)
    assert found is not None
    return found


def guarded(inner: dict[str, Any], **more: Any) -> Any:
    """A pipeline whose tasks stand in an exit handler."""
    tasks = {
        "exit-handler-1": task("body"),
        "bye": task("exit", STATUS, after=["exit-handler-1"], always=True, **more),
    }
    return package({**JOB, **EXIT, "body": dag(inner)}, dag(tasks))


def test_independent_tasks_run_at_once_and_a_join_waits_for_both() -> None:
    worker = ready(package(JOB, dag({"a": task("c"), "b": task("c"), "z": task("c", after=["a", "b"])})))
    assert list(worker.running) == ["a", "b"]
    worker.finish("b")
    assert list(worker.running) == ["a"]
    worker.finish("a")
    assert list(worker.running) == ["z"]


class Plain(Worker):
    """Asks for what has changed as the runner does, and does not hold it against all that there is."""

    def _compare(self, before: engine.RunState) -> None:
        engine.changes(before, self.state)


@pytest.mark.parametrize("joined", [False, True])
def test_work_grows_with_the_number_of_tasks(*, joined: bool) -> None:
    def work(count: int) -> int:
        tasks = {f"t{n}": task("c", after=[f"t{n - 1}"] if joined and n else []) for n in range(count)}
        program = engine.load(package(JOB, dag(tasks)))
        worker = Plain(engine.start(program, context(), {}, {}))
        with lines() as counted:
            worker.begin()
            assert worker.to_end().state == "SUCCEEDED"
        return counted[0]

    work(1)
    few, many = work(100), work(400)
    print(f"{few:,} and {many:,} lines: {many / few:.2f}")
    # Of four times the tasks; each event looks at the siblings of what it changed, and does nothing with them.
    assert many < 10 * few


def test_a_value_that_is_read_is_a_dependency_without_being_declared() -> None:
    components = {**JOB, "r": job({"x": STR})}
    worker = ready(package(components, dag({"a": task("r", {"x": out("b")}), "b": task("c")})))
    assert list(worker.running) == ["b"]


def test_an_empty_pipeline_succeeds() -> None:
    assert over(ready(package({}, dag({})))).state == "SUCCEEDED"


def test_a_skipped_upstream_skips_its_consumers_one_after_the_other() -> None:
    tasks = {
        "a": task("c", when=FALSE),
        "b": task("c", after=["a"]),
        "d": task("c", after=["b"]),
        "e": task("c"),
    }
    worker = play(package(JOB, dag(tasks)))
    assert worker.executed == ["e"]
    assert worker.states == {"a": "SKIPPED", "e": "SUCCEEDED", "b": "SKIPPED", "d": "SKIPPED"}
    assert over(worker).state == "SUCCEEDED"


def test_after_a_failure_nothing_new_starts_in_that_dag_and_what_runs_goes_on() -> None:
    tasks = {
        "bad": task("c"),
        "slow": task("c"),
        "late": task("c", after=["slow"]),
        "next": task("c", after=["bad"]),
    }
    worker = ready(package(JOB, dag(tasks)))
    worker.finish("bad", "no luck")
    assert list(worker.running) == ["slow"]
    assert worker.states["next"] == "PENDING"
    worker.finish("slow")
    assert over(worker) == engine.Outcome("FAILED", {}, "task `bad` failed: no luck")
    assert worker.states == {"bad": "FAILED", "slow": "SUCCEEDED", "next": "SKIPPED", "late": "SKIPPED"}


def test_a_nested_dag_goes_on_after_a_failure_beside_it() -> None:
    components = {**JOB, "n": dag({"x": task("c"), "y": task("c", after=["x"])})}
    worker = ready(package(components, dag({"bad": task("c"), "n": task("n")})))
    worker.finish("bad", "no")
    worker.finish("n/x")
    assert list(worker.running) == ["n/y"]
    worker.to_end()
    assert worker.states == {"bad": "FAILED", "n": "SUCCEEDED", "n/x": "SUCCEEDED", "n/y": "SUCCEEDED"}


def test_a_failure_goes_up_the_tree_and_is_told_by_the_first_task_that_failed() -> None:
    components = {**JOB, "n": dag({"x": task("c"), "y": task("c")}), "m": dag({"n": task("n")})}
    worker = play(
        package(components, dag({"m": task("m"), "z": task("c", after=["m"])})), by_name(x="bad", y="also")
    )
    assert over(worker).error == "task `m/n/x` failed: bad"
    assert worker.states == {
        "m": "FAILED",
        "m/n": "FAILED",
        "m/n/x": "FAILED",
        "m/n/y": "FAILED",
        "z": "SKIPPED",
    }
    assert worker.record("m").error == "task `m/n/x` failed: bad"


@pytest.mark.parametrize(("answer", "word"), [("boom", "FAILED"), (gave(Output="x"), "COMPLETE")])
def test_the_exit_task_runs_whatever_happened_and_hears_of_it(answer: Any, word: str) -> None:
    worker = play(guarded({"a": task("c"), "b": task("c", after=["a"])}), by_name(a=answer))
    status = worker.command("bye").parameters["status"]
    assert status["state"] == word
    assert status["pipelineTaskName"] == "exit-handler-1"
    assert status["pipelineJobResourceName"] == "p-1234"
    failed = {"code": 2, "message": "task `exit-handler-1/a` failed: boom"}
    assert status["error"] == (failed if word == "FAILED" else {})
    assert over(worker).state == ("FAILED" if word == "FAILED" else "SUCCEEDED")


def test_the_exit_task_runs_also_when_its_handler_was_never_reached() -> None:
    tasks = {
        "a": task("c"),
        "exit-handler-1": task("body", after=["a"]),
        "bye": task("exit", STATUS, after=["exit-handler-1"], always=True),
    }
    worker = play(package({**JOB, **EXIT, "body": dag({"x": task("c")})}, dag(tasks)), by_name(a="no"))
    assert worker.executed == ["a", "bye"]
    assert worker.command("bye").parameters["status"]["state"] == "CANCELED"


def test_a_failing_exit_task_fails_the_run() -> None:
    worker = play(guarded({"a": task("c")}), by_name(bye="no"))
    assert over(worker).error == "task `bye` failed: no"


def test_ignore_upstream_failure_takes_the_default_where_the_value_is_missing() -> None:
    components = {**JOB, "r": job({"x": param(STR, "fallback")}), "s": job({"x": STR})}
    tasks = {
        "a": task("c"),
        "r": task("r", {"x": out("a")}, always=True),
        "s": task("s", {"x": out("a")}, always=True),
    }
    worker = play(package(components, dag(tasks)), by_name(a="no"))
    assert worker.command("r").parameters == {}  # the launcher adds the default
    assert worker.record("s").error == "input `x` has neither a value nor a default"
    assert over(worker).error == "task `a` failed: no"
    good = play(package(components, dag(tasks)), by_name(a=gave(Output="v")))
    assert good.command("r").parameters == {"x": "v"}


def test_a_condition_that_cannot_be_evaluated_fails_its_task() -> None:
    components = {"c": job({"x": param(STR, optional=True)})}
    for when in ("inputs.parameter_values['x'] == 'a'", "inputs.parameter_values['x' ==", "1 == 1.0"):
        worker = play(package(components, dag({"a": task("c", when=when)})))
        error = worker.record("a").error
        assert worker.states == {"a": "FAILED"}
        assert error is not None
        assert "condition" in error


def test_a_condition_sees_the_resolved_inputs() -> None:
    components = {"c": job({"x": "NUMBER_INTEGER"})}
    when = "int(inputs.parameter_values['x']) > 2"
    tasks = {"a": task("c", {"x": const(3.0)}, when=when), "b": task("c", {"x": const(2)}, when=when)}
    assert play(package(components, dag(tasks))).states == {"a": "SUCCEEDED", "b": "SKIPPED"}


# ---- retries


def retried(**policy: Any) -> Any:
    return package(JOB, dag({"a": task("c", retryPolicy=policy)}))


def test_a_retry_waits_longer_each_time() -> None:
    worker = ready(
        retried(maxRetryCount=2, backoffDuration="10s", backoffFactor=3.0, backoffMaxDuration="3600s"),
        by_name(a=["one", "two", gave(Output="x")]),
    )
    assert worker.finish("a") == (WakeAt(worker.at + timedelta(seconds=10)),)
    assert worker.states == {"a": "RUNNING"}
    assert worker.send(Tick(worker.at + timedelta(seconds=9))) == ()
    (again,) = worker.sleep()
    assert isinstance(again, Execute)
    assert (again.attempt, again.retries) == (1, 2)
    assert worker.finish("a") == (WakeAt(worker.at + timedelta(seconds=30)),)
    assert worker.to_end().state == "SUCCEEDED"
    assert worker.record("a").attempts == 3


def test_retries_end_with_their_count_and_without_a_delay_are_immediate() -> None:
    worker = ready(retried(maxRetryCount="1", backoffDuration="0s"), by_name(a=["one", "two"]))
    (again,) = worker.finish("a")
    assert isinstance(again, Execute)
    worker.finish("a")
    assert over(worker).error == "task `a` failed: two"


def test_no_retry_begins_after_the_longest_duration_since_the_first_attempt() -> None:
    worker = ready(
        retried(maxRetryCount=9, backoffDuration="10s", backoffFactor=1, backoffMaxDuration="25s"),
        by_name(a="no"),
    )
    worker.to_end()
    assert worker.record("a").attempts == 3


def test_a_huge_backoff_is_a_number_all_the_same() -> None:
    worker = ready(
        retried(maxRetryCount=5, backoffDuration="1000000000s", backoffFactor=1e14), by_name(a="no")
    )
    worker.to_end()
    assert worker.record("a").attempts == 6


def test_a_nested_pipeline_hands_its_retry_to_tasks_without_one() -> None:
    components = {
        **JOB,
        "n": dag({"x": task("c"), "y": task("c", retryPolicy={"maxRetryCount": 1}), "m": task("m")}),
        "m": dag({"z": task("c")}),
    }
    worker = ready(package(components, dag({"n": task("n", retryPolicy={"maxRetryCount": 4})})))
    assert {key: worker.command(key).retries for key in worker.running} == {"n/x": 4, "n/y": 1, "n/m/z": 4}


# ---- cancel


def test_cancel_stops_what_runs_and_starts_nothing_but_the_exit_task() -> None:
    worker = ready(guarded({"a": task("c"), "b": task("c", after=["a"])}))
    assert worker.cancel() == (Stop("exit-handler-1/a"),)
    assert engine.outcome(worker.state) is None
    worker.finish("exit-handler-1/a")
    assert list(worker.running) == ["bye"]
    assert worker.cancel() == ()  # twice is once
    assert worker.to_end() == engine.Outcome("CANCELED", {}, None)
    assert worker.command("bye").parameters["status"]["state"] == "CANCELED"
    assert worker.states == {
        "exit-handler-1": "CANCELED",
        "exit-handler-1/a": "CANCELED",
        "exit-handler-1/b": "SKIPPED",
        "bye": "SUCCEEDED",
    }


def test_an_exit_pipeline_runs_as_a_whole_after_a_cancel() -> None:
    inner = dag({"x": task("c"), "each": task("c", after=["x"]), "z": task("c", after=["each"], always=True)})
    tasks = {
        "exit-handler-1": task("body"),
        "bye": task("last", after=["exit-handler-1"], always=True),
    }
    worker = ready(package({**JOB, "body": dag({"a": task("c")}), "last": inner}, dag(tasks)))
    worker.cancel()
    assert worker.to_end().state == "CANCELED"
    assert worker.executed == ["exit-handler-1/a", "bye/x", "bye/each", "bye/z"]


# ---- exit tasks of nested pipelines


def nesting(inner: dict[str, Any], beside: dict[str, Any] | None = None, **more: Any) -> Any:
    """An exit handler around a call of a pipeline that has one, too, and a task after that."""
    call = dag(
        {"exit-handler-1": task("inner"), "bye": task("exit", STATUS, after=["exit-handler-1"], always=True)}
    )
    work = {"call": task("call", **more), "next": task("c", after=["call"]), **(beside or {})}
    tasks = {
        "exit-handler-1": task("body"),
        "bye": task("exit", STATUS, after=["exit-handler-1"], always=True),
    }
    return package({**JOB, **EXIT, "inner": dag(inner), "call": call, "body": dag(work)}, dag(tasks))


CALL = "exit-handler-1/call"


def test_a_nested_exit_task_runs_before_what_follows_the_call() -> None:
    worker = play(nesting({"a": task("c")}))
    assert worker.executed == [
        f"{CALL}/exit-handler-1/a",
        f"{CALL}/bye",
        "exit-handler-1/next",
        "bye",
    ]
    assert over(worker).state == "SUCCEEDED"
    for key in (f"{CALL}/bye", "bye"):
        assert worker.command(key).parameters["status"]["state"] == "COMPLETE"


def test_a_failure_reaches_the_nested_exit_task_and_then_the_outer_one() -> None:
    worker = play(nesting({"a": task("c")}), by_name(a="boom"))
    assert worker.executed == [f"{CALL}/exit-handler-1/a", f"{CALL}/bye", "bye"]
    told = f"task `{CALL}/exit-handler-1/a` failed: boom"
    assert over(worker) == engine.Outcome("FAILED", {}, told)
    for key in (f"{CALL}/bye", "bye"):
        status = worker.command(key).parameters["status"]
        assert (status["state"], status["error"]["message"]) == ("FAILED", told)
    assert worker.states["exit-handler-1/next"] == "SKIPPED"


def test_a_nested_exit_task_hears_of_its_own_pipeline_only() -> None:
    worker = ready(nesting({"a": task("c")}, {"other": task("c")}))
    worker.finish("exit-handler-1/other", "boom")
    worker.finish(f"{CALL}/exit-handler-1/a")
    assert worker.command(f"{CALL}/bye").parameters["status"]["state"] == "COMPLETE"
    assert worker.to_end().state == "FAILED"
    assert worker.command("bye").parameters["status"]["state"] == "FAILED"


def test_a_nested_exit_task_that_fails_fails_the_call() -> None:
    worker = ready(nesting({"a": task("c")}))
    worker.finish(f"{CALL}/exit-handler-1/a")
    worker.finish(f"{CALL}/bye", "boom")
    assert worker.command("bye").parameters["status"]["state"] == "FAILED"
    assert worker.to_end() == engine.Outcome("FAILED", {}, f"task `{CALL}/bye` failed: boom")


def test_a_cancel_runs_the_exit_tasks_of_what_has_begun_from_the_inside_out() -> None:
    worker = ready(nesting({"a": task("c")}, {"late": task("call", after=["call"])}))
    assert worker.cancel() == (Stop(f"{CALL}/exit-handler-1/a"),)
    worker.finish(f"{CALL}/exit-handler-1/a")
    assert list(worker.running) == [f"{CALL}/bye"]
    worker.finish(f"{CALL}/bye")
    assert worker.command(f"{CALL}/bye").parameters["status"]["state"] == "CANCELED"
    assert list(worker.running) == ["bye"]
    assert worker.to_end().state == "CANCELED"
    assert worker.states[CALL] == "CANCELED"
    assert worker.states["exit-handler-1/late"] == "SKIPPED"


def test_a_cancel_lets_a_nested_exit_task_end_that_runs_already() -> None:
    worker = ready(nesting({"a": task("c")}, {"other": task("c")}))
    worker.finish(f"{CALL}/exit-handler-1/a")
    assert worker.cancel() == (Stop("exit-handler-1/other"),)
    worker.finish("exit-handler-1/other")
    assert worker.to_end().state == "CANCELED"
    assert worker.states[f"{CALL}/bye"] == "SUCCEEDED"
    assert worker.states["exit-handler-1/next"] == "SKIPPED"


def test_a_cancel_of_the_outer_exit_task_is_meant_for_it() -> None:
    worker = ready(guarded({"a": task("c")}))
    worker.finish("exit-handler-1/a")
    assert worker.cancel() == (Stop("bye"),)


def test_each_iteration_has_its_exit_task_also_after_a_cancel() -> None:
    loop = nesting({"a": task("c")}, **each('["x", "y"]', "item", 1))
    worker = ready(loop)
    assert worker.cancel() == (Stop(f"{CALL}/0/exit-handler-1/a"),)
    assert worker.to_end().state == "CANCELED"
    assert worker.executed == [f"{CALL}/0/exit-handler-1/a", f"{CALL}/0/bye", "bye"]


def test_what_merely_follows_an_exit_handler_is_no_exit_task() -> None:
    tasks = {"exit-handler-1": task("body"), "after": task("c", after=["exit-handler-1"])}
    worker = ready(package({**JOB, "body": dag({"a": task("c")})}, dag(tasks)))
    worker.finish("exit-handler-1/a")
    assert worker.cancel() == (Stop("after"),)
    assert worker.to_end().state == "CANCELED"


def test_a_retry_of_the_call_holds_for_its_exit_task() -> None:
    policy: dict[str, Any] = {"retryPolicy": {"maxRetryCount": 1, "backoffDuration": "0s"}}

    def once(command: Any) -> Any:
        return "boom" if command.key == f"{CALL}/bye" and command.attempt == 0 else gave()

    worker = play(nesting({"a": task("c")}, **policy), by_name(bye=once))
    assert over(worker).state == "SUCCEEDED"
    assert worker.record(f"{CALL}/bye").attempts == 2


def test_ignore_upstream_failure_is_no_exit_task_to_cancel() -> None:
    worker = ready(package(JOB, dag({"a": task("c"), "b": task("c", after=["a"], always=True)})))
    worker.cancel()
    assert worker.to_end().state == "CANCELED"
    assert worker.executed == ["a"]


def test_cancel_ends_what_waits_for_a_retry() -> None:
    worker = ready(retried(maxRetryCount=3, backoffDuration="60s"), by_name(a="no"))
    worker.finish("a")
    assert worker.cancel() == ()
    assert over(worker).state == "CANCELED"
    assert worker.send(Tick(T0 + timedelta(days=1))) == ()


def test_a_task_that_ends_well_after_stop_has_succeeded_in_a_canceled_run() -> None:
    worker = ready(package(JOB, dag({"a": task("c")})))
    worker.cancel()
    worker.send(Succeeded("a", Outputs(), worker.tick()))
    assert worker.states == {"a": "SUCCEEDED"}
    assert over(worker).state == "CANCELED"


def test_cancel_before_the_beginning_runs_nothing() -> None:
    program = engine.load(guarded({"a": task("c")}))
    state = engine.start(program, context(), {}, {})
    state, commands = engine.advance(state, Cancel(T0))
    assert commands == ()
    assert engine.advance(state, Begin(T0)) == (state, ())
    assert set(Worker(state).states.values()) == {"SKIPPED"}


def test_signals_that_make_no_sense_change_nothing() -> None:
    worker = ready(package({**JOB, "n": dag({"x": task("c")})}, dag({"a": task("c"), "n": task("n")})))
    worker.finish("a")
    for key in ("a", "b", "", "/", "n", "n/x/y", "n/0/x", "a/0", "n/y"):
        for signal in (Succeeded(key, Outputs(), T0), Failed(key, "late", T0), Started(key, 7, T0)):
            assert engine.advance(worker.state, signal) == (worker.state, ())
    assert engine.advance(worker.state, Begin(T0)) == (worker.state, ())


def test_a_cached_task_has_no_attempts_and_its_status_says_so() -> None:
    tasks = {
        "a": task("c"),
        "b": task("exit", {"status": {"taskFinalStatus": {"producerTask": "a"}}}, always=True),
    }
    worker = ready(package({**JOB, **EXIT}, dag(tasks)))
    worker.running.clear()
    worker.send(Succeeded("a", gave(Output="x"), worker.tick(), cached=True))
    record = worker.record("a")
    assert (record.cached, record.attempts, record.outputs) == (True, 0, {"Output": "x"})
    assert worker.command("b").parameters["status"]["state"] == "CACHED"


def test_a_struct_from_outside_reaches_a_nested_pipeline_as_it_is() -> None:
    components = {"c": job({"x": STRUCT}), "n": dag({"x": task("c", {"x": outer("y")})}, {"y": STRUCT})}
    pack = package(components, dag({"n": task("n", {"y": outer("z")})}, {"z": STRUCT}))
    worker = play(pack, inputs={"z": {"a": [1.0, {"b": 2.5}]}})
    assert worker.command("n/x").parameters == {"x": {"a": [1, {"b": 2.5}]}}
