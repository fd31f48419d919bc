"""Two commits of a real repository: which environments are compared, and what is read of them once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from kfgit import comparison, driver
from kfgit.backend import NotFound
from kfgit.diff import Diff, EnvironmentDiff
from kfgit.project import commits
from tests.cli.conftest import BASE, CLUSTER, COURSE, GREET, HELLO, NIGHTLY, STAGING, run_document
from tests.comparing import told
from tests.project.repository import Git, repository

FILES = {**BASE, "environments/staging.yaml": STAGING, "environments/prod/environment.yaml": CLUSTER}


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return repository(tmp_path / "repo", FILES)


def revisions(root: Path, base: str, head: str, names: Sequence[str] = ()) -> Diff:
    with commits.opened(root, base) as old, commits.opened(root, head) as new:
        return comparison.of_commits(old, new, names)


def compared(
    git: Git, base: str = "HEAD~1", head: str = "HEAD", *names: str
) -> Mapping[str, EnvironmentDiff]:
    found = revisions(git.root, base, head, names)
    return {each.environment: each for each in found.environments}


def test_all_environments_in_the_projects_order(git: Git) -> None:
    git.commit({"pipelines/nightly.yaml": NIGHTLY})
    found = compared(git)
    assert list(found) == ["prod", "staging"]
    assert {name: told(each) for name, each in found.items()} == {
        "prod": {"schedule/nightly": "added"},
        "staging": {"schedule/nightly": "added"},
    }
    assert list(compared(git, "HEAD~1", "HEAD", "staging")) == ["staging"]
    assert list(compared(git, "HEAD~1", "HEAD", "local", "local")) == ["local"]


def test_not_all_sides_of_many_environments_are_kept(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are there for pictures, and would fill the memory: what is said stays the same."""
    git.commit(
        {"pipelines/hello.yaml": HELLO.replace("Greet somebody", "Greet"), "pipelines/nightly.yaml": NIGHTLY}
    )
    whole = compared(git)
    monkeypatch.setattr(comparison, "_MOST_DRAWN", 3)
    found = compared(git)
    assert {name: told(each) for name, each in found.items()} == {
        name: told(each) for name, each in whole.items()
    }
    sides = [
        change.after is not None
        for each in found.values()
        for change in each.changes
        if change.kind == "Pipeline"
    ]
    assert sides == [True, False]


def test_what_only_one_environment_looks_at(git: Git) -> None:
    git.commit({"environments/prod/nightly.yaml": NIGHTLY})
    found = compared(git)
    assert {name: told(each) for name, each in found.items()} == {
        "prod": {"schedule/nightly": "added"},
        "staging": {},
    }


def test_an_environment_is_checked_once_where_nothing_differs_that_it_looks_at(git: Git) -> None:
    git.commit({"environments/prod/nightly.yaml": NIGHTLY, "README.md": "Read me."})
    with commits.opened(git.root, "HEAD~1") as one, commits.opened(git.root, "HEAD") as other:
        old, new = driver.load_from(one), driver.load_from(other)
        after = comparison.seen(new, "staging")
        before = comparison.as_before(old, new, after)
        assert before is not None
        assert (before.view, before.checked) == (after.view, after.checked)
        assert comparison.as_before(old, new, comparison.seen(new, "prod")) is None


def test_files_that_documents_name_count_as_well(git: Git) -> None:
    """They may lie anywhere, also in the folder of another environment or behind a link."""
    python = GREET[: GREET.index("spec:")] + "spec:\n  python: {file: ../lib/linked.py, function: greet}\n"
    code = "def greet(name: str = 'world') -> str:\n    return name\n"
    git.root.joinpath("lib").mkdir()
    git.root.joinpath("environments/prod").mkdir(exist_ok=True)
    git.root.joinpath("lib/linked.py").symlink_to("../environments/prod/code.py")
    pipeline = HELLO.replace("  outputs:\n    text: {type: string, from: $(tasks.greet.outputs.text)}\n", "")
    git.commit(
        {"components/greet.yaml": python, "environments/prod/code.py": code, "pipelines/hello.yaml": pipeline}
    )
    git.commit({"environments/prod/code.py": code.replace("return name", "return name + '!'")})
    found = compared(git)
    assert told(found["staging"]) == {"component/greet": "changed", "pipeline/hello": "changed"}
    assert told(found["staging"]) == told(found["prod"])


def test_environments_come_and_go(git: Git) -> None:
    git("rm", "-q", "environments/staging.yaml")
    git.commit(
        {"environments/dev.yaml": STAGING.replace("staging", "dev"), "pipelines/nightly.yaml": NIGHTLY}
    )
    found = compared(git)
    assert list(found) == ["dev", "prod", "staging"]
    assert found["dev"].notes == ("the environment is new",)
    assert set(told(found["dev"]).values()) == {"added"}
    assert [each.name for each in found["dev"].firings] == ["nightly"]
    assert found["staging"].notes[0].startswith("the environment is removed: ")
    assert set(told(found["staging"]).values()) == {"removed"}
    assert found["staging"].firings == ()


def test_an_environment_that_cannot_be_read_is_not_gone(git: Git) -> None:
    git.commit({"environments/staging.yaml": f"{STAGING}broken: [\n"})
    found = compared(git)
    assert list(found) == ["prod", "staging"]
    assert (told(found["staging"]), found["staging"].notes) == ({}, ())
    assert found["staging"].faults


def test_a_project_that_begins(tmp_path: Path) -> None:
    git = repository(tmp_path / "repo", FILES, below="ml/")
    git("rm", "-q", "-r", "ml")
    git.commit({"README.md": "Nothing here."})
    git.commit(
        {
            f"ml/{path}": text
            for path, text in {
                "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: x}\n",
                **FILES,
            }.items()
        }
    )
    found = revisions(git.root / "ml", "HEAD~1", "HEAD")
    assert [each.notes for each in found.environments] == [
        ("the older side has no kfgit.yaml: everything is new",)
    ] * 2
    back = revisions(git.root / "ml", "HEAD", "HEAD~1")
    assert all(each.faults or each.notes for each in back.environments)


def test_a_cluster_gets_another_commit_where_nothing_else_differs(git: Git) -> None:
    git.commit({"pipelines/smoke.yaml": run_document("onApply")})
    git.commit({"README.md": "Read me."})
    found = compared(git)
    assert [each.why for each in found["prod"].firings] == ["starts with each apply of another commit"]
    assert found["staging"].firings == ()


def test_what_templates_know_of_the_commit(git: Git) -> None:
    git.commit({"pipelines/course.yaml": COURSE.replace("All of it.", '"{{ git.sha }}"')})
    first = git("rev-parse", "HEAD")
    second = git.commit({"README.md": "Read me."})
    [change] = compared(git)["staging"].changes
    [field] = change.fields
    assert (field.before, field.after) == (first, second)


def test_a_commit_and_itself(git: Git) -> None:
    found = revisions(git.root, "HEAD", "main")
    assert found.is_empty
    assert found.base.commit == found.head.commit == git("rev-parse", "HEAD")


def test_a_pin_that_moves(git: Git) -> None:
    """The environment sees other documents then, whatever the commit itself changes."""
    first = git("rev-parse", "HEAD")
    second = git.commit({"components/greet.yaml": GREET.replace("Hello, %s!", "Hi, %s!")})
    git.commit({"environments/prod/environment.yaml": f"{CLUSTER}  pin: {{commit: {first}}}\n"})
    git.commit({"environments/prod/environment.yaml": f"{CLUSTER}  pin: {{commit: {second}}}\n"})
    found = compared(git)
    assert told(found["prod"]) == {
        "component/greet": "changed",
        "pipeline/hello": "changed",
        "environment/prod": "changed",
    }
    assert told(found["staging"]) == {}


@pytest.mark.parametrize(("pin", "code"), [("a" * 40, "pin-not-found"), ("0" * 40, "wrong-type")])
def test_a_pin_that_leads_nowhere_says_nothing_of_the_rest(git: Git, pin: str, code: str) -> None:
    git.commit({"environments/prod/environment.yaml": f"{CLUSTER}  pin: {{commit: {pin}}}\n"})
    found = compared(git)["prod"]
    assert ([fault.code for fault in found.faults], told(found)) == ([code], {})
    back = compared(git, "HEAD", "HEAD~1")["prod"]
    assert (back.faults, told(back)) == ((), {})
    assert back.notes == ("the older side cannot be read: what differs is not known",)


def test_two_environments(git: Git) -> None:
    git.commit({"environments/prod/nightly.yaml": NIGHTLY})
    with commits.opened(git.root) as commit:
        found: Diff = comparison.of_environments(commit, "staging", "prod")
        assert (found.base.label, found.head.label) == ("staging", "prod")
        assert told(found.environments[0]) == {"schedule/nightly": "added", "environment/prod": "changed"}
        with pytest.raises(NotFound, match="no environment `pord`"):
            comparison.of_environments(commit, "staging", "pord")


def test_unknown_names(git: Git) -> None:
    with pytest.raises(NotFound, match="no environment `pord`"):
        compared(git, "HEAD", "HEAD", "pord")
    with pytest.raises(NotFound, match="no commit `nope`"):
        compared(git, "nope", "HEAD")
