"""runs retry, through the door."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import BASE, KFGIT, Kfgit, MakeProject

FLAKY = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: flaky}
spec:
  tasks:
    first:
      component:
        container: {image: alpine, script: 'echo first; echo x >> WANTED.first'}
    second:
      after: [first]
      component:
        container: {image: alpine, script: 'echo second; test -e WANTED'}
  onExit:
    component:
      container: {image: alpine, script: 'echo bye'}
    cache: false
"""
SLOW = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: slow}
spec:
  tasks:
    first:
      component:
        container: {image: alpine, script: 'echo first'}
    second:
      after: [first]
      component:
        container: {image: alpine, script: 'test -e WANTED || exec sleep 600'}
"""


def files(wanted: Path) -> dict[str, str]:
    """Pipelines that end well once the file is there."""
    made = {"pipelines/flaky.yaml": FLAKY, "pipelines/slow.yaml": SLOW}
    return {**BASE, **{path: text.replace("WANTED", str(wanted)) for path, text in made.items()}}


def test_a_failed_run_goes_on(kfgit: Kfgit, project: MakeProject, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    root = project(files(wanted))
    failed = kfgit("run", "flaky", "-o", "json", cwd=root)
    assert (failed.code, failed.json["state"]) == (7, "FAILED")
    id_ = failed.json["id"]
    again = kfgit("runs", "retry", id_, cwd=root)
    assert again.code == 7
    wanted.touch()
    told = kfgit("runs", "retry", id_[:8], cwd=root)
    assert told.code == 0
    assert "first" in told.err
    assert "kept" in told.err
    assert "after 3 attempts" in told.err
    assert "SUCCEEDED" in told.out
    assert Path(f"{wanted}.first").read_text() == "x\n"
    shown = kfgit("runs", "show", id_, "-o", "json", cwd=root).json
    assert {task["path"]: task["attempts"] for task in shown["tasks"]} == {
        "first": 1,
        "second": 3,
        "onExit": 3,
    }
    for number in range(3):
        assert kfgit("runs", "logs", id_, "second", "--attempt", str(number), cwd=root).out == "second\n"
    assert kfgit("runs", "list", "-o", "json", cwd=root).json["items"][0]["id"] == id_


def test_as_json(kfgit: Kfgit, project: MakeProject, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    root = project(files(wanted))
    id_ = kfgit("run", "flaky", "-o", "json", cwd=root).json["id"]
    wanted.touch()
    told = kfgit("runs", "retry", "latest", "-o", "json", cwd=root)
    assert (told.code, told.json["kind"], told.json["id"], told.json["state"]) == (0, "Run", id_, "SUCCEEDED")


def test_a_run_that_has_not_failed_is_refused(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(BASE)
    assert kfgit("run", "hello", cwd=root).code == 0
    told = kfgit("runs", "retry", "latest", cwd=root)
    assert told.code == 3
    assert "is SUCCEEDED; only one that failed or was canceled is retried" in told.err
    assert "no run `nobody`" in kfgit("runs", "retry", "nobody", cwd=root).err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_whose_kfgit_was_killed_goes_on(
    kfgit: Kfgit, project: MakeProject, tmp_path: Path, number: int
) -> None:
    wanted = tmp_path / "wanted"
    root = project(files(wanted))
    child = subprocess.Popen(
        [*KFGIT, "-v", "run", "slow"],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KFGIT_CACHE": os.environ["KFGIT_CACHE"]},
    )
    assert child.stderr is not None
    with child.stderr:
        for line in child.stderr:
            if "second" in line and "RUNNING" in line:
                break
        child.send_signal(number)
        child.stderr.read()
    child.wait(60)
    wanted.touch()
    told = kfgit("runs", "retry", "latest", cwd=root)
    assert (told.code, "kept" in told.err) == (0, True)


def test_nobody_is_left_alone_with_a_retry(kfgit: Kfgit, project: MakeProject, tmp_path: Path) -> None:
    root = project(files(tmp_path / "wanted"))
    id_ = kfgit("run", "flaky", "-o", "json", cwd=root).json["id"]
    told = kfgit("runs", "retry", id_, "--detach", cwd=root)
    assert told.code == 3
    assert "no server executes the runs of `local`" in told.err
    assert kfgit("runs", "show", id_, "-o", "json", cwd=root).json["state"] == "FAILED"


def test_a_server_takes_a_retry_over(kfgit: Kfgit, project: MakeProject, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    root = project(files(wanted))
    id_ = kfgit("run", "flaky", "-o", "json", cwd=root).json["id"]
    wanted.touch()
    child = subprocess.Popen(
        [*KFGIT, "up", "--port", "0", "-o", "json"], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline()
        told = kfgit("runs", "retry", id_, "--detach", cwd=root)
        assert (told.code, told.out.strip()) == (0, id_)
        ended = kfgit("runs", "watch", id_, "-o", "json", cwd=root)
        assert (ended.code, ended.json["state"]) == (0, "SUCCEEDED")
    finally:
        child.terminate()
        child.wait(60)
        child.stdout.close()
