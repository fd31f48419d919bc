"""What validate remembers of environments with pins: as in `test_answers`, it is what would be said."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from kfgit import answers, driver, project
from kfgit.answers import Memory
from tests.project.repository import Git
from tests.spine.test_answers import (
    EDITS,
    PROD,
    Edit,
    Move,
    Put,
    everything,
    remembering,
    repository,
    told,
    write,
)

STABLE = "environments/stable.yaml"


def pinned(pin: str, name: str = "stable") -> str:
    return PROD.replace("prod", name).replace("spec:\n", f"spec:\n  pin: {{commit: '{pin}'}}\n")


def committed(root: Path, parts: int = 20, works: int = 20) -> tuple[Git, str]:
    """The project of `test_answers` in git, with an environment that stays at its first commit."""
    repository(root, parts, works)
    write(root / ".gitignore", ".cache\n")
    git = Git(root)
    git("init", "--quiet", "--initial-branch=main")
    return git, git.commit()


@settings(max_examples=10)
@given(
    edits=st.lists(st.tuples(st.sampled_from(EDITS), st.sampled_from((0, 3, 4, 10))), min_size=1, max_size=5)
)
def test_what_is_remembered_is_what_would_be_said(
    edits: list[tuple[Edit | Move | Put, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("project")
    _, first = committed(root)
    write(root / STABLE, pinned(first))
    for edit, number in edits:
        edit.make(root, number)
        assert told(root) == everything(root)
    assert told(root) == everything(root)


def test_an_answer_is_remembered_as_long_as_the_pin_means_the_same(tmp_path: Path) -> None:
    git, first = committed(tmp_path)
    git("checkout", "--quiet", "-b", "aside")
    faulty = (tmp_path / "components/part-3.yaml").read_text().replace("image: i", "image: [")
    aside = git.commit({"components/part-3.yaml": faulty})
    git("checkout", "--quiet", "main")
    write(tmp_path / STABLE, pinned(first[:12]))
    assert told(tmp_path).diagnostics == ()
    assert answers.answer(remembering(tmp_path)) == everything(tmp_path)
    write(tmp_path / STABLE, pinned(aside))
    assert {d.span.file for d in told(tmp_path).diagnostics} == {f"{aside[:10]}:components/part-3.yaml"}
    assert answers.answer(remembering(tmp_path)) == everything(tmp_path)
    git("branch", "-D", "aside")
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "--quiet", "--prune=now")
    assert answers.answer(remembering(tmp_path)) is None
    assert [d.code for d in told(tmp_path).diagnostics] == ["pin-not-found"]
    assert answers.answer(remembering(tmp_path)) is None


def test_a_commit_that_comes_is_seen(tmp_path: Path) -> None:
    git, first = committed(tmp_path)
    later = git("commit-tree", "-m", "later", f"{first}^{{tree}}")
    (tmp_path / ".git/objects" / later[:2] / later[2:]).rename(tmp_path / ".git/kept")
    write(tmp_path / STABLE, pinned(later))
    assert [d.code for d in told(tmp_path).diagnostics] == ["pin-not-found"]
    (tmp_path / ".git/kept").rename(tmp_path / ".git/objects" / later[:2] / later[2:])
    assert told(tmp_path).diagnostics == ()


def test_what_templates_make_of_the_pinned_commit_is_not_remembered(tmp_path: Path) -> None:
    """A tag may come to it at any time."""
    git, _ = committed(tmp_path)
    text = (tmp_path / "components/part-3.yaml").read_text()
    tagged = git.commit({"components/part-3.yaml": text.replace("image: i", 'image: "{{ git.tag }}"')})
    git.commit({"components/part-3.yaml": text, STABLE: pinned(tagged)})
    assert told(tmp_path).diagnostics != ()
    git("tag", "docker.io-i", tagged)
    assert told(tmp_path) == everything(tmp_path)


@pytest.mark.parametrize("key", ["pin", '"p\\u0069n"'])
def test_two_processes_leave_it_to_one(tmp_path: Path, key: str) -> None:
    _, first = committed(tmp_path, 200, 200)
    assert answers.by_two(driver.read(tmp_path), (), None) == everything(tmp_path)
    write(tmp_path / STABLE, pinned(first).replace("pin:", f"{key}:"))
    memory = Memory(tmp_path / ".cache", tmp_path, (), time.time_ns())
    assert answers.by_two(project.read(tmp_path, None), (), memory) is None
