"""Runs and schedules whose devices this machine has not, where those are required: refused before they exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Kfgit, MakeProject

# No machine has AMD's GPUs for kfgit, so that this holds on all.
FILES = {
    "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n",
    "environments/local.yaml": """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: local}
spec:
  gpu: require
""",
    "pipelines/train.yaml": """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: train}
spec:
  tasks:
    fit:
      component: {container: {image: alpine, script: echo}}
      resources: {accelerator: {resource: amd.com/gpu}}
""",
}
RUN = """\
apiVersion: kfgit.dev/v1
kind: Run
metadata: {name: smoke}
spec: {pipeline: train, trigger: onChange}
"""
SCHEDULE = """\
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: nightly}
spec: {pipeline: train, cron: "0 2 * * *"}
"""
LACK = "`fit` asks for 1 × amd.com/gpu, and this machine has none that kfgit could hand out, only NVIDIA's devices"


def said(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("document", "kind", "name"), [(RUN, "run", "smoke"), (SCHEDULE, "schedule", "nightly")]
)
def test_what_could_only_fail_is_refused(
    kfgit: Kfgit, project: MakeProject, document: str, kind: str, name: str
) -> None:
    root = project({**FILES, "pipelines/starts.yaml": document})
    told = kfgit("plan", "--out", "plan.json", cwd=root)
    assert told.code == 3
    assert f"+ create   {kind}/{name}" in told.out
    assert LACK in said(told.out)
    assert f"`{name}` cannot run here: {LACK}" in said(told.err)
    assert "error[target-lacks]" in told.err
    assert "pipelines/starts.yaml:3:" in told.err
    assert "with `gpu: emulate` it would run with what there is" in said(told.err)
    assert not (root / "plan.json").exists()
    document_of_plan = kfgit("plan", "-o", "json", cwd=root).json
    assert any("refused by target-lacks" in each for each in document_of_plan["remarks"])
    told = kfgit("apply", cwd=root)
    assert told.code == 3
    assert kfgit("runs", "list", "-o", "json", cwd=root).json["items"] == []
    assert len(kfgit("plan", "-o", "json", cwd=root).json["changes"]) == 2


def test_the_pipeline_alone_may_be_there(kfgit: Kfgit, project: MakeProject) -> None:
    assert kfgit("apply", cwd=project(FILES)).code == 0


@pytest.mark.parametrize("gpu", ["emulate", "require"])
def test_what_is_there_already_stands_in_the_way_of_nothing(
    kfgit: Kfgit, project: MakeProject, gpu: str
) -> None:
    files = {
        **FILES,
        "environments/local.yaml": FILES["environments/local.yaml"].replace("require", "emulate"),
    }
    root = project({**files, "pipelines/starts.yaml": f"{RUN}---\n{SCHEDULE}"})
    assert kfgit("apply", "--wait", cwd=root).code == 0
    _require(root, gpu)
    told = kfgit("plan", cwd=root)
    assert told.code == 0
    assert (LACK in said(told.out)) == (gpu == "require")
    assert kfgit("apply", cwd=root).code == 0


def test_a_schedule_that_is_off_starts_nothing(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**FILES, "pipelines/starts.yaml": SCHEDULE.replace("cron:", "enabled: false, cron:")})
    assert kfgit("apply", cwd=root).code == 0


def _require(root: Path, gpu: str) -> None:
    text = FILES["environments/local.yaml"].replace("require", gpu)
    (root / "environments/local.yaml").write_text(text)


def test_doctor_tells_all_tasks_that_lack_the_same(kfgit: Kfgit, project: MakeProject) -> None:
    two = FILES["pipelines/train.yaml"] + FILES["pipelines/train.yaml"].partition("tasks:\n")[2].replace(
        "fit:", "test:"
    )
    told = kfgit("doctor", cwd=project({**FILES, "pipelines/train.yaml": two}))
    assert told.code == 7
    assert "each of `train/fit`, `train/test` asks for 1 × amd.com/gpu" in said(told.out)
