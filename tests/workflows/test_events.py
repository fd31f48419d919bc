"""Which events start what, beside the usual pushes and pull requests, and what a job gets then. Needs no cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.workflows import runner
from tests.workflows.events import Event, Run
from tests.workflows.hub import Hub, hub
from tests.workflows.team import kfgit
from tests.workflows.uses import branches, git

STAGING = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: staging}
spec:
  git: {branch: main}
  target: {type: cluster, context: staging, namespace: ml, kfp: {endpoint: https://kfp.example.com}}
"""
_WHO = ("-c", "user.name=mona", "-c", "user.email=mona@example.com", "-c", "commit.gpgsign=false")


@pytest.fixture
def team(tmp_path: Path) -> Iterator[tuple[Hub, Path]]:
    """A repository that has been pushed, and a clone of it with a branch `change`."""
    with hub(tmp_path / "hub") as found:
        clone = tmp_path / "clone"
        kfgit(tmp_path, "init", str(clone), "--github")
        (clone / "environments" / "staging.yaml").write_text(STAGING)
        git(clone, "init", "-q", "-b", "main")
        git(clone, "remote", "add", "origin", f"file://{found.remote}")
        _commit(clone, "The first")
        found.pushed()
        git(clone, "checkout", "-q", "-b", "change")
        (clone / "components" / "greet.yaml").write_text(
            (clone / "components" / "greet.yaml").read_text() + "# changed\n"
        )
        _commit(clone, "A change")
        yield found, clone


def _commit(clone: Path, message: str) -> None:
    git(clone, "add", "-A")
    git(clone, *_WHO, "commit", "-q", "-m", message)
    git(clone, "push", "-q", "origin", "HEAD")


def _ends(run: Run) -> list[tuple[str, str]]:
    print(run.log)
    return [(job.name, job.conclusion) for job in run.jobs]


def test_dependabot_gets_the_comment_and_no_plan(team: tuple[Hub, Path]) -> None:
    """Its token may what the job says, but there are no secrets for it."""
    github, _ = team
    github.variables["KFGIT_PLAN_ENVIRONMENTS"] = '["staging"]'
    number, (run,) = github.open_pull("change", login="dependabot[bot]")
    assert _ends(run) == [("check", "success"), ("plan", "skipped")]
    assert len(github.comments(number)) == 1


@pytest.mark.parametrize("chosen", ["staging", '["staging"]', "$(touch ran)", '"; touch ran #', "--yes"])
def test_a_button_adds_nothing_to_what_may_be_synced(team: tuple[Hub, Path], chosen: str) -> None:
    """Who may press it need not be who says which environments Actions may sync."""
    github, _ = team
    github.variables["KFGIT_ENVIRONMENTS"] = '["prod"]'
    run = github.dispatch("kfgit-sync", {"environment": chosen})
    assert _ends(run) == [("select", "success"), ("sync", "skipped")]
    assert list(github.folder.rglob("ran")) == []


def test_a_merge_queue_gets_its_check(team: tuple[Hub, Path]) -> None:
    """On a branch that GitHub makes for it, without a pull request's number, and without a comment."""
    github, _ = team
    number, (run,) = github.open_pull("change")
    said = github.comments(number)
    name = f"gh-readonly-queue/main/pr-{number}-0123456"
    sha = branches(github.remote)["change"]
    git(github.remote, "update-ref", f"refs/heads/{name}", sha)
    text = git(github.remote, "show", f"{sha}:.github/workflows/kfgit-pull-request.yaml") + "\n"
    event = Event("merge_group", sha, f"refs/heads/{name}", {"action": "checks_requested", "merge_group": {}})
    assert runner.triggers(text, event)
    run = runner.run(text, "kfgit-pull-request", event, github._machine())  # noqa: SLF001
    assert _ends(run) == [("check", "success"), ("plan", "skipped")]
    assert github.comments(number) == said
    assert github.pushed() == []


@pytest.mark.parametrize(
    ("branch", "starts"),
    [
        ("main", True),
        ("team/feature", True),
        ("promote/prod-63fe53b139", False),
        ("dependabot/github_actions/actions", False),
        ("gh-readonly-queue/main/pr-7-0123456", False),
    ],
)
def test_a_branch_that_is_only_merged_syncs_nothing(
    team: tuple[Hub, Path], branch: str, *, starts: bool
) -> None:
    github, _ = team
    change = branches(github.remote)["change"]
    git(github.remote, "branch", "-D", "change")
    git(github.remote, "update-ref", f"refs/heads/{branch}", change)
    assert [run.workflow for run in github.pushed() if run.event == "push"] == ["kfgit-sync"] * starts


def test_groups_of_different_workflows_are_different(team: tuple[Hub, Path]) -> None:
    """What waits in a group is cancelled by what comes next, of whichever workflow that is."""
    _, clone = team
    files = sorted((clone / ".github" / "workflows").glob("*.yaml"))
    loaded = [yaml.safe_load(path.read_text()) for path in files]
    both = [each for workflow in loaded for each in (workflow, *workflow["jobs"].values())]
    begins = [each["concurrency"]["group"].partition("${{")[0] for each in both if "concurrency" in each]
    assert len(begins) == 5
    assert [(a, b) for a in begins for b in begins if a is not b and a.startswith(b)] == []
