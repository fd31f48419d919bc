"""plan, apply, status and destroy, and what decides whether a Run document starts a run."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from kfgit.backends.local.locks import apply_lock
from tests.cli.acting import FULL, edit, plan, sql
from tests.cli.conftest import BREAK, HELLO, LOCAL, STAGING, Kfgit, MakeProject, run_document

CHANGE = {"action", "kind", "name", "cause", "diff", "notes"}


def test_plan_apply_plan(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(FULL)
    told = kfgit("plan", "-o", "json", cwd=root)
    found = told.json
    assert (told.code, told.err) == (0, "")
    assert set(found) >= {"environment", "target", "commit", "digest", "changes", "summary", "requests"}
    assert set(found["changes"][0]) >= CHANGE
    assert (found["environment"], found["target"], found["commit"]) == ("local", "local", None)
    assert found["summary"] == {
        "create": 3,
        "update": 0,
        "replace": 0,
        "delete": 0,
        "adopt": 0,
        "unchanged": 0,
    }
    assert [c["kind"] for c in found["changes"]] == ["Experiment", "Pipeline", "Schedule"]
    assert kfgit("plan", "--exit-code", cwd=root).code == 2

    done = kfgit("apply", "-o", "json", cwd=root)
    applied = done.json
    assert (done.code, applied["kind"], applied["digest"], applied["runs"]) == (
        0,
        "Apply",
        found["digest"],
        [],
    )
    assert [set(r) for r in applied["results"]] == [{"action", "kind", "name", "id", "state", "error"}] * 3
    assert {r["state"] for r in applied["results"]} == {"done"}

    assert plan(kfgit, root) == {}
    assert kfgit("plan", "--exit-code", cwd=root).code == 0
    assert "3 objects are as they should be" in kfgit("plan", cwd=root).out
    again = kfgit("apply", "-o", "json", cwd=root)
    assert (again.code, again.json["results"]) == (0, [])


def test_what_people_read(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(FULL)
    told = kfgit("plan", cwd=root)
    assert "Plan for local: 3 to create." in told.out
    assert re.search(r"fires next: \w{3} \d{4}-\d\d-\d\d 02:00 UTC, ", told.out)
    assert "| create | `schedule/nightly` |" in kfgit("plan", "-o", "markdown", cwd=root).out
    applied = kfgit("apply", cwd=root)
    assert "Plan for local: 3 to create." in applied.out
    assert "Applied: 3 created." in applied.out
    assert "✔ created  pipeline/hello" in applied.err
    edit(root, "pipelines/nightly.yaml", "0 2 * * *", "0 3 * * *")
    assert "cron: 0 0 2 * * * → 0 0 3 * * *" in kfgit("plan", cwd=root).out


@pytest.mark.parametrize(("catchup", "which"), [("false", "the newest time"), ("true", "every time")])
def test_what_a_new_schedule_fires_at_once_is_told(
    kfgit: Kfgit, project: MakeProject, catchup: str, which: str
) -> None:
    root = project(FULL)
    window = f"\n  start: 2026-01-01T00:00:00Z\n  end: 2026-01-08T00:00:00Z\n  catchup: {catchup}"
    edit(root, "pipelines/nightly.yaml", "cron: 0 2 * * *", f"cron: 0 2 * * *{window}")
    told = kfgit("plan", cwd=root).out
    assert f"its start is past: {which} since Thu 2026-01-01 02:00 UTC fires at once\n" in told
    assert "never fires again\n" in told
    kfgit("apply", cwd=root)
    edit(root, "pipelines/nightly.yaml", "end: 2026-01-08", "end: 2026-01-09")
    told = kfgit("plan", cwd=root).out
    assert "end: 2026-01-08T00:00:00Z → 2026-01-09T00:00:00Z" in told
    assert "at once" not in told


def test_changes_and_their_causes(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(FULL)
    kfgit("apply", cwd=root)
    edit(root, "pipelines/nightly.yaml", "0 2 * * *", "0 3 * * *")
    edit(root, "components/greet.yaml", "greeting", "a greeting")
    found = plan(kfgit, root)
    assert found == {"Pipeline/hello": ("update", "source"), "Schedule/nightly": ("replace", "source")}
    kfgit("apply", cwd=root)
    sql(root, "UPDATE experiments SET description = 'Mine now.'")
    sql(root, "UPDATE schedules SET enabled = 0")
    found = plan(kfgit, root)
    assert found == {"Experiment/course": ("update", "drift"), "Schedule/nightly": ("update", "drift")}
    assert kfgit("apply", cwd=root).code == 0
    assert sql(root, "SELECT enabled FROM schedules") == [(1,)]
    assert plan(kfgit, root) == {}


def test_what_vanished_is_drift(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(FULL)
    kfgit("apply", cwd=root)
    sql(root, "DELETE FROM schedules")
    assert plan(kfgit, root) == {"Schedule/nightly": ("create", "drift")}
    assert "schedule/nightly (drift)" in kfgit("status", cwd=root).out
    kfgit("apply", cwd=root)
    assert plan(kfgit, root) == {}


def test_status(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**FULL, "pipelines/broken.yaml": BREAK})
    before = kfgit("status", "-o", "json", cwd=root).json
    assert (before["kind"], before["inSync"], before["healthy"], before["lastApply"]) == (
        "Status",
        False,
        True,
        None,
    )
    assert kfgit("status", "--exit-code", cwd=root).code == 2
    kfgit("apply", cwd=root)
    assert kfgit("status", "--exit-code", cwd=root).code == 0
    told = kfgit("status", cwd=root)
    assert (told.code, told.err) == (0, "")
    assert "Nothing to do in local" in told.out
    assert "Last apply: " in told.out
    sql(root, "UPDATE experiments SET description = 'Mine now.'")
    drifted = kfgit("status", "-o", "json", cwd=root).json
    assert [(c["kind"], c["cause"]) for c in drifted["pending"]] == [("Experiment", "drift")]
    assert "(drift)" in kfgit("status", cwd=root).out
    assert kfgit("status", "--exit-code", cwd=root).code == 2
    kfgit("run", "broken", cwd=root)
    assert kfgit("status", "--exit-code", cwd=root).code == 7
    found = kfgit("status", "-o", "json", cwd=root).json
    assert (found["healthy"], found["unhealthy"][0]["pipeline"]) == (False, "broken")
    assert "unhealthy" in kfgit("status", cwd=root).out


def test_status_of_an_invalid_source_still_shows_what_is_live(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(FULL)
    kfgit("apply", cwd=root)
    edit(root, "pipelines/hello.yaml", "component: greet", "component: nobody")
    told = kfgit("status", cwd=root)
    assert (told.code, told.err) == (0, "")
    assert "1 mistake in the source" in told.out
    assert "nightly" in told.out
    assert kfgit("status", "-o", "json", cwd=root).json["inSync"] is None
    assert kfgit("status", "--exit-code", cwd=root).code == 1
    for argv in (("schedules", "list"), ("runs", "list"), ("experiments", "list"), ("artifacts", "list")):
        assert (told := kfgit(*argv, cwd=root)).code == 0
        assert "nobody" not in told.err


def test_prune(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(FULL)
    kfgit("apply", cwd=root)
    for name in ("nightly", "course", "hello"):
        (root / "pipelines" / f"{name}.yaml").unlink()
    told = kfgit("plan", cwd=root)
    assert "delete   schedule/nightly" in told.out
    assert "pipelines are kept" in told.out
    assert "experiments are kept" in told.out
    refused = kfgit("apply", cwd=root)
    assert refused.code == 3
    (digest,) = re.findall(r"--confirm (\S+)", refused.err)
    assert kfgit("apply", "--no-prune", cwd=root).code == 0
    assert kfgit("apply", "--confirm", "f" * 64, cwd=root).code == 3
    assert kfgit("apply", "--confirm", digest, cwd=root).code == 0
    assert plan(kfgit, root) == {}
    assert sql(root, "SELECT name FROM pipelines") == [("hello",)]
    assert sql(root, "SELECT name FROM schedules") == []


def test_prune_as_the_environment_says(kfgit: Kfgit, project: MakeProject) -> None:
    rules = "  prune: {pipelines: delete, schedules: keep}\n  protect: [pipeline/he*]\n"
    other = HELLO.replace("hello", "other")
    root = project({**FULL, "environments/local.yaml": LOCAL + rules, "pipelines/other.yaml": other})
    kfgit("apply", cwd=root)
    for name in ("nightly", "hello", "other"):
        (root / "pipelines" / f"{name}.yaml").unlink()
    assert plan(kfgit, root) == {"Pipeline/other": ("delete", "source")}
    told = kfgit("plan", cwd=root)
    assert "protected" in told.out
    assert "schedules are kept" in told.out


def test_development_never_prunes_and_fires_nothing(kfgit: Kfgit, project: MakeProject) -> None:
    dev = STAGING.replace("staging", "dev") + "  mode: development\n  prune: {schedules: delete}\n"
    root = project({**FULL, "environments/dev.yaml": dev})
    assert kfgit("apply", "-e", "dev", cwd=root).code == 0
    assert sql(root, "SELECT name, enabled FROM schedules", "dev") == [("dev-nightly", 0)]
    assert sql(root, "SELECT name FROM pipelines", "dev") == [("dev-hello",)]
    (root / "pipelines" / "nightly.yaml").unlink()
    assert plan(kfgit, root, "-e", "dev") == {}
    listed = kfgit("schedules", "list", "-e", "dev", cwd=root)
    assert "dev-nightly" in listed.out
    assert "never" in listed.out
    assert kfgit("run", "hello", "-e", "dev", cwd=root).code == 0
    assert kfgit("destroy", "-e", "dev", cwd=root).code == 0
    assert sql(root, "SELECT name FROM schedules", "dev") == []


def test_foreign_objects_are_left_alone(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**FULL, "pipelines/hello.yaml": HELLO})
    kfgit("run", "hello", cwd=root)
    sql(
        root,
        "INSERT INTO experiments (id, name, description, created_at) "
        "VALUES ('e', 'course', 'Theirs.', '2026-01-01T00:00:00+00:00')",
    )
    told = kfgit("plan", cwd=root)
    assert "this project did not make" in told.out
    assert kfgit("apply", cwd=root).code == 0
    assert sql(root, "SELECT description FROM experiments WHERE id = 'e'") == [("Theirs.",)]
    assert plan(kfgit, root) == {}
    kfgit("destroy", "-e", "local", cwd=root)
    assert sql(root, "SELECT name FROM experiments ORDER BY name") == [("Default",), ("course",)]


def test_a_saved_plan(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**FULL, "environments/staging.yaml": STAGING})
    assert kfgit("plan", "-e", "staging", "--out", "plan.json", cwd=root).code == 0
    assert json.loads((root / "plan.json").read_text())["kind"] == "Plan"
    told = kfgit("apply", "-e", "local", "--plan", "plan.json", cwd=root)
    assert told.code == 64
    assert "staging" in told.err
    applied = kfgit("apply", "--plan", "plan.json", "-o", "json", cwd=root)
    assert (applied.code, applied.json["environment"]) == (0, "staging")
    stale = kfgit("apply", "--plan", "plan.json", cwd=root)
    assert stale.code == 5
    assert "stale" in stale.err


@pytest.mark.parametrize("what", ["source", "target"])
def test_a_stale_plan(kfgit: Kfgit, project: MakeProject, what: str) -> None:
    root = project(FULL)
    kfgit("apply", cwd=root)
    edit(root, "pipelines/nightly.yaml", "0 2 * * *", "0 3 * * *")
    kfgit("plan", "--out", "plan.json", cwd=root)
    if what == "source":
        edit(root, "pipelines/nightly.yaml", "0 3 * * *", "0 4 * * *")
    else:
        sql(root, "UPDATE experiments SET description = 'Mine now.'")
    told = kfgit("apply", "--plan", "plan.json", "-o", "json", cwd=root)
    assert (told.code, told.json["exitCode"]) == (5, 5)
    assert sql(root, "SELECT spec FROM schedules")[0][0].count('"0 0 2 * * *"') == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"kind": "Run"}', '{"digest": 1}', "\x00", "[" * 100_000]
)
def test_a_broken_plan_file(kfgit: Kfgit, project: MakeProject, content: str) -> None:
    root = project({**FULL, "plan.json": content})
    told = kfgit("apply", "--plan", "plan.json", cwd=root)
    assert (told.code, told.out) == (64, "")
    assert "kfgit plan --out" in told.err
    assert kfgit("apply", "--plan", "nowhere.json", cwd=root).code == 64
    assert kfgit("apply", "--plan", "pipelines", cwd=root).code == 64
    assert kfgit("plan", "--out", "no/such/folder.json", cwd=root).code == 8


def test_two_at_once(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(FULL)
    with apply_lock(root / ".kfgit" / "local" / "apply.lock", "ada"):
        for argv in (("apply",), ("destroy", "-e", "local")):
            told = kfgit(*argv, cwd=root)
            assert (told.code, told.out) == (4, "")
            assert "ada" in told.err
        assert kfgit("plan", cwd=root).code == 0
    assert kfgit("apply", cwd=root).code == 0


def test_partly(kfgit: Kfgit, project: MakeProject) -> None:
    """A change that fails stops nothing but what stands on it; the next apply goes on where this one stopped."""
    wanted = {f"pipelines/run-{name}.yaml": run_document("once", name=name) for name in ("a", "z")}
    root = project({**FULL, **wanted})
    kfgit("plan", cwd=root)
    sql(root, "ALTER TABLE triggers RENAME TO hidden")
    told = kfgit("apply", "-o", "json", cwd=root)
    states = [(r["kind"], r["name"], r["state"]) for r in told.json["results"]]
    assert told.code == 6
    assert ("Pipeline", "hello", "done") in states
    assert states[-2:] == [("Run", "a", "failed"), ("Run", "z", "failed")]
    assert "state.db" in told.json["results"][-2]["error"]
    assert "a change failed" in kfgit("status", cwd=root).out
    sql(root, "ALTER TABLE hidden RENAME TO triggers")
    told = kfgit("apply", cwd=root)
    assert told.code == 0
    assert "Applied: 2 created." in told.out
    assert plan(kfgit, root) == {}


def test_destroy(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**FULL, "environments/local.yaml": LOCAL + "  protect: [experiment/*]\n"})
    kfgit("apply", cwd=root)
    kfgit("run", "hello", cwd=root)
    assert kfgit("destroy", cwd=root).code == 64
    told = kfgit("destroy", "-e", "local", "-o", "json", cwd=root)
    assert told.code == 0
    assert [(r["action"], r["kind"]) for r in told.json["results"]] == [
        ("delete", "Schedule"),
        ("delete", "Pipeline"),
    ]
    assert len(kfgit("runs", "list", "-o", "json", cwd=root).json["items"]) == 1
    assert kfgit("destroy", "-e", "local", "--yes", cwd=root).code == 0
    assert kfgit("apply", cwd=root).code == 0
    assert plan(kfgit, root) == {}


def test_the_commit_is_noted(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(FULL)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(root)]
    for argv in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["commit", "-q", "-m", "one"],
        ["tag", "-a", "v1", "-m", "v1"],
    ):
        subprocess.run([*git, *argv], check=True, env={"PATH": "/usr/bin:/bin", "HOME": str(root)})
    sha = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert kfgit("plan", "-o", "json", cwd=root).json["commit"] == sha
    kfgit("apply", cwd=root)
    assert kfgit("status", "-o", "json", cwd=root).json["lastApply"]["commit"] == sha
    edit(root, "pipelines/course.yaml", "All of it.", "'{{ git.sha }} {{ git.branch }} {{ git.tag }}'")
    assert f"{sha} main v1" in kfgit("render", "experiment/course", cwd=root).out
    subprocess.run([*git, "pack-refs", "--all"], check=True)
    assert f"{sha} main v1" in kfgit("render", "experiment/course", cwd=root).out
    subprocess.run([*git, "checkout", "-q", "--detach"], check=True)
    assert f"{sha} None v1" in kfgit("render", "experiment/course", cwd=root).out


def test_a_blocking_policy_refuses(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(FULL)
    home = root / "environments/local.yaml"
    home.write_text(
        home.read_text(encoding="utf-8").rstrip() + "\n  policies: {pinnedImages: true}\n", encoding="utf-8"
    )
    assert kfgit("validate", cwd=root).code == 1
    for words in (["plan"], ["apply"], ["run", "hello"]):
        told = kfgit(*words, cwd=root)
        assert (told.code, "policy-pinned-images" in told.err, "policies of `local`" in told.err) == (
            3,
            True,
            True,
        )
    assert kfgit("runs", "list", "-o", "json", cwd=root).json["items"] == []
