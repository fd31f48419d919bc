"""A commit of a project as a place to read its files from: what is applied to a cluster is what git has, not a folder.

Nothing of the working tree is read, nothing of the repository runs, and what a commit may cost is bounded as it is
for folders. Links lead nowhere but inside the project, and submodules are other repositories.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfgit.backend import NotFound, Refused
from kfgit.diagnostics import Diagnostic
from kfgit.project import plumbing
from kfgit.project.contents import Astray, Reader
from kfgit.project.objects import Objects
from kfgit.project.tree import Content, Tree, gathered

_MAX_REV = 300
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")
# What a branch may be called; the rest of git-check-ref-format(1) does no harm here.
_BRANCH = re.compile(r"(?![-/])[^\x00-\x20\x7f~^:?*\[\\]{1,250}\Z")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; see `tree.Origin`. `branch` is the one that it was asked for by, or that is checked out at it.

    `head` is the commit that is checked out, None where no files are. `shallow` says that the clone ends somewhere
    before the first commit.
    """

    root: Path
    id: str
    branch: str | None
    head: str | None
    shallow: bool
    prefix: str
    objects: Objects = field(repr=False, compare=False)

    @property
    def commit(self) -> str:
        """The commit that is read."""
        return self.id

    @property
    def short(self) -> str:
        """As people write it."""
        return self.id[:10]

    def git(self) -> Mapping[str, Any]:
        """`sha`, `branch` and `tag` of the commit."""
        asked = ("--count=1", "--format=%(refname:lstrip=2)", f"--points-at={self.id}", "refs/tags")
        return {
            "sha": self.id,
            "branch": self.branch,
            "tag": plumbing.ask(self.root, "for-each-ref", *asked).line() or None,
        }

    def _reader(self) -> Reader:
        return Reader(self.objects, self.id, self.prefix)

    def read(self, sources: Collection[str] | None = None, only: Collection[str] | None = None) -> Tree:
        """The YAML of the commit."""
        reader = self._reader()
        paths = [path for path, _ in reader.paths(sources)] if only is None else list(only)
        return gathered(self, reader.contents(paths), sources, reader.faults)

    def content(self, path: str) -> Content | Diagnostic:
        """A file of the commit."""
        reader = self._reader()
        found = next((content for _, content in reader.contents([path])), None)
        return found if found is not None else reader.faults[0]

    def has_folder(self, source: str) -> bool:
        """Whether a folder is there."""
        try:
            return self._reader().entry(source).is_tree
        except Astray:
            return False

    def rest(self) -> None:
        """Ends git."""
        self.objects.close()


@contextmanager
def opened(root: Path, rev: str | None = None, branch: str | None = None) -> Iterator[Commit]:
    """A commit of the repository around a project: `rev`, else the one that is checked out.

    `branch` says what a detached checkout cannot. Raises `NotFound` for a commit that is not there, and `Refused`
    outside git and for a branch that is another one.
    """
    told = plumbing.ask(
        root, "rev-parse", "--is-shallow-repository", "--is-inside-work-tree", "--show-prefix"
    )
    if told.code != 0:
        raise Refused(_no_repository(root, told.error))
    shallow, has_folder, prefix = told.line().split("\n", 2)
    head = _commit(root, "HEAD")
    id_ = head if rev is None else _commit(root, rev)
    if id_ is None:
        if rev is None:
            raise Refused(
                f"the repository around {root} has no commit yet: `git add` and `git commit` come first"
            )
        raise NotFound("commit", rev)
    found = _branch(root, rev)
    if rev is None and branch is not None and found not in {None, branch}:
        raise Refused(
            f"the branch `{found}` is checked out, not `{branch}`; --branch is for a detached checkout"
        )
    objects = Objects(root)
    try:
        yield Commit(
            root,
            id_,
            branch or found,
            head if has_folder == "true" else None,
            shallow == "true",
            prefix.removesuffix("/"),
            objects,
        )
    finally:
        objects.close()


def is_branch(name: str) -> bool:
    """Whether a branch can be called so."""
    return _BRANCH.match(name) is not None


def merge_base(root: Path, one: str, other: str) -> str | None:
    """The id of the newest commit that two others both come from; None where there is none, or none is known here."""
    told = plumbing.ask(root, "merge-base", one, other)
    found = told.line()
    return found if told.code == 0 and _SHA.match(found) else None


def subjects(root: Path, ids: Collection[str]) -> Mapping[str, str]:
    """The first lines of commits' messages, by their ids; those that are not here are left out."""
    known = [id_ for id_ in dict.fromkeys(ids) if _SHA.match(id_)]
    if not known:
        return {}
    asked = ("--no-walk=unsorted", "--ignore-missing", "--format=%H %s")
    told = plumbing.ask(root, "rev-list", *asked, *known, "--")
    # One line says that a commit follows, the next what was asked for.
    lines = told.out.decode("utf-8", "replace").split("\n")[1::2] if told.code == 0 else []
    return {id_: subject for id_, _, subject in (line.partition(" ") for line in lines) if id_ in known}


def _no_repository(root: Path, error: str) -> str:
    if "dubious ownership" in error:
        return (
            f"git does not trust the repository around {root}, since another user owns it; "
            f"if you do: git config --global --add safe.directory {root}"
        )
    if "not a git repository" in error:
        return (
            f"{root} is in no git repository, and what a cluster gets is a commit; "
            "`git init`, `git add` and `git commit` make one"
        )
    return (
        f"git cannot read the repository around {root}: {error.removeprefix('fatal: ') or 'no reason given'}"
    )


def _commit(root: Path, rev: str) -> str | None:
    if not rev or rev.startswith("-") or len(rev) > _MAX_REV or not rev.isprintable():
        return None
    told = plumbing.ask(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    found = told.line()
    return found if told.code == 0 and _SHA.match(found) else None


def _branch(root: Path, rev: str | None) -> str | None:
    """The branch that a revision is the name of, here or on a remote; None for any other."""
    if rev is None or rev in {"HEAD", "@"}:
        told = plumbing.ask(root, "symbolic-ref", "--quiet", "HEAD")
    else:
        told = plumbing.ask(root, "rev-parse", "--symbolic-full-name", "--end-of-options", rev)
    name = told.line().rpartition("\n")[2] if told.code == 0 else ""
    if name.startswith("refs/heads/"):
        return name.removeprefix("refs/heads/")
    if name.startswith("refs/remotes/"):
        return name.removeprefix("refs/remotes/").partition("/")[2] or None
    return None
