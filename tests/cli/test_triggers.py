"""What decides whether a Run document starts a run: at most one for each key, whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.acting import FULL, edit, plan, sql
from tests.cli.conftest import BASE, BREAK, GREET, Kfgit, MakeProject, run_document


def runs(kfgit: Kfgit, root: Path) -> list[str]:
    return [run["state"] for run in kfgit("runs", "list", "-o", "json", cwd=root).json["items"]]


def test_manual_runs_start_by_name_only(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "pipelines/run.yaml": run_document("manual", inputs="{name: Ada}")})
    assert "Run/smoke" not in plan(kfgit, root)
    assert kfgit("apply", "--wait", cwd=root).code == 0
    assert runs(kfgit, root) == []
    told = kfgit("run", "run/smoke", "-o", "json", cwd=root).json
    assert (told["name"], told["inputs"], told["outputs"]) == (
        "smoke",
        {"name": "Ada"},
        {"text": "Hello, Ada!"},
    )
    assert kfgit("run", "run/smoke", "-p", "name=Bob", "-o", "json", cwd=root).json["inputs"] == {
        "name": "Bob"
    }
    assert kfgit("run", "run/smok", cwd=root).code == 64


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [("once", [1, 1, 1, 1]), ("onChange", [1, 1, 2, 3]), ("onApply", [1, 2, 3, 4])],
)
def test_triggers(kfgit: Kfgit, project: MakeProject, trigger: str, expected: list[int]) -> None:
    """After the first apply, one thing changes at a time: an experiment, the pipeline, the run's inputs."""
    root = project({**FULL, "pipelines/run.yaml": run_document(trigger)})
    counts = []
    for path, before, after in [
        ("", "", ""),
        ("pipelines/course.yaml", "All of it.", "All."),
        ("components/greet.yaml", "greeting", "a greeting"),
        ("pipelines/run.yaml", "inputs: {}", "inputs: {name: Ada}"),
    ]:
        if path:
            edit(root, path, before, after)
        assert kfgit("apply", "--wait", cwd=root).code == 0
        assert plan(kfgit, root) == {}
        assert kfgit("apply", "--wait", "-o", "json", cwd=root).json["results"] == []
        counts.append(len(runs(kfgit, root)))
    assert counts == expected


def test_the_same_key_never_starts_twice(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "pipelines/run.yaml": run_document("onChange")})
    first = kfgit("apply", "--wait", "-o", "json", cwd=root)
    assert (first.code, [run["state"] for run in first.json["runs"]]) == (0, ["SUCCEEDED"])
    edit(root, "components/greet.yaml", "greeting", "a greeting")
    kfgit("apply", "--wait", cwd=root)
    (root / "components" / "greet.yaml").write_text(GREET)
    back = kfgit("apply", "--wait", "-o", "json", cwd=root)
    assert (back.code, back.json["runs"]) == (0, [])
    assert "ran before" in back.err
    assert len(runs(kfgit, root)) == 2
    assert plan(kfgit, root) == {}


def test_a_failed_run_does_not_start_again(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(
        {"pipelines/broken.yaml": BREAK, "pipelines/run.yaml": run_document("onChange", pipeline="broken")}
    )
    told = kfgit("apply", "--wait", "-o", "json", cwd=root)
    assert (told.code, told.json["runs"][0]["state"]) == (7, "FAILED")
    assert plan(kfgit, root) == {}
    again = kfgit("apply", "--wait", "-o", "json", cwd=root)
    assert (again.code, again.json["runs"]) == (0, [])
    assert runs(kfgit, root) == ["FAILED"]


def test_a_deleted_run_does_not_start_again(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "pipelines/run.yaml": run_document("onChange")})
    kfgit("apply", cwd=root)
    kfgit("runs", "delete", "--older-than", "0s", cwd=root)
    assert kfgit("apply", "--wait", cwd=root).code == 0
    assert kfgit("destroy", "-e", "local", cwd=root).code == 0
    assert kfgit("apply", "--wait", cwd=root).code == 0
    assert runs(kfgit, root) == []


def test_a_run_that_nobody_began_is_begun_by_the_next_apply(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "pipelines/run.yaml": run_document("onChange")})
    kfgit("apply", cwd=root)
    # As if kfgit had been killed between writing the run down and beginning it.
    sql(
        root,
        "UPDATE runs SET state = 'PENDING', started_at = NULL, finished_at = NULL, outputs = '{}', error = NULL",
    )
    sql(root, "DELETE FROM tasks")
    assert plan(kfgit, root) == {}
    told = kfgit("apply", "-o", "json", cwd=root)
    assert (told.code, [run["state"] for run in told.json["runs"]]) == (0, ["SUCCEEDED"])
    assert kfgit("apply", "-o", "json", cwd=root).json["runs"] == []
