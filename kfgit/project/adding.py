"""A project's folder with files in it that are not written yet: what would be, and whether it would be right."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kfgit.diagnostics import Diagnostic
from kfgit.project.files import Folder
from kfgit.project.tree import SUFFIXES, Content, Stamp, Tree
from kfgit.source import SourceFile

_NOWHERE = Stamp(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Added:
    """See `tree.Origin`. `files` are the new ones by their paths."""

    folder: Folder
    files: Mapping[str, bytes]

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.folder.root

    @property
    def commit(self) -> str | None:
        """The commit that is checked out."""
        return self.folder.commit

    @property
    def branch(self) -> str | None:
        """The branch that is checked out."""
        return self.folder.branch

    def git(self) -> Mapping[str, Any]:
        """`sha`, `branch` and `tag` of the checkout."""
        return self.folder.git()

    def read(self, sources: Collection[str] | None = None, only: Collection[str] | None = None) -> Tree:
        """The YAML of the folder and the new files among it; those alone that are named by `only`."""
        tree = self.folder.read(sources, only)
        if sources == () or only is not None:
            return tree
        new = {path: text for path, text in self.files.items() if path.endswith(SUFFIXES)}
        kept = [file for file in tree.files if file.path not in new]
        files = sorted((*kept[1:], *(SourceFile(*each) for each in new.items())), key=lambda file: file.path)
        contents = {**tree.contents, **{path: Content(text, _NOWHERE) for path, text in new.items()}}
        return replace(tree, origin=self, files=(*kept[:1], *files), contents=contents)

    def content(self, path: str) -> Content | Diagnostic:
        """A new file, else one of the folder."""
        text = self.files.get(path)
        return Content(text, _NOWHERE) if text is not None else self.folder.content(path)

    def has_folder(self, source: str) -> bool:
        """Whether a source is there, or will be."""
        return self.folder.has_folder(source) or any(path.startswith(f"{source}/") for path in self.files)

    def rest(self) -> None:
        """A folder needs nothing to be read."""
