"""Pull requests of strangers in the workflows themselves: what a branch, a title or a commit says stays a text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.github.obeyed import commands_in
from tests.hostile.pulls import BASE, EVIL, PULLS, SECRET, commit
from tests.hostile.tame import is_tame_markdown
from tests.project.repository import Git
from tests.workflows.events import Run
from tests.workflows.hub import Hub, hub
from tests.workflows.team import kfgit
from tests.workflows.uses import branches

# What git takes for a branch. Blanks it does not, but a shell has others.
BRANCHES = [
    "$(touch${IFS}PWNED)",
    "`touch${IFS}PWNED`",
    "\";touch${IFS}PWNED;'&&touch${IFS}PWNED&&'",
    "x|tee${IFS}PWNED>PWNED",
    "${{github.token}}</details><img/src=x>@acme/team\u202e",
]


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Hub]:
    with hub(tmp_path / "github") as found:
        yield found


@pytest.fixture
def git(github: Hub, tmp_path: Path) -> Git:
    """A clone of a sound repository with the workflows, which has been pushed."""
    git = Git(tmp_path / "clone")
    git.root.mkdir()
    git("init", "--quiet", "--initial-branch=main")
    git("remote", "add", "origin", str(github.remote))
    (tmp_path / "secret.yaml").write_text(SECRET, encoding="utf-8")
    commit(git, BASE, "The first")
    kfgit(git.root, "init", "--github")
    commit(git, {}, "The workflows")
    git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    assert [run.conclusion for run in github.pushed()] == ["success"]
    github.variables["KFGIT_ENVIRONMENTS"] = '["prod"]'
    return git


def propose(github: Hub, git: Git, branch: str, title: str, *, fork: bool) -> list[Run]:
    """A branch of any name, and a pull request from it; what both start."""
    git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    runs = github.pushed()
    assert branch in branches(github.remote)
    return [*runs, *github.open_pull(branch, title=title, login="mallory", fork=fork)[1]]


def is_tame(run: Run) -> None:
    assert set(commands_in(run.log)) <= {"error", "warning"}, run.log
    assert SECRET not in run.log
    for job in run.jobs:
        assert SECRET not in job.summary
        assert job.outputs.get("environments", "") in {"", "[]"}


@pytest.mark.parametrize(
    ("name", "fork"),
    [("values", False), ("values", True), ("names", False), ("files", True), ("links", False)],
)
def test_a_hostile_commit_is_told_and_nothing_else(
    github: Hub, git: Git, tmp_path: Path, name: str, *, fork: bool
) -> None:
    git("checkout", "--quiet", "-b", "change")
    commit(git, PULLS[name][1], f"{EVIL[0]}\n\n{EVIL[7]}")
    (run,) = [
        run for run in propose(github, git, "change", EVIL[0] + EVIL[9], fork=fork) if run.event != "push"
    ]
    is_tame(run)
    assert run.job("check").step("Validate").outcome == "failure"
    is_tame_markdown(run.job("check").summary)
    comments = github.comments(1)
    assert len(comments) == (0 if fork else 1)
    for comment in comments:
        is_tame_markdown(comment.removeprefix("<!-- kfgit:diff -->\n"))
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_hostile_branch_is_a_name(github: Hub, git: Git, tmp_path: Path, branch: str) -> None:
    changed = str(BASE["pipelines/p.yaml"]).replace("default: a", "default: b")
    commit(git, {"pipelines/p.yaml": changed}, "A change")
    title = f"{EVIL[0]} {EVIL[3]} ::set-output name=environments::[1] ${{{{ github.token }}}}"
    for run in propose(github, git, branch, title, fork=False):
        is_tame(run)
        assert run.conclusion == "success", run.log
    (comment,) = github.comments(1)
    is_tame_markdown(comment.removeprefix("<!-- kfgit:diff -->\n"))
    assert not list(tmp_path.rglob("PWNED"))
