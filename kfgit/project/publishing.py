"""Commits and branches made in the user's own clone, and brought to where it comes from.

Objects come first and harm nobody; what others see changes in one step at the end: a push, which is never forced over
what somebody else did, or one ref. A folder whose branch moves along is moved as `git merge --ff-only` does it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kfgit.backend import MachineFault, Refused
from kfgit.project import ancestry, plumbing
from kfgit.project.commits import is_branch
from kfgit.project.plumbing import Setting
from kfgit.project.transport import Transport, of_actions, without_user

_ENTRY = re.compile(rb"([0-7]{6}) (\w+) ([0-9a-f]{40,64})\t(.*)\Z", re.DOTALL)
_FILE = (b"100644", b"100755")


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch as this clone has it and as its remote does; None where it is not.

    `remote` is the name of the remote, `place` the folder that the branch is checked out in.
    """

    name: str
    local: str | None
    remote: str | None
    theirs: str | None
    place: Path | None

    @property
    def tips(self) -> tuple[str, ...]:
        """Where it is known to end."""
        return tuple(dict.fromkeys(tip for tip in (self.theirs, self.local) if tip is not None))


class Clone:
    """The repository around a project. `environ` has the user's ways to credentials, and who somebody is."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root
        self._environ = environ
        self._transport = Transport(environ)
        self._settings = of_actions(environ)

    # --- looking

    def branch(self, name: str, remote: str | None = None) -> Branch:
        """A branch, as it is known here; of the remote that is named, else of its own."""
        if not is_branch(name) or plumbing.ask(self.root, "check-ref-format", f"refs/heads/{name}").code != 0:
            raise Refused(f"`{name}` is no name of a branch")
        remote = remote or self._remote(name)
        local = self._ref(f"refs/heads/{name}")
        # Where `prod` is not, git would tell of `prod/next`.
        asked = ("for-each-ref", "--format=%(worktreepath)", f"refs/heads/{name}")
        place = plumbing.ask(self.root, *asked).line() if local is not None else ""
        return Branch(
            name,
            local,
            remote,
            self._ref(f"refs/remotes/{remote}/{name}") if remote is not None else None,
            Path(place) if place and Path(place).is_dir() else None,
        )

    def refreshed(self, name: str, remote: str | None = None) -> Branch:
        """The same, after the remote was asked."""
        known = self.branch(name, remote)
        if known.remote is None:
            return known
        ref, tracked = f"refs/heads/{name}", f"refs/remotes/{known.remote}/{name}"
        listed = self._reached(known.remote, "ls-remote", "--heads", known.remote, ref)
        there = next((line.split("\t")[0] for line in listed.splitlines() if line.endswith(f"\t{ref}")), None)
        if there is None:
            if known.theirs is not None:
                plumbing.ask(self.root, "update-ref", "-d", tracked)
        elif there != known.theirs or not ancestry.found(self.root, there):
            words = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
            self._reached(known.remote, *words, known.remote, f"+{ref}:{tracked}")
        return self.branch(name, remote)

    def current(self) -> str | None:
        """The branch that is checked out; None for a commit alone."""
        told = plumbing.ask(self.root, "symbolic-ref", "--quiet", "--short", "HEAD")
        return told.line() if told.code == 0 else None

    def _ref(self, name: str) -> str | None:
        told = plumbing.ask(
            self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        return told.line() if told.code == 0 else None

    def _remote(self, branch: str) -> str | None:
        """The remote that a branch says, else `origin`, else the only one."""
        said = plumbing.ask(self.root, "config", "--get", f"branch.{branch}.remote").line()
        # What begins like an option would be one where git is asked about the remote.
        names = plumbing.ask(self.root, "remote").line().splitlines()
        known = [each for each in names if not each.startswith("-")]
        if said in known:
            return said
        return "origin" if "origin" in known else known[0] if len(known) == 1 else None

    def _reached(self, remote: str, *words: str) -> str:
        told = self._transport.ask(self.root, remote, *words, settings=self._settings)
        if told.code != 0:
            raise MachineFault(f"git {words[0]} of `{remote}` failed: {told.reason}")
        return told.out

    def address(self, remote: str) -> str:
        """Where a remote is, without what the address says of a user."""
        told = plumbing.ask(self.root, "remote", "get-url", "--push", "--", remote)
        return without_user(told.line()) if told.code == 0 else remote

    # --- making

    def commit(self, tree: str, parents: Sequence[str], message: str) -> str:
        """A commit that no branch leads to yet, signed where the user signs."""
        given = [part for parent in parents for part in ("-p", parent)]
        told = plumbing.ask(self.root, "config", "--type=bool", "--get", "commit.gpgSign")
        signed = ["-S"] if told.line() == "true" else []
        who = (*self._identity(), ("i18n.commitEncoding", "UTF-8"))
        made = plumbing.ask(self.root, "commit-tree", *signed, *given, "-m", message, tree, settings=who)
        if made.code != 0:
            raise MachineFault(f"git cannot make a commit: {made.error.removeprefix('fatal: ')}")
        return made.line()

    def _identity(self) -> tuple[Setting, ...]:
        """Whose commits these are: variables of git, its configuration, and in CI whoever asked for the job."""
        given = [
            (f"{role}.{what}", value)
            for role in ("author", "committer")
            for what in ("name", "email")
            if (value := self._environ.get(f"GIT_{role}_{what}".upper()))
        ]
        for settings in (given, [*given, *_actor(self._environ)]):
            asked = [*settings, ("user.useConfigOnly", "true")]
            idents = ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT")
            if all(plumbing.ask(self.root, "var", ident, settings=asked).code == 0 for ident in idents):
                return tuple(settings)
        raise Refused(
            "git does not know whose commit this is: `git config --global user.name NAME` and `user.email` tell it"
        )

    def tree_with(self, commit: str, path: str, content: bytes) -> str:
        """The tree of a commit with one of its files changed; `path` is from the top of the repository."""
        blob = self._fed(content, "hash-object", "-w", "--stdin")
        folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
        made = self._replaced(f"{commit}:{'' if folder == '.' else folder}", name, blob, _FILE)
        for parent in PurePosixPath(path).parents:
            if parent != PurePosixPath():
                above = "" if parent.parent == PurePosixPath() else str(parent.parent)
                made = self._replaced(f"{commit}:{above}", parent.name, made, (b"040000",))
        return made

    def _replaced(self, tree: str, name: str, id_: str, modes: Sequence[bytes]) -> str:
        """A tree with another object under one of its names."""
        told = plumbing.ask(self.root, "ls-tree", "-z", "--full-tree", "--end-of-options", tree)
        entries = [found for line in told.out.split(b"\0") if (found := _ENTRY.match(line))]
        old = next(
            (each for each in entries if each.group(4) == name.encode("utf-8", "surrogateescape")), None
        )
        if old is None or old.group(1) not in modes:
            raise Refused(f"`{name}` is no file in the branch, but a link or something else; make it one")
        lines = (
            b"%b %b %b\t%b\0" % (e.group(1), e.group(2), id_.encode() if e is old else e.group(3), e.group(4))
            for e in entries
        )
        return self._fed(b"".join(lines), "mktree", "-z", "--missing")

    def _fed(self, given: bytes, *words: str) -> str:
        process = plumbing.start(self.root, *words, stdin=subprocess.PIPE, errors=subprocess.PIPE)
        out, errors = process.communicate(given, timeout=plumbing.SECONDS)
        if process.returncode != 0:
            raise MachineFault(f"git {words[0]} failed: {errors.decode('utf-8', 'replace').strip()[:500]}")
        return out.decode().strip()

    def empty(self) -> str:
        """A commit of no files, that nothing comes before: what a new branch is compared with."""
        return self.commit(self._fed(b"", "mktree"), (), "Nothing")

    # --- telling others

    def push(self, remote: str, commit: str, branch: str, instead_of: str | None = None) -> None:
        """Brings a commit to a remote's branch. Only what is said by `instead_of` may be lost there."""
        ref = f"refs/heads/{branch}"
        lease = [f"--force-with-lease={ref}:{instead_of}"] if instead_of is not None else []
        words = ("push", "--porcelain", "--no-verify", *lease, remote, f"{commit}:{ref}")
        told = self._transport.ask(self.root, remote, *words, settings=self._settings)
        if told.code != 0:
            raise Refused(_refusal(told.out, remote, branch) or f"`{remote}` did not take it: {told.reason}")

    def advance(self, branch: Branch, commit: str) -> None:
        """Moves a branch of this clone on to a commit, with the folder that it is checked out in."""
        if branch.place is None:
            # An old value that is empty: the branch must not be there (git-update-ref(1)).
            ref, old = f"refs/heads/{branch.name}", branch.local or ""
            told = plumbing.ask(self.root, "update-ref", "-m", "kfgit promote", ref, commit, old)
        else:
            told = plumbing.ask(branch.place, "merge", "--ff-only", "--quiet", "--no-stat", commit)
        if told.code != 0:
            reason = " ".join(told.error.removeprefix("error: ").split())[:500]
            raise Refused(
                f"git does not move the branch `{branch.name}` on: {reason or 'it does not say why'}"
            )


def _actor(environ: Mapping[str, str]) -> tuple[Setting, ...]:
    """Who asked for a job of GitHub Actions or GitLab CI, with the address that GitHub gives to everybody."""
    actor, number = environ.get("GITHUB_ACTOR"), environ.get("GITHUB_ACTOR_ID")
    if actor:
        address = f"{number}+{actor}" if number else actor
        return ("user.name", actor), ("user.email", f"{address}@users.noreply.github.com")
    name, email = environ.get("GITLAB_USER_NAME"), environ.get("GITLAB_USER_EMAIL")
    return (("user.name", name), ("user.email", email)) if name and email else ()


def _refusal(told: str, remote: str, branch: str) -> str | None:
    """What `git push --porcelain` says about the branch (git-push(1), "Output"), and the way out."""
    reason = next((line.split("\t")[-1] for line in told.splitlines() if line.startswith("!")), None)
    if reason is None:
        return None
    if reason.startswith("[remote rejected]"):
        why = reason.removeprefix("[remote rejected]").strip()
        # GitHub lets tokens of workflows push no workflow file that stands on no branch yet.
        way = (
            "the token must be allowed to write workflows"
            if "workflow" in why
            else "open a pull request with --pr"
        )
        return f"`{remote}` does not let you push to `{branch}` {why}: {way}"
    return f"`{branch}` of `{remote}` has moved on meanwhile {reason.removeprefix('[rejected]').strip()}: run it again"
