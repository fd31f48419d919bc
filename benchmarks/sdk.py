"""The peer, KFP's SDK, in an environment of its own: its pins must not decide what kfgit runs on.

It is made once for each requirement and Python, below the user's cache folder, and removed by removing that.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

REQUIREMENT = "kfp==2.17.0"
# Seconds for one step: an index that does not answer must not hold the benchmark for ever.
_PATIENCE = 600


class Unavailable(Exception):
    """The environment cannot be made here, such as without a package index."""


def python(cache: Path, say: Callable[[str], None]) -> Path:
    """The interpreter that has the SDK. Raises `Unavailable`."""
    key = hashlib.sha256(json.dumps([REQUIREMENT, sys.version, sys.base_prefix]).encode()).hexdigest()[:12]
    folder = cache / f"sdk-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            say(f"installing {REQUIREMENT} into {folder} (once)")
            _make(folder / "env")
            (folder / "complete").touch()
    return folder / "env" / "bin" / "python"


def _make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    uv = _uv()
    _run(sys.executable, "-m", "venv", *(["--without-pip"] if uv else []), str(folder))
    interpreter = str(folder / "bin" / "python")
    if uv:
        # uv leaves the compiling to the first import, which would be timed.
        _run(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", interpreter, REQUIREMENT)
    else:
        _run(interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT)
    _run(interpreter, "-c", "import kfp.local")


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise Unavailable(str(fault)) from fault
    if done.returncode:
        raise Unavailable(done.stderr.strip()[-500:])
