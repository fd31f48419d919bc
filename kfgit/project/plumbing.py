"""How git is asked: with settings that let nothing of the repository run, and bounded in time and output.

A repository's own configuration names programs: hooks, a file system monitor, filters, ways to other hosts. None is
needed to look at what is there. Nor is anything fetched that is missing, as it is in partial clones, and objects are
what they are, whatever stands in for them (git-replace(1), info/grafts).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from select import select
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kfgit.backend import MachineFault

SECONDS = 60.0
_MOST = 32 * 1024 * 1024
_CHUNK = 1024 * 1024

_SETTINGS = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.sshCommand=false",
    "core.alternateRefsCommand=false",
    "core.pager=cat",
    "credential.helper=",
    "protocol.allow=never",
)
# Of all that git reads from the environment only where its programs and its configuration are. Others may be left over
# from a hook (GIT_DIR, GIT_INDEX_FILE) and would show another repository, or write files (GIT_TRACE).
_KEPT = ("GIT_CONFIG_", "GIT_EXEC_PATH", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM")
_OURS = {
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


# The name of a setting of git, and its value.
Setting = tuple[str, str]


class Said(NamedTuple):
    """What git answered; `whole` is False where it had more to say than anybody reads."""

    code: int
    out: bytes
    error: str
    whole: bool = True

    def line(self) -> str:
        """The answer without its end."""
        return os.fsdecode(self.out.removesuffix(b"\n"))


def _command(*words: str) -> list[str]:
    given = [part for setting in _SETTINGS for part in ("-c", setting)]
    return ["git", "--no-optional-locks", "--no-pager", "--literal-pathspecs", *given, *words]


def _environment(settings: Sequence[Setting]) -> Mapping[str, str]:
    """The variables for git. Settings with any name go through them (git-config(1), GIT_CONFIG_COUNT)."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(_KEPT)
    }
    kept.pop("GIT_CONFIG_PARAMETERS", None)
    told = kept.get("GIT_CONFIG_COUNT", "")
    count = int(told) if told.isascii() and told.isdigit() else 0
    for number, (name, value) in enumerate(settings, count):
        kept |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return {**kept, **({"GIT_CONFIG_COUNT": str(count + len(settings))} if settings else {}), **_OURS}


def ask(root: Path, *words: str, settings: Sequence[Setting] = (), most: int = _MOST) -> Said:
    """What git says in a folder; raises `MachineFault` where there is no git, or it does not answer."""
    with tempfile.TemporaryFile() as errors:
        process = start(root, *words, settings=settings, errors=errors.fileno())
        try:
            out, whole = _read(process, most)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()
            code = process.wait()
        errors.seek(0)
        return Said(code, out, errors.read(2000).decode("utf-8", "replace").strip(), whole)


def start(
    root: Path,
    *words: str,
    settings: Sequence[Setting] = (),
    errors: int = subprocess.DEVNULL,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Git as a process in a folder, that answers on a pipe."""
    try:
        return subprocess.Popen(
            _command(*words),
            cwd=root,
            env=_environment(settings),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            # Ctrl-C is for kfgit, which ends what it began.
            start_new_session=True,
        )
    except FileNotFoundError as fault:
        raise broken("git is not installed here, and a commit cannot be read without it") from fault


def receive(process: subprocess.Popen[bytes], until: float, most: int = _CHUNK) -> bytes:
    """The next bytes of an answer, none at its end; `until` is on the monotonic clock."""
    assert process.stdout is not None
    opened = process.stdout.fileno()
    ready, _, _ = select([opened], [], [], max(0.0, until - time.monotonic()))
    if not ready:
        raise broken(
            f"git said nothing for {SECONDS:.0f} seconds; is the disk with the repository all right?"
        )
    return os.read(opened, most)


def broken(why: str) -> MachineFault:
    """The fault to raise; most who ask git never do, and so do without what a backend is."""
    from kfgit.backend import MachineFault  # noqa: PLC0415 - see above

    return MachineFault(why)


def _read(process: subprocess.Popen[bytes], most: int) -> tuple[bytes, bool]:
    until = time.monotonic() + SECONDS
    parts: list[bytes] = []
    size = 0
    while chunk := receive(process, until):
        parts.append(chunk)
        size += len(chunk)
        if size > most:
            return b"".join(parts), False
    process.wait(max(0.1, until - time.monotonic()))
    return b"".join(parts), True
