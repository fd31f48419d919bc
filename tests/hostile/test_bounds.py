"""Hostile repositories through the door: a diagnostic, little time, little memory, nothing that reaches a terminal."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.repositories import FOLDERS, MIB, REPOSITORIES, write

# Seconds of the processor, for a busy machine stretches all others; coverage, which tests may run under, costs some.
SECONDS = 12
# Address space, which is more than what is used: 300 MiB, and what Python and its libraries map and never touch.
BYTES = 640 * MIB


def kfgit(root: Path, *argv: str) -> subprocess.CompletedProcess[bytes]:
    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))

    return subprocess.run(
        [sys.executable, "-m", "kfgit", *argv],
        cwd=root,
        env={
            **os.environ,
            "KFGIT_CACHE": str(root.parent / "cache"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=10 * SECONDS,
        check=False,
        preexec_fn=bounded,
    )


@pytest.mark.parametrize("name", REPOSITORIES)
def test_a_hostile_repository_is_told_or_taken_in_bounds(name: str, tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, REPOSITORIES[name])
    ran = kfgit(root, "validate", "-o", "github" if "folder" in name or "escape" in name else "human")
    told = (ran.stdout + ran.stderr).decode()
    assert ran.returncode in {0, 1}, told[-2000:]
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
def test_other_commands_keep_the_bounds(name: str, argv: tuple[str, ...], tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, REPOSITORIES[name])
    ran = kfgit(root, *argv)
    told = (ran.stdout + ran.stderr).decode()
    assert ran.returncode in {0, 1, 64}, told[-2000:]
    assert "mistake in kfgit" not in told
    assert "\x1b" not in told


def test_an_annotation_of_a_hostile_name_is_one_line(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, FOLDERS["names"])
    lines = kfgit(root, "validate", "-o", "github").stdout.decode().splitlines()
    assert len(lines) == len(FOLDERS["names"])
    assert all(line.startswith("::error file=pipelines/") for line in lines)


def test_of_very_many_mistakes_the_first_are_told(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, {"pipelines/x.yaml": "k: 1\n" * 2_000})
    told = kfgit(root, "validate").stdout.decode() + kfgit(root, "validate").stderr.decode()
    assert "error[too-many-mistakes]: more than 500 mistakes in this file" in told
    assert told.count("error[duplicate-key]") in {500, 1000}
