"""What ran and what it left: runs, artifacts, experiments and schedules."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.conftest import BASE, BREAK, COURSE, NIGHTLY, TYPES, Kfgit, MakeProject, run_document

ALL = {**BASE, "pipelines/broken.yaml": BREAK, "components/types.yaml": TYPES}


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
    assert kfgit("runs", "delete", "--keep", "1", "--older-than", "1d", cwd=root).code == 64
    assert kfgit("runs", "delete", "--keep", "-1", cwd=root).code == 64
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


def test_keeping_the_newest_runs(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(ALL)
    ids = [kfgit("run", "hello", "-o", "json", cwd=root).json["id"] for _ in range(4)]
    listed = kfgit("runs", "list", "--limit", "1", cwd=root)
    assert "and 3 more" in listed.err
    assert "more" not in kfgit("runs", "list", "--limit", "4", cwd=root).err
    assert kfgit("runs", "delete", "--keep", "4", cwd=root).out == "0 runs deleted\n"
    assert kfgit("runs", "delete", "--keep", "2", cwd=root).out == "2 runs deleted\n"
    assert [run["id"] for run in kfgit("runs", "list", "-o", "json", cwd=root).json["items"]] == [
        ids[3],
        ids[2],
    ]


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
    again = kfgit("run", "hello", "-o", "json", cwd=root).json
    assert again["tasks"][0]["cached"] is True
    assert kfgit("artifacts", "list", "--run", "latest", "-o", "json", cwd=root).json["items"] == [found]
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
