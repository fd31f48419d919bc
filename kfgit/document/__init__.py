"""YAML 1.2 text to nodes with spans.

libyaml's events are read by a builder of our own: PyYAML's loaders speak YAML 1.1, take the last of two equal
keys in silence and forget positions. `parse` never raises: what is wrong with a text comes back as diagnostics,
and what hostile text could cost (size, depth, number of nodes, expanding aliases) is bounded before it is built.
A fault hides as little as can be: an unquoted template costs its value, broken YAML its document.
Left out on purpose: tags, merge keys and complex keys, which kfgit's language does not have.
"""

from __future__ import annotations

from kfgit.diagnostics import Checked, Diagnostic
from kfgit.document.builder import MAX_DEPTH, MAX_NODES, Broken, Builder
from kfgit.document.events import events
from kfgit.document.nodes import (
    Document,
    Entry,
    Mapping,
    Node,
    Origin,
    Scalar,
    Sequence,
    Value,
    at,
    failed,
    places,
    plain,
)
from kfgit.document.scalars import core_value
from kfgit.document.text import decode, masked, unquoted_template, without_document
from kfgit.document.walking import nodes, scalars, texts
from kfgit.source import MAX_BYTES, SourceFile, Span

__all__ = [
    "MAX_DEPTH",
    "MAX_NODES",
    "Document",
    "Entry",
    "Mapping",
    "Node",
    "Origin",
    "Scalar",
    "Sequence",
    "Value",
    "at",
    "core_value",
    "events",
    "failed",
    "nodes",
    "parse",
    "places",
    "plain",
    "scalars",
    "texts",
]

# So often, and for so many characters, a file is read again after a mistake was mended; then its rest is left alone.
_MAX_READINGS = 20
_MAX_READ = 5_000_000
_PER_VALUE = 25


def parse(source: SourceFile, limit: int = MAX_BYTES) -> Checked[tuple[Document, ...]]:
    """All documents of a file that can be read, and what is wrong with the others; `limit` is for its bytes."""
    text = decode(source, limit)
    if isinstance(text, Diagnostic):
        return Checked((), (text,))
    faults: dict[Diagnostic, None] = {}
    mended: set[tuple[int, int]] = set()
    documents: tuple[Document, ...] = ()
    read = 0
    for _ in range(_MAX_READINGS):
        builder = Builder(source.path, text, frozenset(mended))
        documents = tuple(builder.documents())
        faults.update(dict.fromkeys(builder.diagnostics))
        if builder.broken is None:
            break
        read += len(text) + builder.nodes * _PER_VALUE
        diagnostic, text = _mended(builder.broken, text, mended)
        faults[diagnostic] = None
        if read > _MAX_READ:
            break
    return Checked(documents, tuple(faults))


def _mended(broken: Broken, text: str, mended: set[tuple[int, int]]) -> tuple[Diagnostic, str]:
    """What to tell of a fault, and the text without it; masked templates are noted in `mended`."""
    lines = text.split("\n")
    span = broken.diagnostic.span
    number = span.line - 1
    start = unquoted_template(lines[number]) if broken.is_syntax and number < len(lines) else None
    if start is None:
        return broken.diagnostic, "\n".join(without_document(lines, broken.document_line - 1, number))
    lines[number] = masked(lines[number], start)
    mended.add((span.line, start + 1))
    place = Span(span.file, span.line, start + 1, span.line, start + 3)
    told = Diagnostic(
        "unquoted-template", "an unquoted `{{ … }}` is a YAML map", place, 'quote it: "{{ … }}"'
    )
    return told, "\n".join(lines)
