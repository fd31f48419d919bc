"""`kfgit github` through the door, against a small GitHub over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import BASE, CLUSTER, KFGIT, STAGING, Kfgit, MakeProject, Outcome
from tests.github.fake import FakeGitHub
from tests.github.records import Status

SHA = "0123456789" * 4


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


@pytest.fixture(autouse=True)
def _no_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of a workflow or a person who runs the tests."""
    names = (
        "TOKEN",
        "REPOSITORY",
        "API_URL",
        "SERVER_URL",
        "RUN_ID",
        "SHA",
        "EVENT_PATH",
        "OUTPUT",
        "STEP_SUMMARY",
    )
    for name in (
        *(f"GITHUB_{name}" for name in names),
        "GH_TOKEN",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


def written(path: Path, value: Any) -> str:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return str(path)


def of_pull(tmp_path: Path, number: int) -> dict[str, str]:
    """What Actions tells a workflow about a pull request, as far as it counts here."""
    return {"GITHUB_EVENT_PATH": written(tmp_path / "event.json", {"pull_request": {"number": number}})}


def test_a_comment_of_a_workflow(kfgit: Kfgit, github: FakeGitHub, tmp_path: Path) -> None:
    number = github.open_pull("feature")
    env = {**github.environ(), **of_pull(tmp_path, number)}
    told = kfgit("github", "comment", written(tmp_path / "a.md", "# One"), "--key", "diff", env=env)
    assert told == Outcome(
        0, f"created: https://github.com/acme/models/pull/1#issuecomment-{github.comments[0].id}\n", ""
    )
    again = kfgit(
        "github", "comment", written(tmp_path / "a.md", "# Two"), "--key", "diff", "-o", "json", env=env
    )
    assert again.json == {
        "apiVersion": "kfgit.dev/cli/v1",
        "kind": "Comment",
        "key": "diff",
        "number": 1,
        "url": f"https://github.com/acme/models/pull/1#issuecomment-{github.comments[0].id}",
        "action": "updated",
        "removed": 0,
    }
    assert [comment.body for comment in github.comments] == ["<!-- kfgit:diff -->\n# Two"]


def test_a_comment_by_hand(github: FakeGitHub) -> None:
    number = github.open_pull("feature")
    token = f" {github.token('octocat', app=False)}\n"
    argv = ("github", "comment", "-", "--key", "diff", "--pr", str(number), "--repo", "acme/models")
    env = {**os.environ, "GITHUB_API_URL": github.url, "GH_TOKEN": token}
    done = subprocess.run([*KFGIT, *argv], input=b"caf\xe9", env=env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [(c.login, c.body) for c in github.comments] == [("octocat", "<!-- kfgit:diff -->\ncaf\ufffd")]


@pytest.mark.parametrize(
    ("argv", "env", "told"),
    [
        (("a.md", "--key", "k"), {}, "which pull request? Give --pr NUMBER"),
        (("a.md", "--key", "k", "--pr", "1"), {}, "set GITHUB_TOKEN"),
        (("a.md", "--key", "k", "--pr", "1"), {"GH_TOKEN": "t"}, "Give --repo OWNER/NAME"),
        (("no.md", "--key", "k", "--pr", "1"), {}, "there is no file no.md"),
        (("empty.md", "--key", "k", "--pr", "1"), {}, "there is nothing in empty.md"),
        (("a.md", "--key", "a--b", "--pr", "1"), {}, "`a--b` is no key"),
        (("a.md", "--key", "-->\n\x1b[31m", "--pr", "1"), {}, "is no key"),
        (("a.md", "--key", "k", "--pr", "0"), {}, "0 is not in the range"),
    ],
)
def test_what_is_missing_is_named(
    kfgit: Kfgit, tmp_path: Path, argv: tuple[str, ...], env: Mapping[str, str], told: str
) -> None:
    written(tmp_path / "a.md", "text")
    written(tmp_path / "empty.md", "\n")
    found = kfgit("github", "comment", *argv, cwd=tmp_path, env=env)
    assert (found.code, found.out) == (64, "")
    assert told in found.err
    assert "\x1b" not in found.err


@pytest.mark.parametrize(
    "event", ["", "[", "[]", "7", '{"pull_request": 5}', '{"pull_request": {"number": "5"}}', "[" * 9_000]
)
def test_an_event_that_is_nonsense(kfgit: Kfgit, github: FakeGitHub, tmp_path: Path, event: str) -> None:
    env = {**github.environ(), "GITHUB_EVENT_PATH": written(tmp_path / "event.json", event)}
    told = kfgit("github", "comment", written(tmp_path / "a.md", "text"), "--key", "k", env=env)
    assert told.code in {8, 64}
    assert github.comments == []


def test_a_fork_may_not_comment(kfgit: Kfgit, github: FakeGitHub, tmp_path: Path) -> None:
    number = github.open_pull("feature")
    env = {**github.environ(github.token(may=())), **of_pull(tmp_path, number)}
    told = kfgit("github", "comment", written(tmp_path / "a.md", "text"), "--key", "k", "-o", "json", env=env)
    assert told.code == 8
    assert told.json["kind"] == "Error"
    assert "in a workflow the job needs `permissions: pull-requests: write`" in told.err
    assert "ghs_" not in told.err + told.out


def test_a_summary_is_added_to(kfgit: Kfgit, tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    for text in ("one", "two\n\n"):
        told = kfgit(
            "github", "summary", written(tmp_path / "a.md", text), env={"GITHUB_STEP_SUMMARY": str(summary)}
        )
        assert told == Outcome(0, "", "")
    assert summary.read_text() == "one\ntwo\n"
    assert kfgit("github", "summary", str(tmp_path / "a.md")).out == "two\n\n"
    assert kfgit("github", "summary", str(tmp_path / "a.md"), "-o", "json").json["text"] == "two\n\n"


def test_a_summary_keeps_to_what_github_takes(kfgit: Kfgit, tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    for _ in range(3):
        kfgit(
            "github",
            "summary",
            written(tmp_path / "a.md", "é\n" * 200_000),
            env={"GITHUB_STEP_SUMMARY": str(summary)},
        )
        assert summary.stat().st_size <= 1 << 20
    assert "The rest is left out" in summary.read_text()


def test_an_issue_is_opened_and_closed(kfgit: Kfgit, github: FakeGitHub, tmp_path: Path) -> None:
    text, env = written(tmp_path / "a.md", "# Drift"), github.environ()
    opened = kfgit("github", "issue", text, "--key", "drift-prod", "--title", "prod has drifted", env=env)
    assert opened == Outcome(0, "created: https://github.com/acme/models/issues/1\n", "")
    closed = kfgit("github", "issue", "--key", "drift-prod", "--close", "-o", "json", env=env)
    assert (closed.json["kind"], closed.json["action"], closed.json["number"]) == ("Issue", "closed", 1)
    assert kfgit("github", "issue", "--key", "drift-prod", "--close", env=env) == Outcome(
        0, "", "no open issue has the key drift-prod\n"
    )
    assert kfgit("github", "issue", text, "--key", "drift-prod", env=env).code == 64


APPLY = {
    "kind": "Apply",
    "results": [
        {"action": "create", "state": "done"},
        {"action": "create", "state": "done"},
        {"action": "delete", "state": "done"},
        {"action": "update", "state": "failed"},
        {"action": "update", "state": "skipped"},
    ],
    "runs": [{"state": "SUCCEEDED"}, {"state": "SUCCEEDED"}],
}


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (APPLY, "2 created, 1 deleted, 1 failed, 1 skipped; 2 runs SUCCEEDED"),
        ({"kind": "Apply", "results": [], "runs": []}, "nothing to do"),
        (
            {"kind": "Error", "message": "the policies of `prod`\nforbid \x1b[31mthis"},
            "the policies of `prod` forbid \\x1b[31mthis",
        ),
        ({"kind": "Diagnostics", "summary": {"errors": 1}}, "1 error in the source"),
        ({"kind": "Apply", "results": 5, "runs": [5, {"state": ["x"]}]}, "1 run ['x']"),
        (None, ""),
        ("", ""),
        ("[", ""),
        ("7", ""),
    ],
)
def test_a_deployment_says_what_was_done(
    kfgit: Kfgit, github: FakeGitHub, tmp_path: Path, result: Any, told: str
) -> None:
    deployment = github.begin_deployment("prod", SHA)
    path = tmp_path / "apply.json"
    if result is not None:
        written(path, result)
    env = {**github.environ(), "GITHUB_SHA": SHA, "GITHUB_RUN_ID": "7"}
    found = kfgit("github", "deployment", "-e", "prod", "--state", "failure", "--result", str(path), env=env)
    assert found == Outcome(0, f"prod: failure ({told})\n" if told else "prod: failure\n", "")
    log = "https://github.com/acme/models/actions/runs/7"
    assert deployment.statuses == [Status("failure", told, log)]


def test_a_deployment_wants_a_commit(kfgit: Kfgit, github: FakeGitHub) -> None:
    argv = ("github", "deployment", "-e", "prod", "--state", "success")
    assert kfgit(*argv, env=github.environ()).code == 64
    told = kfgit(*argv, "--sha", SHA, "-o", "json", env=github.environ()).json
    assert (told["kind"], told["commit"], told["id"]) == ("Deployment", SHA, github.deployments[0].id)


def cluster(name: str, more: str = "") -> str:
    return CLUSTER.replace("prod", name) + more


MANY = {
    **BASE,
    "environments/dev.yaml": STAGING.replace("staging", "dev"),
    "environments/staging.yaml": cluster("staging", "  git: {branch: main}\n"),
    "environments/prod.yaml": cluster("prod", "  git: {branch: env/prod}\n"),
    "environments/free.yaml": cluster("free"),
}


def test_the_environments_on_clusters(kfgit: Kfgit, project: MakeProject, tmp_path: Path) -> None:
    root, output = project(MANY), tmp_path / "output"
    event = {
        "GITHUB_EVENT_PATH": written(tmp_path / "event.json", {"repository": {"default_branch": "main"}})
    }

    def listed(*argv: str, env: Mapping[str, str] | None = None) -> Any:
        told = kfgit(
            "github", "environments", *argv, cwd=root, env={"GITHUB_OUTPUT": str(output), **(env or {})}
        )
        assert told.code == 0
        assert output.read_text().splitlines()[-1] == f"environments={told.out.strip()}"
        return json.loads(told.out)

    assert listed() == ["free", "prod", "staging"]
    assert listed("--branch", "main") == ["staging"]
    assert listed("--branch", "main", env=event) == ["free", "staging"]
    assert listed("--branch", "env/prod", env=event) == ["prod"]
    assert listed("--branch", "feature", env=event) == []
    assert listed("--only", "") == []
    assert listed("--only", '["staging", "prod"]') == ["prod", "staging"]
    assert listed("--only", "staging, prod") == ["prod", "staging"]
    assert listed("--only", '["staging", "prod"]', "--only", "prod free") == ["prod"]
    assert listed("--only", '["staging"]', "--only", "prod") == []
    assert kfgit("github", "environments", "-o", "json", cwd=root).json["items"][1] == {
        "name": "prod",
        "branch": "env/prod",
    }


def test_names_that_are_none_are_told(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit("github", "environments", "--only", "dev prd prod", cwd=project(MANY))
    assert (told.code, told.out) == (0, '["prod"]\n')
    assert "`dev` is not on a cluster: it is left out" in told.err
    assert "`prd` is no environment of this commit: it is left out" in told.err


@pytest.mark.parametrize("only", ["[", "[1]", '["a"', "[[]]", "[" * 9_000])
def test_a_list_that_is_none(kfgit: Kfgit, project: MakeProject, only: str) -> None:
    assert kfgit("github", "environments", "--only", only, cwd=project(MANY)).code == 64


def test_a_source_that_nobody_can_read_ends_it(kfgit: Kfgit, project: MakeProject, tmp_path: Path) -> None:
    root, output = project({**MANY, "environments/prod.yaml": "kind: ["}), tmp_path / "output"
    told = kfgit("github", "environments", cwd=root, env={"GITHUB_OUTPUT": str(output)})
    assert (told.code, told.out, output.exists()) == (1, "", False)
    assert "environments/prod.yaml" in told.err
