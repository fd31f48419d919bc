"""Hostile repositories through the door: a diagnostic, an end, little memory, nothing that reaches a terminal.

How their work grows is held by `test_growth.py`, and how long it takes is measured by `python -m benchmarks hostile`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.bounded import Bounded, Ran
from tests.hostile.repositories import FOLDERS, MIB, REPOSITORIES, write

# A guard against hangs: see `Bounded`. The slowest take four here.
HANGS = 60
BYTES = 300 * MIB


@pytest.fixture(scope="module")
def kfgit() -> Iterator[Bounded]:
    with Bounded(HANGS) as bounded:
        yield bounded


def is_in_bounds(ran: Ran) -> bool:
    print(f"{ran.seconds:.2f} s, {ran.bytes // MIB} MiB\n{ran.told[-2000:]}")
    return ran.code >= 0 and ran.bytes <= BYTES


@pytest.mark.parametrize("name", REPOSITORIES)
def test_a_hostile_repository_is_told_or_taken_in_bounds(name: str, kfgit: Bounded, tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, REPOSITORIES[name])
    ran = kfgit(root, "validate", "-o", "github" if "folder" in name or "escape" in name else "human")
    told = ran.told
    assert is_in_bounds(ran)
    assert ran.code in {0, 1}
    assert "mistake in kfgit" not in told
    assert "TOPSECRET" not in told
    assert len(told) < MIB
    assert not any(ord(char) < 32 and char not in "\n\t" for char in told)
    assert not list(tmp_path.rglob("PWNED"))
    if name.startswith("10m"):
        assert "larger than 2 MiB" in told


@pytest.mark.parametrize(
    "argv", [("render",), ("compile", "--out", "out"), ("graph", "p"), ("plan",), ("fmt", "--check")]
)
@pytest.mark.parametrize(
    "name", ["2m-flow", "model-escapes", "model-variables", "model-tasks", "folder-links"]
)
def test_other_commands_keep_the_bounds(
    name: str, argv: tuple[str, ...], kfgit: Bounded, tmp_path: Path
) -> None:
    root = tmp_path / "project"
    write(root, REPOSITORIES[name])
    ran = kfgit(root, *argv)
    assert is_in_bounds(ran)
    assert ran.code in {0, 1, 64}
    assert "mistake in kfgit" not in ran.told
    assert "\x1b" not in ran.told


def test_an_annotation_of_a_hostile_name_is_one_line(kfgit: Bounded, tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, FOLDERS["names"])
    lines = kfgit(root, "validate", "-o", "github").told.splitlines()
    assert len(lines) == len(FOLDERS["names"])
    assert all(line.startswith("::error file=pipelines/") for line in lines)


def test_of_very_many_mistakes_the_first_are_told(kfgit: Bounded, tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, {"pipelines/x.yaml": "k: 1\n" * 2_000})
    told = kfgit(root, "validate").told
    assert "error[too-many-mistakes]: more than 500 mistakes in this file" in told
    assert told.count("error[duplicate-key]") == 500
