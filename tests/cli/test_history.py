"""Who applied which commit when: `kfgit history`, what an apply writes down for it, and who it was."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, strategies as st

from kfgit.backends.local.store import Database, ledger
from kfgit.cli import actor
from kfgit.events import FINAL, AppliedRun, ApplyRecord, ChangeFinished, State
from kfgit.plan import Applied, Plan
from kfgit.project import commits
from kfgit.render import history as show
from kfgit.render.style import Style
from tests.cli.conftest import BASE, BREAK, Kfgit, run_document
from tests.project.repository import Git, repository

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALL = {**BASE, "pipelines/smoke.yaml": run_document("onChange")}


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return repository(tmp_path / "demo", {**ALL, ".gitignore": ".kfgit/\n"})


def told(kfgit: Kfgit, git: Git, *flags: str) -> list[dict[str, Any]]:
    found = kfgit("history", "-o", "json", *flags, cwd=git.root)
    assert (found.code, found.json["kind"]) == (0, "ApplyList")
    items: list[dict[str, Any]] = found.json["items"]
    return items


def test_an_apply_is_told_with_commit_branch_and_runs(kfgit: Kfgit, git: Git) -> None:
    assert told(kfgit, git) == []
    assert "nothing was applied yet" in kfgit("history", cwd=git.root).err
    assert kfgit("apply", "--rev", "main", cwd=git.root).code == 0
    (item,) = told(kfgit, git)
    (run,) = kfgit("runs", "list", "-o", "json", cwd=git.root).json["items"]
    assert (item["commit"], item["branch"], item["subject"]) == (git("rev-parse", "HEAD"), "main", "change")
    assert (item["verb"], item["folder"], item["changes"], item["green"]) == (
        "apply", False, {"create": 2}, True,
    )  # fmt: skip
    assert [(each["name"], each["pipeline"], each["id"], each["state"]) for each in item["runs"]] == [
        ("smoke", "hello", run["id"], "SUCCEEDED")
    ]
    table = kfgit("history", cwd=git.root).out.splitlines()
    assert table[0].split() == ["WHEN", "COMMIT", "BRANCH", "WHO", "RESULT", "RUNS", "SUBJECT"]
    assert re.search(rf"{item['commit'][:10]} +main .* 2 created +1 succeeded +change$", table[1])


def test_the_runs_of_a_commit_are_also_those_that_an_earlier_one_started(kfgit: Kfgit, git: Git) -> None:
    kfgit("apply", "--rev", "HEAD", cwd=git.root)
    git.commit({"README": "words"}, "Words")
    assert "Nothing to do" in kfgit("apply", "--rev", "HEAD", cwd=git.root).out
    newest, first = told(kfgit, git)
    assert (newest["subject"], newest["runs"], newest["changes"]) == ("Words", first["runs"], {})
    assert newest["green"]
    # What is known is not told again.
    kfgit("apply", "--rev", "HEAD", cwd=git.root)
    kfgit("apply", cwd=git.root)
    assert len(told(kfgit, git)) == 2
    assert told(kfgit, git, "--limit", "1") == [newest]
    assert re.search("nothing to do +1 succeeded +Words", kfgit("history", cwd=git.root).out)


def test_a_folder_is_told_from_its_commit(kfgit: Kfgit, git: Git) -> None:
    kfgit("apply", cwd=git.root)
    kfgit("apply", "--rev", "HEAD", cwd=git.root)
    newest, first = told(kfgit, git)
    assert (newest["commit"], newest["folder"], first["folder"]) == (first["commit"], False, True)
    assert f"{first['commit'][:10]} (folder)" in kfgit("history", cwd=git.root).out


def test_what_failed_is_told_until_a_retry_mends_it(kfgit: Kfgit, git: Git) -> None:
    flag = git.root / "flag"
    broken = BREAK.replace("exit 3", f"test -e {flag}")
    assert broken != BREAK
    git.commit(
        {"pipelines/break.yaml": broken, "pipelines/smoke.yaml": run_document("onChange", pipeline="broken")}
    )
    assert kfgit("apply", "--rev", "HEAD", cwd=git.root).code == 7
    (item,) = told(kfgit, git)
    assert ([each["state"] for each in item["runs"]], item["green"]) == (["FAILED"], False)
    assert "1 failed" in kfgit("history", cwd=git.root).out
    flag.touch()
    assert kfgit("runs", "retry", item["runs"][0]["id"], cwd=git.root).code == 0
    (item,) = told(kfgit, git)
    assert ([each["state"] for each in item["runs"]], item["green"]) == (["SUCCEEDED"], True)


def test_a_removed_run_is_remembered(kfgit: Kfgit, git: Git) -> None:
    kfgit("apply", "--rev", "HEAD", cwd=git.root)
    (before,) = told(kfgit, git)
    assert kfgit("runs", "delete", before["runs"][0]["id"], cwd=git.root).code == 0
    assert told(kfgit, git) == [before]


def test_mistakes_in_the_source_hide_no_history(kfgit: Kfgit, git: Git) -> None:
    kfgit("apply", cwd=git.root)
    git.commit({"pipelines/hello.yaml": "kind: Pipeline"})
    assert len(told(kfgit, git)) == 1


def test_destroying_is_history_too(kfgit: Kfgit, git: Git) -> None:
    kfgit("apply", "--rev", "HEAD", cwd=git.root)
    kfgit("destroy", "-e", "local", "--yes", cwd=git.root)
    newest, _ = told(kfgit, git)
    assert (newest["verb"], newest["commit"], newest["green"]) == ("destroy", None, False)
    assert "destroy: 2 deleted" in kfgit("history", cwd=git.root).out
    # The same commit again makes all of it anew.
    kfgit("apply", "--rev", "HEAD", cwd=git.root)
    assert [each["verb"] for each in told(kfgit, git)] == ["apply", "destroy", "apply"]


def test_outside_of_git_there_are_no_commits(kfgit: Kfgit, tmp_path: Path) -> None:
    kfgit("init", "demo", cwd=tmp_path)
    root = tmp_path / "demo"
    kfgit("apply", cwd=root)
    kfgit("apply", cwd=root)
    (item,) = kfgit("history", "-o", "json", cwd=root).json["items"]
    assert (item["commit"], item["branch"], item["subject"]) == (None, None, None)
    assert kfgit("history", cwd=root).out.splitlines()[0].split() == ["WHEN", "COMMIT", "WHO", "RESULT"]


def test_an_unknown_environment_gets_the_nearest(kfgit: Kfgit, git: Git) -> None:
    found = kfgit("history", "-e", "locl", cwd=git.root)
    assert (found.code, "did you mean `local`" in found.err) == (64, True)


# --- who


GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ada", "GITHUB_RUN_ID": "7"}
GITLAB = {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "bob", "CI_PIPELINE_ID": "9"}


@pytest.mark.parametrize(
    ("environ", "who"),
    [
        ({}, None),
        (GITHUB, "ada (GitHub Actions run 7)"),
        (GITLAB, "bob (GitLab CI pipeline 9)"),
        ({**GITHUB, "KFGIT_WHO": "carl"}, "carl"),
        ({**GITHUB, "KFGIT_WHO": ""}, "ada (GitHub Actions run 7)"),
        ({**GITHUB, "GITHUB_ACTIONS": "yes"}, None),
        ({**GITLAB, "GITLAB_CI": ""}, None),
        ({"KFGIT_WHO": "a\nb\x1b[31mc"}, "a b\\x1b[31mc"),
        ({"KFGIT_WHO": "x" * 999}, "x" * 199 + "…"),
    ],
)
def test_who_it_is(environ: Mapping[str, str], who: str | None) -> None:
    assert actor.named(environ) == who


def test_who_it_is_stands_in_the_history(kfgit: Kfgit, git: Git) -> None:
    kfgit("apply", cwd=git.root, env=GITHUB)
    assert told(kfgit, git)[0]["who"] == "ada (GitHub Actions run 7)"


def test_without_a_job_it_is_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "dora")
    assert actor.who() == "dora"


# --- the text of it


texts = st.text(max_size=30)
runs = st.builds(AppliedRun, texts, texts, texts, texts, st.none() | st.sampled_from(get_args(State)))
counts = st.dictionaries(st.sampled_from(["done", "failed", "skipped"]), st.integers(0, 9))
records = st.builds(
    ApplyRecord, st.integers(1, 9), texts, st.none() | texts, texts, texts,
    st.datetimes(timezones=st.just(UTC)), st.none() | st.just(NOON), counts, st.none() | texts,
    st.lists(runs, max_size=3).map(tuple), st.booleans(), st.sampled_from(["apply", "adopt", "destroy"]),
    st.dictionaries(st.sampled_from(["create", "delete", "adopt"]), st.integers(1, 9)), st.integers(0, 3),
)  # fmt: skip


@given(st.lists(records, min_size=1, max_size=4), st.booleans(), st.booleans(), st.dictionaries(texts, texts))
def test_every_apply_is_one_line_and_nothing_of_it_is_obeyed(
    found: list[ApplyRecord],
    going: bool,  # noqa: FBT001
    colour: bool,  # noqa: FBT001
    subjects: dict[str, str],
) -> None:
    text = show.human(found, subjects, Style(colour), NOON, going=going)
    bare = re.sub(r"\x1b\[[0-9]+m", "", text) if colour else text
    assert len(bare.splitlines()) == len(found) + 1
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", bare)


@given(records)
def test_green_is_what_was_done_wholly_and_all_of_whose_runs_succeeded(record: ApplyRecord) -> None:
    told = show.as_json(record)
    assert told["green"] == (
        record.verb == "apply"
        and record.finished_at is not None
        and not record.result.get("failed")
        and not record.result.get("skipped")
        and not record.unlisted
        and {run["state"] for run in told["runs"]} <= {"SUCCEEDED"}
    )
    assert (record.applied is not None) >= told["green"]


def test_an_apply_without_an_end_goes_on_or_was_cut_off() -> None:
    record = ApplyRecord(2, "demo", None, "d", "ada", NOON, None, {})
    both = [record, replace(record, id=1)]
    lines = show.human(both, {}, Style(), NOON + timedelta(minutes=3), going=True).splitlines()
    assert [line.split("  ")[-1] for line in lines[1:]] == ["going on", "cut off"]
    assert lines[1].startswith("3m ago")


def test_runs_are_told_by_how_they_came_out() -> None:
    states: list[State | None] = [*get_args(State), None, "SUCCEEDED"]
    told = tuple(AppliedRun(str(number), "p", "d", str(number), state) for number, state in enumerate(states))
    record = ApplyRecord(1, "demo", "c", "d", "ada", NOON, NOON, {"done": 1, "failed": 2}, runs=told)
    line = show.human([record], {}, Style(), NOON, going=False).splitlines()[1]
    assert line.endswith(
        "1 changed, 2 failed  1 failed, 1 canceled, 1 skipped, 2 succeeded, 3 going on, 1 not known"
    )
    assert len(FINAL) + 3 == len(get_args(State))
    many = replace(record, runs=(), unlisted=2400)
    assert show.human([many], {}, Style(), NOON, going=False).rstrip().endswith("2,400, not kept")


# --- the store


def test_an_old_apply_is_forgotten_when_there_are_very_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "KEPT", 3)
    database = Database(tmp_path / "state.db")
    for number in range(5):
        for project in ("demo", "other"):
            with database.write() as db:
                record = ApplyRecord(0, project, f"c{number}", "d", "ada", NOON, None, {})
                id_ = ledger.begin_apply(db, record)
                done = [ChangeFinished("create", "Run", "smoke", f"r{number}", "done")]
                ledger.end_apply(db, id_, done, [AppliedRun("smoke", "p", "d", f"r{number}")], NOON)
    with database.read() as db:
        for project in ("demo", "other"):
            found = ledger.applies(db, project)
            assert [(each.commit, each.runs[0].id) for each in found] == [
                ("c4", "r4"),
                ("c3", "r3"),
                ("c2", "r2"),
            ]
        assert db.execute("SELECT count(*) FROM applied_runs").fetchone()[0] == 6
    database.close()


def test_what_an_earlier_kfgit_applied_may_have_been_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    Database(path).close()
    with sqlite3.connect(path) as db:
        db.execute(
            """INSERT INTO applies (project, commit_id, digest, who, started_at, finished_at, result)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (
                "demo",
                "c0ffee",
                "d",
                "ada",
                "2026-11-23T12:00:00.000000Z",
                "2026-11-23T12:00:00.000000Z",
                '{"done": 1}',
            ),
        )
    db.close()
    database = Database(path)
    with database.read() as db:
        (record,) = ledger.applies(db, "demo")
    database.close()
    assert (record.applied, record.runs, record.changes) == (Applied("c0ffee", folder=True), (), {})


# --- what is news


COMMITS = st.none() | st.sampled_from(["c1", "c2"])


@given(COMMITS, st.booleans(), st.none() | st.builds(Applied, COMMITS, st.booleans()))
def test_a_commit_is_news_until_it_is_on_record(
    commit: str | None,
    folder: bool,  # noqa: FBT001
    last: Applied | None,
) -> None:
    plan = Plan("prod", "there", (), commit, folder=folder, last=last)
    if commit is None:
        assert not plan.is_news
    else:
        assert plan.is_news == (last is None or last.commit != commit or (last.folder and not folder))
        assert not replace(plan, last=Applied(commit, folder)).is_news
    assert not replace(plan, verb="adopt").is_news


# --- subjects


def test_subjects_are_those_of_the_commits_that_are_here(tmp_path: Path) -> None:
    git = repository(tmp_path / "demo")
    first = git("rev-parse", "HEAD")
    second = git.commit(message="commit\tünd\n\nmore")
    third = git.commit(message="commit " + "f" * 40)
    git("config", "log.showSignature", "true")
    asked = [third, first, "f" * 40, "not a commit", "--all", second, first]
    assert commits.subjects(git.root, asked) == {
        first: "change", second: "commit\tünd", third: "commit " + "f" * 40,
    }  # fmt: skip
    assert commits.subjects(git.root, []) == {}
    assert commits.subjects(tmp_path, [first]) == {}
