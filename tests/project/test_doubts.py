"""What speaks against a commit: the working tree, the branch, and the history of the target."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from kfgit.project import doubts
from kfgit.project.commits import opened
from tests.project.repository import Git, repository, write

A, B = "pipelines/a.yaml", "src/b.py"


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return repository(tmp_path / "repo", {A: "a: 1\n", B: "b = 1\n", ".gitignore": "*.log\n"})


def of_checkout(
    git: Git, wanted: str | None = None, rev: str | None = None, *, branch: str | None = None, below: str = "",
    sources: Collection[str] | None = None,
) -> dict[str, str]:  # fmt: skip
    with opened(git.root / below, rev, branch) as commit:
        found = doubts.of_checkout(commit, sources, wanted)
        return {doubt.flag: doubt.text for doubt in found}


def of_history(git: Git, last: str | None, rev: str | None = None) -> str | None:
    with opened(git.root, rev) as commit:
        found = doubts.of_history(commit, last)
        assert all(doubt.flag == "--allow-older" for doubt in found)
        return found[0].text if found else None


# --- the working tree


def edited(root: Path) -> None:
    write(root, {A: "a: 2\n"})


def staged(root: Path) -> None:
    write(root, {A: "a: 2\n"})
    Git(root)("add", A)
    write(root, {A: "a: 1\n"})


def removed(root: Path) -> None:
    (root / A).unlink()


def linked(root: Path) -> None:
    (root / A).unlink()
    (root / A).symlink_to("../src/b.py")


def added(root: Path) -> None:
    write(root, {"pipelines/deep/er/new.yaml": "a: 1\n"})


def elsewhere(root: Path) -> None:
    """A tracked file that is in no source."""
    write(root, {B: "b = 2\n"})


def piped(root: Path) -> None:
    (root / A).unlink()
    os.mkfifo(root / A)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (edited, A),
        (staged, A),
        (removed, A),
        (linked, A),
        (added, "pipelines/deep/er/new.yaml"),
        (elsewhere, B),
        (piped, A),
    ],
)
def test_what_makes_a_tree_dirty(git: Git, change: Callable[[Path], None], path: str) -> None:
    assert of_checkout(git) == {}
    change(git.root)
    (told,) = of_checkout(git).values()
    assert told.endswith(f"in the folder: {path}")


def test_what_does_not(git: Git) -> None:
    write(
        git.root,
        {
            ".kfgit/local/state.db": "x",
            ".kfgit/secrets/a.env": "x",
            "plan.json": "{}",
            "notes/new.yaml": "a: 1",
            "pipelines/ignored.log": "x",
        },
    )
    os.utime(git.root / A, (1, 1))
    assert of_checkout(git) == {}
    assert of_checkout(git, sources=["notes/", "./pipelines"])["--allow-dirty"].endswith(": notes/new.yaml")
    assert of_checkout(git, sources=["."])["--allow-dirty"].endswith(": notes/new.yaml, plan.json")


def test_files_tracked_below_kfgit_never_count(git: Git) -> None:
    """Somebody added them by force."""
    git.commit({".kfgit/local/note": "one"})
    write(git.root, {".kfgit/local/note": "two"})
    assert of_checkout(git) == {}


def test_only_the_project_counts(tmp_path: Path) -> None:
    git = repository(tmp_path / "repo", {A: "a: 1\n"}, "ml/")
    git.commit({"other/pipelines/x.yaml": "a: 1\n"})
    write(git.root, {"other/pipelines/x.yaml": "a: 2\n", "pipelines/y.yaml": "a: 1\n"})
    assert of_checkout(git, below="ml") == {}
    write(git.root / "ml", {A: "a: 2\n"})
    assert of_checkout(git, below="ml")["--allow-dirty"].endswith(f": {A}")


def test_many_changes_are_counted(git: Git) -> None:
    write(git.root, {f"pipelines/n{n:04}.yaml": "a: 1\n" for n in range(2000)})
    told = of_checkout(git)["--allow-dirty"]
    assert told.endswith("pipelines/n0000.yaml, pipelines/n0001.yaml, pipelines/n0002.yaml and 1997 more")


def test_names_with_anything_in_them_are_told_as_text(git: Git) -> None:
    write(git.root, {os.fsdecode(b"pipelines/\xff\n.yaml"): "a: 1\n", "pipelines/ü -> x.yaml": "a: 1\n"})
    told = of_checkout(git)["--allow-dirty"]
    assert told.endswith(": pipelines/ü -> x.yaml, pipelines/\ufffd\n.yaml")
    told.encode()


def test_another_commit_than_the_one_checked_out_is_wanted_whatever_the_folder_holds(git: Git) -> None:
    first = git("rev-parse", "HEAD")
    git.commit({A: "a: 2\n"})
    edited(git.root)
    write(git.root, {A: "a: 3\n"})
    assert of_checkout(git, rev=first) == {}
    assert set(of_checkout(git, rev="HEAD")) == {"--allow-dirty"}


def test_a_file_of_lfs_that_was_only_touched(git: Git) -> None:
    """Without git-lfs, which is not run, git takes it for changed."""
    data = b"\x00data" * 1000
    digest = hashlib.sha256(data).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n"
    git.commit({"data/big.bin": pointer, ".gitattributes": "*.bin filter=lfs -text\n"})
    git("config", "filter.lfs.clean", "false")
    git("config", "filter.lfs.required", "true")
    write(git.root, {"data/big.bin": data})
    assert of_checkout(git) == {}
    write(git.root, {"data/big.bin": data + b"more"})
    assert of_checkout(git)["--allow-dirty"].endswith(": data/big.bin")


def test_a_changed_submodule_is_no_business_of_ours(git: Git, tmp_path: Path) -> None:
    other = repository(tmp_path / "other")
    git("submodule", "--quiet", "add", str(other.root), "vendor/other")
    git.commit()
    Git(git.root / "vendor/other").commit({"x": "y"})
    assert of_checkout(git) == {}


# --- the branch


def test_any_branch_will_do_where_the_environment_names_none(git: Git) -> None:
    git("switch", "--quiet", "-c", "feature")
    assert of_checkout(git) == {}


def test_another_branch(git: Git) -> None:
    assert of_checkout(git, "main") == {}
    git("switch", "--quiet", "-c", "feature")
    assert of_checkout(git, "main") == {
        "--allow-branch": "this is the branch `feature`, and the environment takes `main`"
    }
    assert of_checkout(git, "feature") == {}
    assert set(of_checkout(git, "main", "feature")) == {"--allow-branch"}
    assert of_checkout(git, "main", "main") == {}


def test_a_detached_checkout(git: Git) -> None:
    git("switch", "--quiet", "--detach")
    assert of_checkout(git, "main") == {}, "it is the branch's newest commit"
    git.commit({A: "a: 2\n"})
    told = of_checkout(git, "main")["--allow-branch"]
    assert "no branch `main`" in told
    assert "`--branch NAME`" in told
    assert of_checkout(git, "main", branch="main") == {}
    assert set(of_checkout(git, "main", branch="feature")) == {"--allow-branch"}


def test_an_earlier_commit_of_the_branch(git: Git) -> None:
    first = git("rev-parse", "HEAD")
    git.commit({A: "a: 2\n"})
    assert of_checkout(git, "main", first) == {}
    git("switch", "--quiet", "--orphan", "feature")
    other = git.commit({"kfgit.yaml": "x"})
    assert set(of_checkout(git, "main", other[:10])) == {"--allow-branch"}


def test_a_branch_that_only_the_remote_has(git: Git, tmp_path: Path) -> None:
    """As CI checks out: one commit, detached, and what the remote says."""
    git("branch", "release/1")
    git("clone", "--quiet", str(git.root), str(tmp_path / "copy"))
    copy = Git(tmp_path / "copy")
    copy("switch", "--quiet", "--detach")
    copy("branch", "--quiet", "-D", "main")
    assert of_checkout(copy, "main") == {}
    assert of_checkout(copy, "release/1") == {}
    assert of_checkout(copy, "release/1", "origin/release/1") == {}
    assert set(of_checkout(copy, "other")) == {"--allow-branch"}


# --- the history


def test_newer_commits_follow(git: Git) -> None:
    first = git("rev-parse", "HEAD")
    second = git.commit({A: "a: 2\n"})
    assert of_history(git, None) is None
    assert of_history(git, first) is None
    assert of_history(git, second) is None
    assert of_history(git, "not a commit at all") is None
    assert (
        of_history(git, second, first)
        == f"commit {first[:10]} does not descend from {second[:10]}, the last one applied"
    )


def test_another_line(git: Git) -> None:
    first = git("rev-parse", "HEAD")
    second = git.commit({A: "a: 2\n"})
    git("switch", "--quiet", "-c", "other", first)
    git.commit({A: "a: 3\n"})
    assert "does not descend" in str(of_history(git, second))
    git("merge", "--quiet", "-X", "ours", second)
    assert of_history(git, second) is None


def test_a_clone_that_does_not_know_the_last_commit(git: Git, tmp_path: Path) -> None:
    first = git("rev-parse", "HEAD")
    git.commit({A: "a: 2\n"})
    git("clone", "--quiet", "--depth=1", f"file://{git.root}", str(tmp_path / "copy"))
    told = str(of_history(Git(tmp_path / "copy"), first))
    assert "cannot be told: this clone does not have that one" in told
    assert "fetch-depth: 0" in told
    other = str(of_history(git, "1" * 40))
    assert "cannot be told" in other
    assert "`git fetch`" in other


def test_a_shallow_clone_that_knows_both_but_not_what_is_between(git: Git, tmp_path: Path) -> None:
    first = git("rev-parse", "HEAD")
    for n in range(5):
        git.commit({A: f"a: {n + 2}\n"})
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    git("clone", "--quiet", "--depth=1", f"file://{git.root}", str(tmp_path / "copy"))
    copy = Git(tmp_path / "copy")
    copy("fetch", "--quiet", "--depth=1", "origin", first)
    told = str(of_history(copy, first))
    assert "as far as this shallow clone shows" in told
    copy("fetch", "--quiet", "--unshallow")
    assert of_history(copy, first) is None


def test_a_damaged_index_is_no_clean_tree(git: Git) -> None:
    from kfgit.backend import MachineFault

    (git.root / ".git/index").write_bytes(b"nonsense")
    with pytest.raises(MachineFault, match="cannot tell what changed"):
        of_checkout(git)
    shutil.rmtree(git.root / ".git")
