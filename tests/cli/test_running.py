"""run, runs, artifacts, experiments and schedules."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import BASE, BREAK, KFGIT, TYPES, Kfgit, MakeProject, run_document

API = "kfgit.dev/cli/v1"
RUN = set("id name pipeline environment state inputs outputs createdAt startedAt finishedAt tasks".split())
TASK = set("path component state cached attempts startedAt finishedAt inputs outputs error".split())
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z")
ALL = {**BASE, "pipelines/broken.yaml": BREAK, "components/types.yaml": TYPES}

SLOW = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: slow}
spec:
  tasks:
    wait:
      component:
        container: {image: alpine, script: 'echo ready; exec sleep 600'}
  onExit:
    component:
      container: {image: alpine, script: echo bye}
"""


def test_run(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(ALL)
    told = kfgit("run", "hello", "-p", "name=Ada", cwd=root)
    assert told.code == 0
    assert "SUCCEEDED" in told.out
    assert "text = Hello, Ada!" in told.out
    assert re.search(r"✔ greet +SUCCEEDED \d", told.err)
    assert "✔ greet" not in told.out
    assert "cached" in kfgit("run", "hello", "-p", "name=Ada", cwd=root).err
    assert "cached" not in kfgit("run", "pipeline/hello", "-p", "name=Ada", "--no-cache", cwd=root).err
    assert kfgit("run", "hello", "--executor", "process", cwd=root).code == 0


def test_run_as_json(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit("run", "hello", "-p", "name=Ada", "-o", "json", cwd=project(ALL))
    found = told.json
    assert (found["apiVersion"], found["kind"], found["state"], found["environment"]) == (
        API,
        "Run",
        "SUCCEEDED",
        "local",
    )
    assert set(found) >= RUN
    assert (found["inputs"], found["outputs"]) == ({"name": "Ada"}, {"text": "Hello, Ada!"})
    (task,) = found["tasks"]
    assert set(task) >= TASK
    assert (task["path"], task["component"], task["state"], task["attempts"]) == (
        "greet",
        "greet",
        "SUCCEEDED",
        1,
    )
    assert set(task["outputs"]["card"]) == {"type", "uri", "metadata"}
    assert all(TIME.match(found[key]) for key in ("createdAt", "startedAt", "finishedAt"))
    assert "greet" in told.err


def test_a_failing_run(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(ALL)
    told = kfgit("run", "broken", cwd=root)
    assert told.code == 7
    assert "FAILED" in told.out
    assert "│ it is broken" in told.err
    (log,) = re.findall(r"the whole log: (\S+)", told.err)
    assert Path(log).read_text() == "first\nit is broken\n"
    told = kfgit("run", "broken", "-o", "json", cwd=root)
    assert (told.code, told.json["state"], told.json["tasks"][0]["state"]) == (7, "FAILED", "FAILED")
    assert "exit code 3" in told.json["tasks"][0]["error"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("typed",), "needs `count` (int)"),
        (("typed", "-p", "count=two"), "int"),
        (("typed", "-p", "count=2.5"), "count"),
        (("typed", "-p", "count=0"), "at least 1"),
        (("typed", "-p", "count=null"), "needs `count`"),
        (("typed", "-p", "count=NaN"), "count"),
        (("typed", "-p", "count=1", "-p", "rate=1e999"), "rate"),
        (("typed", "-p", "count=1", "-p", "rate=Infinity"), "rate"),
        (("typed", "-p", "count=1", "-p", "names={}"), "names"),
        (("typed", "-p", "count=1", "-p", "names=" + "[" * 100_000), "names"),
        (("typed", "-p", "count=1", "-p", "mood=goo"), "did you mean `good`"),
        (("typed", "-p", "cont=1"), "did you mean `count`"),
        (("typed", "-p", "count"), "NAME=VALUE"),
        (("typed", "-p", "=1"), "no input"),
        (("typed", "--params", "nowhere.yaml"), "nowhere.yaml"),
        (("typed", "--params", "list.yaml"), "no map of inputs"),
        (("typed", "--params", "torn.yaml"), "torn.yaml"),
        (("typed", "--params", "wrong.yaml"), "did you mean `count`"),
        (("nothing.yaml",), "nothing.yaml"),
        (("list.yaml",), "no KFP package"),
        (("torn.yaml",), "line"),
        (("kfgit.yaml",), "no KFP package"),
        (("pipelines",), "no pipeline"),
        (("run/nobody",), "no run"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_wrong_inputs(kfgit: Kfgit, project: MakeProject, argv: tuple[str, ...], said: str) -> None:
    files = {"list.yaml": "[1]", "torn.yaml": "{", "wrong.yaml": "cont: 1\n"}
    root = project({**ALL, **files})
    told = kfgit("run", *argv, cwd=root)
    assert (told.code, told.out) == (64, "")
    assert said in told.err
    assert kfgit("runs", "list", "-o", "json", cwd=root).json["items"] == []


def test_inputs_from_a_file_and_typed(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**ALL, "in.yaml": "count: 2\nnames: [a, b]\nrate: 1\n"})
    told = kfgit(
        "run",
        "typed",
        "--params",
        "../in.yaml",
        "-p",
        "rate=0.25",
        "-p",
        "mood=bad",
        "-o",
        "json",
        cwd=root / "pipelines",
    )
    assert told.code == 0
    assert told.json["inputs"] == {"count": 2, "names": ["a", "b"], "rate": 0.25, "mood": "bad"}


def test_a_package_as_it_stands(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(ALL)
    kfgit("compile", "hello", "--out", "one.yaml", cwd=root)
    told = kfgit("run", "one.yaml", "-p", "name=Ada", "-o", "json", cwd=root)
    assert (told.code, told.json["outputs"], told.json["pipeline"]) == (0, {"text": "Hello, Ada!"}, "hello")
    spec = (root / "one.yaml").read_text()
    (root / "two.yaml").write_text(
        f"{spec}---\nplatforms: {{kubernetes: {{deploymentSpec: {{executors: {{}}}}}}}}\n"
    )
    assert kfgit("run", "two.yaml", cwd=root).code == 0
    (root / "pipelines" / "torn.yaml").write_text("[")
    assert kfgit("run", "../one.yaml", cwd=root / "pipelines").code == 0
    (root / "one.json").write_text(kfgit("-q", "compile", "typed", "-o", "json", cwd=root).out or "{}")
    for name, text in {
        "twice.yaml": f"{spec}---\n{spec}",
        "more.yaml": f"{spec}---\na: 1\n",
        "empty.yaml": "",
        "odd.yaml": "pipelineInfo: 3\nroot: {}\n",
        "inputs.yaml": "pipelineInfo: {name: x}\nroot: {inputDefinitions: {parameters: {a: 1}}}\n",
    }.items():
        (root / name).write_text(text)
        told = kfgit("run", name, cwd=root)
        assert (told.code, told.out) == (64, ""), name
        assert "no KFP package" in told.err
    (root / "hollow.yaml").write_text("pipelineInfo: {name: x}\nroot: {}\n")
    assert kfgit("run", "hollow.yaml", cwd=root).code == 64


def test_secrets_stay_secret(kfgit: Kfgit, project: MakeProject) -> None:
    component = BREAK.replace(
        "    image:", "    env: {TOKEN: {secret: vault, key: token}}\n    image:"
    ).replace("exit 3", 'test -n "$TOKEN"')
    root = project({"components/secret.yaml": component})
    missing = kfgit("run", "broken", cwd=root)
    assert missing.code == 7
    assert "vault" in missing.err
    (root / ".kfgit" / "secrets").mkdir()
    (root / ".kfgit" / "secrets" / "vault.env").write_text("token=hunter2\n")
    assert kfgit("run", "broken", cwd=root).code == 0
    kfgit("apply", cwd=root)
    for argv in (
        ("plan", "-o", "json"),
        ("render",),
        ("runs", "list", "-o", "json"),
        ("status", "-o", "json"),
        ("compile", "broken"),
    ):
        told = kfgit(*argv, cwd=root)
        assert "hunter2" not in told.out + told.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_cancels_and_leaves_nothing_running(
    kfgit: Kfgit, project: MakeProject, number: signal.Signals
) -> None:
    root = project({"pipelines/slow.yaml": SLOW})
    process = subprocess.Popen(
        [*KFGIT, "run", "slow", "-o", "json"],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "wait" in line and "RUNNING" in line:
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert '"state": "CANCELED"' in out
    (run,) = kfgit("runs", "list", "-o", "json", cwd=root).json["items"]
    states = {
        task["path"]: task["state"]
        for task in kfgit("runs", "show", run["id"], "-o", "json", cwd=root).json["tasks"]
    }
    assert states == {"wait": "CANCELED", "onExit": "SUCCEEDED"}
    assert not [process for process in Path("/proc").glob("[0-9]*") if _works_in(process, root)]


def test_cancel_from_elsewhere(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({"pipelines/slow.yaml": SLOW})
    process = subprocess.Popen(
        [*KFGIT, "run", "slow"], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "wait" in line and "RUNNING" in line:
            break
    (run,) = kfgit("runs", "list", "-o", "json", cwd=root).json["items"]
    assert run["state"] == "RUNNING"
    assert kfgit("runs", "delete", run["id"], cwd=root).code == 3
    assert kfgit("runs", "cancel", run["id"], cwd=root).out == f"{run['id']}  CANCELING\n"
    process.communicate(timeout=180)
    assert process.returncode == 130
    assert kfgit("runs", "show", run["id"], "-o", "json", cwd=root).json["state"] == "CANCELED"


def test_a_run_that_takes_too_long_has_failed(kfgit: Kfgit, project: MakeProject) -> None:
    document = run_document(
        "once", name="late", pipeline="slow", more=", wait: {for: succeeded, timeout: 1s}"
    )
    root = project({"pipelines/slow.yaml": SLOW, "pipelines/late.yaml": document})
    told = kfgit("apply", "--wait", cwd=root)
    assert told.code == 7
    assert "longer than 1.0s" in told.err


def _works_in(process: Path, root: Path) -> bool:
    try:
        return (process / "cwd").resolve().is_relative_to(root)
    except OSError:
        return False


def test_the_compiled_package_is_yaml(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit("compile", "typed", cwd=project(ALL))
    assert set(yaml.safe_load(told.out)["root"]["inputDefinitions"]["parameters"]) == {
        "count",
        "rate",
        "names",
        "mood",
    }
