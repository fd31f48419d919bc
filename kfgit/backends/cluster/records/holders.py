"""Who holds a lock: a process of a machine, told so that people find it and another process can see that it is dead."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

PROC = Path("/proc")
_LONGEST = 300

# Where a CI says which page shows the job that runs here.
_PAGES = ("CI_JOB_URL", "CI_PIPELINE_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock. `token` is another one each time; `start` is in the kernel's ticks since boot.

    `boot` and `pids` (the namespace that `pid` is counted in) are None where the machine does not tell them.
    """

    owner: str
    host: str
    pid: int
    since: str
    token: str
    url: str | None = None
    boot: str | None = None
    pids: str | None = None
    start: str | None = None

    def __str__(self) -> str:
        """As people read it, on the cluster too."""
        page = f", {self.url}" if self.url else ""
        return f"{self.owner}@{self.host} (process {self.pid}, since {self.since}{page})"

    def to_json(self) -> str:
        """As it is kept beside the lock."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})


def this_process(owner: str, environ: Mapping[str, str], proc: Path = PROC) -> Holder:
    """The holder that this process is from now on."""
    state = _state(proc, os.getpid())
    return Holder(
        owner=owner,
        host=socket.gethostname(),
        pid=os.getpid(),
        since=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        token=uuid4().hex,
        url=_page(environ),
        boot=_boot(proc),
        pids=_pids(proc),
        start=state[1] if state else None,
    )


def from_json(text: str | None) -> Holder | None:
    """The holder in a note; None where there is none that can be read, as in one that somebody else wrote."""
    try:
        told: Any = json.loads(text or "")
        return Holder(**{each.name: told[each.name] for each in fields(Holder) if each.name in told})
    except (ValueError, TypeError, RecursionError):
        return None


def is_dead(holder: Holder, proc: Path = PROC) -> bool:
    """Whether it was a process of this machine that is no more. False where nobody can know that from here."""
    here = (socket.gethostname(), _boot(proc), _pids(proc))
    if None in here or (holder.host, holder.boot, holder.pids) != here or holder.start is None:
        return False
    state = _state(proc, holder.pid)
    return state is None or state[0] in "ZX" or state[1] != holder.start


def shown(text: str) -> str:
    """What somebody else wrote, safe to print."""
    kept = "".join(letter if letter.isprintable() else " " for letter in text)
    return kept if len(kept) <= _LONGEST else kept[: _LONGEST - 1] + "…"


def _page(environ: Mapping[str, str]) -> str | None:
    server, repository, run = (
        environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    page = f"{server}/{repository}/actions/runs/{run}" if server and repository and run else None
    found = page or next((environ[name] for name in _PAGES if environ.get(name)), None)
    return shown(found) if found and found.startswith(("https://", "http://")) else None


def _boot(proc: Path) -> str | None:
    try:
        return (proc / "sys/kernel/random/boot_id").read_text().strip() or None
    except OSError:
        return None


def _pids(proc: Path) -> str | None:
    try:
        return str((proc / "self/ns/pid").readlink())
    except OSError:
        return None


def _state(proc: Path, pid: int) -> tuple[str, str] | None:
    """State and start of a process (proc(5), /proc/PID/stat); None where there is none."""
    try:
        told = (proc / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The program's name stands in parentheses and may have anything in it.
    words = told.rpartition(")")[2].split()
    return words[0], words[19]
