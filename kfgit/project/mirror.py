"""A copy of a repository that follows one branch, for whoever applies commits without a checkout.

`git` itself fetches, so that its ways to credentials work: ssh keys, askpass programs, credential helpers. One ref is
fetched and nothing else: no tags, no submodules, no files of a work tree. The configuration of the repository that is
followed is never read; the user's own is, for it says how to reach things, and the copy's is git's default.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kfgit.backend import MachineFault
from kfgit.project.commits import is_branch

SECONDS = 300.0
_POLL_SECONDS = 0.1
# What tells a copy of ours from somebody's repository; there before anything else is.
_MARK = "kfgit-copy"
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# Of a caller inside another repository: git(1), "The Git Repository" of its environment variables, and git-config(1).
_OTHERS = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_CEILING_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_CONFIG",
    "GIT_REPLACE_REF_BASE", "GIT_GRAFT_FILE", "GIT_QUARANTINE_PATH", "GIT_TRACE", "GIT_PROTOCOL_FROM_USER",
)  # fmt: skip
_PROTOCOLS = ("file", "http", "https", "ssh")
# No hooks, no monitors, no fetching of what is missing later, and no process that goes on after git has ended.
_SETTINGS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "fetch.recurseSubmodules=false", "fetch.writeCommitGraph=false",
    "gc.autoDetach=false", "maintenance.autoDetach=false", "protocol.allow=never",
    *(f"protocol.{name}.allow=always" for name in _PROTOCOLS),
)  # fmt: skip
# git's words for a copy that a kill has left unfinished, or that a disk has spoilt.
_SPOILT = re.compile(
    r"\.lock': File exists|not a git repository|object file .* is empty|loose object .* is corrupt|bad object|"
    r"unable to read tree|packfile .* (cannot be accessed|is far too short)|invalid sha1 pointer|broken refs?"
)
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
# Asked by git for a user and a password (gitcredentials(7)): the file is read each time, for tokens are renewed.
_ANSWER = """!f() { test "$1" = get || exit 0; printf 'username=%s\\n' "$KFGIT_GIT_USERNAME"; \
printf 'password='; tr -d '\\r\\n' < "$KFGIT_GIT_PASSWORD_FILE"; printf '\\n'; }; f"""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest commit of a branch."""

    branch: str
    commit: str


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a repository is, as git understands it, and who asks, where a file holds the password or token for it."""

    url: str
    username: str = "git"
    password_file: Path | None = None

    @property
    def shown(self) -> str:
        """The address as people and logs may see it."""
        return _USER_IN_URL.sub("", self.url)


class Mirror:
    """The copy, in `folder`/.git, bare. `ending` ends what is under way; then a `MachineFault` says so."""

    def __init__(
        self,
        folder: Path,
        remote: Remote,
        environ: Mapping[str, str],
        ending: Callable[[], bool] = lambda: False,
        seconds: float = SECONDS,
    ) -> None:
        self.folder = folder
        self._remote = remote
        self._git_folder = folder / ".git"
        self._environ = _environment(environ, remote)
        self._ending = ending
        self._seconds = seconds
        # What the copy's HEAD names.
        self._shown: str | None = None

    def default_branch(self) -> str:
        """The branch that the repository itself calls its own."""
        self._prepare()
        told = self._git("ls-remote", "--symref", "--quiet", "--", self._remote.url, "HEAD")
        found = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", told, re.MULTILINE)
        if found is None:
            raise MachineFault(f"{self._remote.shown} names no branch of its own; name one with --branch")
        return found.group(1)

    def fetch(self, branch: str) -> Head:
        """The newest commit of a branch, with everything that belongs to it."""
        try:
            return self._fetch(branch)
        except MachineFault as fault:
            if not _SPOILT.search(str(fault)):
                raise
            # Nothing in it is ours alone: what a kill has spoilt is fetched once more.
            shutil.rmtree(self._git_folder, ignore_errors=True)
            self._shown = None
            return self._fetch(branch)

    def _fetch(self, branch: str) -> Head:
        if not is_branch(branch):
            raise MachineFault(f"`{branch}` is no name of a branch")
        self._prepare()
        ref = f"refs/heads/{branch}"
        self._git(
            "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--force",
            "--update-head-ok", "--", self._remote.url, f"+{ref}:{ref}",
        )  # fmt: skip
        if ref != self._shown:
            self._git("symbolic-ref", "HEAD", ref)
            self._shown = ref
        commit = self._git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").strip()
        if not _SHA.fullmatch(commit):
            raise MachineFault(f"the branch {branch} of {self._remote.shown} has no commit")
        return Head(branch, commit)

    def _prepare(self) -> None:
        """Makes the copy where there is none. It is overwritten and removed at will, so it must be nobody else's."""
        mark = self._git_folder / _MARK
        if mark.is_file() and (self._git_folder / "HEAD").is_file():
            return
        try:
            self._git_folder.mkdir(parents=True, exist_ok=True)
            if not mark.is_file() and any(self._git_folder.iterdir()):
                raise MachineFault(
                    f"{self._git_folder} is a repository that kfgit has not made: choose another folder (--dir)"
                )
            mark.touch()
        except OSError as fault:
            raise MachineFault(f"cannot write to {self.folder}: {(fault.strerror or '').lower()}") from fault
        self._git("init", "--bare", "--quiet", "--template=", "--", str(self._git_folder))

    def _git(self, *words: str) -> str:
        """What git says. Raises `MachineFault` with its own last words, without secrets."""
        settings = (*_SETTINGS, *_credentials(self._remote))
        copy = [] if words[0] == "init" else [f"--git-dir={self._git_folder}"]
        command = ["git", *(part for setting in settings for part in ("-c", setting)), *copy, *words]
        try:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self._environ, text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True,  # no terminal to ask on, and one group to end
            )  # fmt: skip
        except OSError as fault:
            why = (fault.strerror or str(fault)).lower()
            raise MachineFault(f"git cannot be started: {why}; install git") from fault
        out, err = self._awaited(process)
        if process.returncode == 0:
            return out
        raise MachineFault(f"git {words[0]} of {self._remote.shown} failed: {_last_words(err)}")

    def _awaited(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        deadline = time.monotonic() + self._seconds
        while True:
            try:
                return process.communicate(timeout=_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                late = time.monotonic() > deadline
                if not late and not self._ending():
                    continue
            _end(process)
            why = f"took longer than {self._seconds:.0f} s" if late else "was interrupted"
            raise MachineFault(f"git at {self._remote.shown} {why}")


def _environment(environ: Mapping[str, str], remote: Remote) -> dict[str, str]:
    """The caller's environment, which has its ways to credentials, without what leads git elsewhere."""
    kept = {name: value for name, value in environ.items() if name not in _OTHERS}
    own = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "LANGUAGE": "C"}
    if remote.password_file is not None:
        own |= {
            "KFGIT_GIT_USERNAME": remote.username,
            "KFGIT_GIT_PASSWORD_FILE": str(remote.password_file.absolute()),
        }
    return {**kept, **own}


def _credentials(remote: Remote) -> tuple[str, ...]:
    """Settings that show the password to the one server it is for, and ask no other helper."""
    if remote.password_file is None:
        return ()
    asked = urlsplit(remote.url)
    server = f"{asked.scheme}://{asked.netloc.rpartition('@')[2]}"
    return "credential.helper=", f"credential.{server}.helper={_ANSWER}"


def _end(process: subprocess.Popen[str]) -> None:
    """Ends git with all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    process.communicate()


def _last_words(text: str) -> str:
    """Git's reason: its `fatal:` line where there is one, without what a URL says of its user."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reasons = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines
    return _USER_IN_URL.sub("", "; ".join(reasons[-3:]))[:500] or "it does not say why"


def is_address(url: str) -> bool:
    """Whether git reaches such an address in a way that is allowed here: https, http, ssh, or a folder."""
    if not url or url.startswith("-") or "::" in url.partition("/")[0] or any(ord(c) < 33 for c in url):
        return False
    return "://" not in url or urlsplit(url).scheme in {*_PROTOCOLS, "git+ssh", "ssh+git"}


def where(root: Path) -> Sequence[str]:
    """The repository around a folder, and the way from its top to the folder; empty outside git."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return (str(folder), root.relative_to(folder).as_posix())
    return ()
