"""What was read, as a value: files, documents, and the ways to more of both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from kfgit import project
from kfgit.diagnostics import Diagnostic
from kfgit.document import Mapping as MappingNode, Scalar, Sequence, at, plain
from kfgit.model import Elsewhere
from kfgit.overlay import Located
from kfgit.project import Origin
from kfgit.resolve import elsewhere
from kfgit.source import SourceFile, at_commit, commit_of, whole_file

LOCAL = "local"
MAX_ENVIRONMENTS = 100

# A document's node, kept so that its id stays its own, and the schema's word on it.
Forms: TypeAlias = dict[int, tuple[MappingNode, tuple[Diagnostic, ...]]]
_OPENS = re.compile(rb"\{[{%]")
_GIT = re.compile(rb"\bgit\b")


@dataclass(frozen=True, slots=True)
class Repository:
    """Everything that was read, before any environment looks at it."""

    root: Path
    files: Mapping[str, bytes]
    documents: tuple[Located, ...]
    diagnostics: tuple[Diagnostic, ...]
    broken: frozenset[tuple[str, str]]
    templates: tuple[SourceFile, ...] = ()
    # What the schemas say of documents, so that each is asked about once; it follows from the documents alone.
    forms: Forms = field(default_factory=dict, repr=False, compare=False)
    tree: project.Tree = field(
        default_factory=lambda: project.Tree(project.Folder(Path()), ()), repr=False, compare=False
    )
    # Files that documents name, each read once.
    others: dict[str, project.Content | Diagnostic] = field(default_factory=dict, repr=False, compare=False)
    # What environments pin, each read once; and what the documents for all environments are of, if not of what is read.
    pins: dict[str, Repository | Diagnostic] = field(default_factory=dict, repr=False, compare=False)
    # What environments say of profiles, by the documents that it is of, which are kept so that their id stays theirs.
    said: dict[int, tuple[tuple[Located, ...], Elsewhere]] = field(
        default_factory=dict, repr=False, compare=False
    )
    base: Repository | None = field(default=None, repr=False, compare=False)

    @property
    def project(self) -> Located | None:
        """The document of `kfgit.yaml`."""
        return next((d for d in self.documents if d.kind == "Project"), None)

    @property
    def name(self) -> str:
        """The project's name; that of its folder where none is written."""
        return self.project.name if self.project is not None else self.root.name

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments somebody wrote, in the project's order; `local` alone where nobody did."""
        written = {d.name for d in self.documents if d.kind == "Environment"}
        order = [name for name in self._listed("environments") if name in written]
        return tuple(dict.fromkeys([*order, *sorted(written)]))[:MAX_ENVIRONMENTS] or (LOCAL,)

    @property
    def default_environment(self) -> str:
        """`spec.defaultEnvironment`, else `local`."""
        found = at(self.project.node, ("spec", "defaultEnvironment")) if self.project is not None else None
        return str(found.value) if isinstance(found, Scalar) and isinstance(found.value, str) else LOCAL

    def _listed(self, key: str) -> list[str]:
        found = at(self.project.node, ("spec", key)) if self.project is not None else None
        return [str(plain(item)) for item in found.items] if isinstance(found, Sequence) else []

    @property
    def elsewhere(self) -> Elsewhere:
        """What all environments say of profiles; each of them is checked with an eye to it."""
        key = id(self.documents)
        if key not in self.said:
            self.said[key] = self.documents, elsewhere(self.documents)
        return self.said[key][1]

    @property
    def git(self) -> Mapping[str, Any]:
        """The commit that is read or checked out, asked for only where a template may want it.

        Where another one is pinned, that is the commit: what a template makes of it changes when the pin does.
        """
        if not any(wants_git(content) for content in self.files.values()):
            return {}
        own = self.tree.origin.git()
        return own if self.base is None else {**self.base.tree.origin.git(), "branch": own["branch"]}

    @property
    def is_folder(self) -> bool:
        """Whether the files are those of the folder and not of a commit."""
        return isinstance(self.tree.origin, project.Folder)

    @property
    def commit(self) -> str | None:
        """The commit that is read or checked out; None outside git and before the first one."""
        return self.tree.origin.commit

    @property
    def branch(self) -> str | None:
        """The branch that the commit was asked for by, or that is checked out; None where nobody knows."""
        return self.tree.origin.branch

    def content(self, path: str) -> bytes | Diagnostic:
        """A file that a document names, or why it cannot be read."""
        if path not in self.others:
            self.others[path] = self._origin_of(path).content(path)
        found = self.others[path]
        if isinstance(found, project.Content):
            return pointer(path) if project.is_pointer(found.bytes) else found.bytes
        return found

    def rest(self) -> None:
        """Ends git where pinned commits were read; whoever wants more of them starts it again."""
        for each in self.pins.values():
            if isinstance(each, Repository):
                each.tree.origin.rest()

    def is_pinned(self, path: str) -> bool:
        """Whether a path is of a commit that an environment pins, and so never holds anything else."""
        return self._origin_of(path) is not self.tree.origin

    def _origin_of(self, path: str) -> Origin:
        commit, _ = commit_of(path)
        origins = (each.tree.origin for each in self.pins.values() if isinstance(each, Repository) and commit)
        return next((o for o in origins if at_commit(str(o.commit), "") == commit), self.tree.origin)


def pointer(path: str) -> Diagnostic:
    """What is wrong with a file that Git LFS keeps elsewhere."""
    return Diagnostic(
        "lfs-pointer",
        "the file is a pointer of Git LFS and not what it points at",
        whole_file(path),
        "keep what kfgit reads out of LFS: `git lfs migrate export --include=PATH`",
    )


def wants_git(content: bytes) -> bool:
    """Whether a template may ask for the commit; `git.` in a comment or a URL does not. Each byte is looked at once."""
    if b"git" not in content:
        return False
    opened = (piece[found.start() :] for piece in content.split(b"}") if (found := _OPENS.search(piece)))
    return any(_GIT.search(piece) for piece in opened)
