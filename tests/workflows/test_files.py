"""The workflows as files: what the linters say, what init writes, and what this repository has of them itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfgit import __version__
from tests import apart
from tests.workflows import linting

OWN = apart.ROOT / ".github"
_NAMES = ("kfgit-drift", "kfgit-promote", "kfgit-pull-request", "kfgit-sync")
_BAD = """\
on: pull_request_target
jobs:
  bad:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: echo "${{ github.event.pull_request.title }} ${{ steps.nobody.outputs.x }}"
"""


def init(folder: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "kfgit", "-C", folder, "init", *words, "-o", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with what init writes."""
    folder = tmp_path_factory.mktemp("written")
    subprocess.run(["git", "init", "-q", folder], check=True)
    init(folder, "--github")
    return folder


@pytest.fixture(scope="module")
def actionlint() -> Path:
    if shutil.which("go") is None:
        pytest.skip("there is no Go, which builds actionlint")
    with apart.wanted():
        return linting.actionlint()


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "bad.yaml").write_text(_BAD)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def workflows(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted((folder / "workflows").glob("kfgit-*.yaml"))}


def test_actionlint_has_nothing_to_say(actionlint: Path, written: Path, bad: Path) -> None:
    assert linting.say(actionlint, written) == ""
    assert linting.say(actionlint, apart.ROOT) == ""
    assert {"[expression]"} <= set(re.findall(r"\[[a-z-]+\]$", linting.say(actionlint, bad), re.MULTILINE))


def test_zizmor_has_nothing_to_say(written: Path, bad: Path) -> None:
    assert linting.audit(written, "auditor") == ""
    assert linting.audit(apart.ROOT, "pedantic") == ""
    found = linting.audit(bad, "regular")
    assert {"template-injection", "dangerous-triggers", "unpinned-uses"} <= set(
        re.findall(r"\[([a-z-]+)\]", found)
    )


def test_this_repository_uses_what_init_writes(written: Path, *, accept: bool) -> None:
    """All but for the line that installs kfgit."""
    wanted = {
        name: text.replace(f'pip install "kfgit=={__version__}"', "pip install .")
        for name, text in workflows(written / ".github").items()
    }
    assert tuple(wanted) == _NAMES
    if accept:
        for name, text in wanted.items():
            (OWN / "workflows" / f"{name}.yaml").write_text(text)
    assert workflows(OWN) == wanted, "write them anew: pytest tests/workflows --accept"
    assert (OWN / "dependabot.yml").read_text() == (written / ".github" / "dependabot.yml").read_text()


def test_init_writes_into_a_project_only_what_it_lacks(tmp_path: Path) -> None:
    init(tmp_path)
    own = tmp_path / ".github" / "workflows" / "kfgit-sync.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    written = init(tmp_path, "--github")["files"]
    names = [name for name in _NAMES if name != "kfgit-sync"]
    assert written == [".github/dependabot.yml", *(f".github/workflows/{name}.yaml" for name in names)]
    assert {path: path.read_bytes() for path in before} == before
    assert init(tmp_path, "--github")["files"] == []


def test_init_in_a_repository_of_github_leaves_its_readme(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    found = init(tmp_path, "--template", "examples", "--github")["files"]
    assert "README.md" not in found
    assert "kfgit.yaml" in found
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.parametrize("name", _NAMES)
def test_what_strangers_write_goes_in_through_variables_alone(written: Path, name: str) -> None:
    text = workflows(written / ".github")[name]
    workflow = yaml.safe_load(text)
    assert "pull_request_target" not in workflow[True]
    assert workflow["permissions"] == {}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    runs = [step["run"] for step in steps if "run" in step]
    assert runs
    assert [run for run in runs if "${{" in run] == []
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert [
        name for name, told in used if not re.fullmatch(r"\S+@[0-9a-f]{40}", name) or "# v" not in told
    ] == []
    # A checkout keeps no credentials that a later step could take.
    kept = [
        s["with"].get("persist-credentials")
        for s in steps
        if s.get("uses", "").startswith("actions/checkout@")
    ]
    assert kept == [False] * len(kept)


def test_code_scanning_may_ask_for_its_run(written: Path) -> None:
    """In private repositories `upload-sarif` fails without `actions: read`, which it finds its workflow's file with."""
    jobs = yaml.safe_load(workflows(written / ".github")["kfgit-pull-request"])["jobs"]
    (may,) = (job["permissions"] for job in jobs.values() if "upload-sarif" in json.dumps(job["steps"]))
    assert may.items() >= {"actions": "read", "contents": "read", "security-events": "write"}.items()


def test_forks_get_no_secret(written: Path) -> None:
    """What needs one is a job that only runs after `check` has selected environments, which it does not for forks."""
    jobs = yaml.safe_load(workflows(written / ".github")["kfgit-pull-request"])["jobs"]
    assert "secrets." not in json.dumps(jobs["check"])
    assert jobs["plan"]["needs"] == "check"
    (select,) = (step for step in jobs["check"]["steps"] if step.get("id") == "select")
    assert "github.event.pull_request.head.repo.full_name == github.repository" in select["if"]


def test_a_plan_that_is_refused_is_told_as_well(written: Path) -> None:
    """Else the comment would go on telling of the commit before, whose plan was good."""
    plan = yaml.safe_load(workflows(written / ".github")["kfgit-pull-request"])["jobs"]["plan"]
    names = [step.get("name") for step in plan["steps"]]
    told = plan["steps"][names.index("Plan") + 1 :]
    assert [step["name"] for step in told] == ["Summarize", "Comment"]
    assert [step["if"] for step in told] == ["${{ !cancelled() && steps.plan.outcome != 'skipped' }}"] * 2
