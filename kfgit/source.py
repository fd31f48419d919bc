"""Where text came from: files as they were read, and places in them.

Nothing here reads a file; `project` does that and hands the text on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


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
