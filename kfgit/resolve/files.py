"""Files that documents name: python sources, notebooks, packages; relative to the document, inside the repository."""

from __future__ import annotations

from typing import Protocol

from kfgit.diagnostics import Diagnostic
from kfgit.document import Node
from kfgit.resolve.reader import Reader
from kfgit.source import SourceFile, repository_path

_LFS = "keep what kfgit reads out of LFS: `git lfs migrate export --include=PATH`"


class Files(Protocol):
    """The files of the repository, read by someone else."""

    def __call__(self, path: str) -> bytes | Diagnostic | None:
        """The bytes of a file inside the repository, or why it cannot be read."""


def named_file(reader: Reader, node: Node | None, files: Files) -> SourceFile | None:
    """The file that a value names; None where there is none to be read, which is told."""
    name = reader.string(node)
    if name is None or node is None:
        return None
    path = repository_path(node.span.file, name)
    found = files(path) if path is not None else None
    if path is not None and isinstance(found, bytes):
        return SourceFile(path, found)
    if path is None:
        message, help_ = f"`{name}` is outside the repository", "move the file into the repository"
        reader.fault("path-outside", message, node.span, help_)
        return None
    match found.code if isinstance(found, Diagnostic) else None:
        case "path-outside":
            message = f"`{path}` leads out of the repository through a symbolic link"
            reader.fault("path-outside", message, node.span, "copy the file into the repository")
        case "lfs-pointer":
            message = f"`{path}` is a pointer of Git LFS and not what it points at"
            reader.fault("lfs-pointer", message, node.span, _LFS)
        case "file-not-found" if isinstance(found, Diagnostic):
            reader.fault("file-not-found", f"there is no file `{path}` in the commit", node.span, found.help)
        case _:
            message = f"there is no readable file `{path}`"
            reader.fault("file-not-found", message, node.span, "the path is relative to this document")
    return None
