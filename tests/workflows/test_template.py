"""A new user makes a repository of the template, and goes on by its own README: every command there is typed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.docs.markdown import Fence, fences
from tests.workflows.events import Run
from tests.workflows.gh import gh
from tests.workflows.team import Site, Team, kfgit, team

_GITCONFIG = "[user]\n  name = ada\n  email = ada@example.com\n[commit]\n  gpgsign = false\n"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a repository, its README, and a home."""

    team: Team
    folder: Path
    home: Path

    def type(self, section: str, number: int = 0) -> list[Run]:
        """Types a block of the README; the workflows that it starts."""
        fence = self._blocks(section)[number]
        return [run for line in fence.text.splitlines() for run in self._type(line)]

    def by_hand(self, *lines: str) -> list[Run]:
        """Types what a user knows without a README."""
        return [run for line in lines for run in self._type(line)]

    def edit(self, path: str, *changes: tuple[str, str]) -> None:
        """Changes lines of a file, each of which is there once."""
        text = (self.folder / path).read_text()
        for pattern, new in changes:
            text, count = re.subn(pattern, new, text)
            assert count == 1, pattern
        (self.folder / path).write_text(text)

    def connect(self, site: Site) -> None:
        """What the README wants in an environment's document, and the files of credentials."""
        spaces = (r"(?<=context: )\S+", "tests"), (r"(?<=namespace: )\S+", site.namespace)
        server = (r"(?<=endpoint: )\S+", site.server.url), (r" +pipelineRoot: .*\n", "")
        self.edit(f"environments/{site.name}/environment.yaml", *spaces, *server)

    def _blocks(self, section: str) -> list[Fence]:
        return [
            each
            for each in fences(self.folder / "README.md")
            if each.section == section and each.language == "sh"
        ]

    def _type(self, line: str) -> list[Run]:
        if line.startswith("gh "):
            return gh(self.team.hub, self.folder, self.home, line)
        path = {"PATH": self.team.hub.programs["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}
        cache = {"KFGIT_CACHE": os.environ.get("KFGIT_CACHE") or str(Path.home() / ".cache" / "kfgit")}
        done = subprocess.run(
            ["bash", "-ec", line], cwd=self.folder, env={**path, **cache}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return self.team.hub.pushed()


@pytest.fixture
def user(cluster: Cluster, tmp_path: Path) -> Iterator[User]:
    with team(cluster, tmp_path) as found:
        home, folder = tmp_path / "home", tmp_path / "models"
        home.mkdir()
        (home / ".gitconfig").write_text(_GITCONFIG)
        for name in found.sites:
            (home / name).mkdir()
            for suffix, reader in (("", ""), ("-plan", "-reader")):
                secrets = found.hub.secrets.pop(f"{name}{suffix}")
                (home / name / f"kubeconfig{reader}").write_text(secrets["KUBECONFIG"])
                (home / name / f"token{reader}").write_text(secrets["KFP_TOKEN"] + "\n")
        found.hub.rest.actions_may_open_pulls = False
        kfgit(tmp_path, "init", str(folder), "--template", "examples", "--github")
        yield User(found, folder, home)


def ends(runs: list[Run]) -> list[tuple[str, str]]:
    """What ran, and how it ended; for whoever reads a failure with everything that was said."""
    for run in runs:
        print(run.log)
    return [(run.workflow, run.conclusion) for run in runs]


def test_the_template_goes_by_its_own_readme(user: User) -> None:
    staging, prod = user.team.sites["staging"], user.team.sites["prod"]
    assert user.type("On this machine") == []
    assert ends(user.type("On GitHub")) == [("kfgit-sync", "success"), ("kfgit-sync", "skipped")]
    user.connect(staging)
    assert ends(user.type("Connect staging")) == [("kfgit-sync", "success")]
    assert "train-deploy" in staging.names("pipelines")
    assert user.type("Connect staging", 1) == []
    steals(user)
    changes(user)
    assert prod.names("pipelines") == []
    promotes(user)
    assert prod.crons()["weekly-retrain"].startswith("0 0 4 ")
    assert ends(user.type("Go back")) == [("kfgit-sync", "success")]
    promotes(user, by_block=False)
    assert prod.crons()["weekly-retrain"].startswith("0 0 2 ")
    drifts(user)


def steals(user: User) -> None:
    """A branch that says to be staging's gets no secret."""
    path = "environments/staging/environment.yaml"
    user.by_hand("git switch -qc theft")
    user.edit(path, (r"branch: main", "branch: theft"))
    (run,) = user.by_hand("git commit -qam Theft", "git push -q origin theft", "git switch -q main")
    assert [(job.name, job.conclusion, len(job.steps)) for job in run.jobs][1:] == [
        ("sync (staging)", "failure", 0)
    ]


def changes(user: User) -> None:
    """With a mistake at first."""
    path, hub = "pipelines/weekly-retrain.yaml", user.team.hub
    user.edit(path, (r'"0 2 \* \* 1"', '"0 4 * * 9"'))
    told = ends(user.type("Change something"))
    assert told == [("kfgit-sync", "success"), ("kfgit-pull-request", "failure")]
    number = hub.rest.pulls[-1].number
    (comment,) = hub.comments(number)
    assert f"{path}:1" in comment
    user.edit(path, (r'"0 4 \* \* 9"', '"0 4 * * 1"'))
    assert ends(user.by_hand("git commit -qam Mended", "git push -q"))[-1] == (
        "kfgit-pull-request",
        "success",
    )
    diff, plan = hub.comments(number)
    assert "weekly-retrain" in diff
    assert "Nothing to do in" in plan
    assert ends(user.type("Change something", 1)) == [("kfgit-sync", "success")]


def promotes(user: User, *, by_block: bool = True) -> None:
    """The README's block connects production too."""
    if by_block:
        user.connect(user.team.sites["prod"])
        assert ends(user.type("Promote")) == [("kfgit-sync", "success"), ("kfgit-promote", "success")]
    else:
        again = "gh workflow run kfgit-promote.yaml -f from=staging -f to=prod"
        assert ends(user.by_hand(again)) == [("kfgit-promote", "success")]
    pull = user.team.hub.rest.pulls[-1]
    assert pull.base == "prod"
    assert ends(user.team.hub.merge(pull.number)) == [("kfgit-sync", "success")]


def drifts(user: User) -> None:
    """Somebody removes a schedule of production."""
    prod = user.team.sites["prod"]
    for schedule in prod.kfp("GET", "recurringruns")["recurringRuns"]:
        prod.kfp("DELETE", f"recurringruns/{schedule['recurring_run_id']}")
    assert ends(user.type("What others change")) == [("kfgit-drift", "success")]
    (issue,) = user.team.hub.rest.issues
    assert issue.title == "prod is not as its branch says"
    assert "schedule/weekly-retrain" in issue.body
