"""Quotes: they go where a string reads the same without them, for readers of YAML 1.2 and of YAML 1.1 alike."""

from __future__ import annotations

import re

from kfgit.formatting.syntax import Alias, Item, Node, Scalar

# Letters first: nothing that begins so is a number, a date or a mark. Braces, hashes, quotes and backslashes keep
# their quotes although YAML could do without: templates, comments and patterns are easier to see so.
_PLAIN = re.compile(r"(?:[^\W\d]|/|\$\()[\w $()*+./<>@^~;|=%!?&,:\[\]-]*\Z")
_IN_FLOW = re.compile(r"[\w$()*+./<>@^~;|=%!?&-]+\Z")
_KEY = re.compile(r"[^\W\d][\w./-]{0,79}\Z")
_WORDS = frozenset("y n yes no on off true false null".split())


def written(node: Scalar | Alias, *, in_flow: bool, keeps_quotes: bool = False) -> str:
    """A leaf as it shall stand, with its anchor. A block scalar is its header."""
    if isinstance(node, Alias):
        return node.text
    text = node.text
    if _is_simple(node):
        needs_no_quotes = not keeps_quotes and is_plain(node.value, in_flow=in_flow)
        text = node.value if needs_no_quotes else _quoted(node)
    return f"{node.anchor} {text}".strip()


def key(node: Scalar) -> str:
    """A key as it shall stand."""
    text = node.text
    if _is_simple(node):
        text = node.value if _KEY.match(node.value) and not _is_word(node.value) else _quoted(node)
    return f"{node.anchor} {text}".strip()


def all_keep_quotes(items: list[Item], *, in_flow: bool) -> bool:
    """Whether an item of a list needs its quotes: then the others keep theirs, for lists read best alike."""
    return any(_needs_quotes(item.value, in_flow=in_flow) for item in items)


def _needs_quotes(node: Node | None, *, in_flow: bool) -> bool:
    if not isinstance(node, Scalar) or node.style not in {"'", '"'}:
        return False
    return not _is_simple(node) or not is_plain(node.value, in_flow=in_flow)


def is_plain(value: str, *, in_flow: bool) -> bool:
    """Whether a string is the same string without quotes, whoever reads it."""
    if not _PLAIN.match(value) or not value.isprintable() or _is_word(value):
        return False
    if value[-1] in " :" or ": " in value:
        return False
    return not in_flow or _IN_FLOW.match(value) is not None


def _is_word(value: str) -> bool:
    return value.lower() in _WORDS


def _is_simple(node: Scalar) -> bool:
    """Whether it is quoted, on one line and without escapes."""
    match node.style:
        case "'":
            return "\n" not in node.text
        case '"':
            return node.text == f'"{node.value}"'
        case _:
            return False


def _quoted(node: Scalar) -> str:
    """Double quotes, unless they would need escapes."""
    return node.text if '"' in node.value or "\\" in node.value else f'"{node.value}"'
