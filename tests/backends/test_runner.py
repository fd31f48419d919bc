from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.local import folders, worker
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.pool import Pool
from kfgit.backends.local.protocol import Execute, Outputs
from kfgit.backends.local.store import Database
from kfgit.events import Event, Preparing, RunFinished, RunRecord, RunStarted, TaskChanged
from kfgit.ir import Package
from tests.backends import local_samples as samples
from tests.e2e.door import until

# What hangs in these tests does so for ten minutes.
HANGS = 300


def run(backend: LocalBackend, package: Package, **changed: Any) -> tuple[RunRecord, list[Event]]:
    started = backend.start(samples.request(package, **changed))
    events = list(backend.watch(started.id))
    last = events[-1]
    assert isinstance(last, RunFinished)
    return last.run, events


def states(record: RunRecord) -> dict[str, str]:
    return {task.path: task.state for task in record.tasks}


class Watcher(threading.Thread):
    """Watches a run from another thread and keeps what it hears."""

    def __init__(self, backend: LocalBackend, run_id: str) -> None:
        super().__init__(daemon=True)
        self.events: list[Event] = []
        self._backend, self._run_id = backend, run_id
        self.start()

    def run(self) -> None:
        self.events.extend(self._backend.watch(self._run_id))

    @property
    def finished(self) -> RunRecord:
        self.join(180)
        assert isinstance(self.events[-1], RunFinished)
        return self.events[-1].run


def test_a_run_succeeds_and_is_told_stored_and_written(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    record, events = run(backend, samples.package({"a": ([], ()), "b": (["say", "installing"], ("a",))}))
    assert record.state == "SUCCEEDED"
    assert states(record) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
    assert isinstance(events[0], RunStarted)
    assert events[0].run.state == "RUNNING"
    assert Preparing(record.id, "installing") in events
    told = [(event.task.path, event.task.state) for event in events if isinstance(event, TaskChanged)]
    assert told.index(("a", "SUCCEEDED")) < told.index(("b", "SUCCEEDED"))
    assert backend.runs.get(record.id) == record
    assert record.notes == ("placement has no effect",)
    folder = backend.runs.folder(record.id)
    assert (folder.parent / "latest").resolve() == folder.resolve()
    assert (folder / "a" / "attempt-0" / "log.txt").exists()
    assert (folder / "a" / "artifacts" / "data").read_text() == "42"
    document = json.loads((folder / "run.json").read_text())
    assert (document["state"], document["tasks"][0]["outputs"]["data"]["type"]) == (
        "SUCCEEDED",
        "system.Dataset",
    )


def test_a_failure_brings_its_log(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    record, events = run(backend, samples.package({"a": (["fail"], ()), "b": ([], ("a",))}))
    (failed,) = (event for event in events if isinstance(event, TaskChanged) and event.task.state == "FAILED")
    assert failed.task.error == "it ended with exit code 3"
    assert failed.log_tail == tuple(f"line {number}" for number in range(25, 40))
    assert failed.log_path is not None
    assert Path(failed.log_path).is_file()
    assert states(record) == {"a": "FAILED", "b": "SKIPPED"}
    assert record.state == "FAILED"


def test_a_bug_in_an_attempt_fails_the_task_and_not_kfgit(tmp_path: Path) -> None:
    record, _ = run(samples.backend(tmp_path), samples.package({"a": (["break"], ())}))
    assert record.state == "FAILED"
    assert "a bug" in str(record.tasks[0].error)


def test_independent_tasks_run_at_the_same_time_up_to_the_limit(tmp_path: Path) -> None:
    now, most, guard, three = [0], [0], threading.Lock(), threading.Event()

    def counting(
        command: Execute, place: worker.AttemptPlace, settings: worker.WorkerSettings, hooks: worker.Hooks
    ) -> Outputs:
        with guard:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if most[0] == 3:
                three.set()
        assert three.wait(60)
        time.sleep(0.05)  # so that a fourth would be seen
        with guard:
            now[0] -= 1
        return samples.attempt(command, place, settings, hooks)

    backend = replace(samples.backend(tmp_path, attempt=counting), pool=Pool(3))
    record, _ = run(backend, samples.package({f"t{number}": ([], ()) for number in range(9)}))
    assert record.state == "SUCCEEDED"
    assert most[0] == 3


def test_a_second_run_takes_what_the_first_made(tmp_path: Path) -> None:
    backend, notes = samples.backend(tmp_path), tmp_path / "notes"
    package = samples.package({"a": (["note", str(notes)], ()), "b": (["say", "hi"], ("a",))})
    first, _ = run(backend, package)
    second, _ = run(backend, package)
    assert [task.cached for task in first.tasks] == [False, False]
    assert [task.cached for task in second.tasks] == [True, True]
    assert second.tasks[0].outputs == first.tasks[0].outputs
    assert notes.read_text() == "a\n"
    fresh, _ = run(backend, package, cache=False)
    assert [task.cached for task in fresh.tasks] == [False, False]


def test_a_cached_artifact_that_is_gone_is_made_again(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    package = samples.package({"a": ([], ())})
    first, _ = run(backend, package)
    Path(first.tasks[0].outputs["data"].uri).unlink()
    second, _ = run(backend, package)
    assert not second.tasks[0].cached


def test_deleting_a_run_empties_its_part_of_the_cache(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    package = samples.package({"a": ([], ())})
    first, _ = run(backend, package)
    folder = backend.runs.folder(first.id)
    backend.runs.delete(first.id[:8])
    assert not folder.exists()
    assert not (folder.parent / "latest").is_symlink()
    second, _ = run(backend, package)
    assert not second.tasks[0].cached


def test_a_cancel_lets_the_exit_task_run(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    package = samples.with_exit({"a": (["hang"], ()), "b": ([], ("a",))}, ["note", str(tmp_path / "notes")])
    started = backend.start(samples.request(package))
    watcher = Watcher(backend, started.id)
    until(lambda: states(backend.runs.get(started.id)).get("a") == "RUNNING")
    assert backend.runs.cancel(started.id).state == "CANCELING"
    record = watcher.finished
    assert record.state == "CANCELED"
    assert (tmp_path / "notes").read_text() == "bye\n"
    assert states(record)["bye"] == "SUCCEEDED"
    assert backend.runs.cancel(started.id).state == "CANCELED"


def test_a_run_nobody_began_is_canceled_at_once(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    started = backend.start(samples.request(samples.package({"a": ([], ())})))
    assert backend.pending() == (started.id,)
    assert backend.runs.cancel(started.id).state == "CANCELED"
    (last,) = backend.watch(started.id)
    assert isinstance(last, RunFinished)
    assert last.run.state == "CANCELED"


def test_a_consumer_that_goes_away_stops_everything(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    package = samples.with_exit({"a": (["hang"], ()), "b": ([], ("a",))}, ["note", str(tmp_path / "notes")])
    started = backend.start(samples.request(package))
    events: Any = backend.watch(started.id)
    for event in events:
        if isinstance(event, TaskChanged) and event.task.state == "RUNNING":
            break
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < HANGS
    record = backend.runs.get(started.id)
    assert record.state == "CANCELED"
    assert not (tmp_path / "notes").exists()
    assert not {"PENDING", "RUNNING"} & set(states(record).values())


def test_an_attempt_that_does_not_die_is_not_waited_for(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    backend = replace(backend, work=replace(backend.work, stop_seconds=0.3))
    started = backend.start(samples.request(samples.package({"a": (["deaf", "600"], ()), "b": ([], ("a",))})))
    events: Any = backend.watch(started.id)
    for event in events:
        if isinstance(event, TaskChanged) and event.task.state == "RUNNING":
            break
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < HANGS
    record = backend.runs.get(started.id)
    assert (record.state, states(record)) == ("CANCELED", {"a": "CANCELED", "b": "SKIPPED"})


def test_two_watchers_hear_the_same(tmp_path: Path) -> None:
    one, two = samples.backend(tmp_path), samples.backend(tmp_path)
    package = samples.package({"a": (["sleep", "0.4"], ()), "b": (["fail"], ("a",))})
    started = one.start(samples.request(package))
    first = Watcher(one, started.id)
    until(lambda: one.runs.get(started.id).state == "RUNNING")
    second = Watcher(two, started.id)
    assert first.finished == second.finished
    heard = [event for event in second.events if isinstance(event, TaskChanged)]
    final = {event.task.path: event for event in heard}
    told = {event.task.path: event for event in first.events if isinstance(event, TaskChanged)}
    assert final["b"] == told["b"]
    assert final["b"].log_tail
    assert isinstance(second.events[0], RunStarted)
    assert sum(isinstance(event, RunStarted) for event in first.events + second.events) == 2


def test_of_many_watchers_one_executes(tmp_path: Path) -> None:
    backend, notes = samples.backend(tmp_path), tmp_path / "notes"
    started = backend.start(samples.request(samples.package({"a": (["note", str(notes)], ())})))
    watchers = [Watcher(samples.backend(tmp_path), started.id) for _ in range(6)]
    assert {watcher.finished.state for watcher in watchers} == {"SUCCEEDED"}
    assert notes.read_text() == "a\n"


def test_what_waits_for_its_turn_is_stopped_without_beginning(tmp_path: Path) -> None:
    backend = replace(samples.backend(tmp_path), pool=Pool(1))
    started = backend.start(samples.request(samples.package({"a": (["hang"], ()), "b": (["hang"], ())})))
    watcher = Watcher(backend, started.id)
    until(lambda: "RUNNING" in states(backend.runs.get(started.id)).values())
    backend.runs.cancel(started.id)
    assert watcher.finished.state == "CANCELED"
    assert len(list(backend.runs.folder(started.id).glob("*/attempt-0"))) == 1


def test_retries_wait_and_get_folders_of_their_own(tmp_path: Path) -> None:
    package = samples.package({"a": (["fail"], ())})
    spec: dict[str, Any] = json.loads(json.dumps(package.spec))
    spec["root"]["dag"]["tasks"]["a"]["retryPolicy"] = {"maxRetryCount": 2, "backoffDuration": "0.1s"}
    backend = samples.backend(tmp_path)
    record, _ = run(backend, replace(package, spec=spec))
    assert record.tasks[0].attempts == 3
    folder = backend.runs.folder(record.id)
    assert sorted(path.name for path in (folder / "a").iterdir()) == ["attempt-0", "attempt-1", "attempt-2"]
    assert backend.runs.log(record.id, "a").startswith("line 0\n")
    assert backend.runs.log_path(record.id, "a") == folder / "a" / "attempt-2" / "log.txt"


def test_iterations_stand_where_their_loop_does(tmp_path: Path) -> None:
    package = samples.package({"first": ([], ()), "last": ([], ("loop",)), "a": ([], ()), "b": ([], ("a",))})
    spec: dict[str, Any] = json.loads(json.dumps(package.spec))
    tasks = spec["root"]["dag"]["tasks"]
    tasks["loop"] = {
        "taskInfo": {"name": "loop"},
        "componentRef": {"name": "comp-loop"},
        "dependentTasks": ["first"],
        "parameterIterator": {"itemInput": "i", "items": {"raw": "[1, 2]"}},
    }
    spec["components"]["comp-loop"] = {
        "dag": {"tasks": {name: tasks.pop(name) for name in ("a", "b")}},
        "inputDefinitions": {"parameters": {"i": {"parameterType": "NUMBER_INTEGER"}}},
    }
    backend = samples.backend(tmp_path)
    record, _ = run(backend, replace(package, spec=spec), cache=False)
    expected = ["first", "loop", "loop/0/a", "loop/0/b", "loop/1/a", "loop/1/b", "last"]
    assert [task.path for task in backend.runs.get(record.id).tasks] == expected
    assert (backend.runs.folder(record.id) / "loop" / "1" / "a" / "attempt-0").is_dir()


def test_an_import_without_reimport_is_the_same_thing_again(tmp_path: Path) -> None:
    (tmp_path / "given.csv").write_text("1,2\n")
    package = samples.package({"a": ([], ())})
    spec: dict[str, Any] = json.loads(json.dumps(package.spec))
    importer = {
        "artifactUri": {"constant": f"file://{tmp_path}/given.csv"},
        "typeSchema": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"},
    }
    spec["deploymentSpec"]["executors"]["exec-a"] = {"importer": importer}
    spec["components"]["comp-a"]["outputDefinitions"] = {
        "artifacts": {
            "artifact": {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
        }
    }
    backend = samples.backend(tmp_path)
    one, _ = run(backend, replace(package, spec=spec))
    two, _ = run(backend, replace(package, spec=spec))
    assert one.tasks[0].outputs["artifact"].id == two.tasks[0].outputs["artifact"].id
    (tmp_path / "given.csv").unlink()
    three, _ = run(backend, replace(package, spec=spec))
    assert three.state == "FAILED"


def test_a_store_that_breaks_ends_the_run_with_a_machine_fault(tmp_path: Path) -> None:
    def breaking(*given: Any) -> Outputs:
        with backend.database.write() as db:
            db.execute("DROP TABLE tasks")
        return samples.attempt(*given)

    backend = samples.backend(tmp_path, attempt=breaking)
    started = backend.start(samples.request(samples.package({"a": ([], ())})))
    with pytest.raises(MachineFault, match="no such table"):
        list(backend.watch(started.id))


class Counting(Database):
    """Counts the instructions that SQLite runs, on every connection."""

    steps = 0

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        connection.set_progress_handler(self._one, 1)
        return connection

    def _one(self) -> None:
        self.steps += 1


def test_what_is_stored_grows_with_the_number_of_tasks(tmp_path: Path) -> None:
    def nothing(_command: Execute, _place: Any, _settings: Any, hooks: worker.Hooks) -> Outputs:
        hooks.started()
        return Outputs({"n": 1})

    def work(count: int) -> int:
        plain = samples.backend(tmp_path / str(count), attempt=nothing)
        database = Counting(plain.database.path)
        tasks = samples.package({f"t{number}": ([], ()) for number in range(count)})
        record, _ = run(replace(plain, database=database), tasks)
        assert record.state == "SUCCEEDED"
        return database.steps

    few, many = work(50), work(200)
    print(f"{few:,} and {many:,} steps: {many / few:.2f}")
    assert 0 < many < 6 * few  # four times the tasks


_RUNNER = """
import signal, sys
from pathlib import Path
from kfgit.events import RunFinished, TaskChanged
from tests.backends import local_samples as samples
# A background job of a shell, as tests may be, has Ctrl-C turned off, and its children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
backend = samples.backend(Path(sys.argv[1]))
package = samples.with_exit({"a": (["hang"], ()), "b": ([], ("a",))}, ["sleep", sys.argv[2]])
backend.start(samples.request(package, "the-run"))
for event in backend.watch("the-run"):
    if isinstance(event, TaskChanged) and event.task.state == "RUNNING":
        print(event.task.path, flush=True)
    if isinstance(event, RunFinished):
        print(event.run.state, flush=True)
"""


def started_process(root: Path, exit_seconds: str = "0") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _RUNNER, str(root), exit_seconds],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "a\n"
    return process


def test_a_killed_kfgit_leaves_a_run_that_is_found_failed(tmp_path: Path) -> None:
    with started_process(tmp_path) as process:
        alive = samples.backend(tmp_path)
        assert alive.runs.get("the-run").state == "RUNNING"
        watcher = Watcher(alive, "the-run")
        until(lambda: len(watcher.events) > 1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert watcher.finished.state == "FAILED"
    record = samples.backend(tmp_path).runs.get("the-run")
    assert record.state == "FAILED"
    assert record.error == "the kfgit process that ran it ended before the run did"
    assert states(record) == {"a": "FAILED", "b": "SKIPPED", "bye": "SKIPPED"}
    assert samples.backend(tmp_path).recover() == ()


def test_opening_finds_what_a_killed_kfgit_left(tmp_path: Path) -> None:
    with started_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert samples.backend(tmp_path).runs.all()[0].state == "FAILED"


def test_ctrl_c_cancels_and_the_exit_task_still_runs(tmp_path: Path) -> None:
    with started_process(tmp_path) as process:
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=180)
    assert (output.split()[-1], "Traceback" in errors) == ("CANCELED", False)
    assert states(samples.backend(tmp_path).runs.get("the-run"))["bye"] == "SUCCEEDED"


def test_a_second_ctrl_c_stops_everything(tmp_path: Path) -> None:
    with started_process(tmp_path, "60") as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "bye\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=180)
    assert (output.split(), "Traceback" in errors) == (["CANCELED"], False)
    record = samples.backend(tmp_path).runs.get("the-run")
    assert record.state == "CANCELED"
    assert not {"PENDING", "RUNNING"} & set(states(record).values())


def test_another_process_cancels(tmp_path: Path) -> None:
    with started_process(tmp_path) as process:
        samples.backend(tmp_path).runs.cancel("the-run")
        output, _ = process.communicate(timeout=180)
    assert output.split()[-1] == "CANCELED"
    assert states(samples.backend(tmp_path).runs.get("the-run"))["bye"] == "SUCCEEDED"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../../etc", "x" * 300, "ä ö", "a\0b", ".lock", "run.json", "~"]
)
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    made = folders.part(name)
    assert folders.part(made) == made
    assert "/" not in made
    assert not made.startswith(".")
    assert 0 < len(made) <= 100
    assert made != folders.part(name + "!")
