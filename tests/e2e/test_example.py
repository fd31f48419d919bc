"""The example project of this repository: its pipelines run green, and fail well with wrong inputs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.door import Project, Run

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def example(tmp_path: Path) -> Project:
    root = tmp_path / "course"
    root.mkdir()
    for name in ("components", "pipelines", "environments"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "kfgit.yaml", root)
    return Project(root)


def failed(run: Run) -> dict[str, str]:
    return {path: task["error"] for path, task in run.tasks.items() if task["state"] == "FAILED"}


def test_first_steps(example: Project) -> None:
    run = example.run("first-steps", "-p", "dataset=wine", "-p", "trees=5")
    assert failed(run) == {}
    assert run.states == dict.fromkeys(("load", "prepare", "train", "evaluate", "tell"), "SUCCEEDED")
    assert 0.5 < run.outputs["accuracy"] <= 1
    assert example.artifact(run.outputs["model"]).is_file()
    assert example.log(run, "tell") == f"wine was learned with accuracy {run.outputs['accuracy']}\n"


def test_wrong_inputs_are_wrong_usage(example: Project) -> None:
    wrong = {"dataset=wines": "wine", "trees=many": "int", "tree=3": "trees"}
    for given, told in wrong.items():
        answer = example.kfgit("run", "first-steps", "-p", given, code=64)
        assert told in answer.err
        assert answer.out == ""
    assert not (example.root / ".kfgit" / "local" / "runs").exists()


def test_train_deploy_rejects_bad_data_and_holds_a_bad_model(example: Project) -> None:
    example.secret("deploy-target", "token=demo-only\n")
    rejected = example.run("train-deploy", "-p", "dataset=iris", "-p", "min_rows=1000")
    assert {path: state for path, state in rejected.states.items() if state != "SKIPPED"} == {
        "ingest": "SUCCEEDED", "validate": "SUCCEEDED", "reject": "SUCCEEDED", "onExit": "SUCCEEDED",
    }  # fmt: skip
    assert "iris, 150 rows, is not fit to train on" in example.log(rejected, "reject")
    assert "went well" in rejected.out("onExit", "report")
    held = example.run("train-deploy", "-p", "dataset=iris", "-p", "min_accuracy=0.9999")
    assert held.tasks["ingest"]["cached"]
    assert (held.states["gate/hold"], held.states["gate/deploy"], held.states["reject"]) == (
        "SUCCEEDED",
        "SKIPPED",
        "SKIPPED",
    )
    assert "is below 0.9999" in example.log(held, "announce")
    good = example.run("train-deploy", "-p", "dataset=iris")
    assert failed(good) == {}
    assert (good.states["gate/hold"], good.states["gate/deploy"]) == ("SKIPPED", "SUCCEEDED")
    bundle = example.artifact(good.out("gate/deploy", "bundle"))
    assert {"model.joblib", "manifest.json", "MODEL_CARD.md"} <= {each.name for each in bundle.iterdir()}
    assert good.states["fit/train"] == "SUCCEEDED"
    assert {path for path, task in good.tasks.items() if task["component"] is None} == {"fit", "gate"}
    assert good.tasks["gate"]["outputs"] == {"summary": good.out("gate/deploy", "summary")}


def test_parameter_search(example: Project) -> None:
    run = example.run(
        "parameter-search", "-p", "dataset=iris", "-p", "learning_rates=[0.1, 0.3]", "-p", "depths=[1]"
    )
    assert failed(run) == {}
    accuracies = [run.out(f"rates/{i}/depths/{j}/evaluate", "accuracy") for i in (0, 1) for j in (0,)]
    assert run.tasks["best"]["inputs"]["accuracies"] == accuracies
    assert run.outputs["accuracy"] == max(accuracies)
    first = accuracies.index(max(accuracies))
    assert (run.outputs["learning_rate"], run.outputs["max_depth"]) == ((0.1, 0.3)[first], 1)
    assert run.tasks["retrain"]["inputs"]["max_depth"] == run.outputs["max_depth"]


def test_compare_datasets(example: Project) -> None:
    run = example.run("compare-datasets")
    assert failed(run) == {}
    assert run.tasks["each/1/fit"]["component"] is None
    assert run.outputs["accuracy"] == max(run.out(f"each/{i}/fit/evaluate", "accuracy") for i in (0, 1))


def test_apply_runs_what_is_due_once(example: Project) -> None:
    applied = example.kfgit("apply", "--wait", "-o", "json").json
    assert {result["state"] for result in applied["results"]} == {"done"}
    (run,) = applied["runs"]
    assert (run["name"], run["state"], run["experiment"]) == ("train-deploy-smoke", "SUCCEEDED", "course")
    summary = example.kfgit("plan", "-o", "json", "--exit-code").json["summary"]
    assert {action: count for action, count in summary.items() if count and action != "unchanged"} == {}
    assert example.kfgit("apply", "--wait", "-o", "json").json["runs"] == []
    # Another input is another key; what does not depend on it comes from the cache.
    (document,) = (
        file for file in (example.root / "pipelines").glob("*.yaml") if "onChange" in file.read_text()
    )
    document.write_text(document.read_text().replace("{dataset: iris}", "{dataset: iris, min_rows: 101}"))
    (again,) = example.kfgit("apply", "--wait", "-o", "json").json["runs"]
    assert (again["state"], again["inputs"]) == ("SUCCEEDED", {"dataset": "iris", "min_rows": 101})
    assert {task["path"] for task in again["tasks"] if task["cached"]} >= {
        "ingest",
        "fit/train",
        "fit/evaluate",
    }
    assert len(example.runs()) == 2
