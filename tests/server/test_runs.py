"""Runs through the API: made, told, listed, ended, retried, deleted."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest

from kfgit.backends.local import locks
from kfgit.backends.local.executor import Executor
from kfgit.backends.local.folders import Folders
from kfgit.backends.local.protocol import Execute, Outputs
from kfgit.backends.local.worker import AttemptPlace, Hooks, WorkerSettings
from kfgit.ir import Package
from tests.backends import local_samples as samples
from tests.server.calling import Api, api, reference

STAMP = r"2026-03-01T12:00:00Z"
NEVER = "1970-01-01T00:00:00Z"
TWO = samples.package({"a": ([], ()), "b": ([], ("a",))}, inputs={"x": "STRING", "y": "NUMBER_INTEGER"})
PLAIN = samples.package({"a": ([], ()), "b": ([], ("a",))})
SLOW = samples.package({"a": (["hang"], ())}, "slow")


def spec(parameters: Mapping[str, Any]) -> Package:
    """A package with inputs as an IR declares them."""
    made = samples.package({"a": ([], ())})
    root = {**made.spec["root"], "inputDefinitions": {"parameters": parameters}}
    return Package("typed", {**made.spec, "root": root})


def started(call: Api, **changed: Any) -> Any:
    body = {"display_name": "r", "pipeline_spec": PLAIN.spec, **changed}
    return call("POST", "/runs", body)


def test_a_run_of_a_version_is_told_as_kfp_tells_it(tmp_path: Path) -> None:
    call = api(tmp_path)
    version = call.upload(TWO)
    made = call(
        "POST",
        "/runs",
        {
            "display_name": "one",
            "description": "the first",
            "pipeline_version_reference": reference(version),
            "runtime_config": {"parameters": {"x": "a", "y": 2.0}, "pipeline_root": "s3://b/r"},
            "service_account": "trainer",
        },
    )
    assert made == {
        "created_at": STAMP,
        "description": "the first",
        "display_name": "one",
        "experiment_id": made["experiment_id"],
        "finished_at": NEVER,
        "pipeline_version_reference": reference(version),
        "run_id": made["run_id"],
        "runtime_config": {"parameters": {"x": "a", "y": 2}, "pipeline_root": "s3://b/r"},
        "scheduled_at": STAMP,
        "service_account": "trainer",
        "state": "PENDING",
        "state_history": [{"state": "PENDING", "update_time": STAMP}],
        "storage_state": "AVAILABLE",
    }
    assert call("GET", f"/runs/{made['run_id']}") == made
    assert call.nudges == [None]
    shown = call.backend.runs.get(made["run_id"])
    assert (shown.name, shown.pipeline, shown.version, shown.experiment) == (
        "one",
        "demo",
        version.name,
        "Default",
    )


def test_the_latest_version_is_told_by_its_id(tmp_path: Path) -> None:
    call = api(tmp_path)
    call.upload(PLAIN)
    call.later(seconds=1)
    newest = call.upload(samples.package({"a": (["other"], ())}))
    made = call(
        "POST",
        "/runs",
        {"display_name": "r", "pipeline_version_reference": {"pipeline_id": newest.pipeline_id}},
    )
    assert made["pipeline_version_reference"] == reference(newest)


def test_an_inline_spec_comes_back_normal_with_its_platform(tmp_path: Path) -> None:
    call = api(tmp_path)
    plain = started(call)
    assert plain["pipeline_spec"]["pipelineInfo"] == {"name": "demo"}
    assert "runtime_config" not in plain
    platform = {
        "platforms": {
            "kubernetes": {"deploymentSpec": {"executors": {"exec-a": {"imagePullPolicy": "Always"}}}}
        }
    }
    both = started(call, pipeline_spec={"pipeline_spec": PLAIN.spec, "platform_spec": platform})
    assert both["pipeline_spec"]["platform_spec"] == platform
    assert both["pipeline_spec"]["pipeline_spec"] == plain["pipeline_spec"]


def test_a_chosen_id_starts_one_run(tmp_path: Path) -> None:
    call = api(tmp_path)
    made = started(call, run_id="0f0f0f0f-1111-5222-8333-444444444444")
    assert made["run_id"] == "0f0f0f0f-1111-5222-8333-444444444444"
    status, code, text = call.refused(
        "POST", "/runs", {"display_name": "again", "run_id": made["run_id"], "pipeline_spec": PLAIN.spec}
    )
    assert (status, code) == (409, 6)
    assert made["run_id"] in text
    assert call("GET", "/runs")["total_size"] == 1
    assert call("GET", f"/runs/{made['run_id']}")["display_name"] == "r"


@pytest.mark.parametrize("id_", ["../../x", "a b", "-x", "x" * 64, "é", "a/b", "x\n"])
def test_a_chosen_id_that_is_none_is_refused(tmp_path: Path, id_: str) -> None:
    call = api(tmp_path)
    assert (
        call.refused("POST", "/runs", {"display_name": "r", "run_id": id_, "pipeline_spec": PLAIN.spec})[0]
        == 400
    )
    assert call("GET", "/runs") == {}


def test_two_clients_with_one_id_get_one_run(tmp_path: Path) -> None:
    call = api(tmp_path)
    answers: list[Any] = []

    def post() -> None:
        try:
            answers.append(started(call, run_id="one")["state"])
        except Exception as fault:  # noqa: BLE001
            answers.append(type(fault).__name__)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["ApiError"] * 7 + ["PENDING"]


@pytest.mark.parametrize(
    ("body", "answer", "named"),
    [
        ({"pipeline_spec": PLAIN.spec}, (400, 3), "name"),
        ({"display_name": "r"}, (400, 3), "pipeline"),
        ({"display_name": "r", "pipeline_version_reference": {}}, (400, 3), "pipeline"),
        ({"display_name": "r", "pipeline_version_reference": {"pipeline_id": "nobody"}}, (400, 3), "nobody"),
        (
            {"display_name": "r", "pipeline_version_reference": {"pipeline_version_id": "none"}},
            (400, 3),
            "none",
        ),
        ({"display_name": "r", "pipeline_spec": {"root": {}}}, (400, 3), "spec"),
        ({"display_name": "r", "pipeline_spec": PLAIN.spec, "experiment_id": "nobody"}, (404, 5), "nobody"),
        (
            {"display_name": "r", "pipeline_spec": PLAIN.spec, "recurring_run_id": "nobody"},
            (400, 3),
            "nobody",
        ),
        (
            {"display_name": "r", "pipeline_spec": PLAIN.spec, "plugins_output": {"mlflow": {}}},
            (409, 10),
            "plugins_output",
        ),
        ({"display_name": "r" * 256, "pipeline_spec": PLAIN.spec}, (400, 3), "display_name"),
        (
            {"display_name": "r", "pipeline_spec": PLAIN.spec, "description": "d" * 256},
            (400, 3),
            "description",
        ),
        (
            {"display_name": "r", "pipeline_spec": PLAIN.spec, "resource_references": []},
            (400, 3),
            "resource_references",
        ),
        (
            {
                "display_name": "r",
                "pipeline_spec": PLAIN.spec,
                "pipeline_version_reference": {"pipeline_id": "p"},
            },
            (400, 3),
            "only one",
        ),
    ],
)
def test_what_cannot_be_a_run_is_refused_and_leaves_nothing(
    tmp_path: Path, body: Mapping[str, Any], answer: tuple[int, int], named: str
) -> None:
    call = api(tmp_path)
    status, code, text = call.refused("POST", "/runs", body)
    assert (status, code) == answer
    assert named in text
    assert call("GET", "/runs") == {}
    assert call.nudges == []


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("STRING", ["", "a"], [1, True, None, [], {}]),
        ("NUMBER_INTEGER", [1, 1.5, -3], ["1", True, None]),
        ("NUMBER_DOUBLE", [1, 1.5], ["1", False]),
        ("BOOLEAN", [True, False], [0, 1, "true", None]),
        ("LIST", [[], [1]], [{}, "[]"]),
        ("STRUCT", [{}, {"a": 1}], [[], "{}"]),
        ("TASK_FINAL_STATUS", [], [{}]),
        (None, [], ["a"]),
    ],
)
def test_parameters_have_the_types_of_the_pipeline(
    tmp_path: Path, type_: str | None, good: list[Any], bad: list[Any]
) -> None:
    call = api(tmp_path)
    declared = {"p": {"parameterType": type_} if type_ else {}}
    for value in good:
        config = {"parameters": {"p": value}}
        made = started(call, pipeline_spec=spec(declared).spec, runtime_config=config)
        assert made["runtime_config"] == config
    for value in bad:
        body = {
            "display_name": "r",
            "pipeline_spec": spec(declared).spec,
            "runtime_config": {"parameters": {"p": value}},
        }
        status, code, text = call.refused("POST", "/runs", body)
        assert (status, code) == (400, 3)
        assert "p" in text


def test_parameters_may_be_left_out_where_they_are_optional_or_have_a_default(tmp_path: Path) -> None:
    call = api(tmp_path)
    declared = {
        "a": {"parameterType": "STRING", "defaultValue": ""},
        "b": {"parameterType": "STRING", "isOptional": True},
        "c": {"parameterType": "STRING"},
    }
    body = {"display_name": "r", "pipeline_spec": spec(declared).spec}
    assert "parameter c is not optional" in call.refused("POST", "/runs", body)[2]
    body["runtime_config"] = {"parameters": {"c": "x", "z": 1, "y": 1}}
    assert call.refused("POST", "/runs", body)[2].endswith("not required by pipeline: y, z")
    body["runtime_config"] = {"parameters": {"c": "x"}}
    assert call("POST", "/runs", body)["runtime_config"] == {"parameters": {"c": "x"}}


def test_parameters_with_literals_are_one_of_them(tmp_path: Path) -> None:
    call = api(tmp_path)
    declared = {"p": {"parameterType": "NUMBER_INTEGER", "literals": [1, 2]}}
    body = {
        "display_name": "r",
        "pipeline_spec": spec(declared).spec,
        "runtime_config": {"parameters": {"p": 3}},
    }
    assert call.refused("POST", "/runs", body)[:2] == (400, 3)
    body["runtime_config"] = {"parameters": {"p": 2}}
    assert call("POST", "/runs", body)["state"] == "PENDING"


def test_what_a_client_got_may_be_sent_back(tmp_path: Path) -> None:
    call = api(tmp_path)
    made = started(call, run_id="one", plugins_input={"mlflow": {"experiment_name": "x"}})
    assert made["plugins_input"] == {"mlflow": {"experiment_name": "x"}}
    call.backend.runs.discard("one")
    call.later(hours=1)
    again = call("POST", "/runs", {**made, "state": "SUCCEEDED", "finished_at": STAMP})
    assert again["state"] == "PENDING"
    assert (again["created_at"], again["scheduled_at"]) == ("2026-03-01T13:00:00Z", STAMP)


def test_runs_are_listed_by_experiment_and_paged(tmp_path: Path) -> None:
    call = api(tmp_path)
    for number in range(5):
        started(call, display_name=f"r{number}")
        call.later(seconds=1)
    first = call("GET", "/runs", page_size="2", sort_by="created_at desc")
    assert [run["display_name"] for run in first["runs"]] == ["r4", "r3"]
    assert first["total_size"] == 5
    rest = call("GET", "/runs", page_size="10", page_token=first["next_page_token"], namespace="kubeflow")
    assert [run["display_name"] for run in rest["runs"]] == ["r2", "r1", "r0"]
    (experiment,) = {run["experiment_id"] for run in rest["runs"]}
    assert call("GET", "/runs", experiment_id=experiment)["total_size"] == 5
    assert call.refused("GET", "/runs", experiment_id="nobody")[:2] == (404, 5)


def test_archived_and_back(tmp_path: Path) -> None:
    call = api(tmp_path)
    id_ = started(call)["run_id"]
    assert call("POST", f"/runs/{id_}:archive") == {}
    assert call("GET", f"/runs/{id_}")["storage_state"] == "ARCHIVED"
    assert call("POST", f"/runs/{id_}:unarchive") == {}
    assert call("GET", f"/runs/{id_}")["storage_state"] == "AVAILABLE"
    with call.backend.database.write() as db:
        db.execute("UPDATE experiments SET storage_state = 'ARCHIVED'")
    assert call.refused("POST", f"/runs/{id_}:unarchive")[:2] == (400, 9)


@pytest.mark.parametrize(
    ("method", "verb"),
    [
        ("GET", ""),
        ("DELETE", ""),
        *(("POST", f":{verb}") for verb in ("archive", "unarchive", "terminate", "retry")),
    ],
)
def test_an_unknown_run_is_not_found(tmp_path: Path, method: str, verb: str) -> None:
    call = api(tmp_path)
    status, code, text = call.refused(method, f"/runs/nobody{verb}")
    assert (status, code) == (404, 5)
    assert "Run nobody not found" in text


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_inline_spec_is_given_back_as_it_came(tmp_path: Path, *, wrapped: bool) -> None:
    call = api(tmp_path)
    written: Any = {
        **PLAIN.spec,
        "defaultPipelineRoot": "",
        "root": {**PLAIN.spec["root"], "inputDefinitions": {}},
    }
    if wrapped:
        written = {
            "pipeline_spec": written,
            "platform_spec": {"platforms": {"kubernetes": {"deploymentSpec": {}}}},
        }
    run = started(call, pipeline_spec=written)
    assert run["pipeline_spec"] == written
    assert call("GET", f"/runs/{run['run_id']}")["pipeline_spec"] == written
    assert started(call)["pipeline_spec"] == PLAIN.spec


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"pipelineInfo": {"name": "ABC"}}, "ABC"), ({"root": {"dag": {}}}, "one or more tasks")],
)
def test_a_spec_that_makes_no_workflow_is_refused(
    tmp_path: Path, changed: Mapping[str, Any], named: str
) -> None:
    body = {"display_name": "r", "pipeline_spec": {**PLAIN.spec, **changed}}
    status, code, text = api(tmp_path).refused("POST", "/runs", body)
    assert (status, code, named in text) == (400, 3, True)


def test_what_a_client_may_say_of_a_new_run(tmp_path: Path) -> None:
    call = api(tmp_path)
    assert started(call, storage_state="ARCHIVED")["storage_state"] == "ARCHIVED"
    assert started(call, storage_state=9)["storage_state"] == "AVAILABLE"
    assert started(call, scheduled_at=NEVER)["scheduled_at"] == STAMP
    assert started(call, scheduled_at="2030-01-01T00:00:00Z")["scheduled_at"] == "2030-01-01T00:00:00Z"


def test_a_run_that_is_to_end_cannot_be_retried(tmp_path: Path) -> None:
    call = api(tmp_path)
    run = f"/runs/{started(call)['run_id']}"
    call("POST", f"{run}:terminate")
    assert call.refused("POST", f"{run}:retry")[:2] == (409, 10)
    assert call("GET", run)["state"] == "CANCELING"


def test_a_version_must_be_of_the_pipeline_beside_it(tmp_path: Path) -> None:
    call = api(tmp_path)
    version, other = call.upload(PLAIN), call.upload(PLAIN, "other")
    body = {
        "display_name": "r",
        "pipeline_version_reference": {**reference(version), "pipeline_id": other.pipeline_id},
    }
    status, code, text = call.refused("POST", "/runs", body)
    assert (status, code) == (400, 3)
    assert f"{version.id} belongs to pipeline {version.pipeline_id}" in text


def test_the_runs_of_a_deleted_experiment_are_only_to_be_read_and_archived(tmp_path: Path) -> None:
    call = api(tmp_path)
    experiment = call("POST", "/experiments", {"display_name": "e"})["experiment_id"]
    body = {"display_name": "r", "pipeline_spec": PLAIN.spec, "experiment_id": experiment}
    run = f"/runs/{call('POST', '/runs', body)['run_id']}"
    call("DELETE", f"/experiments/{experiment}")
    for method, verb in (("DELETE", ""), ("POST", ":terminate"), ("POST", ":retry"), ("POST", ":unarchive")):
        status, code, text = call.refused(method, run + verb)
        assert (status, code, experiment in text) == (404, 5, True), verb
    assert call("POST", f"{run}:archive") == {}
    shown = call("GET", run)
    assert (shown["state"], shown["storage_state"], shown["experiment_id"]) == (
        "PENDING",
        "ARCHIVED",
        experiment,
    )


def test_terminate_says_canceling_and_its_history_does_not(tmp_path: Path) -> None:
    call = api(tmp_path)
    id_ = started(call)["run_id"]
    assert call("POST", f"/runs/{id_}:terminate") == {}
    told = call("GET", f"/runs/{id_}")
    assert (told["state"], len(told["state_history"])) == ("CANCELING", 1)
    assert call.refused("POST", f"/runs/{id_}:terminate")[:2] == (400, 3)
    assert "Row not found" in call.refused("POST", f"/runs/{id_}:terminate")[2]


@pytest.mark.parametrize("state", ["PENDING", "CANCELING", "RUNNING", "SUCCEEDED"])
def test_only_what_ended_badly_is_retried(tmp_path: Path, state: str) -> None:
    call = api(tmp_path)
    id_ = started(call)["run_id"]
    folder = call.backend.runs.folder(id_)
    with call.backend.database.write() as db:
        db.execute("UPDATE runs SET state = ?, started_at = created_at", (state,))
    lock = locks.take(folder / ".lock")
    assert lock is not None
    status, code, _ = call.refused("POST", f"/runs/{id_}:retry")
    lock.release()
    assert (status, code) == (409, 10)


# --- with an engine


class Engine:
    """An executor over the store of an API."""

    def __init__(self, call: Api) -> None:
        self.call, self.troubles = call, list[str]()
        self.executor = Executor(call.backend, 4, self.troubles.append)

    def __enter__(self) -> Self:
        self.executor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.stop(0)
        assert self.troubles == []

    def until(self, id_: str, *states: str) -> Any:
        self.executor.nudge()
        return until(lambda: self.call("GET", f"/runs/{id_}"), lambda run: run["state"] in states)


def until(look: Callable[[], Any], right: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 240
    while not right(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_a_run_is_told_to_its_end_with_its_tasks(tmp_path: Path) -> None:
    call = api(tmp_path)
    call.now = datetime.now(UTC)
    with Engine(call) as engine:
        id_ = started(call)["run_id"]
        ended = engine.until(id_, "SUCCEEDED")
    assert [entry["state"] for entry in ended["state_history"]] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert ended["finished_at"] > NEVER
    whole, a, b = ended["run_details"]["task_details"]
    assert whole["display_name"] == "demo"
    assert "parent_task_id" not in whole
    assert whole["child_tasks"] == [{"task_id": a["task_id"]}, {"task_id": b["task_id"]}]
    assert (a["display_name"], a["state"], a["parent_task_id"]) == ("a", "SUCCEEDED", whole["task_id"])
    assert [entry["state"] for entry in a["state_history"]] == ["RUNNING", "SUCCEEDED"]
    assert len({each["task_id"] for each in (whole, a, b)}) == 3
    assert all(each["run_id"] == id_ for each in (whole, a, b))
    assert call("GET", "/runs")["runs"] == [ended]


def test_a_failure_is_told_where_it_happened(tmp_path: Path) -> None:
    call = api(tmp_path)
    package = samples.package({"a": (["fail"], ()), "b": ([], ("a",))})
    with Engine(call) as engine:
        id_ = started(call, pipeline_spec=package.spec)["run_id"]
        ended = engine.until(id_, "FAILED")
    whole, a, b = ended["run_details"]["task_details"]
    assert (a["state"], a["error"]["message"]) == ("FAILED", "it ended with exit code 3")
    assert "`a` failed" in whole["error"]["message"]
    assert (b["state"], "error" in b) == ("SKIPPED", False)
    assert "error" not in ended


def test_a_spec_whose_parts_do_not_fit_together_is_refused(tmp_path: Path) -> None:
    call = api(tmp_path)
    broken = {**PLAIN.spec, "deploymentSpec": {"executors": {}}}
    status, code, text = call.refused("POST", "/runs", {"display_name": "r", "pipeline_spec": broken})
    assert (status, code) == (400, 3)
    assert "which does not exist" in text
    assert call("GET", "/runs") == {}


def test_terminate_ends_a_run_that_goes_on(tmp_path: Path) -> None:
    call = api(tmp_path)
    with Engine(call) as engine:
        id_ = started(call, pipeline_spec=SLOW.spec)["run_id"]
        engine.until(id_, "RUNNING")
        assert call("POST", f"/runs/{id_}:terminate") == {}
        ended = engine.until(id_, "FAILED")
    assert [entry["state"] for entry in ended["state_history"]] == ["PENDING", "RUNNING", "FAILED"]
    assert [each["state"] for each in ended["run_details"]["task_details"]] == ["FAILED", "CANCELED"]
    assert call.backend.runs.get(id_).state == "CANCELED"
    predicate = {"operation": "EQUALS", "key": "state", "string_value": "FAILED"}
    assert call("GET", "/runs", filter=json.dumps({"predicates": [predicate]}))["runs"] == [ended]


def test_terminate_ends_a_run_that_nobody_began(tmp_path: Path) -> None:
    call = api(tmp_path)
    id_ = started(call, pipeline_spec=SLOW.spec)["run_id"]
    call("POST", f"/runs/{id_}:terminate")
    with Engine(call) as engine:
        ended = engine.until(id_, "FAILED")
    assert [entry["state"] for entry in ended["state_history"]] == ["PENDING", "FAILED"]
    assert call("POST", f"/runs/{id_}:retry") == {}


def test_retry_lets_a_failed_run_go_on(tmp_path: Path) -> None:
    bad, done = [True], list[str]()

    def attempt(c: Execute, p: AttemptPlace, s: WorkerSettings, h: Hooks) -> Outputs:
        done.append(c.path)
        if c.path == "b" and bad[0]:
            raise RuntimeError("not yet")
        return samples.attempt(c, p, s, h)

    call = api(tmp_path, attempt=attempt)
    with Engine(call) as engine:
        id_ = started(call, pipeline_spec=samples.package({"a": (["x"], ()), "b": (["y"], ("a",))}).spec)[
            "run_id"
        ]
        before = engine.until(id_, "FAILED")
        bad[0] = False
        assert call("POST", f"/runs/{id_}:retry") == {}
        after = engine.until(id_, "SUCCEEDED")
    assert done == ["a", "b", "b"]
    states = ["PENDING", "RUNNING", "FAILED", "PENDING", "RUNNING", "SUCCEEDED"]
    assert [entry["state"] for entry in after["state_history"]] == states
    assert after["run_details"]["task_details"][1] == before["run_details"]["task_details"][1]


def test_delete_removes_a_run_with_its_files(tmp_path: Path) -> None:
    call = api(tmp_path)
    with Engine(call) as engine:
        id_ = started(call)["run_id"]
        engine.until(id_, "SUCCEEDED")
        folder = call.backend.runs.folder(id_)
        assert call("DELETE", f"/runs/{id_}") == {}
    assert not folder.exists()
    assert call.refused("GET", f"/runs/{id_}")[:2] == (404, 5)


@pytest.mark.parametrize("args", [["hang"], ["deaf", "1"]])
def test_delete_ends_a_run_that_goes_on_and_removes_its_files(tmp_path: Path, args: list[str]) -> None:
    call = api(tmp_path)
    package = samples.with_exit({"a": (args, ())}, ["note", str(tmp_path / "bye")])
    with Engine(call) as engine:
        id_ = started(call, pipeline_spec=package.spec)["run_id"]
        engine.until(id_, "RUNNING")
        folder = call.backend.runs.folder(id_)
        until(lambda: list(folder.glob("**/log.txt")), bool)
        assert call("DELETE", f"/runs/{id_}") == {}
        assert call.refused("GET", f"/runs/{id_}")[:2] == (404, 5)
        until(lambda: engine.executor.active, lambda active: active == 0)
    assert not folder.exists()
    assert not (tmp_path / "bye").exists()
    with call.backend.database.read() as db:
        assert db.execute("SELECT count(*) FROM leavings").fetchone()[0] == 0
        assert db.execute("SELECT count(*) FROM tasks").fetchone()[0] == 0


def test_a_run_that_is_deleted_as_it_is_taken_leaves_nothing(tmp_path: Path) -> None:
    call = api(tmp_path)
    id_ = started(call)["run_id"]
    folder = call.backend.runs.folder(id_)

    class Deleting(Folders):
        """Somebody deletes the run in the last moment before its lock is taken."""

        def lock(self, name: str) -> Path:
            call("DELETE", f"/runs/{id_}")
            return super().lock(name)

    assert call.backend.claim("nobody") is None
    assert replace(call.backend, folders=Deleting(call.backend.folders.state)).claim(id_) is None
    assert not folder.exists()


# --- files


def test_artifacts_and_logs_are_read_by_task(tmp_path: Path) -> None:
    call = api(tmp_path)
    with Engine(call) as engine:
        id_ = started(call)["run_id"]
        whole, a, _ = engine.until(id_, "SUCCEEDED")["run_details"]["task_details"]
    node = f"/runs/{id_}/nodes/{a['task_id']}"
    assert call("GET", f"{node}/artifacts/data:read") == {"data": "NDI="}
    assert call("GET", f"/apis/v1alpha1{node}/log").startswith(b"line 0\n")
    assert call.refused("GET", f"{node}/artifacts/n:read")[:2] == (404, 5)
    assert call.refused("GET", f"{node}/artifacts/nothing:read")[:2] == (404, 5)
    assert call.refused("GET", f"/runs/{id_}/nodes/nobody/artifacts/data:read")[:2] == (404, 5)
    assert call.refused("GET", f"/runs/nobody/nodes/{a['task_id']}/artifacts/data:read")[:2] == (404, 5)
    assert call.refused("GET", f"/apis/v1alpha1/runs/{id_}/nodes/{whole['task_id']}/log")[:2] == (404, 5)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "gone", "link-in-the-way", "device"])
def test_nothing_but_plain_files_of_runs_is_read(tmp_path: Path, kind: str) -> None:
    call = api(tmp_path)
    with Engine(call) as engine:
        id_ = started(call)["run_id"]
        _, a, _ = engine.until(id_, "SUCCEEDED")["run_details"]["task_details"]
    secret = tmp_path / "secret"
    secret.write_text("do not tell")
    file = call.backend.runs.folder(id_) / "a" / "artifacts" / "data"
    log = call.backend.runs.folder(id_) / "a" / "attempt-0" / "log.txt"
    for path in (file, log):
        path.unlink()
        match kind:
            case "link":
                path.symlink_to(secret)
            case "folder":
                path.mkdir()
            case "pipe":
                os.mkfifo(path)
            case "device":
                path.symlink_to("/dev/zero")
            case "link-in-the-way":
                (tmp_path / path.name).write_text("do not tell")
                path.parent.rename(path.parent.with_name("moved"))
                path.parent.symlink_to(tmp_path)
            case _:
                pass
    node = f"/runs/{id_}/nodes/{a['task_id']}"
    assert call.refused("GET", f"{node}/artifacts/data:read")[:2] == (404, 5)
    assert call.refused("GET", f"/apis/v1alpha1{node}/log")[:2] == (404, 5)


def test_an_artifact_may_not_be_larger_than_an_answer(tmp_path: Path) -> None:
    call = api(tmp_path)
    with Engine(call) as engine:
        id_ = started(call)["run_id"]
        _, a, _ = engine.until(id_, "SUCCEEDED")["run_details"]["task_details"]
    with (call.backend.runs.folder(id_) / "a" / "artifacts" / "data").open("wb") as file:
        file.truncate(32 * 2**20 + 1)
    assert call.refused("GET", f"/runs/{id_}/nodes/{a['task_id']}/artifacts/data:read")[:2] == (400, 3)
