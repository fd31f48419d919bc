"""What must be so before a file is written: it means the same, and every comment is still there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from kfgit.document import Document, Mapping, Node, Scalar, Sequence

_COMMENT = re.compile(r"#[^\n]*")
_ANCHOR = re.compile(r"&\S+(?:[ \t\n]+|#[^\n]*)*")


def same_documents(before: tuple[Document, ...], after: tuple[Document, ...]) -> bool:
    """Whether two texts mean the same; the order of keys has no meaning."""
    return len(before) == len(after) and all(
        one.index == other.index and _same(one.root, other.root)
        for one, other in zip(before, after, strict=True)
    )


def _same(one: Node, other: Node) -> bool:
    match one, other:
        case Scalar(), Scalar():
            # By their text, for NaN is not equal to itself.
            return type(one.value) is type(other.value) and repr(one.value) == repr(other.value)
        case Sequence(), Sequence():
            return len(one.items) == len(other.items) and all(map(_same, one.items, other.items))
        case Mapping(), Mapping():
            return one.entries.keys() == other.entries.keys() and all(
                _same(entry.node, other.entries[key].node) for key, entry in one.entries.items()
            )
        case _:
            return False


def comments(text: str, found: Iterable[Any]) -> Counter[str]:
    """Every comment of a text, from its events, without the tree that it was laid out from."""
    return Counter(comment.rstrip(" \t") for gap in _gaps(text, found) for comment in _COMMENT.findall(gap))


def _gaps(text: str, found: Iterable[Any]) -> Iterator[str]:
    """The text between the leaves: there `#` begins a comment."""
    at = 0
    for event in found:
        if event.__class__ is yaml.ScalarEvent:
            start, end = _extent(event, text)
            yield text[at:start]
            if event.style in {"|", ">"}:
                yield text[start:end].partition("\n")[0]
            at = end
    yield text[at:]


def _extent(event: Any, text: str) -> tuple[int, int]:
    """Where a scalar begins, after its anchor, and ends; white space and comments may stand behind the anchor."""
    start, end = event.start_mark.index, event.end_mark.index
    found = _ANCHOR.match(text, start, end) if event.anchor is not None else None
    return found.end() if found is not None else start, end
