"""How git is asked: with settings that let nothing of the repository run, and bounded in time and output.

A repository's own configuration names programs: hooks, a file system monitor, filters, ways to other hosts. None is
needed to look at what is there. Nor is anything fetched that is missing, as it is in partial clones, and objects are
what they are, whatever stands in for them (git-replace(1), info/grafts).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kfgit.backend import MachineFault

SECONDS = 60.0
_MOST = 32 * 1024 * 1024
_MAX_ERROR = 2000
_SILENT = f"git did not answer within {SECONDS:.0f} seconds; is the disk with the repository all right?"
_CHUNK = 1024 * 1024
# What shall fit into a pipe, so that git and kfgit wait for each other less often.
_PIPE = 1024 * 1024

_SETTINGS = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.sshCommand=false",
    "core.alternateRefsCommand=false",
    "core.pager=cat",
    "advice.graftFileDeprecated=false",
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
    process = start(root, *words, settings=settings, errors=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    until = time.monotonic() + SECONDS
    told = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    out, errors = told.values()
    try:
        open_ = list(told)
        while open_ and len(out) <= most and len(errors) <= _CHUNK:
            for stream in _ready(open_, until):
                chunk = os.read(stream, _CHUNK)
                told[stream] += chunk
                if not chunk:
                    open_.remove(stream)
        if not open_:
            process.wait(max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired as fault:
        raise broken(_SILENT) from fault
    finally:
        process.kill()
        code = process.wait()
        process.stdout.close()
        process.stderr.close()
    return Said(code, bytes(out), errors[:_MAX_ERROR].decode("utf-8", "replace").strip(), len(out) <= most)


def start(
    root: Path,
    *words: str,
    settings: Sequence[Setting] = (),
    errors: int = subprocess.DEVNULL,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Git as a process in a folder, that answers on a pipe."""
    try:
        process = subprocess.Popen(
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
    _widen(process.stdout)
    return process


def _widen(pipe: IO[bytes] | None) -> None:
    """Makes a pipe larger, where the system can and the user may (fcntl(2), F_SETPIPE_SZ)."""
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)  # type: ignore[arg-type]


def receive(process: subprocess.Popen[bytes], until: float) -> bytes:
    """The next bytes of an answer, none at its end; `until` is on the monotonic clock."""
    assert process.stdout is not None
    (stream,) = _ready([process.stdout.fileno()], until)
    return os.read(stream, _CHUNK)


def _ready(streams: Sequence[int], until: float) -> Sequence[int]:
    """Those of some streams that have something to say, or have ended."""
    asked = select.poll()
    for stream in streams:
        asked.register(stream, select.POLLIN)
    ready = [stream for stream, _ in asked.poll(max(0.0, until - time.monotonic()) * 1000)]
    if not ready:
        raise broken(_SILENT)
    return ready


def broken(why: str) -> MachineFault:
    """The fault to raise; most who ask git never do, and so do without what a backend is."""
    from kfgit.backend import MachineFault  # noqa: PLC0415 - see above

    return MachineFault(why)
