"""A commit of a project as a place to read its files from: what is applied to a cluster is what git has, not a folder.

Nothing of the working tree is read, nothing of the repository runs, and what a commit may cost is bounded as it is
for folders. Links lead nowhere but inside the project, and submodules are other repositories.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfgit.backend import NotFound, Refused
from kfgit.diagnostics import Diagnostic
from kfgit.project import plumbing
from kfgit.project.objects import Entry, Objects
from kfgit.project.tree import SKIPPED, SUFFIXES, Content, Faults, Stamp, Tree, gathered, listed
from kfgit.source import MAX_BYTES

# So many names below the sources are looked at; an equal tree may stand in a commit any number of times.
MAX_NAMES = 200_000
_MAX_LINKS = 40
_MAX_TARGET = 4096
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

    def read(self, sources: Collection[str] | None = None, only: Collection[str] | None = None) -> Tree:
        """The YAML of the commit."""
        reader = _Reader(self)
        paths = [path for path, _ in reader.paths(sources)] if only is None else list(only)
        return gathered(self, reader.contents(paths), sources, reader.faults)

    def content(self, path: str) -> Content | Diagnostic:
        """A file of the commit."""
        reader = _Reader(self)
        found = next((content for _, content in reader.contents([path])), None)
        return found if found is not None else reader.faults[0]

    def has_folder(self, source: str) -> bool:
        """Whether a folder is there."""
        try:
            return _Reader(self).entry(source).is_tree
        except _Astray:
            return False


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


class _Astray(Exception):
    """A path leads to nothing that can be read; `outside` where it leaves the project."""

    def __init__(
        self, message: str, help_: str = "", *, outside: bool = False, code: str = "unreadable-file"
    ) -> None:
        super().__init__(message)
        self.help, self.outside, self.code = help_, outside, code


class _Reader:
    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._objects = commit.objects
        self.faults = Faults()

    def paths(self, sources: Collection[str] | None) -> Iterator[tuple[str, None]]:
        """`kfgit.yaml` and the YAML files of the sources."""
        return listed(sources, self._inside, self._walk, self.faults)

    def contents(self, paths: Collection[str]) -> Iterator[tuple[str, Content]]:
        """What files hold; those that cannot be read are told, and of too large ones nothing is read."""
        found: dict[str, str] = {}
        for path in paths:
            try:
                found[path] = self._file(path)
            except _Astray as why:
                if why.outside:
                    self.faults.linked_out(path)
                else:
                    self.faults.fault(why.code, f"the file cannot be read: {why}", path, why.help)
        sizes = dict(zip(found, self._objects.sizes(list(found.values())), strict=True))
        small = {path: id_ for path, id_ in found.items() if sizes[path] <= MAX_BYTES}
        bodies = self._objects.contents(list(small.values()))
        for path in found:
            body = next(bodies) if path in small else b"\n" * (MAX_BYTES + 1)
            yield path, Content(body, Stamp(sizes[path], 0, 0, 0))

    def entry(self, path: str) -> Entry:
        """What lies at a path of the project. Links are followed as long as they stay inside."""
        waiting = path.split("/")[::-1]
        way = [self._top()]
        links = 0
        while waiting:
            name = waiting.pop()
            if name in {"", "."}:
                continue
            if name == "..":
                way.pop()
                if not way:
                    raise _Astray("it leaves the project", outside=True)
                continue
            found = self._below(way[-1], name)
            if not found.is_link:
                way.append(found)
                continue
            links += 1
            target = self._target(found)
            if target.startswith("/"):
                raise _Astray("it leaves the project", outside=True)
            if links > _MAX_LINKS:
                raise _Astray("too many levels of symbolic links", "remove the link")
            waiting += target.split("/")[::-1]
        return way[-1]

    def _top(self) -> Entry:
        """The project's own folder, which may lie below the repository's."""
        here = Entry("40000", f"{self._commit.id}^{{tree}}")
        for name in filter(None, self._commit.prefix.split("/")):
            here = self._below(here, name)
        return here

    def _below(self, folder: Entry, name: str) -> Entry:
        if folder.is_submodule:
            raise _Astray("it is in a submodule, and submodules are not read", "copy the file here")
        found = self._objects.tree(folder.id).get(name) if folder.is_tree else None
        if found is None:
            help_ = "commit it; what is not committed does not count"
            raise _Astray(f"it is not in commit {self._commit.short}", help_, code="file-not-found")
        return found

    def _target(self, link: Entry) -> str:
        (size,) = self._objects.sizes([link.id])
        if size > _MAX_TARGET:
            raise _Astray("the link is longer than any path", "remove the link")
        (target,) = self._objects.contents([link.id])
        return os.fsdecode(target)

    def _file(self, path: str) -> str:
        found = self.entry(path)
        if found.is_tree or found.is_submodule:
            raise _Astray("it is a folder", "name a file")
        return found.id

    def _inside(self, folder: str) -> bool:
        try:
            self.entry(folder)
        except _Astray as why:
            return not why.outside
        return True

    def _walk(self, folder: str) -> Iterator[tuple[str, None]]:
        """The YAML files below a folder."""
        try:
            start = self.entry(folder)
        except _Astray:
            return  # a source that is not there is no mistake
        waiting = [(start, "" if folder == "." else f"{folder}/")]
        seen = 0
        while waiting:
            here, relative = waiting.pop()
            if here.is_submodule:
                self._submodule(relative.removesuffix("/"))
                continue
            for name, entry in self._objects.tree(here.id).items() if here.is_tree else ():
                seen += 1
                path = f"{relative}{name}"
                if name.startswith("."):
                    continue
                if entry.is_link and self._leads_to_folder(path):
                    self.faults.linked_folder(path)
                elif entry.is_tree or entry.is_submodule:
                    waiting += [(entry, f"{path}/")] if name not in SKIPPED else []
                elif name.endswith(SUFFIXES):
                    yield path, None
            if seen > MAX_NAMES:
                self.faults.too_many(f"more than {MAX_NAMES:,} files and folders below `{folder}`")
                return

    def _leads_to_folder(self, path: str) -> bool:
        try:
            return self.entry(path).is_tree
        except _Astray:
            return False

    def _submodule(self, path: str) -> None:
        message = f"the folder `{path.rpartition('/')[2]}` is a submodule, and submodules are not read"
        self.faults.fault(
            "submodule", message, path, "copy its documents here, or leave it out of `spec.sources`"
        )
