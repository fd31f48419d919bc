"""`kfgit init --gitlab`: what it writes, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

from kfgit import __version__
from tests.cli.conftest import Kfgit
from tests.gitlab.pipeline import jobs, selected

FILE = ".gitlab-ci.yml"
ENVIRONMENT = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: %s}
spec:
  target: {type: cluster, namespace: ml}
"""


def test_a_new_repository_gets_jobs_for_its_environments(kfgit: Kfgit, tmp_path: Path) -> None:
    done = kfgit("init", "demo", "--template", "examples", "--gitlab", "-o", "json", cwd=tmp_path)
    assert done.code == 0
    assert FILE in done.json["files"]
    text = (tmp_path / "demo" / FILE).read_text()
    assert f'pip install --quiet "kfgit=={__version__}"' in text
    assert {job.environment for job in jobs(text)} == {None, "staging", "prod"}


def test_without_a_cluster_there_are_checks_alone(kfgit: Kfgit, tmp_path: Path) -> None:
    assert kfgit("init", "demo", "--gitlab", cwd=tmp_path).code == 0
    text = (tmp_path / "demo" / FILE).read_text()
    assert [job.name for job in jobs(text)] == ["validate", "diff"]
    assert "`kfgit init --gitlab` writes it" in text


def test_a_project_gets_only_the_pipeline_and_keeps_its_own(kfgit: Kfgit, tmp_path: Path) -> None:
    kfgit("init", "demo", cwd=tmp_path)
    root = tmp_path / "demo"
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    (root / "environments" / "eu.yaml").write_text(ENVIRONMENT % "eu" + "  git: {branch: release/eu}\n")
    told = kfgit("init", "--gitlab", cwd=root)
    assert (told.code, told.out) == (0, f"  + {FILE}\n")
    assert {path: path.read_bytes() for path in before} == before
    pushed = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "release/eu", "CI_DEFAULT_BRANCH": "main"}
    (job,) = selected((root / FILE).read_text(), {**pushed, "KFGIT_ENVIRONMENTS": "eu"})
    assert (job.name, job.environment) == ("sync eu", "eu")
    (root / FILE).write_text("mine: {}\n")
    told = kfgit("init", "--gitlab", cwd=root)
    assert (told.code, told.out, f"{FILE} is there already" in told.err) == (0, "", True)
    assert (root / FILE).read_text() == "mine: {}\n"


def test_a_new_project_leaves_the_pipeline_of_its_repository_as_it_is(kfgit: Kfgit, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("mine: {}\n")
    told = kfgit("init", "--gitlab", cwd=tmp_path)
    assert (told.code, f"{FILE} is there already" in told.err) == (0, True)
    assert (tmp_path / FILE).read_text() == "mine: {}\n"
    assert (tmp_path / "kfgit.yaml").is_file()


def test_a_branch_that_no_condition_can_name_is_told(kfgit: Kfgit, tmp_path: Path) -> None:
    kfgit("init", "demo", cwd=tmp_path)
    root = tmp_path / "demo"
    branch = '" || $CI == "true'
    (root / "environments" / "eu.yaml").write_text(ENVIRONMENT % "eu" + f"  git: {{branch: '{branch}'}}\n")
    told = kfgit("init", "--gitlab", cwd=root)
    assert (told.code, "environment `eu` gets no jobs" in told.err) == (0, True)
    assert [job.name for job in jobs((root / FILE).read_text())] == ["validate", "diff"]
