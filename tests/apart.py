"""Programs of others, each in a folder of its own: made once, and used by all tests that come after.

The tests must not decide which versions kfgit runs with, nor the other way round. A lock lets one of xdist's workers
make a folder while others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

ROOT = Path(__file__).parents[1]
# Seconds for one step: a registry that does not answer must not hold the tests for ever.
PATIENCE = 300


class Unavailable(Exception):
    """A program cannot be installed here, such as without a package registry."""


class Asked:
    """A script in an environment of its own, which answers one question a line, both JSON, until there are no more."""

    def __init__(self, command: Sequence[str | Path], variables: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, env={**variables, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """What it answers; `error` is what went wrong over there."""
        ask, hear = self._process.stdin, self._process.stdout
        assert ask is not None
        assert hear is not None
        ask.write(json.dumps(question).encode() + b"\n")
        ask.flush()
        answer: dict[str, Any] = json.loads(hear.readline())
        return answer


@contextmanager
def wanted() -> Iterator[None]:
    """Skips the tests that want what is not available; in CI, where nobody would see that, they fail."""
    try:
        yield
    except Unavailable as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))


@contextmanager
def folder(name: str, *requirements: object) -> Iterator[Path]:
    """The folder for some requirements and this Python, locked."""
    key = hashlib.sha256(json.dumps([*requirements, sys.version_info[:2]]).encode()).hexdigest()[:12]
    found = ROOT / f".venv-{name}-{key}"
    found.mkdir(exist_ok=True)
    with (found / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield found


def python(name: str, requirements: Sequence[str], probe: str) -> Path:
    """The interpreter of an environment with some packages, which can do what `probe` says. Raises Unavailable."""
    with folder(name, tuple(requirements)) as made:
        if not (made / "complete").exists():
            _install(made / "env", requirements, probe)
            (made / "complete").touch()
    return made / "env" / "bin" / "python"


def _install(environment: Path, requirements: Sequence[str], probe: str) -> None:
    shutil.rmtree(environment, ignore_errors=True)
    quick = uv()
    run(sys.executable, "-m", "venv", *(["--without-pip"] if quick else []), str(environment))
    interpreter = str(environment / "bin" / "python")
    if quick:
        # Programs there are started without leave to write bytecode.
        run(quick, "pip", "install", "--quiet", "--compile-bytecode", "--python", interpreter, *requirements)
    else:
        run(interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
    run(interpreter, "-c", probe)


def uv() -> str | None:
    """The uv beside this Python, else that of the machine."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def run(*command: str) -> str:
    """What one step of an installation prints. Raises Unavailable."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]} cannot install what the tests need: {error}") from error
    if done.returncode:
        raise Unavailable(f"{command[0]} cannot install what the tests need: {done.stderr.strip()[-500:]}")
    return done.stdout
