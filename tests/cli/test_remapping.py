"""What a plan and a diff say of a name of a profile that means something else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.acting import edit, sql
from tests.cli.conftest import Kfgit, MakeProject

C = "component: {container: {image: 'e.com/a:1', script: echo}}"
HEAD = "apiVersion: kfgit.dev/v1\nkind: "
PROFILES = f"""\
{HEAD}ResourceProfile
metadata: {{name: a100}}
spec: {{accelerator: {{resource: nvidia.com/gpu, model: A100}}, node: {{selector: {{gpu: a100}}}}}}
---
{HEAD}ResourceProfile
metadata: {{name: l4}}
spec: {{accelerator: {{resource: nvidia.com/gpu, model: L4}}, node: {{selector: {{gpu: l4}}}}}}
"""
ENVIRONMENT = "environments/staging.yaml"
STAGING = f"""\
{HEAD}Environment
metadata: {{name: staging}}
spec: {{mode: development, prefix: st-, target: {{type: local, executor: process}}, profiles: {{gpu: a100}}}}
"""
SENTENCE = "gpu: A100 → L4 in staging affects 2 pipelines, 3 tasks"


def pipeline(name: str, tasks: str) -> str:
    return f"{HEAD}Pipeline\nmetadata: {{name: {name}}}\nspec:\n  tasks:\n{tasks}"


FILES = {
    ENVIRONMENT: STAGING,
    "environments/local.yaml": STAGING.replace("staging", "local").replace("a100", "l4"),
    "pipelines/profiles.yaml": PROFILES,
    "pipelines/one.yaml": pipeline(
        "one", f"    train: {{{C}, profile: gpu}}\n    eval: {{{C}, profile: gpu}}\n"
    ),
    "pipelines/two.yaml": pipeline("two", f"    train: {{{C}, profile: gpu}}\n    tell: {{{C}}}\n"),
    "pipelines/none.yaml": pipeline("none", f"    tell: {{{C}}}\n"),
}


@pytest.fixture
def root(project: MakeProject, kfgit: Kfgit) -> Path:
    """A project that is applied, with `gpu` as an A100."""
    found = project(FILES)
    told = kfgit("apply", "-e", "staging", "--yes", cwd=found)
    assert told.code == 0, told
    assert SENTENCE not in kfgit("plan", "-e", "staging", cwd=found).out
    return found


def remap(root: Path) -> None:
    edit(root, ENVIRONMENT, "gpu: a100", "gpu: l4")


def test_a_plan_says_whom_it_concerns(root: Path, kfgit: Kfgit) -> None:
    remap(root)
    told = kfgit("plan", "-e", "staging", cwd=root)
    assert f"{SENTENCE}.\n" in told.out
    assert "update   pipeline/st-one\n      profile gpu: A100 → L4 in train, eval\n" in told.out
    assert "nodeSelector.labels.gpu: a100 → l4" in told.out
    page = kfgit("plan", "-e", "staging", "-o", "markdown", cwd=root).out
    assert "- gpu: `A100` → `L4` in staging affects 2 pipelines, 3 tasks" in page.partition("| object |")[0]
    assert "profile gpu: `A100` → `L4` in train, eval" in page
    found = kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json
    devices = "1 × nvidia.com/gpu"
    assert found["profiles"] == [
        {
            "name": "gpu",
            "before": {"profile": "a100", "model": "A100", "devices": devices},
            "after": {"profile": "l4", "model": "L4", "devices": devices},
            "fields": [
                {"path": "accelerator.model", "before": "A100", "after": "L4"},
                {"path": "node.selector.gpu", "before": "a100", "after": "l4"},
            ],
            "pipelines": ["st-one", "st-two"],
            "tasks": [
                {"pipeline": "st-one", "path": "train"},
                {"pipeline": "st-one", "path": "eval"},
                {"pipeline": "st-two", "path": "train"},
            ],
        }
    ]
    # It is told before it is done, and not again.
    assert SENTENCE in kfgit("apply", "-e", "staging", "--yes", cwd=root).out
    assert kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json["profiles"] == []


def test_what_an_older_kfgit_applied_is_not_guessed(root: Path, kfgit: Kfgit) -> None:
    sql(root, "UPDATE inventory SET uses = NULL", "staging")
    remap(root)
    found = kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json
    assert (found["profiles"], found["summary"]["update"]) == ([], 2)
    sql(root, """UPDATE inventory SET uses = '[{"name": 1}, null]'""", "staging")
    assert kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json["profiles"] == []


def test_a_new_name_of_the_same_meaning_is_written_down_with_the_next_apply(root: Path, kfgit: Kfgit) -> None:
    """The pipeline is as it was, and still the next plan knows what the new name meant before."""
    edit(root, ENVIRONMENT, "gpu: a100", "gpu: a100, fast: a100")
    edit(root, "pipelines/two.yaml", "profile: gpu", "profile: fast")
    edit(root, "pipelines/none.yaml", "echo", "echo none")
    told = kfgit("apply", "-e", "staging", "--yes", "-o", "json", cwd=root).json
    assert [each["name"] for each in told["results"]] == ["st-none"]
    edit(root, ENVIRONMENT, "fast: a100", "fast: l4")
    (found,) = kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json["profiles"]
    assert (found["name"], found["tasks"]) == ("fast", [{"pipeline": "st-two", "path": "train"}])


def test_an_adopted_pipeline_that_fits_has_its_uses(root: Path, kfgit: Kfgit) -> None:
    sql(root, "DELETE FROM inventory", "staging")
    told = kfgit("adopt", "-e", "staging", "*", "--yes", cwd=root)
    assert told.code == 0, told
    remap(root)
    assert SENTENCE in kfgit("plan", "-e", "staging", cwd=root).out


def test_a_diff_says_the_same(root: Path, kfgit: Kfgit) -> None:
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "one")
    remap(root)
    git(root, "commit", "-q", "-a", "-m", "two")
    told = kfgit("diff", "HEAD~1", cwd=root).out
    assert f"» profile  {SENTENCE}\n      one and two\n" in told
    page = kfgit("diff", "HEAD~1", "-o", "markdown", cwd=root).out
    assert "- gpu: `A100` → `L4` in staging affects 2 pipelines, 3 tasks: one and two" in page
    local, staging = kfgit("diff", "HEAD~1", "-o", "json", cwd=root).json["environments"]
    assert local["profiles"] == []
    (found,) = staging["profiles"]
    assert (found["name"], found["pipelines"]) == ("gpu", ["one", "two"])
    across = kfgit("diff", "--from-env", "local", "--to-env", "staging", "HEAD~1", cwd=root).out
    assert "gpu: L4 → A100 in staging affects 2 pipelines, 3 tasks" in across


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)
