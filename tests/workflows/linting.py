"""actionlint, which Go builds once, and zizmor, which comes with the development dependencies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import apart

HERE = Path(__file__).parent / "actionlint"
TOOL = "github.com/rhysd/actionlint/cmd/actionlint"


def actionlint() -> Path:
    """The program, which Go builds. `go.sum` pins every byte of it. Raises Unavailable."""
    pinned = [(HERE / name).read_text() for name in ("go.mod", "go.sum")]
    with apart.folder("actionlint", *pinned) as made:
        program = made / "actionlint"
        if not program.exists():
            settings = ("GOFLAGS=-buildvcs=false", "GOWORK=off", "CGO_ENABLED=0")
            flags = ("-mod=readonly", "-trimpath", "-ldflags=-s -w")
            apart.run("env", "-C", str(HERE), *settings, "go", "build", *flags, "-o", str(program), TOOL)
    return program


def say(program: Path, repository: Path) -> str:
    """What actionlint has to say of a repository's workflows."""
    # What other linters a machine happens to have must not decide.
    words = [str(program), "-no-color", "-shellcheck=", "-pyflakes="]
    done = subprocess.run(words, cwd=repository, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def audit(repository: Path, persona: str) -> str:
    """What zizmor finds in a repository's workflows, asking nobody on the network."""
    zizmor = Path(sys.executable).with_name("zizmor")
    flags = (
        "--offline",
        "--quiet",
        "--no-progress",
        "--color=never",
        "--collect=default",
        "--strict-collection",
    )
    done = subprocess.run(
        [zizmor, *flags, f"--persona={persona}", "."],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    found = done.stdout.strip()
    return "" if done.returncode == 0 and found.startswith("No findings to report") else found + done.stderr
