"""`kfgit up` as a process of its own, for tests that speak to it, and for those that kill it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.door import PATIENCE, Project, command_line, environment


@dataclass(frozen=True, slots=True)
class Server:
    """A server that has said where it listens. What it prints is in `told`."""

    project: Project
    process: subprocess.Popen[bytes]
    port: int
    told: Path

    @property
    def state(self) -> Path:
        """`.kfgit/local`."""
        return state_of(self.project)

    @property
    def host(self) -> str:
        """What stands in the `Host` header."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}"

    def kill(self) -> None:
        """As the kernel kills what takes too much memory: without a word."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Asks it to end, and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def bytes_of_memory(self) -> int:
        """What it holds in memory (Linux)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def serving(project: Project, *options: str) -> Iterator[Server]:
    """A server of the project, gone afterwards whatever happens."""
    server = begin(project, *options)
    try:
        yield server
    finally:
        server.kill()


def begin(project: Project, *options: str) -> Server:
    """Starts a server and waits until it listens; the caller ends it."""
    process = launch(project, *options)
    return Server(project, process, _port(project, process), _told(project))


def launch(project: Project, *options: str) -> subprocess.Popen[bytes]:
    """Starts a server, and does not wait for anything; the caller ends it."""
    told = _told(project)
    told.parent.mkdir(exist_ok=True)
    with told.open("ab") as output:
        return subprocess.Popen(
            command_line("up", "--port", "0", *options), cwd=project.root, env=environment(),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip


def state_of(project: Project) -> Path:
    """Where an environment keeps its things."""
    return project.root / ".kfgit" / "local"


def _told(project: Project) -> Path:
    return project.root / ".kfgit" / "up.txt"


def _port(project: Project, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        holder = _holder(state_of(project) / "server.lock")
        if holder.get("pid") == process.pid and holder.get("url"):
            return urlsplit(holder["url"]).port or 80
        told = _told(project).read_text()
        assert process.poll() is None, told
        assert time.monotonic() < deadline, f"waited in vain for a server: {told}"
        time.sleep(0.01)


def _holder(lock: Path) -> dict[str, Any]:
    try:
        found = json.loads(lock.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
