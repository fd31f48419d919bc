"""What a task asks of the machine: requests, limits and devices."""

from __future__ import annotations

from kfgit.document import Entry, Mapping, Node
from kfgit.model import Accelerator, Resources
from kfgit.resolve.reader import Reader


def resources(reader: Reader, node: Node | None) -> Resources | None:
    """Requests, limits and an accelerator."""
    found = reader.mapping(node)
    if found is None:
        return None
    amounts = {
        which: reader.texts(found.get(which)) if which in found.entries else {}
        for which in ("requests", "limits")
    }
    spans = {
        f"{which}.{name}": entry.node.span
        for which in amounts
        if isinstance(found.get(which), Mapping)
        for name, entry in reader.entries(found.get(which))
    }
    return Resources(
        amounts["requests"], amounts["limits"], _accelerator(reader, found.entries.get("accelerator")), spans
    )


def _accelerator(reader: Reader, entry: Entry | None) -> Accelerator | None:
    """Devices of one kind, or some fields of them, which go over those of a profile."""
    found = reader.mapping(entry.node) if entry is not None else None
    if found is None or entry is None:
        return None
    count = reader.integer(found.get("count")) if "count" in found.entries else 1
    return Accelerator(
        reader.string(found.get("resource")) or "",
        1 if count is None else count,
        reader.string(found.get("model")),
        frozenset(found.entries),
        entry.key_span,
    )
