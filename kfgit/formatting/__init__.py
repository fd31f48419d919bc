"""The stable form of kfgit's documents: keys in the order of the schemas, one layout, every comment in its place.

    text → pages (its tree with comments) → lines → text

What is not certain to be the same document afterwards stays as it is: a new text is read again, and must mean what
the old one meant, have all its comments, and be its own stable form. Documents of others and templates are not ours
to touch.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from typing import Any, TypeAlias

from kfgit import document
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.document import Document, Mapping, Scalar
from kfgit.formatting.arranging import arrange
from kfgit.formatting.columns import aligned
from kfgit.formatting.order import Shapes
from kfgit.formatting.proof import comments, same_documents
from kfgit.formatting.reading import read
from kfgit.formatting.syntax import Unsure
from kfgit.formatting.writing import write
from kfgit.overlay import API_VERSION, KINDS
from kfgit.source import SourceFile

__all__ = ["Faulty", "Foreign", "InForm", "Left", "Outcome", "Reformed", "Shapes", "form"]


@dataclass(frozen=True, slots=True)
class InForm:
    """The file is in the stable form."""


@dataclass(frozen=True, slots=True)
class Reformed:
    """The file's stable form is another text."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Foreign:
    """The file holds no document of kfgit."""


@dataclass(frozen=True, slots=True)
class Faulty:
    """The file cannot be read."""

    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """The file stays as it is, since its stable form is not certain; the reason is for people."""

    reason: str


Outcome: TypeAlias = InForm | Reformed | Foreign | Faulty | Left


def form(source: SourceFile, shapes: Shapes) -> Outcome:
    """What the stable form of a file is."""
    parsed = document.parse(source)
    if has_errors(parsed.diagnostics):
        return Faulty(parsed.diagnostics)
    kinds = {found.index: kind for found in parsed.value if (kind := _kind(found)) is not None}
    if not kinds:
        return Foreign()
    text, line_end = _text(source.content)
    try:
        was = tuple(document.events(text))
        reformed = _laid_out(text, was, kinds, shapes)
        content = reformed.replace("\n", line_end).encode()
        if content == source.content:
            return InForm()
        again = document.parse(SourceFile(source.path, content))
        if len(again.diagnostics) != len(parsed.diagnostics) or not same_documents(parsed.value, again.value):
            return Left("laid out anew, it would mean something else")
        now = tuple(document.events(reformed))
        if comments(text, was) != comments(reformed, now):
            return Left("laid out anew, it would lose a comment")
        if _laid_out(reformed, now, kinds, shapes) != reformed:
            return Left("it has no form that is stable")
    except Unsure as reason:
        return Left(str(reason))
    return Reformed(content)


def _kind(found: Document) -> str | None:
    """The kind of a document of ours, be it a known one or not; overlays may leave out the `apiVersion`."""
    if not isinstance(found.root, Mapping):
        return None
    kind, version = (_text_at(found.root, key) for key in ("kind", "apiVersion"))
    if version == API_VERSION or ("apiVersion" not in found.root.entries and kind in KINDS):
        return kind or ""
    return None


def _text_at(root: Mapping, key: str) -> str | None:
    found = root.get(key)
    return found.value if isinstance(found, Scalar) and isinstance(found.value, str) else None


def _text(content: bytes) -> tuple[str, str]:
    """The text of a file with plain line ends, and the line end that it begins with."""
    text = content.decode("utf-8").removeprefix("\ufeff")
    line_end = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    return text.replace("\r\n", "\n").replace("\r", "\n"), line_end


def _laid_out(text: str, found: tuple[Any, ...], kinds: MappingOf[int, str], shapes: Shapes) -> str:
    """The text with its documents laid out anew; those of others are as they were."""
    parts = []
    for number, page in enumerate(read(text, found, kinds)):
        if page.root is None:
            parts.append(page.text)
        else:
            arrange(page, shapes.of(kinds[number]))
            parts.append("\n".join(aligned(write(page, page.root))) + "\n")
    return "".join(parts)
