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
            "before": {"profile": "a100", "model": "A100", "devices": devices, "cost": None},
            "after": {"profile": "l4", "model": "L4", "devices": devices, "cost": None},
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


def test_what_a_block_of_the_task_replaces_concerns_it_not(project: MakeProject, kfgit: Kfgit) -> None:
    own = (
        "{podLabels: {kueue.x-k8s.io/queue-name: mine, kueue.x-k8s.io/priority-class: low}, "
        "emptyDirs: [{name: shm, mountPath: /dev/shm, medium: Memory}]}"
    )
    profiles = "\n---\n".join(
        f"{HEAD}ResourceProfile\nmetadata: {{name: {name}}}\n"
        f"spec: {{sharedMemory: {size}, queue: {{localQueue: {name}}}, priority: {{class: {name}}}}}"
        for name, size in (("a100", "2Gi"), ("l4", "1Gi"))
    )
    tasks = f"    own: {{{C}, profile: gpu, kubernetes: {own}}}\n    train: {{{C}, profile: gpu}}\n"
    root = project(
        {
            ENVIRONMENT: STAGING,
            "pipelines/profiles.yaml": f"{profiles}\n",
            "pipelines/p.yaml": pipeline("p", tasks),
        }
    )
    assert kfgit("apply", "-e", "staging", "--yes", cwd=root).code == 0
    remap(root)
    (told,) = kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json["profiles"]
    assert told["tasks"] == [{"pipeline": "st-p", "path": "train"}]


def test_machines_are_told_all_and_people_what_changes(root: Path, kfgit: Kfgit) -> None:
    edit(root, "pipelines/two.yaml", "tell:", "say:")
    widest = "at most 1 GPU at once: "
    assert kfgit("plan", "-e", "staging", cwd=root).out.count(widest) == 1
    assert kfgit("plan", "-e", "staging", "-o", "markdown", cwd=root).out.count(widest) == 1
    found = kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json["changes"]
    notes = {each["name"]: each["notes"] for each in found}
    assert {name for name, each in notes.items() if each} == {"st-one", "st-two"}


PRICES = {
    "pipelines/profiles.yaml": PROFILES.replace("model: A100}", "model: A100}, cost: {perHour: 4.1}").replace(
        "model: L4}", "model: L4}, cost: {perHour: 0.8}"
    )
}


def test_what_an_hour_costs_before_and_after(root: Path, kfgit: Kfgit) -> None:
    """Of what an older kfgit has applied the price is not known, and nothing is said of it."""
    edit(root, "pipelines/profiles.yaml", PROFILES, PRICES["pipelines/profiles.yaml"])
    remap(root)
    told = kfgit("plan", "-e", "staging", cwd=root)
    assert f"{SENTENCE}.\n" in told.out
    (found,) = kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json["profiles"]
    assert (found["before"]["cost"], found["after"]["cost"]) == (None, {"perHour": 0.8, "currency": "USD"})
    assert all("cost" not in each["path"] for each in found["fields"])
    assert kfgit("apply", "-e", "staging", "--yes", cwd=root).code == 0
    edit(root, ENVIRONMENT, "gpu: l4", "gpu: a100")
    told = kfgit("plan", "-e", "staging", cwd=root)
    words = "gpu: L4 → A100 in staging affects 2 pipelines, 3 tasks, 0.80 → 4.10 USD per hour"
    assert f"{words}.\n" in told.out
    assert "profile gpu: L4 → A100 in train, eval, 0.80 → 4.10 USD per hour\n" in told.out
    page = kfgit("plan", "-e", "staging", "-o", "markdown", cwd=root).out
    assert "affects 2 pipelines, 3 tasks, `0.80` → `4.10` USD per hour" in page
    (found,) = kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json["profiles"]
    assert (found["before"]["cost"]["perHour"], found["after"]["cost"]["perHour"]) == (0.8, 4.1)


def test_another_price_alone_is_no_remap(root: Path, kfgit: Kfgit) -> None:
    edit(root, "pipelines/profiles.yaml", PROFILES, PRICES["pipelines/profiles.yaml"])
    edit(root, "pipelines/two.yaml", "profile: gpu", "profile: gpu, resources: {limits: {cpu: '2'}}")
    found = kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json
    assert (found["profiles"], found["summary"]["update"]) == ([], 1)


def test_a_pipeline_around_one_that_gets_something_else_says_so(project: MakeProject, kfgit: Kfgit) -> None:
    """Its row names the pipeline, also at some depth; the tasks count once, where they stand."""
    root = project(
        {
            **FILES,
            "pipelines/outer.yaml": pipeline(
                "outer", "    inner: {pipeline: one}\n    more: {pipeline: none}\n"
            ),
            "pipelines/outmost.yaml": pipeline(
                "outmost", "    all: {pipeline: outer}\n    again: {pipeline: one}\n"
            ),
        }
    )
    assert kfgit("apply", "-e", "staging", "--yes", cwd=root).code == 0
    remap(root)
    through = "through st-one: profile gpu: A100 → L4"
    found = kfgit("plan", "-e", "staging", "-o", "json", cwd=root).json
    notes = {each["name"]: each["notes"] for each in found["changes"]}
    assert [name for name, each in notes.items() if through in each] == ["st-outer", "st-outmost"]
    assert notes["st-outmost"].count(through) == 1
    assert {name for name, each in notes.items() if each and name.startswith("st-")} == {
        "st-one", "st-two", "st-outer", "st-outmost",
    }  # fmt: skip
    assert len(found["profiles"][0]["tasks"]) == 3
    told = kfgit("plan", "-e", "staging", cwd=root).out
    assert f"update   pipeline/st-outer\n      {through}\n" in told
    assert f"{SENTENCE}.\n" in told
    page = kfgit("plan", "-e", "staging", "-o", "markdown", cwd=root).out
    assert "through st-one: profile gpu: `A100` → `L4`" in page


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
