"""The pipeline of `kfgit init --gitlab`: which jobs GitLab makes of it, and what GitLab's own schema says of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from kfgit import __version__, project
from kfgit.render import gitlab
from tests import apart
from tests.gitlab.pipeline import holds, jobs, selected

# Has GitLab's own schema of the file in its wheel.
CHECK = ("check-jsonschema==0.39.0",)
FILE = ".gitlab-ci.yml"
MERGE = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_DEFAULT_BRANCH": "main"}
CONNECTED = {"KFGIT_ENVIRONMENTS": "staging, prod", "KFGIT_PLAN_ENVIRONMENTS": '["staging"]'}


def made(*environments: str, **branches: str) -> str:
    known = {**dict.fromkeys(environments), **branches}
    return gitlab.pipeline(project.gitlab_pipeline(), __version__, known)


def push(branch: str, **more: str) -> dict[str, str]:
    return {"CI_PIPELINE_SOURCE": "push", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_BRANCH": branch, **more}


def names(text: str, variables: dict[str, str]) -> list[str]:
    return [job.name for job in selected(text, variables)]


# --- which jobs there are


def test_a_merge_request_is_checked_without_credentials() -> None:
    text = made("staging", prod="production")
    assert names(text, {**MERGE, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", **CONNECTED}) == [
        "validate",
        "diff",
    ]
    assert all(job.environment is None for job in selected(text, MERGE))


def test_a_protected_branch_is_planned_for_the_environments_of_its_target() -> None:
    text = made("staging", prod="production")
    trusted = {**MERGE, "CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED": "true", **CONNECTED}
    assert names(text, {**trusted, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}) == [
        "validate", "diff", "plan staging",
    ]  # fmt: skip
    # It is not among those that are planned.
    assert names(text, {**trusted, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "production"}) == [
        "validate",
        "diff",
    ]


def test_a_push_syncs_the_environments_of_its_branch() -> None:
    text = made("staging", prod="production")
    assert names(text, push("main", **CONNECTED)) == ["validate", "sync staging"]
    assert names(text, push("production", **CONNECTED)) == ["sync prod"]
    assert names(text, push("feature", **CONNECTED)) == []
    # The first push of all, when nothing is connected yet.
    assert names(text, push("main")) == ["validate"]


def test_a_schedule_looks_for_drift_and_changes_nothing() -> None:
    text = made("staging", prod="production")
    night = {"CI_PIPELINE_SOURCE": "schedule", **CONNECTED}
    assert names(text, {**push("main"), **night}) == ["drift staging"]
    assert names(text, {**push("production"), **night}) == ["drift prod"]
    assert all(
        "apply" not in line for job in jobs(text) if job.name.startswith("drift") for line in job.script
    )


def test_one_environment_is_changed_by_one_job_at_a_time_and_only_by_its_own() -> None:
    for job in jobs(made("staging", "prod")):
        writes = any("kfgit apply" in line for line in job.script)
        assert writes == job.name.startswith("sync ")
        assert not writes or job.resource_group == job.environment is not None
        assert not writes or not job.access


def test_what_strangers_write_reaches_scripts_through_variables_alone() -> None:
    for job in jobs(made("staging")):
        for line in job.script:
            bare = line.replace('"$', "")
            assert "$" not in bare, line


@pytest.mark.parametrize(
    "told", ["staging", "staging, prod", '["prod","staging"]', "prod staging", "[staging]"]
)
def test_environments_may_be_listed_in_any_way(told: str) -> None:
    text = made("staging", "staging-eu", "eu")
    assert names(text, push("main", KFGIT_ENVIRONMENTS=told)) == ["validate", "sync staging"]


NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)


@given(st.dictionaries(NAMES, st.none() | st.text(max_size=20), max_size=4))
def test_whatever_environments_are_called_the_file_is_yaml_with_three_jobs_for_each(
    branches: dict[str, str | None],
) -> None:
    text = gitlab.pipeline(project.gitlab_pipeline(), __version__, branches)
    found: dict[str, Any] = yaml.safe_load(text)
    assert all(isinstance(key, str) for key in found)
    plain = {name for name, branch in branches.items() if gitlab.is_plain(branch)}
    assert {job.environment for job in jobs(text)} == {None, *plain}
    assert len(jobs(text)) == 2 + 3 * len(plain)
    for name in plain:
        branch = branches[name]
        assert f"sync {name}" in names(text, push(branch or "main", KFGIT_ENVIRONMENTS=name))


# --- GitLab's own word


def test_it_is_as_gitlab_publishes_that_it_shall_be(tmp_path: Path) -> None:
    with apart.wanted():
        program = apart.python("check-jsonschema", CHECK, "import check_jsonschema").with_name(
            "check-jsonschema"
        )
    asked = [str(program), "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    for text, good in (
        (made("staging", prod="no"), True),
        (made("staging").replace("script:", "scripts:"), False),
    ):
        path = tmp_path / FILE
        path.write_text(text)
        done = subprocess.run([*asked, str(path)], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == good, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ('$A == "a"', True),
        ('$A != "a"', False),
        ('$NONE == "a"', False),
        ("$NONE =~ /a/", False),
        ("$A =~ /^a$/", True),
        ('$A == "b" && $A == "a" || $B == "b"', True),
        ('$A == "b" || $B == "b" && $A == "b"', False),
        ("$A == $A", True),
    ],
)
def test_the_tests_read_conditions_as_gitlab_does(condition: str, value: bool) -> None:  # noqa: FBT001
    assert holds(condition, {"A": "a", "B": "b"}) == value
