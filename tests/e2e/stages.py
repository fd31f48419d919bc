"""Tasks that wait to be let go: what a task has reached it says by a file, so that no test waits for a time to pass."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.e2e.door import Project, alive, mentioning, until

# `stage` is written when the task runs; it goes on when `go` is there. Both sleepers belong to nobody's process group.
_WAIT = """
inputs: {{stage: {{type: string}}}}
outputs: {{done: {{type: string}}}}
container:
  image: alpine
  script: |
    setsid sleep 98765 &
    echo $! >> {marks}/pids
    echo $$ >> {marks}/pids
    touch {marks}/$(inputs.stage)
    trap 'echo told to stop; exit 9' TERM
    while ! test -e {marks}/go-$(inputs.stage); do sleep 0.1; done
    printf ok > $(outputs.done.path)
"""


def waiting(project: Project) -> Path:
    """Gives the project the component `wait`; returns the folder where its tasks say how far they have come."""
    marks = project.root / ".kfgit" / "marks"
    marks.mkdir(parents=True)
    project.component("wait", _WAIT.format(marks=marks))
    return marks


def reached(marks: Path, *stages: str, process: subprocess.Popen[str] | None = None) -> None:
    """Waits until tasks have come so far; fails at once where the process that executes them ends instead."""
    until(
        lambda: all((marks / stage).exists() for stage in stages) or _ended(process),
        f"{stages} to be reached",
    )
    assert process is None or not _ended(process), process.communicate()


def let(marks: Path, *stages: str) -> None:
    """Lets tasks go on."""
    for stage in stages:
        (marks / f"go-{stage}").touch()


def nothing_runs(marks: Path) -> None:
    """Waits until no process of any task is there."""
    pids = [int(pid) for pid in (marks / "pids").read_text().split()] if (marks / "pids").exists() else []
    until(lambda: not any(alive(pid) for pid in pids), "the tasks' processes to be gone")
    assert mentioning(str(marks)) == []


def _ended(process: subprocess.Popen[str] | None) -> bool:
    return process is not None and process.poll() is not None
