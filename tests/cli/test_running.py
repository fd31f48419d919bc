"""run, runs, artifacts, experiments and schedules."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import BASE, BREAK, COURSE, KFGIT, NIGHTLY, TYPES, Kfgit, MakeProject, run_document

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
    assert kfgit("run", "hollow.yaml", cwd=root).code == 3


def test_runs(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(ALL)
    assert kfgit("runs", "list", cwd=root).out == ""
    good = kfgit("run", "hello", "-o", "json", cwd=root).json["id"]
    bad = kfgit("run", "broken", "-o", "json", cwd=root).json["id"]
    listed = kfgit("runs", "list", "-o", "json", cwd=root).json
    assert (listed["kind"], [run["id"] for run in listed["items"]]) == ("RunList", [bad, good])
    assert len(kfgit("runs", "list", "--limit", "1", "-o", "json", cwd=root).json["items"]) == 1
    table = kfgit("runs", "list", cwd=root).out.splitlines()
    assert table[0].split() == ["STATE", "ID", "NAME", "PIPELINE", "CREATED", "TOOK"]
    assert table[1].index(bad[:8]) == table[2].index(good[:8]) == table[0].index("ID")
    coloured = kfgit("--color", "always", "runs", "list", cwd=root).out
    assert [
        re.sub(r"\x1b\[\d+m", "", line).index(id[:8])
        for line, id in zip(coloured.splitlines()[1:], (bad, good), strict=True)
    ] == [table[0].index("ID")] * 2

    shown = kfgit("runs", "show", good, "-o", "json", cwd=root).json
    assert (shown["id"], shown["tasks"][0]["path"]) == (good, "greet")
    assert kfgit("runs", "show", good[:8], "-o", "json", cwd=root).json == shown
    text = kfgit("runs", "show", bad[:8], cwd=root).out
    assert "exit code 3" in text
    assert kfgit("runs", "logs", bad, cwd=root).out == "── fall\nfirst\nit is broken\n"
    assert kfgit("runs", "logs", bad, "fall", cwd=root).out == "first\nit is broken\n"
    assert kfgit("runs", "logs", bad, "fall", "--attempt", "0", cwd=root).code == 0
    assert kfgit("runs", "logs", bad, "-o", "json", cwd=root).json["items"] == [
        {"path": "fall", "log": "first\nit is broken\n"}
    ]
    assert kfgit("runs", "watch", bad, cwd=root).code == 7
    assert kfgit("runs", "cancel", good, "-o", "json", cwd=root).json["items"][0]["state"] == "SUCCEEDED"


def test_unknown_runs(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(ALL)
    run = kfgit("run", "broken", "-o", "json", cwd=root).json["id"]
    for argv in (
        ("show", "x"),
        ("logs", "x"),
        ("cancel", "x"),
        ("delete", "x"),
        ("watch", "x"),
        ("show", ""),
    ):
        assert (told := kfgit("runs", *argv, cwd=root)).code == 64
        assert told.out == ""
    told = kfgit("runs", "logs", run, "fal", cwd=root)
    assert told.code == 64
    assert "did you mean `fall`" in told.err
    assert kfgit("runs", "logs", run, "fall", "--attempt", "7", cwd=root).code == 64
    assert kfgit("runs", "list", "--limit", "0", cwd=root).code == 64
    assert kfgit("runs", "delete", cwd=root).code == 64
    assert kfgit("runs", "delete", run, "--older-than", "1d", cwd=root).code == 64
    for age in ("1", "d", "-1d", "1y", "٣d"):
        assert kfgit("runs", "delete", "--older-than", age, cwd=root).code == 64


def test_deleting_runs(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(ALL)
    one = kfgit("run", "hello", "-o", "json", cwd=root).json["id"]
    two = kfgit("run", "broken", "-o", "json", cwd=root).json["id"]
    assert kfgit("runs", "delete", "--older-than", "999999999999w", cwd=root).out == "0 runs deleted\n"
    assert kfgit("runs", "delete", one[:8], one, cwd=root).out == "1 run deleted\n"
    assert not list((root / ".kfgit" / "local" / "runs").glob(f"*{one[:8]}"))
    told = kfgit("runs", "delete", "--older-than", "0s", "-o", "json", cwd=root).json
    assert (told["kind"], [item["id"] for item in told["items"]]) == ("DeletedList", [two])


def test_artifacts(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(ALL)
    assert kfgit("artifacts", "list", cwd=root).out == ""
    run = kfgit("run", "hello", "-o", "json", cwd=root).json["id"]
    (found,) = kfgit("artifacts", "list", "-o", "json", cwd=root).json["items"]
    assert (found["kind"], found["type"], found["task"], found["run"]) == (
        "Artifact",
        "system.Markdown",
        "greet",
        run,
    )
    assert "  .kfgit/local/runs/" in kfgit("artifacts", "list", "--run", run[:8], cwd=root).out
    assert kfgit("artifacts", "show", found["id"][:8], "-o", "json", cwd=root).json == found
    assert "system.Markdown" in kfgit("artifacts", "show", found["id"], cwd=root).out
    told = kfgit("artifacts", "get", found["id"], "--out", "card.md", cwd=root)
    assert (told.code, (root / "card.md").read_text()) == (0, "# Hello")
    assert kfgit("artifacts", "get", found["id"], "--out", "card.md", cwd=root).code == 3
    (root / "folder").mkdir()
    got = kfgit("artifacts", "get", found["id"], "--out", "folder", "-o", "json", cwd=root).json
    assert Path(got["path"]).read_text() == "# Hello"
    assert kfgit("artifacts", "get", found["id"], cwd=root / "folder").code == 3
    Path(found["uri"]).unlink()
    assert kfgit("artifacts", "get", found["id"], "--out", "again", cwd=root).code == 8
    for argv in (("show", "zzz"), ("get", "zzz"), ("list", "--run", "zzz")):
        assert kfgit("artifacts", *argv, cwd=root).code == 64


def test_experiments(kfgit: Kfgit, project: MakeProject) -> None:
    document = run_document("manual", name="one", more=", experiment: course")
    root = project({**ALL, "pipelines/course.yaml": COURSE, "pipelines/one.yaml": document})
    assert kfgit("experiments", "list", cwd=root).out == ""
    kfgit("apply", cwd=root)
    kfgit("run", "hello", cwd=root)
    kfgit("run", "run/one", cwd=root)
    kfgit("run", "run/one", cwd=root)
    found = kfgit("experiments", "list", "-o", "json", cwd=root).json
    assert found["kind"] == "ExperimentList"
    assert [(e["name"], e["owned"], e["runs"]) for e in found["items"]] == [
        ("Default", False, 1),
        ("course", True, 2),
    ]
    assert "course   2     ours      All of it." in kfgit("experiments", "list", cwd=root).out


def test_schedules(kfgit: Kfgit, project: MakeProject) -> None:
    hourly = NIGHTLY.replace("nightly", "hourly").replace("cron: 0 2 * * *", "every: 90m")
    zoned = NIGHTLY.replace("nightly", "zoned") + "  timezone: Asia/Tokyo\n"
    off = NIGHTLY.replace("nightly", "off") + "  enabled: false\n"
    over = NIGHTLY.replace("nightly", "over") + "  end: 2020-01-01T00:00:00Z\n"
    root = project({**ALL, "pipelines/all.yaml": f"{NIGHTLY}---\n{hourly}---\n{zoned}---\n{off}---\n{over}"})
    assert kfgit("schedules", "list", cwd=root).out == ""
    assert kfgit("schedules", "next", cwd=root).out == ""
    kfgit("apply", cwd=root)
    found = kfgit("schedules", "list", "-o", "json", cwd=root).json
    by_name = {item["name"]: item for item in found["items"]}
    assert (found["kind"], set(by_name)) == ("ScheduleList", {"nightly", "hourly", "zoned", "off", "over"})
    assert by_name["nightly"]["next"][0].endswith("T02:00:00Z")
    assert by_name["zoned"]["next"][0].endswith("T17:00:00Z")
    assert by_name["off"]["next"] == by_name["over"]["next"] == []
    table = kfgit("schedules", "list", cwd=root).out
    assert "0 2 * * * UTC" in table
    assert "every 1h30m" in table
    times = kfgit("schedules", "next", "nightly", "--count", "3", cwd=root).out
    assert times.count("02:00 UTC") == 3
    assert "YOURS" not in times
    assert "02:00 JST" in (both := kfgit("schedules", "next", "schedule/zoned", cwd=root).out)
    assert "YOURS" in both
    assert "disabled" in kfgit("schedules", "next", "off", cwd=root).out
    assert "never again" in kfgit("schedules", "next", "over", cwd=root).out
    assert (
        len(
            kfgit("schedules", "next", "hourly", "--count", "4", "-o", "json", cwd=root).json["items"][0][
                "next"
            ]
        )
        == 4
    )
    told = kfgit("schedules", "next", "nightli", cwd=root)
    assert told.code == 64
    assert "nightly" in told.err


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
    out, err = process.communicate(timeout=60)
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
    process.communicate(timeout=60)
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
