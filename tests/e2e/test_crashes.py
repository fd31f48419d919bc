"""kfgit is killed or asked to stop while a run goes on: nothing stays running, and nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.door import Project, Run, mentioning, until
from tests.e2e.stages import let, nothing_runs, reached, waiting

STAGES = """
tasks:
  one: {component: wait, inputs: {stage: one}}
  two: {component: wait, inputs: {stage: two}, after: [one]}
  beside: {component: wait, inputs: {stage: beside}, after: [one]}
  last: {component: wait, inputs: {stage: last}, after: [two, beside]}
onExit: {component: wait, inputs: {stage: exit}, cache: false}
"""


@pytest.fixture
def marks(project: Project) -> Path:
    folder = waiting(project)
    project.pipeline("stages", STAGES)
    project.document("Run", "due", "{pipeline: stages, trigger: onChange}")
    return folder


def nothing_is_due(project: Project) -> bool:
    summary = project.kfgit("plan", "-o", "json").json["summary"]
    return not any(count for action, count in summary.items() if action != "unchanged")


POINTS = [
    ((), ("one",)),
    (("one", "beside"), ("two",)),
    (("one", "beside", "two", "last"), ("exit",)),
]


@pytest.mark.parametrize(("passed", "at"), POINTS, ids=["-".join(at) for _, at in POINTS])
def test_a_killed_kfgit_leaves_nothing_behind(
    project: Project, marks: Path, passed: tuple[str, ...], at: tuple[str, ...]
) -> None:
    let(marks, *passed)
    names = {"one": "one", "two": "two", "beside": "beside", "last": "last", "exit": "onExit"}
    with project.started("apply", "--wait") as process:
        reached(marks, *at, process=process)
        until(lambda: {names[stage] for stage in at} <= project.running(), "the store to know it")
        # `two` and `beside` begin together, and either may be the slower one.
        over = {names[stage] for stage in passed if stage not in at}
        until(lambda: over <= project.tasks_in("SUCCEEDED"), "the store to know what ended")
        process.send_signal(signal.SIGKILL)
        process.wait()
        nothing_runs(marks)
    (run,) = project.runs()
    assert run["state"] == "FAILED"
    shown = project.latest()
    assert "ended before the run did" in shown.error
    for stage, path in names.items():
        if stage in passed and stage not in at:
            assert shown.states[path] == "SUCCEEDED"
        else:
            assert shown.states[path] == ("FAILED" if stage in at else "SKIPPED")
    # The run's key is used up: a failed run does not start again by itself.
    applied = project.kfgit("apply", "--wait", "-o", "json").json
    assert (applied["results"], applied["runs"]) == ([], [])
    # What it had done is not done again.
    let(marks, "one", "two", "beside", "last", "exit")
    again = project.run("stages")
    assert {path for path, task in again.tasks.items() if task["cached"]} == {
        names[stage] for stage in passed
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_asked_to_stop_lets_the_exit_task_run(project: Project, marks: Path, number: int) -> None:
    let(marks, "one", "exit")
    with project.started("run", "stages", "-o", "json") as process:
        reached(marks, "two", "beside", process=process)
        process.send_signal(number)
        out, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert "Ctrl-C again stops at once" in err
    assert "Traceback" not in err
    shown = Run(json.loads(out))
    assert shown.state == "CANCELED"
    assert shown.states == {
        "one": "SUCCEEDED", "two": "CANCELED", "beside": "CANCELED", "last": "SKIPPED", "onExit": "SUCCEEDED",
    }  # fmt: skip
    assert project.log(shown, "two").endswith("told to stop\n")
    nothing_runs(marks)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_asked_twice_stops_at_once(project: Project, marks: Path, number: int) -> None:
    let(marks, "one")
    with project.started("run", "stages", "-o", "json") as process:
        reached(marks, "two", process=process)
        process.send_signal(number)
        reached(marks, "exit", process=process)
        process.send_signal(number)
        _, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    shown = project.latest()
    assert shown.states == {
        "one": "SUCCEEDED", "two": "CANCELED", "beside": "CANCELED", "last": "SKIPPED", "onExit": "CANCELED",
    }  # fmt: skip
    assert shown.state == "CANCELED"
    nothing_runs(marks)


def test_a_closed_terminal_lets_the_exit_task_run(project: Project, marks: Path) -> None:
    with project.typed("run", "stages") as terminal:
        until((marks / "one").exists, "one to be reached")
        terminal.close()
        until((marks / "exit").exists, "the exit task to be reached")
        let(marks, "exit")
        assert terminal.process.wait(180) == 130
    assert project.latest().states["onExit"] == "SUCCEEDED"
    nothing_runs(marks)


def test_another_shell_cancels(project: Project, marks: Path) -> None:
    let(marks, "exit")
    with project.started("run", "stages") as process:
        reached(marks, "one", process=process)
        project.kfgit("runs", "cancel", "latest")
        process.communicate(timeout=180)
    assert process.returncode == 130
    assert project.latest().states["onExit"] == "SUCCEEDED"
    nothing_runs(marks)


def test_an_interrupted_apply_can_be_repeated(project: Project, marks: Path) -> None:
    let(marks, "exit")
    with project.started("apply", "--wait") as process:
        reached(marks, "one", process=process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert nothing_is_due(project)
    assert project.latest().state == "CANCELED"


def test_a_killed_reaper_is_replaced(project: Project, marks: Path) -> None:
    let(marks, "one", "exit")
    with project.started("run", "stages") as process:
        reached(marks, "two", "beside", process=process)
        (reaper,) = (pid for pid in mentioning("reaper.py") if parent(pid) == process.pid)
        os.kill(reaper, signal.SIGKILL)
        let(marks, "two", "beside")
        reached(marks, "last", process=process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    nothing_runs(marks)


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return -1
