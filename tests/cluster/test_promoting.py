"""Promotion with clusters: what ran green in staging comes to prod, and going back takes versions that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.conftest import GREET, HELLO, NIGHTLY, run_document
from tests.cluster.cluster import Cluster
from tests.cluster.forks import Forks, Told
from tests.e2e.door import Project
from tests.project.repository import Git, repository
from tests.promotion.stand import WHO
from tests.serving import serving

HOME = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {{name: {name}}}
spec:
  {mode}
  git: {git}
  target:
    type: cluster
    namespace: {namespace}
    kfp: {{endpoint: "{endpoint}"}}
"""
LAYOUTS = {
    "branches": ("{branch: main}", "{branch: prod, promotesFrom: staging, require: all}"),
    "one branch": ("{branch: main}", "{branch: main, promotesFrom: staging, require: all}"),
}
# What the lists are called in KFP's answers.
_LISTED = {"pipelines": "pipelines", "recurringruns": "recurringRuns"}


@dataclass(frozen=True, slots=True)
class Team:
    """A clone of a remote, both environments on a cluster, and KFP's side."""

    git: Git
    forks: Forks
    url: str
    branch: str

    def __call__(self, *words: str, code: int = 0) -> Told:
        (told,) = self.forks.run(self.git.root, list(words))
        assert told.code == code, f"{words} ended with {told.code}\n{told.out}\n{told.err}"
        return told

    def green(self, text: str) -> str:
        """A commit that runs green in staging."""
        made = self.git.commit({"pipelines/hello.yaml": HELLO.replace("Greet somebody", text)}, text)
        self.git("push", "-q", "origin", "main")
        self("apply", "-e", "staging", "--yes", "--wait")
        return made

    def sync(self) -> None:
        """What a workflow or the agent does after prod's branch moved on."""
        self.git("fetch", "-q", "origin")
        self("apply", "-e", "prod", "--rev", f"origin/{self.branch}", "--yes")

    def live(self, kind: str, name: str) -> dict[str, Any]:
        """What KFP has, asked past kfgit."""
        found = self._ask(f"{kind}?page_size=100")[_LISTED[kind]]
        (one,) = (each for each in found if each["display_name"] == name)
        return dict(one)

    def versions(self, pipeline: str) -> dict[str, str]:
        """The versions of a pipeline: their ids by what each is called."""
        id_ = self.live("pipelines", pipeline)["pipeline_id"]
        found = self._ask(f"pipelines/{id_}/versions?page_size=100")["pipeline_versions"]
        return {each["display_name"]: each["pipeline_version_id"] for each in found}

    def runs_version(self) -> str:
        """The version that the nightly schedule of prod runs."""
        schedule = self.live("recurringruns", "nightly")
        return str(schedule["pipeline_version_reference"]["pipeline_version_id"])

    def _ask(self, path: str) -> Any:
        told = httpx.get(f"{self.url}/apis/v2beta1/{path}", timeout=60, trust_env=False)
        assert told.is_success, told.text
        return told.json()


@pytest.fixture(params=LAYOUTS)
def team(cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Team]:
    namespace = cluster.namespace()
    kubeconfig = cluster.admin.kubeconfig(tmp_path / "kubeconfig", namespace)
    variables = {"KUBECONFIG": str(kubeconfig), "GIT_CONFIG_NOSYSTEM": "1", "KFGIT_WHO": "ada", **WHO}
    with serving(Project.new(tmp_path / "kfp"), "--no-scheduler") as server, Forks(variables) as forks:
        staging, prod = LAYOUTS[request.param]
        common = {"namespace": namespace, "endpoint": server.url}
        files = {
            "components/greet.yaml": GREET,
            "pipelines/hello.yaml": HELLO,
            "pipelines/nightly.yaml": NIGHTLY,
            "environments/staging.yaml": HOME.format(
                name="staging", mode="mode: development", git=staging, **common
            ),
            "environments/staging/smoke.yaml": run_document("onChange"),
            "environments/prod.yaml": HOME.format(name="prod", mode="mode: production", git=prod, **common),
        }
        git = repository(tmp_path / "team", files)
        bare = tmp_path / "bare.git"
        git("clone", "-q", "--bare", str(git.root), str(bare))
        git("remote", "add", "origin", str(bare))
        git("fetch", "-q", "origin")
        yield Team(git, forks, server.url, "prod" if request.param == "branches" else "main")


def test_going_back_takes_versions_that_are_there(team: Team) -> None:
    first = team.green("One")
    told = team("promote", "staging", "prod", "--yes", "-o", "json").json
    assert (told["commit"], told["result"]) == (first, "promoted")
    assert [each["name"] for each in told["requirements"]] == ["applied", "green", "pipeline/hello"]
    team.sync()
    (one,) = team.versions("hello").values()
    assert team.runs_version() == one

    team.green("Two")
    team("promote", "staging", "prod", "--yes")
    team.sync()
    both = team.versions("hello")
    (two,) = set(both.values()) - {one}
    assert team.runs_version() == two

    team("promote", "staging", "prod", "--commit", first[:12], "--yes")
    team.git("fetch", "-q", "origin")
    team.sync()
    assert team.versions("hello") == both
    assert team.runs_version() == one
    again = ("plan", "-e", "prod", "--rev", f"origin/{team.branch}", "--exit-code")
    assert team(*again).code == 0
    assert (
        team("promote", "staging", "prod", "--commit", first, "--yes", "-o", "json").json["result"]
        == "unchanged"
    )


def test_a_cluster_that_is_not_green(team: Team) -> None:
    team.git.commit(
        {"components/greet.yaml": GREET.replace("printf '# Hello'", "exit 4; printf '# Hello'")}, "Bad"
    )
    team.git("push", "-q", "origin", "main")
    team("apply", "-e", "staging", "--yes", "--wait", code=7)
    told = team("promote", "staging", "prod", "--yes", code=3)
    assert "green: run/smoke of hello FAILED" in told.err
    assert "of those that the history tells of none may" in told.err
