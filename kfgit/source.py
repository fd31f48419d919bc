"""Where text came from: files as they were read, and places in them.

Nothing here reads a file; `project` does that and hands the text on.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import NamedTuple

# No file of the user's may be larger; what is longer is read no further than one byte beyond.
MAX_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the repository: its path relative to the root, with `/`, and its bytes."""

    path: str
    content: bytes


class Span(NamedTuple):
    """A stretch of text. Lines and columns count from 1, in characters; the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def start(self) -> str:
        """The place as people and editors write it: `file:line:column`."""
        return f"{self.file}:{self.line}:{self.column}"


def whole_file(path: str) -> Span:
    """The span for what is wrong with a file as such."""
    return Span(path, 1, 1, 1, 1)


def lines(content: bytes) -> list[str]:
    """The lines of a file as spans count them: ended by line feed, carriage return or both, as in YAML 1.2 and Python.

    What cannot be decoded is shown by its replacement, so nothing moves to another line.
    """
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def changed(one: Span, other: Span, home: Span) -> Span:
    """Of two values that do not go together the one that another file laid over the document; else the first."""
    return other if other.file != home.file == one.file else one


# A path of another commit than the one that is read, as git writes it (gitrevisions(7), "<rev>:<path>").
_AT_COMMIT = re.compile(r"[0-9a-f]{10}:")


def at_commit(commit: str, path: str) -> str:
    """A path of another commit than the one that is read."""
    return f"{commit[:10]}:{path}"


def commit_of(path: str) -> tuple[str, str]:
    """What `at_commit` put before a path, nothing for a path of what is read; and the path itself."""
    found = _AT_COMMIT.match(path)
    return (path[: found.end()], path[found.end() :]) if found is not None else ("", path)


def repository_path(document: str, file: str) -> str | None:
    """Where a file is, from the folder of the document that names it; None when it is outside the repository.

    What a document of another commit names is in that commit.
    """
    if file.startswith("/") or "\\" in file or "\0" in file:
        return None
    commit, home = commit_of(document)
    path = posixpath.normpath(posixpath.join(posixpath.dirname(home), file))
    if path.startswith("../") or path in {"..", "."} or (not commit and commit_of(path)[0]):
        return None
    return commit + path
