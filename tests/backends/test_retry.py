"""A run that failed goes on: what succeeded is kept, what failed runs again, under the same id."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kfgit.backend import Refused
from kfgit.backends.local import engine, worker
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.earlier import asked
from kfgit.backends.local.protocol import Execute, Outputs
from kfgit.backends.local.store import artifacts, successes
from kfgit.events import RunFinished, RunRecord, TaskRecord
from kfgit.ir import Package
from tests.backends import local_samples as samples
from tests.e2e.door import until


class Stage:
    """An attempt function that notes what it was asked to do, and fails the tasks that are named."""

    def __init__(self, *failing: str) -> None:
        self.failing = set(failing)
        self.done: list[str] = []
        self.guard = threading.Lock()

    def __call__(
        self,
        command: Execute,
        place: worker.AttemptPlace,
        settings: worker.WorkerSettings,
        hooks: worker.Hooks,
    ) -> Outputs:
        with self.guard:
            self.done.append(command.path)
        if command.path in self.failing:
            command = replace(command, executor={**command.executor, "args": ["fail"]})
        return samples.attempt(command, place, settings, hooks)

    def calls(self) -> list[str]:
        with self.guard:
            done, self.done = sorted(self.done), []
        return done


def finish(backend: LocalBackend, run_id: str) -> RunRecord:
    last = list(backend.watch(run_id))[-1]
    assert isinstance(last, RunFinished)
    return last.run


def start(backend: LocalBackend, package: Package, **changed: Any) -> RunRecord:
    return finish(backend, backend.start(samples.request(package, **({"cache": False} | changed))).id)


def again(backend: LocalBackend, record: RunRecord) -> RunRecord:
    waiting = backend.runs.retry(record.id)
    assert (waiting.id, waiting.state, waiting.error) == (record.id, "PENDING", None)
    return finish(backend, record.id)


def states(record: RunRecord) -> Mapping[str, str]:
    return {task.path: task.state for task in record.tasks}


def task(record: RunRecord, path: str) -> TaskRecord:
    (found,) = (task for task in record.tasks if task.path == path)
    return found


CHAIN = samples.package({"a": ([], ()), "b": ([], ("a",)), "c": ([], ("b",))})


def test_what_succeeded_is_kept_and_what_failed_runs_again(tmp_path: Path) -> None:
    stage = Stage("b")
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, CHAIN)
    assert (failed.state, stage.calls()) == ("FAILED", ["a", "b"])
    stage.failing.clear()
    good = again(backend, failed)
    assert (good.state, stage.calls()) == ("SUCCEEDED", ["b", "c"])
    assert good == replace(backend.runs.get(failed.id))
    assert task(good, "a") == task(failed, "a")
    assert (task(good, "b").attempts, task(good, "c").attempts) == (2, 1)
    assert "line 39" in backend.runs.log(good.id, "b", 0)
    assert "line 39" in backend.runs.log(good.id, "b", 1)
    assert "line 39" in backend.runs.log(good.id, "a")
    assert backend.runs.page(10).items == (replace(good, tasks=()),)


def test_a_run_may_fail_as_often_as_it_likes(tmp_path: Path) -> None:
    stage = Stage("c")
    backend = samples.backend(tmp_path, attempt=stage)
    record = start(backend, CHAIN)
    for _ in range(3):
        record = again(backend, record)
        assert record.state == "FAILED"
    assert stage.calls() == ["a", "b", "c", "c", "c", "c"]
    assert task(record, "c").attempts == 4
    assert [backend.runs.log(record.id, "c", number) for number in range(4)]
    stage.failing.clear()
    assert again(backend, record).state == "SUCCEEDED"


@pytest.mark.parametrize("state", ["SUCCEEDED", "PENDING", "RUNNING"])
def test_only_a_run_that_ended_badly_is_retried(tmp_path: Path, state: str) -> None:
    backend = samples.backend(tmp_path)
    package = samples.package({"a": (["sleep", "600"] if state == "RUNNING" else [], ())})
    record = backend.start(samples.request(package))
    thread = threading.Thread(target=lambda: list(backend.watch(record.id)), daemon=True)
    if state != "PENDING":
        thread.start()
        until(lambda: backend.runs.get(record.id).state == state)
    with pytest.raises(Refused, match=f"is {state}; only one that failed"):
        backend.runs.retry(record.id)
    assert backend.runs.get(record.id).state == state
    if state == "RUNNING":
        backend.runs.cancel(record.id)
        thread.join(180)
        assert backend.runs.get(record.id).state == "CANCELED"


def test_a_canceled_run_goes_on(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    package = samples.package({"a": ([], ()), "b": (["sleep", "600"], ("a",))})
    record = backend.start(samples.request(package, cache=False))
    thread = threading.Thread(target=lambda: list(backend.watch(record.id)), daemon=True)
    thread.start()
    until(lambda: states(backend.runs.get(record.id)).get("b") == "RUNNING")
    backend.runs.cancel(record.id)
    thread.join(180)
    assert backend.runs.get(record.id).state == "CANCELED"
    stage = Stage()
    quick = replace(backend, work=replace(backend.work, attempt=lambda c, p, s, h: stage(_awake(c), p, s, h)))
    assert again(quick, record).state == "SUCCEEDED"
    assert stage.calls() == ["b"]


def _awake(command: Execute) -> Execute:
    return replace(command, executor={**command.executor, "args": []})


def test_a_run_that_was_canceled_before_it_began_runs_whole(tmp_path: Path) -> None:
    stage = Stage()
    backend = samples.backend(tmp_path, attempt=stage)
    record = backend.start(samples.request(CHAIN, cache=False))
    assert backend.runs.cancel(record.id).state == "CANCELED"
    assert again(backend, record).state == "SUCCEEDED"
    assert stage.calls() == ["a", "b", "c"]


def test_a_retry_that_is_called_off_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    stage = Stage("b")
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, CHAIN)
    assert backend.runs.retry(failed.id).tasks == failed.tasks
    canceled = backend.runs.cancel(failed.id)
    assert (canceled.state, canceled.tasks) == ("CANCELED", failed.tasks)
    stage.failing.clear()
    assert again(backend, canceled).state == "SUCCEEDED"
    assert stage.calls() == ["a", "b", "b", "c"]


def test_values_without_json_are_nobodys_to_keep() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    command = Execute("a", "a", "a", "a", {}, {}, {"x": deep}, {})
    assert asked(command) == ""
    assert asked(replace(command, parameters={"x": float("nan")})) != ""
    assert asked(replace(command, parameters={"x": 1})) != asked(replace(command, parameters={"x": "1"}))


@pytest.mark.parametrize(
    ("key", "waited"),
    [
        ("exit-handler-1/a", ()),
        ("bye", ("exit-handler-1",)),
        ("one", ()),
        ("one/exit-handler-1/b", ()),
        ("one/bye", ("one/exit-handler-1",)),
        ("loop/3/bye", ("loop/3/exit-handler-1",)),
        ("last", ("bye", "one")),
        ("last/bye", ("bye", "one", "last/exit-handler-1")),
        ("nobody/at/home", ()),
        ("loop", ()),
    ],
)
def test_what_was_waited_for_however_it_ended(key: str, waited: tuple[str, ...]) -> None:
    program = engine.load(nested())
    assert engine.hooked(program, key) == waited


def nested() -> Package:
    """An exit handler in the root, in a nested pipeline, in a loop, and in a task that ignores failures."""
    inner = samples.with_exit({"a": ([], ()), "b": ([], ("a",))}, [])
    tasks = dict(inner.spec["root"]["dag"]["tasks"])
    call = {"componentRef": {"name": "comp-inner"}}
    items = {"items": {"raw": "[1, 2, 3, 4]"}, "itemInput": "item"}
    always = {"triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}, "dependentTasks": ["bye", "one"]}
    tasks |= {
        "one": {"taskInfo": {"name": "one"}, **call},
        "loop": {"taskInfo": {"name": "loop"}, **call, "parameterIterator": items},
        "last": {"taskInfo": {"name": "last"}, **call, **always},
    }
    components = {**inner.spec["components"], "comp-inner": {"dag": inner.spec["root"]["dag"]}}
    return Package("nested", {**inner.spec, "components": components, "root": {"dag": {"tasks": tasks}}})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 6), st.integers(0, 10**9))
def test_whatever_fails_and_however_often_each_task_succeeds_once(
    tmp_path: Path, count: int, seed: int
) -> None:
    chance = Random(seed)
    names = [f"t{number}" for number in range(count)]
    upstreams = {
        name: tuple(above for above in names[:at] if chance.random() < 0.4) for at, name in enumerate(names)
    }
    stage = Stage(*(name for name in names if chance.random() < 0.5))
    backend = samples.backend(tmp_path, attempt=stage)
    record = start(backend, samples.package({name: ([], upstreams[name]) for name in names}))
    good = [path for path in stage.calls() if path not in stage.failing]
    while record.state != "SUCCEEDED":
        assert set(good) == {path for path, state in states(record).items() if state == "SUCCEEDED"}
        stage.failing = {name for name in stage.failing if chance.random() < 0.7}
        record = again(backend, record)
        good += [path for path in stage.calls() if path not in stage.failing]
    assert sorted(good) == names
    assert all(each.outputs for each in record.tasks)


def test_a_task_whose_files_are_gone_runs_again(tmp_path: Path) -> None:
    stage = Stage("c")
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, CHAIN)
    stage.calls()
    stage.failing.clear()
    made = task(failed, "a").outputs["data"]
    Path(made.uri).unlink()
    good = again(backend, failed)
    assert (good.state, stage.calls()) == ("SUCCEEDED", ["a", "c"])
    assert Path(task(good, "a").outputs["data"].uri).exists()
    assert [each.artifact.id for each in backend.runs.artifacts(good.id) if each.task == "a"] == [
        task(good, "a").outputs["data"].id
    ]


def test_a_kept_task_gives_its_consumers_what_it_gave_before(tmp_path: Path) -> None:
    stage = Stage("c")
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, CHAIN)
    stage.failing.clear()
    good = again(backend, failed)
    assert task(good, "b").outputs == task(failed, "b").outputs
    assert task(good, "b").outputs["n"] is not None


def test_a_kept_cache_hit_stays_one(tmp_path: Path) -> None:
    stage = Stage()
    backend = samples.backend(tmp_path, attempt=stage)
    start(backend, samples.package({"a": (["first"], ())}), cache=True)
    stage.failing.add("b")
    failed = start(backend, samples.package({"a": (["first"], ()), "b": ([], ("a",))}), cache=True)
    assert task(failed, "a").cached
    with backend.database.write() as db:
        db.execute("DELETE FROM cache")
    stage.calls()
    stage.failing.clear()
    good = again(backend, failed)
    assert stage.calls() == ["b"]
    assert (task(good, "a").cached, task(good, "a").attempts) == (True, 0)


@pytest.mark.parametrize("failing", ["a", "b", "bye"])
def test_an_exit_task_runs_again_when_something_before_it_did(tmp_path: Path, failing: str) -> None:
    stage = Stage(failing)
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, samples.with_exit({"a": ([], ()), "b": ([], ("a",))}, []))
    assert failed.state == "FAILED"
    stage.calls()
    stage.failing.clear()
    good = again(backend, failed)
    expected = {"a": ["a", "b", "bye"], "b": ["b", "bye"], "bye": ["bye"]}
    assert (good.state, stage.calls()) == ("SUCCEEDED", expected[failing])


def loop(items: list[Any]) -> Package:
    """`each` over the items, and `last` after all of them."""
    made = samples.package({"each": ([], ()), "last": ([], ("each",))})
    spec: dict[str, Any] = {**made.spec}
    each = spec["root"]["dag"]["tasks"]["each"]
    each["parameterIterator"] = {"items": {"raw": str(items)}, "itemInput": "item"}
    spec["components"]["comp-each"]["inputDefinitions"] = {
        "parameters": {"item": {"parameterType": "NUMBER_INTEGER"}}
    }
    return Package(made.name, spec)


def test_the_iterations_of_a_loop_are_kept_one_by_one(tmp_path: Path) -> None:
    stage = Stage("each/1")
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, loop([5, 6, 7]))
    assert (failed.state, stage.calls()) == ("FAILED", ["each/0", "each/1", "each/2"])
    stage.failing.clear()
    good = again(backend, failed)
    assert (good.state, stage.calls()) == ("SUCCEEDED", ["each/1", "last"])
    assert states(good) == dict.fromkeys(["each", "each/0", "each/1", "each/2", "last"], "SUCCEEDED")


def test_tasks_that_the_run_has_no_more_are_forgotten(tmp_path: Path) -> None:
    """The loop takes its items from a task that gives fewer of them when it runs again."""
    made = samples.package({"list": ([], ()), "each": ([], ("list",)), "last": ([], ("each",))})
    spec: dict[str, Any] = {**made.spec}
    spec["components"]["comp-list"]["outputDefinitions"]["parameters"]["items"] = {"parameterType": "LIST"}
    spec["components"]["comp-each"]["inputDefinitions"] = {
        "parameters": {"item": {"parameterType": "NUMBER_INTEGER"}, "items": {"parameterType": "LIST"}}
    }
    each = spec["root"]["dag"]["tasks"]["each"]
    each["inputs"] = {
        "parameters": {
            "items": {"taskOutputParameter": {"producerTask": "list", "outputParameterKey": "items"}}
        }
    }
    each["parameterIterator"] = {"items": {"inputParameter": "items"}, "itemInput": "item"}
    given, stage = [[1, 2, 3]], Stage("last")

    def listing(c: Execute, p: worker.AttemptPlace, s: worker.WorkerSettings, h: worker.Hooks) -> Outputs:
        made = stage(c, p, s, h)
        return replace(made, parameters={**made.parameters, "items": given[0]}) if c.path == "list" else made

    backend = samples.backend(tmp_path, attempt=listing)
    failed = start(backend, Package(made.name, spec))
    assert "each/2" in states(failed)
    stage.calls()
    stage.failing.clear()
    given[0] = [1, 9]
    Path(task(failed, "list").outputs["data"].uri).unlink()
    good = again(backend, failed)
    # Each iteration is given the whole list as well, so none of them is what it was.
    assert stage.calls() == ["each/0", "each/1", "last", "list"]
    assert set(states(good)) == {"list", "each", "each/0", "each/1", "last"}
    assert backend.runs.get(good.id) == good


def test_nested_pipelines_keep_what_is_in_them(tmp_path: Path) -> None:
    stage = Stage("b")
    backend = samples.backend(tmp_path, attempt=stage)
    inner = samples.with_exit({"a": ([], ()), "b": ([], ("a",))}, [])
    spec: dict[str, Any] = {
        **inner.spec,
        "components": {**inner.spec["components"], "comp-inner": {"dag": inner.spec["root"]["dag"]}},
        "root": {
            "dag": {
                "tasks": {
                    name: {"taskInfo": {"name": name}, "componentRef": {"name": "comp-inner"}}
                    for name in ("one", "two")
                }
            }
        },
    }
    package = Package("nested", spec, labels={"comp-inner/exit-handler-1": ""})
    stage.failing = {"two/b"}
    failed = start(backend, package)
    assert failed.state == "FAILED"
    assert stage.calls() == ["one/a", "one/b", "one/bye", "two/a", "two/b", "two/bye"]
    stage.failing.clear()
    good = again(backend, failed)
    assert (good.state, stage.calls()) == ("SUCCEEDED", ["two/b", "two/bye"])
    assert task(good, "one").finished_at == task(failed, "one").finished_at
    assert (task(good, "two").started_at or good.created_at) > (
        task(failed, "two").finished_at or good.created_at
    )


@pytest.mark.parametrize(("value", "ran"), [(1, ["b"]), (2, [])])
def test_conditions_are_asked_anew_with_what_was_kept(tmp_path: Path, value: int, ran: list[str]) -> None:
    made = samples.package({"a": ([], ()), "b": ([], ()), "c": ([], ("a",))})
    spec: dict[str, Any] = {**made.spec}
    tasks = spec["root"]["dag"]["tasks"]
    produced = {"taskOutputParameter": {"producerTask": "a", "outputParameterKey": "n"}}
    tasks["when"] = {
        "taskInfo": {"name": "when"}, "componentRef": {"name": "comp-when"}, "dependentTasks": ["a"],
        "inputs": {"parameters": {"n": produced}},
        "triggerPolicy": {"condition": f"inputs.parameter_values['n'] == {value}"},
    }  # fmt: skip
    number = {"parameters": {"n": {"parameterType": "NUMBER_INTEGER"}}}
    spec["components"]["comp-when"] = {"dag": {"tasks": {"b": tasks.pop("b")}}, "inputDefinitions": number}
    stage = Stage("b", "c")
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, Package(made.name, spec, labels={"root/when": ""}))
    stage.calls()
    stage.failing.clear()
    good = again(backend, failed)
    assert (good.state, [path for path in stage.calls() if path != "c"]) == ("SUCCEEDED", ran)


def test_a_success_leaves_nothing_to_be_kept(tmp_path: Path) -> None:
    stage = Stage("b")
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, CHAIN)
    with backend.database.read() as db:
        assert set(successes.of(db, failed.id)) == {"a"}
    stage.failing.clear()
    again(backend, failed)
    with backend.database.read() as db:
        assert not successes.of(db, failed.id)


def test_a_run_whose_files_were_removed_runs_whole(tmp_path: Path) -> None:
    stage = Stage("b")
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, CHAIN)
    stage.calls()
    stage.failing.clear()
    shutil.rmtree(backend.runs.folder(failed.id))
    good = again(backend, failed)
    assert (good.state, stage.calls()) == ("SUCCEEDED", ["a", "b", "c"])
    with backend.database.read() as db:
        assert {each.task for each in artifacts.listing(db, good.id)} == {"a", "b", "c"}


_CHILD = """
import sys
from pathlib import Path
from tests.backends import local_samples as samples
backend = samples.backend(Path(sys.argv[1]))
if sys.argv[2] == "0":
    package = samples.package({"a": ([], ()), "b": (["hang"], ("a",))})
    backend.start(samples.request(package, "run-1", cache=False))
else:
    backend.runs.retry("run-1")
print("go", flush=True)
list(backend.watch("run-1"))
"""


def test_a_run_whose_process_was_killed_goes_on_however_often(tmp_path: Path) -> None:
    stage = Stage()
    looking = samples.backend(tmp_path, attempt=lambda c, p, s, h: stage(_awake(c), p, s, h))
    for number in range(3):
        argv = [sys.executable, "-c", _CHILD, str(tmp_path), str(number)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "go\n"
            until(lambda: states(looking.runs.get("run-1")).get("b") == "RUNNING")
            os.kill(child.pid, signal.SIGKILL)
    good = again(looking, looking.runs.get("run-1"))
    assert (good.state, stage.calls()) == ("SUCCEEDED", ["b"])
    assert (task(good, "a").attempts, task(good, "b").attempts) == (1, 4)


def test_a_loop_that_succeeded_keeps_its_times(tmp_path: Path) -> None:
    stage = Stage("last")
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, loop([5, 6]))
    stage.failing.clear()
    good = again(backend, failed)
    now, then = task(good, "each"), task(failed, "each")
    assert then.started_at is not None
    assert now.started_at is not None
    assert now.finished_at is not None
    assert then.started_at <= now.started_at < now.finished_at
    assert now.finished_at <= (then.finished_at or good.created_at)


def test_followers_hear_all_of_a_retried_run(tmp_path: Path) -> None:
    stage = Stage("c")
    backend = samples.backend(tmp_path, attempt=stage)
    failed = start(backend, CHAIN)
    stage.failing.clear()
    backend.runs.retry(failed.id)
    heard: list[list[Any]] = [[], []]
    threads = [
        threading.Thread(target=lambda to=to: to.extend(backend.watch(failed.id)), daemon=True)
        for to in heard
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    for events in heard:
        assert isinstance(events[-1], RunFinished)
        assert states(events[-1].run) == {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "SUCCEEDED"}
