"""Keys brought into their order, each with the comments above and behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kfgit.formatting.order import Shape
from kfgit.formatting.syntax import Alias, Block, Flow, Item, Lines, Node, Page

_ENVELOPE = {"apiVersion", "kind"}
# Comments that tell an editor about the whole file.
_FOR_EDITORS = re.compile(r"#\s*(yaml-language-server:|\$schema|-\*-|vim?:|ex:|kate:)")


def arrange(page: Page, shape: Shape | None) -> None:
    """Orders the keys of a document, unless one would part an alias from its anchor so."""
    root = page.root
    if shape is None or root is None:
        return
    if page.has_aliases and dict(_bindings(root, None, {})) != dict(_bindings(root, shape, {})):
        return
    if isinstance(root.value, Block) and shape.ordered(root.value.items)[0] is not root.value.items[0]:
        root.between += _header(root.value.items[0])
    _arrange(root, shape)


def _header(first: Item) -> Lines:
    """Takes away what is said above a document's first key, but of the whole document."""
    cut = len(first.above)
    if first.key is not None and first.key.value not in _ENVELOPE:
        blanks = [number for number, line in enumerate(first.above) if not line]
        cut = blanks[-1] + 1 if blanks else 0
        while cut < len(first.above) and _FOR_EDITORS.match(first.above[cut]):
            cut += 1
    header, first.above = first.above[:cut], first.above[cut:]
    return header


def _arrange(item: Item, shape: Shape) -> None:
    found = item.value
    if not isinstance(found, Block | Flow):
        return
    if found.is_map:
        first = found.items[0] if found.items else None
        found.items = shape.ordered(found.items)
        if first is not None and found.items[0] is not first:
            # A blank line above the first entry belongs to its place, not to the entry.
            for moved in (first, found.items[0]):
                moved.above = moved.above[1:] if moved.above[:1] == [""] else moved.above
    for below in found.items:
        inner = shape.below(below)
        if inner is not None:
            _arrange(below, inner)


def _bindings(item: Item, shape: Shape | None, anchors: dict[str, Node]) -> Iterator[tuple[int, int]]:
    """Each alias with the value that it stands for, by their identities, when keys stand in the shape's order."""
    found = item.value
    if isinstance(found, Alias):
        yield id(found), id(anchors.get(found.text[1:]))
        return
    if found is not None and found.anchor:
        anchors[found.anchor[1:]] = found
    if isinstance(found, Block | Flow):
        for below in shape.ordered(found.items) if shape is not None and found.is_map else found.items:
            if below.key is not None and below.key.anchor:
                anchors[below.key.anchor[1:]] = below.key
            yield from _bindings(below, shape.below(below) if shape is not None else None, anchors)
