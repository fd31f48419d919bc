"""Pull requests of strangers through the commands that workflows run on them: a diagnostic, and nothing else.

Nothing of them runs, nothing outside of the repository is read, each ends, memory has a bound, and what is said cannot
leave its place: not in the log, where GitHub's runner looks for commands, and not in the comment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.github.obeyed import commands_in
from tests.hostile.bounded import Bounded, Ran
from tests.hostile.pulls import PULLS, SAYING, SECRET, opened
from tests.hostile.repositories import MIB
from tests.hostile.tame import is_tame_markdown

# A guard against hangs, as in `test_bounds`: a diff of ten thousand resources takes seven.
HANGS = 100
# What lies beside the repository: ours, and what the commands were told to write there.
BESIDE = {"secret.yaml", "project", "told", "told.aside", "cache", "rendered"}
BYTES = 300 * MIB


@pytest.fixture(scope="module")
def kfgit() -> Iterator[Bounded]:
    with Bounded(HANGS) as bounded:
        yield bounded


def commands(name: str, base: str, head: str) -> Iterator[tuple[str, ...]]:
    """What a workflow runs; where what is said is not the matter, one format says enough."""
    yield ("validate", "-o", "github")
    yield ("diff", base, head, "-o", "markdown")
    yield ("plan", "-e", "local", "--rev", head, "-o", "markdown")
    if name in SAYING:
        yield ("validate", "-o", "sarif")
        yield ("validate",)
        yield ("diff", base, head)
        yield ("diff", base, head, "-o", "json")
        yield ("render", "-e", "dev")
        yield ("render", "--out", "../rendered")
        yield ("github", "environments", "--branch", "main")


@pytest.mark.parametrize("name", PULLS)
def test_a_hostile_pull_request_gets_a_diagnostic_at_most(name: str, kfgit: Bounded, tmp_path: Path) -> None:
    git, base, head = opened(tmp_path, *PULLS[name])
    before = kept(git.root)
    for argv in commands(name, base, head):
        ran = kfgit(git.root, *argv)
        print(
            f"{argv[0]} {argv[-1]}: {ran.code}, {ran.seconds:.2f} s, {ran.bytes // MIB} MiB, {len(ran.told):,}"
        )
        assert ran.bytes <= BYTES, argv
        assert ran.code in {0, 1, 3, 64}, ran.told[-2_000:]
        is_tame(argv, ran)
    assert kept(git.root) == before
    assert not list(tmp_path.rglob("PWNED"))
    assert {path.name for path in tmp_path.iterdir()} <= {
        "project",
        "secret.yaml",
        "told",
        "told.aside",
        "cache",
        "rendered",
    }


def kept(root: Path) -> set[str]:
    """The files that there are, but for what kfgit keeps itself."""
    found = (path.relative_to(root).as_posix() for path in root.rglob("*"))
    return {path for path in found if not path.startswith((".kfgit", ".git/index", ".git/objects"))}


def is_tame(argv: tuple[str, ...], ran: Ran) -> None:
    assert "mistake in kfgit" not in ran.told
    assert SECRET not in ran.told
    assert "root:x:" not in ran.told
    if argv[0] != "render":  # which gives out the documents as they are; a workflow keeps them in files
        assert not any(ord(char) < 32 and char not in "\n\t" for char in ran.told)
        assert set(commands_in(ran.told)) <= ({"error", "warning"} if argv[-1] == "github" else set())
    if argv[-1] == "markdown":
        is_tame_markdown(ran.out)
