"""kfgit is killed or asked to stop while a run goes on: nothing stays running, and nothing is done twice.

What a task has reached it says by a file; no test waits for a time to pass.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.door import Project, alive, mentioning, until

# `stage` is written when the task runs; it goes on when `go` is there. Both sleepers belong to nobody's process group.
WAIT = """
inputs: {{stage: {{type: string}}, limit: {{type: string, default: "100000"}}}}
outputs: {{done: {{type: string}}}}
container:
  image: alpine
  script: |
    setsid sleep 98765 &
    echo $! >> {marks}/pids
    echo $$ >> {marks}/pids
    touch {marks}/$(inputs.stage)
    trap 'echo told to stop; exit 9' TERM
    i=0
    while ! test -e {marks}/go-$(inputs.stage); do sleep 0.05; done
    printf ok > $(outputs.done.path)
"""
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
    folder = project.root / ".kfgit" / "marks"
    folder.mkdir(parents=True)
    project.component("wait", WAIT.format(marks=folder))
    project.pipeline("stages", STAGES)
    project.document("Run", "due", "{pipeline: stages, trigger: onChange}")
    return folder


def reached(process: subprocess.Popen[str], marks: Path, *stages: str) -> None:
    until(
        lambda: all((marks / stage).exists() for stage in stages) or process.poll() is not None, f"{stages} to be reached"
    )
    assert process.poll() is None, process.communicate()


def let(marks: Path, *stages: str) -> None:
    for stage in stages:
        (marks / f"go-{stage}").touch()


def nothing_runs(project: Project, marks: Path) -> None:
    pids = [int(pid) for pid in (marks / "pids").read_text().split()] if (marks / "pids").exists() else []
    until(lambda: not any(alive(pid) for pid in pids), "the tasks' processes to be gone")
    until(lambda: not mentioning(str(project.root)), "every process of the project to be gone")


def nothing_is_due(project: Project) -> bool:
    summary = project.kfgit("plan", "-o", "json").json["summary"]
    return not any(count for action, count in summary.items() if action != "unchanged")


POINTS = [
    ((), ("one",)),
    (("one",), ("two", "beside")),
    (("one", "beside"), ("two",)),
    (("one", "beside", "two"), ("last",)),
    (("one", "beside", "two", "last"), ("exit",)),
]


@pytest.mark.parametrize(("passed", "at"), POINTS, ids=["-".join(at) for _, at in POINTS])
def test_a_killed_kfgit_leaves_nothing_behind(
    project: Project, marks: Path, passed: tuple[str, ...], at: tuple[str, ...]
) -> None:
    let(marks, *passed)
    with project.started("apply", "--wait") as process:
        reached(process, marks, *at)
        (running,) = project.runs()
        assert running["state"] == "RUNNING"
        process.send_signal(signal.SIGKILL)
        process.wait()
        nothing_runs(project, marks)
    (run,) = project.runs()
    assert run["state"] == "FAILED"
    assert "ended before the run did" in run["error"]
    shown = project.show(run["id"])
    names = {"one": "one", "two": "two", "beside": "beside", "last": "last", "exit": "onExit"}
    for stage, path in names.items():
        if stage in passed and stage not in at:
            assert shown.states[path] == "SUCCEEDED"
        else:
            assert shown.states[path] == ("FAILED" if stage in at else "SKIPPED")
    # The run's key is used up: a failed run does not start again by itself.
    assert nothing_is_due(project)
    assert project.kfgit("apply", "--wait", "-o", "json").json["runs"] == []
    assert len(project.runs()) == 1
    # What it had done is not done again.
    let(marks, "one", "two", "beside", "last", "exit")
    again = project.run("stages")
    assert {path for path, task in again.tasks.items() if task["cached"]} == {names[stage] for stage in passed}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_asked_to_stop_lets_the_exit_task_run(project: Project, marks: Path, number: int) -> None:
    let(marks, "one", "exit")
    with project.started("run", "stages", "-o", "json") as process:
        reached(process, marks, "two", "beside")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    (run,) = project.runs()
    assert run["state"] == "CANCELED"
    shown = project.show(run["id"])
    assert shown.states == {
        "one": "SUCCEEDED", "two": "CANCELED", "beside": "CANCELED", "last": "SKIPPED", "onExit": "SUCCEEDED",
    }  # fmt: skip
    assert f'"id": "{run["id"]}"' in out
    assert project.log(shown, "two") .endswith("told to stop\n")
    nothing_runs(project, marks)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_asked_twice_stops_at_once(project: Project, marks: Path, number: int) -> None:
    let(marks, "one")
    with project.started("run", "stages", "-o", "json") as process:
        reached(process, marks, "two")
        process.send_signal(number)
        reached(process, marks, "exit")
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    (run,) = project.runs()
    assert run["state"] == "CANCELED"
    assert set(project.show(run["id"]).states.values()) <= {"SUCCEEDED", "CANCELED", "SKIPPED"}
    nothing_runs(project, marks)


def test_another_shell_cancels(project: Project, marks: Path) -> None:
    let(marks, "exit")
    with project.started("run", "stages") as process:
        reached(process, marks, "one")
        (run,) = project.runs()
        assert project.kfgit("runs", "cancel", run["id"][:8], code=None).code in (0, 130)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert project.show(run["id"]).states["onExit"] == "SUCCEEDED"
    nothing_runs(project, marks)


def test_an_interrupted_apply_can_be_repeated(project: Project, marks: Path) -> None:
    let(marks, "exit")
    with project.started("apply", "--wait") as process:
        reached(process, marks, "one")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert nothing_is_due(project)
    assert [run["state"] for run in project.runs()] == ["CANCELED"]


def test_a_killed_reaper_is_replaced(project: Project, marks: Path) -> None:
    let(marks, "one", "exit")
    with project.started("run", "stages") as process:
        reached(process, marks, "two", "beside")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        reapers = [int(pid) for pid in children if b"reaper" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        if not reapers:  # started by another thread
            reapers = [pid for pid in mentioning("reaper.py") if parent(pid) == process.pid]
        (reaper,) = reapers
        subprocess.run(["kill", "-9", str(reaper)], check=True)
        let(marks, "two", "beside")
        reached(process, marks, "last")
        process.send_signal(signal.SIGKILL)
        process.wait()
    nothing_runs(project, marks)


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return -1
