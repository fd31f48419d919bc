"""RFC 7386 over nodes: how an overlay changes a document."""

from __future__ import annotations

from kfgit.document import Entry, Mapping, Node, Scalar


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


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None
