"""Two shells in one project at the same time."""

from __future__ import annotations

import json
import sqlite3
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.door import Project

WORK = """
inputs: {n: {type: int}}
tasks:
  loop:
    forEach: [1, 2, 3, 4]
    tasks:
      make: {component: make, inputs: {text: "$(item) of $(inputs.n)"}}
      same: {component: make, inputs: {text: same}}
  end: {component: make, inputs: {text: end}, after: [loop]}
"""
MAKE = """
inputs: {text: {type: string}}
outputs: {data: {type: Dataset}, text: {type: string}}
container:
  image: alpine
  script: |
    printf %s $(inputs.text) > $(outputs.data.path)
    printf %s $(inputs.text) > $(outputs.text.path)
"""


def test_many_at_once_corrupt_nothing(project: Project) -> None:
    project.component("make", MAKE)
    project.pipeline("work", WORK)
    project.document("Experiment", "tries", "{description: d}")
    project.document("Schedule", "nightly", '{pipeline: work, cron: "0 2 * * *", inputs: {n: 0}}')
    project.document("Run", "due", "{pipeline: work, inputs: {n: 7}, trigger: onChange}")
    rounds = 2
    for number in range(rounds):
        project.document("Run", "due", f"{{pipeline: work, inputs: {{n: {number + 7}}}, trigger: onChange}}")
        with ExitStack() as stack:
            commands = [
                ("run", "work", "-p", "n=1", "-o", "json"),
                ("run", "work", "-p", f"n={number + 2}", "-o", "json"),
                ("apply", "--wait", "-o", "json"),
                ("apply", "--wait", "-o", "json"),
            ]
            processes = [stack.enter_context(project.started(*command)) for command in commands]
            answers = [(*process.communicate(timeout=180), process.returncode) for process in processes]
        for out, err, code in answers[:2]:
            assert code == 0, err
            assert json.loads(out)["state"] == "SUCCEEDED"
        # Who comes second waits for nobody: it is told who holds the environment, or finds nothing to do.
        assert {code for _, _, code in answers[2:]} <= {0, 4}, answers
        assert 0 in {code for _, _, code in answers[2:]}
        # Both may tell of the run that was due, but there is only one.
        told = [run for out, _, code in answers[2:] if code == 0 for run in json.loads(out)["runs"]]
        assert {run["state"] for run in told} == {"SUCCEEDED"}
        assert len({run["id"] for run in told}) == 1
    summary = project.kfgit("plan", "-o", "json").json["summary"]
    assert not any(count for action, count in summary.items() if action != "unchanged")
    runs = project.runs()
    assert {run["state"] for run in runs} == {"SUCCEEDED"}
    assert len(runs) == 3 * rounds
    for run in runs:
        shown = project.show(run["id"])
        texts = [shown.out(f"loop/{i}/make", "text") for i in range(4)]
        assert texts == [f"{i + 1} of {run['inputs']['n']}" for i in range(4)]
        for task in shown.tasks.values():
            for value in task["outputs"].values():
                if isinstance(value, dict):
                    assert project.artifact(value).read_text() == task["outputs"]["text"]
    check_store(project.root / ".kfgit" / "local" / "state.db")


def check_store(file: Path) -> None:
    db = sqlite3.connect(file)
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        one = "SELECT count(*) FROM"
        assert db.execute(f"{one} runs WHERE state NOT IN ('SUCCEEDED')").fetchone() == (0,)
        assert db.execute(f"{one} tasks WHERE state NOT IN ('SUCCEEDED')").fetchone() == (0,)
        assert db.execute(f"{one} pipelines").fetchone() == (1,)
        assert db.execute(f"{one} schedules").fetchone() == (1,)
        assert (
            db.execute(f"{one} triggers").fetchone()
            == db.execute("SELECT count(DISTINCT run) FROM triggers").fetchone()
        )
        assert db.execute(f"{one} applies WHERE finished_at IS NULL").fetchone() == (0,)
        assert db.execute(f"{one} tasks WHERE run NOT IN (SELECT id FROM runs)").fetchone() == (0,)
    finally:
        db.close()
