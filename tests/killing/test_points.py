"""Death at every point between two effects; `tests.killing.dying` has the deeds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.killing import workshop
from tests.killing.dying import CASES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("points") / "seed"
    project = workshop.build(root)
    (root / "package.json").write_text(json.dumps(workshop.package(project)))
    return root


@pytest.mark.parametrize("name", CASES)
def test_dying_at_any_point_changes_nothing_in_the_end(name: str, seed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.killing.dying", name, str(seed), str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
