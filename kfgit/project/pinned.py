"""A commit that an environment names, as a second place to read from beside the folder or commit at hand.

Its paths are written git's way, `1a2b3c4d5e:pipelines/train.yaml`, so that what a document names is looked for in its
own commit, and whoever reads of a mistake knows which text is meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from kfgit.backend import MachineFault
from kfgit.diagnostics import Diagnostic
from kfgit.project import plumbing
from kfgit.project.commits import Commit
from kfgit.project.objects import Objects
from kfgit.project.tree import Content, Origin, Tree
from kfgit.source import SourceFile, at_commit, commit_of

# Of a name with several meanings so many are told.
_SHOWN = 5
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")


class Unpinnable(Exception):
    """There is no such commit to read from; `help` is the way out."""

    def __init__(self, message: str, help_: str) -> None:
        super().__init__(message)
        self.help = help_


class _Place(NamedTuple):
    """Where a repository is asked for commits."""

    root: Path
    prefix: str
    shallow: bool
    objects: Objects


@dataclass(frozen=True, slots=True)
class Pinned:
    """A commit of the repository; see `tree.Origin`. Paths begin with the commit."""

    source: Commit

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.source.root

    @property
    def commit(self) -> str:
        """The commit that is read."""
        return self.source.id

    @property
    def branch(self) -> str | None:
        """None: a pin names no branch."""
        return self.source.branch

    def git(self) -> Mapping[str, Any]:
        """`sha` and `tag` of the commit."""
        return self.source.git()

    def read(self, sources: Collection[str] | None = None, only: Collection[str] | None = None) -> Tree:
        """The YAML of the commit."""
        tree = self.source.read(sources, only)
        return Tree(
            self,
            tuple(SourceFile(self._path(file.path), file.content) for file in tree.files),
            tuple(map(self._told, tree.diagnostics)),
            tuple(map(self._told, tree.outline)),
            {self._path(path): content for path, content in tree.contents.items()},
            tree.sources,
        )

    def content(self, path: str) -> Content | Diagnostic:
        """A file of the commit."""
        found = self.source.content(commit_of(path)[1])
        return self._told(found) if isinstance(found, Diagnostic) else found

    def has_folder(self, source: str) -> bool:
        """Whether a folder is there."""
        return self.source.has_folder(source)

    def rest(self) -> None:
        """Ends git."""
        self.source.rest()

    def _path(self, path: str) -> str:
        return at_commit(self.source.id, path)

    def _told(self, fault: Diagnostic) -> Diagnostic:
        return replace(fault, span=fault.span._replace(file=self._path(fault.span.file)))


def pinned(origin: Origin, wanted: str) -> Pinned:
    """The commit whose hash begins with `wanted`. Raises `Unpinnable` where that is none, or not only one.

    Branches and tags do not count, whatever they are called: they come to mean something else.
    """
    place = _place(origin)
    told = plumbing.ask(place.root, "rev-parse", f"--disambiguate={wanted}")
    found = [line for line in told.line().split("\n") if _SHA.match(line)] if told.code == 0 else []
    kinds = {id_: plumbing.ask(place.root, "cat-file", "-t", id_).line() for id_ in found[: 4 * _SHOWN]}
    commits = [id_ for id_, kind in kinds.items() if kind == "commit"]
    match commits:
        case [id_]:
            return Pinned(Commit(place.root, id_, None, None, place.shallow, place.prefix, place.objects))
        case []:
            raise _missing(place, wanted, kinds)
        case _:
            several = ", ".join(commits[:_SHOWN])
            raise Unpinnable(f"several commits begin with `{wanted}`", f"write more of it: {several}")


def contents(origin: Origin, paths: Collection[str]) -> Mapping[str, Content]:
    """What files of commits hold, as far as they are there; `paths` begin with their commits."""
    found: dict[str, Content] = {}
    for commit in dict.fromkeys(commit_of(path)[0] for path in paths):
        with suppress(Unpinnable, MachineFault):
            place = pinned(origin, commit.removesuffix(":"))
            try:
                mine = ((path, place.content(path)) for path in paths if commit_of(path)[0] == commit)
                found |= {path: told for path, told in mine if isinstance(told, Content)}
            finally:
                place.rest()
    return found


def _place(origin: Origin) -> _Place:
    if isinstance(origin, Commit):
        return _Place(origin.root, origin.prefix, origin.shallow, Objects(origin.root))
    root = origin.root
    told = plumbing.ask(root, "rev-parse", "--is-shallow-repository", "--show-prefix")
    if told.code != 0:
        raise _no_repository(root, told.error)
    shallow, _, prefix = told.line().partition("\n")
    return _Place(root, prefix.removesuffix("/"), shallow == "true", Objects(root))


def _missing(place: _Place, wanted: str, kinds: Mapping[str, str]) -> Unpinnable:
    for id_, kind in kinds.items():
        peeled = plumbing.ask(place.root, "rev-parse", "--verify", "--quiet", f"{id_}^{{commit}}").line()
        help_ = f"the tag's commit is {peeled}" if _SHA.match(peeled) else "`git log` shows commits"
        return Unpinnable(f"`{wanted}` is a {kind} and not a commit", help_)
    if place.shallow:
        help_ = (
            "fetch the rest with `git fetch --unshallow`; for actions/checkout that is `fetch-depth: 0`, "
            "for GitLab `GIT_DEPTH: 0`"
        )
        return Unpinnable(f"there is no commit `{wanted}` in this clone, which is shallow", help_)
    help_ = "fetch the branch that has it, or mend the hash; `git log` shows the commits that are here"
    return Unpinnable(f"there is no commit `{wanted}` in this clone", help_)


def _no_repository(root: Path, error: str) -> Unpinnable:
    if "dubious ownership" in error:
        help_ = f"if you do trust it: git config --global --add safe.directory {root}"
        return Unpinnable("git does not trust this repository, since another user owns it", help_)
    if "not a git repository" in error:
        return Unpinnable(
            "the project is in no git repository, and a pin names a commit of one",
            "remove the pin, or work in a clone",
        )
    why = error.removeprefix("fatal: ") or "no reason given"
    return Unpinnable(f"git cannot read the repository: {why}", "mend the repository, or remove the pin")
