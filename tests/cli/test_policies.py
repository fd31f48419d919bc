"""Policies at the doors: what is refused is shown first, names its place, and ends with 3; the rules' own tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import LOCAL, Kfgit, MakeProject
from tests.project.repository import repository

SOURCES = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {{name: hello}}
spec: {{tasks: {{a: {{component: {{container: {{image: "e.com/a:1", script: echo {word}}}}}}}}}}}
---
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {{name: nightly}}
spec: {{pipeline: hello, cron: "0 {hour} * * *"}}
"""


def files(policies: str, word: str = "hello", hour: int = 2) -> Mapping[str, str]:
    return {
        "environments/local.yaml": LOCAL.rstrip() + f"\n  policies:\n{policies}",
        "pipelines/p.yaml": SOURCES.format(word=word, hour=hour),
    }


@pytest.fixture
def applied(kfgit: Kfgit, project: MakeProject) -> MakeProject:
    """A project that is live already; what is made of it next is the change."""
    root = project(files("    pinnedImages: false\n"))
    assert kfgit("apply", cwd=root).code == 0
    return project


PROTECTED = "    protected: [schedule/night*]\n"


def test_what_is_protected_is_shown_and_refused(kfgit: Kfgit, applied: MakeProject) -> None:
    root = applied(files(PROTECTED, hour=3))
    told = kfgit("plan", "--out", "plan.json", cwd=root)
    assert told.code == 3
    assert "replace" in told.out
    assert "schedule/nightly would be replaced, and `schedule/night*` is protected" in told.err
    assert "pipelines/p.yaml:8:18" in told.err
    assert "the policies of `local` forbid this" in told.err
    assert not (root / "plan.json").exists()
    before = kfgit("schedules", "list", "-o", "json", cwd=root).json
    told = kfgit("apply", cwd=root)
    assert told.code == 3
    assert "policy-protected" in told.err
    assert kfgit("schedules", "list", "-o", "json", cwd=root).json == before
    # What is not protected is no matter of this policy; a schedule of the newest version changes with its pipeline.
    assert kfgit("plan", cwd=applied(files("    protected: [schedule/other]\n", hour=3))).code == 0
    assert kfgit("plan", cwd=applied(files(PROTECTED, word="bye"))).code == 3


def test_machines_and_pull_requests_are_told_in_the_plan(kfgit: Kfgit, applied: MakeProject) -> None:
    root = applied(files(PROTECTED, hour=3))
    told = kfgit("plan", "-o", "json", cwd=root)
    assert told.code == 3
    [remark] = told.json["remarks"]
    assert remark == (
        "refused by policy-protected: schedule/nightly would be replaced, and `schedule/night*` is protected "
        "(pipelines/p.yaml:8)"
    )
    assert "policy-protected" in kfgit("plan", "-o", "markdown", cwd=root).out


def test_one_that_warns_is_told_and_done(kfgit: Kfgit, applied: MakeProject) -> None:
    root = applied(files("    protected: {value: [schedule/nightly], level: warn}\n", hour=3))
    assert kfgit("plan", "--out", "plan.json", cwd=root).code == 0
    assert (root / "plan.json").exists()
    told = kfgit("apply", cwd=root)
    assert told.code == 0
    assert "warning[policy-protected]" in told.err


CHANGES = """\
    rules:
      - name: no-earlier
        kinds: [Schedule]
        actions: [update, replace]
        require: "!change.diff.exists(d, d.path == 'cron')"
        message: ask the data team before a schedule moves
"""


def test_a_rule_about_changes(kfgit: Kfgit, applied: MakeProject) -> None:
    root = applied(files(CHANGES, hour=3))
    assert kfgit("validate", cwd=root).code == 0
    for command in ("plan", "apply"):
        told = kfgit(command, cwd=root)
        assert told.code == 3
        assert (
            "schedule/nightly would be replaced, which breaks the rule `no-earlier`: "
            "ask the data team before a schedule moves" in told.err
        )
    assert kfgit("apply", cwd=applied(files(CHANGES, word="bye"))).code == 0


def window(start: timedelta, end: timedelta) -> str:
    now = datetime.now(UTC)
    first, last = ((now + each).strftime("%Y-%m-%dT%H:%M:%SZ") for each in (start, end))
    return f"    freeze: [{{start: {first}, end: {last}, reason: year-end closing}}]\n"


FROZEN = window(-timedelta(days=1), timedelta(days=1))


def test_a_freeze_lets_people_look_ahead_and_changes_nothing(kfgit: Kfgit, applied: MakeProject) -> None:
    root = applied(files(FROZEN, hour=3))
    before = kfgit("schedules", "list", "-o", "json", cwd=root).json
    assert kfgit("validate", cwd=root).code == 0
    told = kfgit("plan", "--out", "plan.json", cwd=root)
    assert told.code == 0
    assert "`local` is frozen until" in told.out
    assert "apply refuses changes" in told.out
    for words in (["apply"], ["apply", "--plan", "plan.json"], ["destroy", "-e", "local", "--yes"]):
        told = kfgit(*words, cwd=root)
        assert told.code == 3
        assert "is frozen until" in told.err
        assert "year-end closing" in told.err
    assert kfgit("schedules", "list", "-o", "json", cwd=root).json == before


def test_a_freeze_is_no_matter_where_nothing_changes_or_it_is_over(
    kfgit: Kfgit, applied: MakeProject
) -> None:
    assert kfgit("apply", cwd=applied(files(FROZEN))).code == 0
    past = window(-timedelta(days=2), -timedelta(days=1))
    assert kfgit("apply", cwd=applied(files(past, hour=3))).code == 0
    future = window(timedelta(days=1), timedelta(days=2))
    assert kfgit("apply", cwd=applied(files(future, hour=4))).code == 0


def test_a_freeze_that_only_warns(kfgit: Kfgit, applied: MakeProject) -> None:
    root = applied(files("    freeze: {value: true, level: warn}\n", hour=3))
    told = kfgit("apply", cwd=root)
    assert told.code == 0
    assert "warning[policy-freeze]: `local` is frozen" in told.err


def test_a_run_that_holds_too_much_is_refused_everywhere(kfgit: Kfgit, project: MakeProject) -> None:
    sources = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: wide}
spec:
  tasks:
    l:
      forEach: [1, 2, 3]
      tasks:
        t:
          component: {container: {image: "e.com/a:1", script: echo}}
          resources: {accelerator: {resource: nvidia.com/gpu, count: 2}}
"""
    root = project({**files("    maxGpusPerRun: 4\n"), "pipelines/w.yaml": sources})
    assert kfgit("validate", cwd=root).code == 1
    for words in (["plan"], ["apply"], ["run", "wide"]):
        told = kfgit(*words, cwd=root)
        assert told.code == 3
        assert "holds at most 6 GPUs at once: l/t 3 × 2; this environment allows 4" in told.err


# --- the rules' own tests

RULES = """\
    rules:
      - name: owner
        kinds: [Pipeline]
        require: has(resource.metadata.labels) && has(resource.metadata.labels.owner)
        tests:
          - {name: with an owner, resource: {metadata: {labels: {owner: ml}}}, passes: true}
          - {name: without, resource: {metadata: {name: a}}, passes: false}
      - name: no-deletes
        actions: [delete]
        require: environment.name != 'local'
        level: warn
"""


def test_tests_that_pass(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({"environments/local.yaml": LOCAL.rstrip() + f"\n  policies:\n{RULES}"})
    told = kfgit("policy", "test", cwd=root)
    assert told.code == 0
    assert told.out == (
        "owner  environments/local.yaml:8, in local\n"
        "  ✓ with an owner\n"
        "  ✓ without\n"
        "\n"
        "no-deletes  environments/local.yaml:14, in local\n"
        "  no tests\n"
        "\n"
        "2 rules, 2 tests: all pass; 1 rule without tests\n"
    )


def test_a_test_that_fails(kfgit: Kfgit, project: MakeProject) -> None:
    text = LOCAL.rstrip() + f"\n  policies:\n{RULES.replace('passes: false', 'passes: true')}"
    root = project({"environments/local.yaml": text})
    told = kfgit("policy", "test", cwd=root)
    assert told.code == 1
    assert "  ✗ without\n      expected: it holds; got: it refuses: it does not hold\n" in told.out
    assert "      environments/local.yaml:13\n" in told.out
    assert told.out.endswith("2 rules, 2 tests: 1 failed; 1 rule without tests\n")
    told = kfgit("policy", "test", "-o", "json", cwd=root)
    assert told.code == 1
    assert told.json["kind"] == "PolicyTests"
    assert told.json["summary"] == {"rules": 2, "tests": 2, "failed": 1, "untested": 1}
    assert [each["level"] for each in told.json["rules"]] == ["block", "warn"]
    assert told.json["rules"][0]["tests"][1] == {
        "name": "without", "file": "environments/local.yaml", "line": 13, "passed": False, "expected": "passes",
        "got": "refused", "why": "it does not hold",
    }  # fmt: skip
    told = kfgit("policy", "test", "-o", "github", cwd=root)
    assert told.code == 1
    assert told.out.startswith("::error file=environments/local.yaml,line=13")


def test_rules_of_the_project_are_told_once(kfgit: Kfgit, project: MakeProject) -> None:
    rules = """\
spec:
  policies:
    rules:
      - name: not-in-dev
        require: environment.name != 'dev'
        tests: [{name: it, passes: true}]
      - name: anywhere
        require: "true"
        tests: [{name: it, passes: true}]
"""
    head = "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n"
    dev = "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: dev}\n"
    root = project({"kfgit.yaml": head + rules, "environments/dev.yaml": dev})
    told = kfgit("policy", "test", cwd=root)
    assert told.code == 1
    lines = [line for line in told.out.splitlines() if "kfgit.yaml" in line and ", in " in line]
    assert lines == [
        "not-in-dev  kfgit.yaml:7, in dev", "not-in-dev  kfgit.yaml:7, in local",
        "anywhere  kfgit.yaml:10, in dev, local",
    ]  # fmt: skip
    assert kfgit("policy", "test", "-e", "local", cwd=root).code == 0


def test_a_rule_that_is_none_ends_it_and_mistakes_elsewhere_do_not(
    kfgit: Kfgit, project: MakeProject
) -> None:
    broken = LOCAL.rstrip() + "\n  policies: {rules: [{name: a, require: resource.}]}\n"
    told = kfgit("policy", "test", cwd=project({"environments/local.yaml": broken}))
    assert told.code == 1
    assert "bad-rule" in told.err
    sound = LOCAL.rstrip() + f"\n  policies:\n{RULES}"
    root = project({"environments/local.yaml": sound, "pipelines/p.yaml": "kind: Pipelin\n"})
    assert kfgit("policy", "test", cwd=root).code == 0


def test_no_rules(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit("policy", "test", cwd=project({}))
    assert (told.code, told.out) == (0, "0 rules, 0 tests\n")
    assert json.loads(kfgit("policy", "test", "-o", "json", cwd=Path.cwd() / "project").out)["rules"] == []


QUOTA = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: gpu}
spec: {accelerator: {resource: nvidia.com/gpu}, quota: {nvidia.com/gpu: 2}}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: p}
spec:
  tasks:
    sweep:
      forEach: [1, 2, 3]
      tasks: {t: {component: {container: {image: "e.com/a:latest", script: echo}}, profile: gpu}}
"""


@pytest.mark.parametrize(
    ("policies", "why"),
    [
        ("{}", "the quotas of `local` have no room for this: quota-exceeded"),
        (
            "{maxGpusPerRun: 1}",
            (
                "the policies of `local` forbid this: policy-max-gpus-per-run; "
                "the quotas of `local` have no room for this: quota-exceeded"
            ),
        ),
    ],
)
def test_what_a_quota_refuses_is_not_called_a_policy(
    kfgit: Kfgit, tmp_path: Path, policies: str, why: str
) -> None:
    head = "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: local}\nspec:\n"
    target = "  target: {type: cluster, namespace: ml, kfp: {endpoint: 'https://kfp.example.com'}}\n"
    documents = {
        "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n",
        "environments/local.yaml": f"{head}{target}  policies: {policies}\n",
        "pipelines/p.yaml": QUOTA,
    }
    root = repository(tmp_path / "repo", documents).root
    told = kfgit("plan", cwd=root)
    assert told.code == 3
    assert why in told.err
    assert "give `sweep` `parallelism: 2`, with which it holds 2, give the profile a `queue`" in told.err
