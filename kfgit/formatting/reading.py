"""Text to pages: libyaml's events say what the text is, the gaps between them hold its comments and blank lines.

Every character is accounted for: the cursor moves over white space, comments, and the marks that the events make
expect. Anything else stops the reading (`Unsure`), so nothing is lost because it was not understood.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, NoReturn

import yaml

from kfgit.formatting.syntax import Alias, Beside, Block, Flow, Item, Lines, Node, Page, Scalar, Unsure

_BLANK_LINES = re.compile(r"(?:[ \t]*\n)*")
_TRIVIA = re.compile(r"[ \t\n]+|#[^\n]*")
_ANCHOR = re.compile(r"&[^\s,\[\]{}]+")
_HEADER = re.compile(r"([|>][-+0-9]*)[ \t]*(#[^\n]*)?(?:\n|\Z)")
_MAP_START, _MAP_END = yaml.MappingStartEvent, yaml.MappingEndEvent
_LIST_END = yaml.SequenceEndEvent


class _Remark(NamedTuple):
    """A comment or blank line (`""`) that was passed over; `is_beside` if something stands before it on its line."""

    text: str
    column: int = 0
    is_beside: bool = False


class _Closed(NamedTuple):
    """A block that has ended: a comment that is indented as its items are belongs to its foot."""

    column: int
    foot: Lines


def read(text: str, found: Sequence[Any], wanted: Collection[int]) -> list[Page]:
    """The documents of a text without mistakes, from its events; the wanted ones are taken apart. Raises `Unsure`."""
    starts = [n for n, event in enumerate(found) if event.__class__ is yaml.DocumentStartEvent]
    borders = [0, *(found[n].start_mark.index for n in starts[1:]), len(text)]
    pages = []
    for number, start in enumerate(starts):
        begin, end = borders[number : number + 2]
        page = Page(text[begin:end], is_marked=found[start].explicit)
        if number in wanted:
            _Reader(text, (begin, end), found, start).fill(page)
        pages.append(page)
    _end(pages[-1])
    return pages


def _end(page: Page) -> None:
    """A blank line at the end of a file comes before nothing."""
    lines = page.after if page.is_ended else page.foot
    if lines and not lines[-1]:
        lines.pop()


class _Reader:
    """Reads one document: that part of the text, and the events from `start` on."""

    def __init__(self, text: str, part: tuple[int, int], found: Sequence[Any], start: int) -> None:
        self._text = text
        self._at, self._end = part
        self._events = found
        self._number = start
        self._remarks: list[_Remark] = []
        self._closed: list[_Closed] = []
        self._owner = Beside()
        self._is_new_line = True
        self._has_aliases = False

    def fill(self, page: Page) -> None:
        """Takes the document apart."""
        root = page.root = Item([])
        if self._at == 0 and (blank := _BLANK_LINES.match(self._text)):
            self._at = blank.end()
        start = self._take()
        if start.explicit:
            self._skip()
            page.prelude = self._above(-1)
            self._mark("---", root.head)
        self._owner = root.head
        root.value = self._value(root, -1)
        self._skip()
        page.foot = self._above(-1)
        if self._take().explicit:
            self._mark("...", page.end)
            page.is_ended = True
            self._skip()
            page.after = self._above(-1)
        if self._at != self._end:
            self._stop()
        page.has_aliases = self._has_aliases

    # Events and the cursor.

    def _peek(self) -> Any:
        return self._events[self._number]

    def _take(self) -> Any:
        self._number += 1
        return self._events[self._number - 1]

    def _stop(self) -> NoReturn:
        line = self._text.count("\n", 0, self._at) + 1
        raise Unsure(f"line {line} is written in a way that cannot be laid out with certainty")

    def _skip(self) -> None:
        """Moves over white space and comments, and remembers them."""
        while found := _TRIVIA.match(self._text, self._at, self._end):
            text = found.group()
            if text[0] == "#":
                beside = not self._is_new_line
                self._remarks.append(_Remark(text.rstrip(" \t"), self._column(), beside))
            elif "\n" in text:
                self._is_new_line = True
                if text.count("\n") > 1:
                    self._remarks.append(_Remark(""))
            self._at = found.end()

    def _column(self) -> int:
        return self._at - self._text.rfind("\n", 0, self._at) - 1

    def _pass(self, end: int, owner: Beside) -> None:
        """Moves over something; a comment that follows on its line is the owner's."""
        self._at, self._owner, self._is_new_line = end, owner, False

    def _mark(self, mark: str, owner: Beside) -> None:
        if not self._text.startswith(mark, self._at):
            self._stop()
        self._pass(self._at + len(mark), owner)

    # What becomes of comments.

    def _drain(self) -> Lines:
        """The comments since the last thing that was read; one beside that is its own."""
        return [remark.text for remark in self._drained()]

    def _drained(self) -> list[_Remark]:
        remarks, self._remarks = self._remarks, []
        if remarks and remarks[0].is_beside and not self._owner.text:
            self._owner.text = remarks.pop(0).text
        return remarks

    def _above(self, column: int) -> Lines:
        """The comments above what begins at a column; those of blocks that ended before it go to their feet."""
        remarks = self._drained()
        for closed in self._closed:  # the innermost first
            if closed.column <= column:
                break
            end = 0
            for number, remark in enumerate(remarks):
                if remark.text:
                    if remark.column < closed.column:
                        break
                    end = number + 1
            closed.foot.extend(remark.text for remark in remarks[:end])
            del remarks[:end]
        self._closed.clear()
        return [remark.text for remark in remarks]

    # Values.

    def _value(self, item: Item, column: int) -> Node | None:
        """The value of an item that is indented by a column (-1: not at all)."""
        event = self._take()
        if event.__class__ is yaml.ScalarEvent:
            return self._scalar(event, item, column)
        if event.__class__ is yaml.AliasEvent:
            return self._alias(event, item)
        is_map = event.__class__ is _MAP_START
        anchor = self._anchor(event, item) if event.anchor is not None else ""
        if event.flow_style:
            flow = Flow(is_map, anchor)
            self._between(item)
            self._flow(flow)
            self._owner = item.tail
            return flow
        block = Block(is_map, anchor)
        if is_map:
            self._map(block)
        else:
            self._list(block, column)
        return block

    def _alias(self, event: Any, item: Item) -> Alias:
        self._arrive(event, item)
        self._pass(event.end_mark.index, item.tail)
        self._has_aliases = True
        return Alias(f"*{event.anchor}")

    def _between(self, item: Item) -> None:
        """Goes on to where a value begins; the comments on the way stay before it."""
        self._skip()
        item.is_apart = self._is_new_line or item.is_apart
        item.between += filter(None, self._drain())

    def _arrive(self, event: Any, item: Item) -> None:
        self._between(item)
        if self._at != event.start_mark.index:
            self._stop()

    def _anchor(self, event: Any, item: Item) -> str:
        self._arrive(event, item)
        found = _ANCHOR.match(self._text, self._at)
        if found is None:
            self._stop()
        self._pass(found.end(), item.head)
        return found.group()

    def _scalar(self, event: Any, item: Item, column: int) -> Scalar | None:
        start, end = event.start_mark.index, event.end_mark.index
        if start == end:
            return None
        anchor = self._anchor(event, item) if event.anchor is not None else ""
        if self._at == end and anchor:
            return Scalar("", "", anchor=anchor)
        self._between(item)
        if (not anchor and self._at != start) or event.tag is not None:
            self._stop()
        if event.style in {"|", ">"}:
            return self._block_scalar(event, anchor, item, column)
        text = self._text[self._at : end]
        self._pass(end, item.tail)
        return Scalar(text, event.value, event.style or "", anchor)

    def _block_scalar(self, event: Any, anchor: str, item: Item, column: int) -> Scalar:
        end = event.end_mark.index
        header = _HEADER.match(self._text, self._at, end)
        if header is None:
            self._stop()
        mark, comment = header.groups()
        item.tail.text = (comment or "").rstrip(" \t")
        rows = self._text[header.end() : end].split("\n")
        is_cut = bool(rows[-1].strip(" "))
        if not is_cut:
            rows.pop()
        indent = _indent(mark, rows, column)
        if any(row[:indent].strip(" ") for row in rows):
            self._stop()
        lines = [row[indent:] for row in rows]
        while lines and not lines[-1] and "+" not in mark:
            lines.pop()
        if is_cut:  # the text ends without a line end, and so does the value
            mark = f"{mark.rstrip('+-')}-"
        after = header.end() + sum(len(row) + 1 for row in rows[: len(lines)])
        # From the line end on, which tells that what follows begins on a new line.
        self._pass(min(after - (self._text[after - 1 : after] == "\n"), end), Beside())
        return Scalar(mark, event.value, event.style, anchor, tuple(lines))

    # Blocks.

    def _map(self, block: Block) -> None:
        column = -1
        while self._peek().__class__ is not _MAP_END:
            self._skip()
            column = self._column() if column < 0 else column
            item = Item(self._above(column))
            block.items.append(item)
            item.key = self._key(item)
            item.value = self._value(item, column)
        self._take()
        self._closed.append(_Closed(column, block.foot))

    def _key(self, item: Item) -> Scalar:
        """A key of one line and its colon; comments between them are moved above it."""
        moved = Item([])
        if self._text.startswith(("? ", "?\n", "?\t"), self._at):
            self._mark("?", moved.head)
        event = self._take()
        key = self._scalar(event, moved, 0) if event.__class__ is yaml.ScalarEvent else None
        if key is None or key.is_block or "\n" in key.text:
            self._stop()
        self._owner = item.head
        self._skip()
        if self._text.startswith(":", self._at):
            self._owner = moved.tail
            moved.between += self._drain()
            self._mark(":", item.head)
        item.above += [line for line in (moved.head.text, *moved.between, moved.tail.text) if line]
        return key

    def _list(self, block: Block, parent: int) -> None:
        column = -1
        while self._peek().__class__ is not _LIST_END:
            self._skip()
            column = self._column() if column < 0 else column
            item = Item(self._above(column))
            block.items.append(item)
            self._mark("-", item.head)
            item.value = self._value(item, column)
        self._take()
        # A comment below items that are indented as their key is belongs to the map around.
        self._closed.append(_Closed(max(column, parent + 1), block.foot))

    # Brackets.

    def _flow(self, flow: Flow) -> None:
        opening, closing, end = ("{", "}", _MAP_END) if flow.is_map else ("[", "]", _LIST_END)
        flow.is_bare = not self._text.startswith(opening, self._at)
        if not flow.is_bare:
            self._mark(opening, flow.head)
            self._skip()
            flow.is_open = self._is_new_line
        while self._peek().__class__ is not end:
            self._skip()
            flow.items.append(self._flow_item(is_entry=flow.is_map))
            if not flow.is_bare:
                self._comma()
        self._take()
        if not flow.is_bare:
            self._skip()
            flow.foot = self._drain()
            self._mark(closing, Beside())

    def _flow_item(self, *, is_entry: bool) -> Item:
        """An item with its comments above or behind it, wherever they stood in it."""
        item = Item(self._drain())
        if is_entry:
            item.key = self._key(item)
        if not is_entry or self._text[self._at - 1] == ":":
            self._skip()
            item.above += self._drain()
        item.value = self._value(item, -1)
        item.above += [line for line in (item.head.text, *item.between) if line]
        item.head, item.between = Beside(), []
        self._owner = item.tail
        return item

    def _comma(self) -> None:
        self._skip()
        if self._text.startswith(",", self._at):
            self._remarks = [remark._replace(is_beside=False) for remark in self._drained()]
            self._mark(",", self._owner)


def _indent(mark: str, rows: list[str], column: int) -> int:
    """What the lines of a block scalar are indented by, below an item at a column."""
    digit = mark.strip("|>+-")
    if digit:
        return max(column, 0) + int(digit)
    return next(
        (len(row) - len(row.lstrip(" ")) for row in rows if row.strip(" ")), len(max(rows, default=""))
    )
