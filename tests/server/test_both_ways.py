"""What apply and run make is there for KFP's clients, and what they make is there for kfgit: the same objects."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfgit.backends.local.backend import LocalBackend, LocalSettings
from tests.cli.conftest import BASE, COURSE, KFGIT, NIGHTLY, Kfgit, MakeProject, _clean, cache, kfgit, project
from tests.cli.test_running import SLOW
from tests.server.calling import Api

__all__ = ["_clean", "cache", "kfgit", "project"]
ALL = {**BASE, "pipelines/nightly.yaml": NIGHTLY, "pipelines/course.yaml": COURSE}
SPEC = {
    "pipelineInfo": {"name": "theirs"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
    "root": {"dag": {"tasks": {"t": {"taskInfo": {"name": "t"}, "componentRef": {"name": "comp-t"}}}}},
    "components": {"comp-t": {"executorLabel": "exec-t"}},
    "deploymentSpec": {
        "executors": {"exec-t": {"container": {"image": "alpine", "command": ["echo", "hi"]}}}
    },
}


def opened(root: Path) -> Api:
    state = root / ".kfgit"
    settings = LocalSettings(
        state / "local", state / "secrets", state / "configmaps", state / "environments", "local", "demo"
    )
    return Api(LocalBackend.open(settings))


def schedule(call: Api, name: str = "theirs") -> Any:
    body = {
        "display_name": name,
        "pipeline_spec": SPEC,
        "max_concurrency": "1",
        "trigger": {"cron_schedule": {"cron": "0 0 2 * *"}},
    }
    return call("POST", "/recurringruns", {**body, "mode": "ENABLE"})


@pytest.fixture
def root(kfgit: Kfgit, project: MakeProject) -> Path:
    made = project(ALL)
    assert kfgit("apply", "--yes", cwd=made).code == 0
    return made


def plan(kfgit: Kfgit, root: Path) -> Any:
    told = kfgit("plan", "-o", "json", cwd=root)
    assert told.code == 0
    return told.json


def changes(found: Any) -> dict[str, str]:
    return {f"{change['kind']}/{change['name']}": change["action"] for change in found["changes"]}


def test_clients_see_what_apply_has_made(root: Path) -> None:
    call = opened(root)
    (pipeline,) = call("GET", "/pipelines")["pipelines"]
    assert (pipeline["name"], pipeline["description"]) == ("hello", "Greet somebody.")
    (version,) = call("GET", f"/pipelines/{pipeline['pipeline_id']}/versions")["pipeline_versions"]
    assert version["pipeline_spec"]["pipelineInfo"]["name"] == "hello"
    (nightly,) = call("GET", "/recurringruns")["recurringRuns"]
    assert nightly["pipeline_version_reference"] == {
        "pipeline_id": pipeline["pipeline_id"],
        "pipeline_version_id": version["pipeline_version_id"],
    }
    assert nightly["trigger"] == {"cron_schedule": {"cron": "0 0 2 * * *"}}
    names = {each["display_name"]: each for each in call("GET", "/experiments")["experiments"]}
    assert names["course"]["description"] == "All of it."
    assert nightly["experiment_id"] in {each["experiment_id"] for each in names.values()}


def test_clients_see_a_run_of_the_command_line(kfgit: Kfgit, root: Path) -> None:
    id_ = kfgit("run", "hello", "-p", "name=Ada", "-o", "json", cwd=root).json["id"]
    call = opened(root)
    (pipeline,) = call("GET", "/pipelines")["pipelines"]
    run = call("GET", f"/runs/{id_}")
    assert run["pipeline_version_reference"]["pipeline_id"] == pipeline["pipeline_id"]
    assert run["runtime_config"] == {"parameters": {"name": "Ada"}}
    assert [entry["state"] for entry in run["state_history"]] == ["PENDING", "RUNNING", "SUCCEEDED"]
    whole, greet = run["run_details"]["task_details"]
    assert (whole["display_name"], greet["display_name"]) == ("hello", "greet")
    log = call("GET", f"/apis/v1alpha1/runs/{id_}/nodes/{greet['task_id']}/log")
    assert log == b"greeting Ada\n"
    assert call("GET", "/runs", experiment_id=run["experiment_id"])["total_size"] == 1


def test_a_run_of_a_pipeline_that_was_never_applied_has_its_spec(kfgit: Kfgit, project: MakeProject) -> None:
    made = project(BASE)
    id_ = kfgit("run", "hello", "-o", "json", cwd=made).json["id"]
    assert opened(made)("GET", f"/runs/{id_}")["pipeline_spec"]["pipelineInfo"]["name"] == "hello"


def test_the_command_line_sees_a_run_of_a_client(kfgit: Kfgit, root: Path) -> None:
    call = opened(root)
    (pipeline,) = call("GET", "/pipelines")["pipelines"]
    experiment = call("POST", "/experiments", {"display_name": "notebook"})["experiment_id"]
    made = call(
        "POST",
        "/runs",
        {
            "display_name": "from a notebook",
            "experiment_id": experiment,
            "pipeline_version_reference": {"pipeline_id": pipeline["pipeline_id"]},
        },
    )
    (shown,) = kfgit("runs", "list", "-o", "json", cwd=root).json["items"]
    assert (shown["id"], shown["name"], shown["pipeline"], shown["experiment"], shown["state"]) == (
        made["run_id"], "from a notebook", "hello", "notebook", "PENDING",
    )  # fmt: skip
    ended = kfgit("runs", "watch", made["run_id"], "-o", "json", cwd=root).json
    assert (ended["state"], ended["outputs"]) == ("SUCCEEDED", {"text": "Hello, world!"})
    assert "from a notebook" in kfgit("runs", "show", made["run_id"], cwd=root).out
    assert call("GET", f"/runs/{made['run_id']}")["state"] == "SUCCEEDED"


def test_what_clients_make_is_foreign_and_stays(kfgit: Kfgit, root: Path) -> None:
    call = opened(root)
    call("POST", "/experiments", {"display_name": "theirs"})
    call("POST", "/pipelines", {"name": "theirs"})
    weekly = schedule(call, "theirs")
    before = [call("GET", f"/{kind}") for kind in ("experiments", "pipelines", "recurringruns")]
    found = plan(kfgit, root)
    assert set(changes(found).values()) == {"unchanged"}
    assert [(each["kind"], each["name"]) for each in found["foreign"]] == [
        ("Experiment", "theirs"),
        ("Pipeline", "theirs"),
        ("Schedule", "theirs"),
    ]
    told = kfgit("plan", cwd=root).out
    assert "Not ours, left alone: experiment/theirs, pipeline/theirs, schedule/theirs." in told
    assert "Not ours" in kfgit("plan", "-o", "markdown", cwd=root).out
    listed = {
        each["name"]: each["owned"]
        for each in kfgit("schedules", "list", "-o", "json", cwd=root).json["items"]
    }
    assert listed == {"nightly": True, "theirs": False}
    assert "theirs   theirs    0 2 * * * UTC" in kfgit("schedules", "list", cwd=root).out
    assert kfgit("apply", "--yes", cwd=root).code == 0
    assert [call("GET", f"/{kind}") for kind in ("experiments", "pipelines", "recurringruns")] == before
    assert kfgit("destroy", "-e", "local", "--yes", cwd=root).code == 0
    assert [each["name"] for each in call("GET", "/pipelines")["pipelines"]] == ["theirs"]
    assert call("GET", "/recurringruns")["recurringRuns"] == [weekly]


def test_a_foreign_object_of_our_name_is_not_taken(kfgit: Kfgit, root: Path) -> None:
    hello = (root / "pipelines/hello.yaml").read_text()
    (root / "pipelines/theirs.yaml").write_text(hello.replace("{name: hello,", "{name: theirs,"))
    call = opened(root)
    call("POST", "/pipelines", {"name": "theirs", "description": "mine"})
    found = plan(kfgit, root)
    assert changes(found)["Pipeline/theirs"] == "unchanged"
    assert "rename one of them" in str(found["changes"])
    assert found["foreign"] == []
    kfgit("apply", "--yes", cwd=root)
    assert call("GET", "/pipelines/names/theirs")["description"] == "mine"


def test_a_schedule_that_a_client_switches_off_has_drifted(kfgit: Kfgit, root: Path) -> None:
    call = opened(root)
    (nightly,) = call("GET", "/recurringruns")["recurringRuns"]
    call("POST", f"/recurringruns/{nightly['recurring_run_id']}:disable")
    (change,) = [each for each in plan(kfgit, root)["changes"] if each["action"] != "unchanged"]
    assert (change["kind"], change["name"], change["cause"]) == ("Schedule", "nightly", "drift")
    assert change["diff"] == [{"path": "enabled", "before": False, "after": True, "cause": "drift"}]
    assert kfgit("apply", "--yes", cwd=root).code == 0
    (again,) = call("GET", "/recurringruns")["recurringRuns"]
    assert (again["mode"], again["display_name"]) == ("ENABLE", "nightly")
    assert set(changes(plan(kfgit, root)).values()) == {"unchanged"}


def test_what_a_client_deletes_comes_back(kfgit: Kfgit, root: Path) -> None:
    call = opened(root)
    (nightly,) = call("GET", "/recurringruns")["recurringRuns"]
    (pipeline,) = call("GET", "/pipelines")["pipelines"]
    call("DELETE", f"/recurringruns/{nightly['recurring_run_id']}")
    call("DELETE", f"/pipelines/{pipeline['pipeline_id']}", cascade="true")
    wanted = [each for each in plan(kfgit, root)["changes"] if each["action"] == "create"]
    assert [(each["kind"], each["cause"]) for each in wanted] == [
        ("Pipeline", "drift"),
        ("Schedule", "drift"),
    ]
    assert kfgit("apply", "--yes", cwd=root).code == 0
    (again,) = call("GET", "/recurringruns")["recurringRuns"]
    (restored,) = call("GET", "/pipelines")["pipelines"]
    assert again["pipeline_version_reference"]["pipeline_id"] == restored["pipeline_id"]


def test_a_version_that_a_client_uploads_is_not_what_apply_wants(kfgit: Kfgit, root: Path) -> None:
    call = opened(root)
    (pipeline,) = call("GET", "/pipelines")["pipelines"]
    from kfgit.server.calls import Call, Context, Upload
    from kfgit.server.versions import ROUTES

    (route,) = [each for each in ROUTES if each.path.endswith("upload_version")]
    content = yaml.safe_dump({**SPEC, "pipelineInfo": {"name": "hello"}}).encode()
    context = Context(call.backend, lambda: call.now, lambda: None)
    route.handler(
        context,
        Call({}, {"pipelineid": pipeline["pipeline_id"], "name": "v2"}, upload=Upload("v2.yaml", content)),
    )
    assert set(changes(plan(kfgit, root)).values()) == {"unchanged"}
    made = call(
        "POST",
        "/runs",
        {"display_name": "r", "pipeline_version_reference": {"pipeline_id": pipeline["pipeline_id"]}},
    )
    versions = call("GET", f"/pipelines/{pipeline['pipeline_id']}/versions")["pipeline_versions"]
    assert len(versions) == 2
    assert made["pipeline_version_reference"]["pipeline_version_id"] in {
        v["pipeline_version_id"] for v in versions
    }


def test_a_client_deletes_a_run_that_the_command_line_executes(project: MakeProject) -> None:
    made = project({**BASE, "pipelines/slow.yaml": SLOW})
    with subprocess.Popen(
        [*KFGIT, "-v", "run", "slow"], cwd=made, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "wait" in line and "RUNNING" in line:
                break
        call = opened(made)
        (run,) = call("GET", "/runs")["runs"]
        folder = call.backend.runs.folder(run["run_id"])
        assert call("DELETE", f"/runs/{run['run_id']}") == {}
        told = child.stderr.read()
        assert child.wait(60) != 0
    assert "Traceback" not in told
    assert "mistake in kfgit" not in told
    assert not folder.exists()
    assert call("GET", "/runs") == {}
