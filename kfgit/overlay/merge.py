"""RFC 7386 over nodes: how an overlay changes a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kfgit.document import Entry, Mapping, Node, Scalar
from kfgit.source import Span

Path = tuple[str | int, ...]


class Removal(NamedTuple):
    """A value that is no more: where it was, what removed it, and where it had been written."""

    path: Path
    span: Span
    was: Span


def merge(target: Node, overlay: Node) -> Node:
    """RFC 7386: maps by key, `null` deletes, lists and scalars replace."""
    if not isinstance(overlay, Mapping):
        return overlay
    entries: dict[str, Entry] = dict(target.entries) if isinstance(target, Mapping) else {}
    for key, entry in overlay.entries.items():
        if _is_null(entry.node):
            entries.pop(key, None)
        elif key in entries:
            old = entries[key]
            new = merge(old.node, entry.node)
            entries[key] = Entry(entry.key_span if not isinstance(new, Mapping) else old.key_span, new)
        else:
            entries[key] = Entry(entry.key_span, merge(Mapping({}, entry.node.span), entry.node))
    span = target.span if isinstance(target, Mapping) else overlay.span
    return Mapping(entries, span)


def removals(target: Node, overlay: Node, path: Path = ()) -> Iterator[Removal]:
    """What `merge` deletes because of a `null`."""
    if not isinstance(target, Mapping) or not isinstance(overlay, Mapping):
        return
    for key, entry in overlay.entries.items():
        old = target.get(key)
        if old is not None and _is_null(entry.node):
            yield Removal((*path, key), entry.node.span, old.span)
        elif old is not None:
            yield from removals(old, entry.node, (*path, key))


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None
