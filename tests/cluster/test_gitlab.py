"""The pipeline of `kfgit init --gitlab`, its scripts run in order: merge requests, a merge, a revert, drift."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kfgit import __version__
from tests.cluster.cluster import Cluster
from tests.cluster.site import SCHEDULES, Site, site
from tests.gitlab.pipeline import Done, Runner
from tests.project.repository import Git

CONNECTED = {"KFGIT_ENVIRONMENTS": "prod", "KFGIT_PLAN_ENVIRONMENTS": "prod", "CI_DEFAULT_BRANCH": "main"}
SMOKE = """\
apiVersion: kfgit.dev/v1
kind: Run
metadata: {name: smoke}
spec: {pipeline: flow, trigger: onChange}
"""
WRONG = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: wrong}
spec:
  tasks: {one: {component: gret}}
"""


@dataclass(frozen=True, slots=True)
class Team:
    """A project on GitLab: people push from `site`'s folder, and `runner` does what `.gitlab-ci.yml` says."""

    site: Site
    git: Git
    runner: Runner

    def merge_request(self, files: dict[str, str], name: str, **more: str) -> dict[str, Done]:
        """The pipeline of a branch that somebody wants to be merged."""
        self.git("checkout", "--quiet", "-b", name, "main")
        sha = self.git.commit(files)
        self.git("push", "--quiet", "origin", name)
        self.git("checkout", "--quiet", "main")
        variables = {
            "CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": name, "CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED": "false",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": self.git("merge-base", "main", name),
        }  # fmt: skip
        return self.runner.pipeline(sha, {**CONNECTED, **variables, **more})

    def push(self, **more: str) -> dict[str, Done]:
        """The pipeline of what is on `main` now."""
        self.git("push", "--quiet", "origin", "main")
        who = {"GITLAB_USER_LOGIN": "bob", "CI_PIPELINE_ID": "9"}
        variables = {
            "CI_PIPELINE_SOURCE": "push",
            "CI_COMMIT_BRANCH": "main",
            "CI_COMMIT_REF_PROTECTED": "true",
        }
        return self.runner.pipeline(self.git("rev-parse", "main"), {**CONNECTED, **variables, **who, **more})


@pytest.fixture(scope="module")
def team(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    base = tmp_path_factory.mktemp("gitlab")
    with site(cluster, base) as found:
        git = Git(found.project.root)
        found.project.kfgit("init", "--gitlab")
        git.commit()
        git("init", "--quiet", "--bare", str(base / "remote"))
        git("remote", "add", "origin", str(base / "remote"))
        (base / "jobs").mkdir()
        secrets = {"KUBECONFIG": os.environ["KUBECONFIG"]}
        yield Team(found, git, Runner(base / "remote", base / "jobs", __version__, secrets))


def test_the_stories_of_a_team(team: Team) -> None:
    # The first push, while nothing is connected.
    done = team.push(KFGIT_ENVIRONMENTS="")
    assert {name: each.code for name, each in done.items()} == {"validate": 0}

    # A merge request with a mistake: it is told with its place, and nothing of the live target is asked.
    done = team.merge_request({"pipelines/wrong.yaml": WRONG}, "mistake")
    assert {name: each.code for name, each in done.items()} == {"validate": 1, "diff": 1}
    assert "pipelines/wrong.yaml:5" in done["validate"].log
    assert "did you mean `greet`" in done["validate"].log
    assert "pipelines/wrong.yaml" in done["diff"].artifacts["kfgit-diff.md"]

    # A good one, from a protected branch: it is planned, too.
    trusted = {"CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED": "true", "CI_COMMIT_REF_PROTECTED": "true"}
    done = team.merge_request({"pipelines/smoke.yaml": SMOKE}, "smoke", **trusted)
    assert {name: each.code for name, each in done.items()} == {"validate": 0, "diff": 0, "plan prod": 0}
    assert "smoke" in done["diff"].artifacts["kfgit-diff.md"]
    assert "flow" in done["plan prod"].artifacts["kfgit-plan.md"]
    assert team.site.json("history")["items"] == []

    # The merge: planned, exactly that is applied, and its runs are waited for.
    team.git("merge", "--quiet", "--no-ff", "-m", "Merge smoke", "smoke")
    done = team.push()
    assert {name: each.code for name, each in done.items()} == {"validate": 0, "sync prod": 0}
    (first,) = team.site.json("history")["items"]
    assert (first["who"], first["subject"], first["branch"], first["green"]) == (
        "bob (GitLab CI pipeline 9)", "Merge smoke", "main", True,
    )  # fmt: skip

    # At night nothing has drifted; then somebody turns a schedule off.
    night = {"CI_PIPELINE_SOURCE": "schedule"}
    assert {name: each.code for name, each in team.push(**night).items()} == {"drift prod": 0}
    team.site("schedules", "disable", "nightly")
    done = team.push(**night)
    assert {name: each.code for name, each in done.items()} == {"drift prod": 2}
    assert "schedule/nightly" in done["drift prod"].log

    # A revert is one more commit.
    team.git("revert", "--no-edit", "-m", "1", "HEAD")
    done = team.push()
    assert {name: each.code for name, each in done.items()} == {"validate": 0, "sync prod": 0}
    newest, *_ = team.site.json("history")["items"]
    assert (newest["runs"], newest["green"]) == ([], True)
    assert {name: each.code for name, each in team.push(**night).items()} == {"drift prod": 0}


def test_what_a_branch_is_called_is_never_run(team: Team, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    name = f"$(touch${{IFS}}{mark})"
    done = team.merge_request({"pipelines/schedules.yaml": SCHEDULES.replace("0 2", "0 3")}, name)
    assert {name: each.code for name, each in done.items()} == {"validate": 0, "diff": 0}
    assert not mark.exists()
