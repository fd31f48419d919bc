"""Maps and lists in brackets: on one line where they fit, unless the author began a new line after the bracket."""

from __future__ import annotations

from dataclasses import replace

from kfgit.formatting import quoting
from kfgit.formatting.syntax import Alias, Beside, Block, Flow, Item, Lines, Node, Scalar

WIDTH = 110


def fits(start: str, text: str) -> bool:
    """Whether a value fits behind its key or dash."""
    return len(start) + 1 + len(text) <= WIDTH


def one_line(flow: Flow) -> str | None:
    """Brackets on one line; None if there are comments in them or the author asked for more lines."""
    if flow.head.text or any(flow.foot) or (flow.is_open and flow.items):
        return None
    parts = []
    keeps_quotes = not flow.is_map and quoting.all_keep_quotes(flow.items, in_flow=True)
    for item in flow.items:
        text = inline(item.value, keeps_quotes=keeps_quotes)
        if text is None or "\n" in text or any(item.above) or item.tail.text:
            return None
        parts.append(f"{quoting.key(item.key)}: {text}" if item.key is not None else text)
    inner = ", ".join(parts)
    if flow.is_bare:
        return inner
    return f"{flow.anchor} {{{inner}}}".lstrip() if flow.is_map else f"{flow.anchor} [{inner}]".lstrip()


def inline(node: Node | None, *, keeps_quotes: bool) -> str | None:
    """A value inside brackets; None if it cannot be on one line, unless its own text has more."""
    match node:
        case None:
            return "null"
        case Scalar() | Alias():
            return quoting.written(node, in_flow=True, keeps_quotes=keeps_quotes)
        case Flow():
            return one_line(node)
        case Block():
            return None


def becomes_block(start: str, flow: Flow) -> bool:
    """Whether brackets go: they do not fit on a line, and the author did not ask for more lines."""
    if flow.is_open or not flow.items:
        return False
    text = one_line(flow)
    return text is None or not fits(start, text)


def opened(item: Item, flow: Flow) -> Item:
    """An item with a block in place of brackets; comments at the brackets move to the block's first line."""
    first, *others = [text for text in (*said(item), flow.head.text, item.tail.text) if text] or [""]
    block = Block(flow.is_map, flow.anchor, flow.items, flow.foot)
    return replace(item, head=Beside(first), between=others, tail=Beside(), value=block)


def said(item: Item) -> Lines:
    """The comments between a key, or a dash, and its value."""
    return [item.head.text, *item.between] if item.head.text else item.between
