"""A copy of a repository that follows one branch, for whoever applies commits without a checkout.

`git` itself fetches, so that its ways to credentials work: ssh keys, askpass programs, credential helpers. One ref is
fetched and nothing else: no tags, no submodules, no files of a work tree. The configuration of the repository that is
followed is never read; the user's own is, for it says how to reach things, and the copy's is git's default.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kfgit.backend import MachineFault
from kfgit.project.commits import is_branch
from kfgit.project.transport import PROTOCOLS, SECONDS, Transport, without_user

# What tells a copy of ours from somebody's repository; there before anything else is.
_MARK = "kfgit-copy"
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# git's words for a copy that a kill has left unfinished, or that a disk has spoilt.
_SPOILT = re.compile(
    r"\.lock': File exists|not a git repository|object file .* is empty|loose object .* is corrupt|bad object|"
    r"unable to read tree|packfile .* (cannot be accessed|is far too short)|invalid sha1 pointer|broken refs?"
)
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
        return without_user(self.url)


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
        self._transport = Transport({**environ, **_variables(remote)}, ending, seconds)
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
        copy = [] if words[0] == "init" else [f"--git-dir={self._git_folder}"]
        settings = _credentials(self._remote)
        told = self._transport.ask(self.folder, self._remote.shown, *copy, *words, settings=settings)
        if told.code == 0:
            return told.out
        raise MachineFault(f"git {words[0]} of {self._remote.shown} failed: {told.reason}")


def _variables(remote: Remote) -> Mapping[str, str]:
    """What the helper asks for."""
    if remote.password_file is None:
        return {}
    return {
        "KFGIT_GIT_USERNAME": remote.username,
        "KFGIT_GIT_PASSWORD_FILE": str(remote.password_file.absolute()),
    }


def _credentials(remote: Remote) -> tuple[str, ...]:
    """Settings that show the password to the one server it is for, and ask no other helper."""
    if remote.password_file is None:
        return ()
    asked = urlsplit(remote.url)
    server = f"{asked.scheme}://{asked.netloc.rpartition('@')[2]}"
    return "credential.helper=", f"credential.{server}.helper={_ANSWER}"


def is_address(url: str) -> bool:
    """Whether git reaches such an address in a way that is allowed here: https, http, ssh, or a folder."""
    if not url or url.startswith("-") or "::" in url.partition("/")[0] or any(ord(c) < 33 for c in url):
        return False
    return "://" not in url or urlsplit(url).scheme in {*PROTOCOLS, "git+ssh", "ssh+git"}


def where(root: Path) -> Sequence[str]:
    """The repository around a folder, and the way from its top to the folder; empty outside git."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return (str(folder), root.relative_to(folder).as_posix())
    return ()
