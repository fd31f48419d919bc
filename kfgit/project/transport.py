"""How git reaches other places: with the user's own ways to credentials, and nothing that comes with commits.

ssh keys, askpass programs and credential helpers are the user's, so their configuration is read; in a clone that is
also the clone's own `.git/config`, which no fetch brings, and which `git push` there obeys as well. Hooks and monitors
are not started, nothing is asked on a terminal, and git ends with all that it has started.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kfgit.backend import MachineFault

SECONDS = 300.0
PROTOCOLS = ("file", "http", "https", "ssh")
_POLL_SECONDS = 0.1
# Of a caller inside another repository: git(1), "The Git Repository" of its environment variables, and git-config(1).
_OTHERS = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_CEILING_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_CONFIG",
    "GIT_REPLACE_REF_BASE", "GIT_GRAFT_FILE", "GIT_QUARANTINE_PATH", "GIT_TRACE", "GIT_PROTOCOL_FROM_USER",
)  # fmt: skip
# No hooks, no monitors, no fetching of what is missing later, and no process that goes on after git has ended.
_SETTINGS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "fetch.recurseSubmodules=false", "fetch.writeCommitGraph=false",
    "push.followTags=false", "push.recurseSubmodules=no", "gc.autoDetach=false", "maintenance.autoDetach=false",
    "protocol.allow=never", *(f"protocol.{name}.allow=always" for name in PROTOCOLS),
)  # fmt: skip
_OWN = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "LANGUAGE": "C"}
# Up to the last `@` before the path: a password may have one in it.
_USER_IN_URL = re.compile(r"(?<=://)[^/?#\s]+@")
# Asked by git for a user and a password (gitcredentials(7)); the secret is in a variable, never in an argument.
_ACTIONS = """!f() { test "$1" = get || exit 0; \
printf 'username=x-access-token\\npassword=%s\\n' "$GITHUB_TOKEN"; }; f"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What git said."""

    code: int
    out: str
    error: str

    @property
    def reason(self) -> str:
        """Git's reason: its `fatal:` line where there is one, without what a URL says of its user."""
        lines = [line.strip() for line in self.error.splitlines() if line.strip()]
        reasons = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines
        return without_user("; ".join(reasons[-3:]))[:500] or "it does not say why"


@dataclass(frozen=True, slots=True)
class Transport:
    """Git, with the caller's variables. `ending` ends what is under way; then a `MachineFault` says so."""

    environ: Mapping[str, str]
    ending: Callable[[], bool] = lambda: False
    seconds: float = SECONDS

    def ask(self, folder: Path, shown: str, *words: str, settings: Sequence[str] = ()) -> Answer:
        """What git says in a folder about a place that people know as `shown`."""
        given = [part for setting in (*_SETTINGS, *settings) for part in ("-c", setting)]
        try:
            process = subprocess.Popen(
                ["git", *given, *words], cwd=folder, env=self._variables(), text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True,  # no terminal to ask on, and one group to end
            )  # fmt: skip
        except OSError as fault:
            why = (fault.strerror or str(fault)).lower()
            raise MachineFault(f"git cannot be started: {why}; install git") from fault
        out, err = self._awaited(process, shown)
        return Answer(process.returncode, out, err)

    def _variables(self) -> dict[str, str]:
        """The caller's environment, which has its ways to credentials, without what leads git elsewhere."""
        return {**{name: value for name, value in self.environ.items() if name not in _OTHERS}, **_OWN}

    def _awaited(self, process: subprocess.Popen[str], shown: str) -> tuple[str, str]:
        deadline = time.monotonic() + self.seconds
        while True:
            try:
                return process.communicate(timeout=_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                late = time.monotonic() > deadline
                if not late and not self.ending():
                    continue
            except BaseException:
                _end(process)
                raise
            _end(process)
            why = f"took longer than {self.seconds:.0f} s" if late else "was interrupted"
            raise MachineFault(f"git at {shown} {why}")


def of_actions(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Settings that show a job of GitHub Actions' token to its own server, after the user's ways to credentials."""
    server = environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    if environ.get("GITHUB_ACTIONS") != "true" or not environ.get("GITHUB_TOKEN"):
        return ()
    return (f"credential.{server}.helper={_ACTIONS}",) if urlsplit(server).scheme == "https" else ()


def without_user(text: str) -> str:
    """A text without what URLs in it say of their user."""
    return _USER_IN_URL.sub("", text)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends git with all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    process.communicate()
