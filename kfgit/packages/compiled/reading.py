"""Looks into nodes of a package without trusting them: what has the wrong form is skipped, since `shape` told it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping as MappingOf

from kfgit.document import Entry, Mapping, Node, Scalar, Sequence, at
from kfgit.source import Span


def entries(node: Node, *path: str) -> MappingOf[str, Entry]:
    """The entries of the map at `path`; none where there is no map."""
    found = at(node, path)
    return found.entries if isinstance(found, Mapping) else {}


def maps(node: Node, *path: str) -> Iterator[tuple[str, Span, Mapping]]:
    """(key, its place, value) of a map of maps."""
    for key, entry in entries(node, *path).items():
        if isinstance(entry.node, Mapping):
            yield key, entry.key_span, entry.node


def scalar(node: Node, *path: str) -> Scalar | None:
    """The text at `path`, with its place; None where there is none or an empty one."""
    found = at(node, path)
    return found if isinstance(found, Scalar) and isinstance(found.value, str) and found.value else None


def text(node: Node, *path: str) -> str:
    """The text at `path`, empty where there is none."""
    found = scalar(node, *path)
    return str(found.value) if found is not None else ""


def items(node: Node, *path: str) -> tuple[Node, ...]:
    """The items of the list at `path`."""
    found = at(node, path)
    return found.items if isinstance(found, Sequence) else ()


def place(node: Node, key: str) -> Span:
    """Where a key stands, else where the map that lacks it begins."""
    found = node.entries.get(key) if isinstance(node, Mapping) else None
    return found.key_span if found is not None else node.span


def is_well_formed(node: Node, *path: str) -> bool:
    """Whether a map stands at `path`, or nothing: then a name that is not in it is not there."""
    found = at(node, path)
    return found is None or isinstance(found, Mapping) or (isinstance(found, Scalar) and found.value is None)
