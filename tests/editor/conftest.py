"""A project as `kfgit init` makes it, open in an editor."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import apart
from tests.editor.server import Editor


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("editor") / "demo"
    command = [sys.executable, "-m", "kfgit", "init", str(folder), "--template", "examples"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def editor(project: Path) -> Iterator[Editor]:
    with apart.wanted():
        opened = Editor(project)
    with opened:
        yield opened
