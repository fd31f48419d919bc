"""Pages to lines: two blanks for each level, everything that is a matter of taste as its author wrote it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from kfgit.formatting import quoting
from kfgit.formatting.brackets import becomes_block, fits, inline, one_line, opened, said
from kfgit.formatting.syntax import Alias, Beside, Block, Flow, Item, Lines, Page, Scalar

_STEP = 2


class Line(NamedTuple):
    """One line, and the comment at its end."""

    text: str
    comment: str = ""


def write(page: Page, root: Item) -> list[Line]:
    """The lines of a document that was taken apart; a blank line at its end is one that follows it."""
    writer = _Writer()
    writer.page(page, root)
    return writer.lines


class _Writer:
    """Gathers lines."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        # After `|+` a blank line would become a part of the text.
        self._after_kept = False

    def page(self, page: Page, root: Item) -> None:
        """A document with what stands around it."""
        self._comments(page.prelude, 0)
        if page.is_marked:
            self._line("---", root.head.text)
        self._comments(root.between, 0)
        root = replace(root, head=Beside(), between=[])
        if isinstance(root.value, Flow) and becomes_block("", root.value):
            root = opened(root, root.value)
            self._comments(said(root), 0)
        if isinstance(root.value, Flow):
            self._flow("", root, root.value, 0)
        elif isinstance(root.value, Block):
            if root.value.anchor:
                self._line(root.value.anchor)
            self._block(root.value, 0)
        self._comments(page.foot, 0)
        if page.is_ended:
            self._line("...", page.end.text)
            self._comments(page.after, 0)

    def _line(self, text: str, comment: str = "") -> None:
        self.lines.append(Line(text, comment))
        self._after_kept = False

    def _comments(self, comments: Lines, indent: int) -> None:
        for comment in comments:
            if comment:
                self._line(" " * indent + comment)
            elif not self._after_kept:
                self._line("")

    # Blocks.

    def _block(self, block: Block, indent: int) -> None:
        keeps_quotes = not block.is_map and quoting.all_keep_quotes(block.items, in_flow=False)
        for item in block.items:
            self._comments(item.above, indent)
            if item.key is not None:
                self._value(f"{' ' * indent}{quoting.key(item.key)}:", item, indent)
            else:
                self._listed(item, indent, keeps_quotes=keeps_quotes)
        self._comments(block.foot, indent)

    def _listed(self, item: Item, indent: int, *, keeps_quotes: bool) -> None:
        """An item of a list. A comment behind the dash moves above it, since there the item begins."""
        start = f"{' ' * indent}-"
        if isinstance(item.value, Flow) and becomes_block(start, item.value):
            item = opened(item, item.value)
        self._comments(said(item), indent)
        if isinstance(item.value, Block) and not item.value.anchor:
            self._dashed(item.value, indent)
        else:
            item = replace(item, head=Beside(), between=[], is_apart=False)
            self._value(start, item, indent, keeps_quotes=keeps_quotes)

    def _dashed(self, block: Block, indent: int) -> None:
        """A block whose first line follows the dash; comments above that line move above the dash."""
        begin = len(self.lines)
        self._block(block, indent + _STEP)
        lines = self.lines[begin:]
        first = next(n for n, line in enumerate(lines) if line.text.strip()[:1] not in {"", "#"})
        moved = [line._replace(text=line.text[_STEP:]) for line in lines[:first] if line.text]
        dashed = lines[first]._replace(text=f"{' ' * indent}- {lines[first].text[indent + _STEP :]}")
        self.lines[begin:] = [*moved, dashed, *lines[first + 1 :]]

    def _value(self, start: str, item: Item, indent: int, *, keeps_quotes: bool = False) -> None:
        """What follows a key or a dash."""
        match item.value:
            case None:
                self._line(start, item.head.text or item.tail.text)
            case Scalar() | Alias() as leaf:
                text = quoting.written(leaf, in_flow=False, keeps_quotes=keeps_quotes)
                self._leaf(start, item, text, indent)
                if isinstance(leaf, Scalar) and leaf.is_block:
                    self._text(leaf, indent)
            case Flow() as flow:
                self._flow(start, item, flow, indent)
            case Block() as block:
                self._line(_joined(start, block.anchor), item.head.text)
                self._comments(item.between, indent + _STEP)
                self._block(block, indent + _STEP)

    def _leaf(self, start: str, item: Item, text: str, indent: int) -> None:
        first, *others = text.split("\n")
        lead = self._lead(start, item, indent, is_long=bool(others) or not fits(start, first))
        self._rows(_joined(lead, first), others, indent + _STEP, Line("", item.tail.text))

    def _lead(self, start: str, item: Item, indent: int, *, is_long: bool) -> str:
        """What a value's first line begins with: its key, unless the author had a reason to begin a new line."""
        if not (said(item) or (item.is_apart and is_long)):
            return start
        self._line(start, item.head.text)
        self._comments(item.between, indent + _STEP)
        return " " * (indent + _STEP)

    def _rows(self, first: str, others: list[str], indent: int, end: Line) -> None:
        """The lines of a leaf, and what follows on the last of them."""
        *before, last = [first, *(_continued(row, indent) for row in others)]
        for row in before:
            self._line(row)
        self._line(last + end.text, end.comment)

    def _text(self, scalar: Scalar, indent: int) -> None:
        """The lines of a block scalar, as they are."""
        digit = scalar.text.strip("|>+-")
        margin = " " * (indent + (int(digit) if digit else _STEP))
        for row in scalar.lines:
            self._line(margin + row if row else "")
        self._after_kept = scalar.is_kept

    # Brackets.

    def _flow(self, start: str, item: Item, flow: Flow, indent: int) -> None:
        if becomes_block(start, flow):
            self._value(start, opened(item, flow), indent)
            return
        text = one_line(flow)
        lead = self._lead(start, item, indent, is_long=text is not None and not fits(start, text))
        if text is not None:
            self._line(_joined(lead, text), item.tail.text)
        else:
            self._exploded(lead, flow, indent if lead.strip() else len(lead), Line("", item.tail.text))

    def _exploded(self, lead: str, flow: Flow, indent: int, end: Line) -> None:
        """Brackets with a line for each item, and what follows the closing one."""
        opening, closing = "{}" if flow.is_map else "[]"
        self._line(_joined(lead, f"{flow.anchor} {opening}".strip()), flow.head.text)
        keeps_quotes = not flow.is_map and quoting.all_keep_quotes(flow.items, in_flow=True)
        for item in flow.items:
            is_first, is_last = item is flow.items[0], item is flow.items[-1]
            self._comments(
                item.above[1:] if is_first and item.above[:1] == [""] else item.above, indent + _STEP
            )
            tail = Line("" if is_last else ",", item.tail.text)
            self._bracketed(item, indent + _STEP, tail, keeps_quotes=keeps_quotes)
        self._comments(flow.foot[:-1] if flow.foot[-1:] == [""] else flow.foot, indent + _STEP)
        self._line(" " * indent + closing + end.text, end.comment)

    def _bracketed(self, item: Item, indent: int, end: Line, *, keeps_quotes: bool) -> None:
        """An item that has a line of its own inside brackets."""
        start = " " * indent + (f"{quoting.key(item.key)}:" if item.key is not None else "")
        text = inline(item.value, keeps_quotes=keeps_quotes)
        if isinstance(item.value, Flow) and (text is None or not fits(start, text + end.text)):
            self._exploded(start, item.value, indent, end)
        else:
            first, *others = (text or "").split("\n")
            self._rows(_joined(start, first), others, indent + _STEP, end)


def _joined(start: str, text: str) -> str:
    return f"{start} {text}" if start.strip() and text else start + text


def _continued(row: str, indent: int) -> str:
    """A further line of a string of several lines: blanks around it are not a part of it."""
    text = row.lstrip(" \t")
    bare = text.rstrip(" \t")
    if bare.endswith("\\"):  # it may be the blank that is escaped
        bare = text
    return " " * indent + bare if bare else ""
