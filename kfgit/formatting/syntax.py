"""A document as its author wrote it: the tree of its YAML with every comment and blank line in its place.

`document`'s nodes say what a text means; these say how it is written. They are filled while a text is read, for a
comment belongs to what was read before it or to what comes next, and are left alone afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

# Comments with a line each, beginning with `#`; an empty one is a blank line.
Lines: TypeAlias = list[str]


class Unsure(Exception):
    """A text is written in a way that cannot be laid out anew with certainty; the reason is for people."""


@dataclass(slots=True, eq=False)
class Beside:
    """The room for one comment at the end of a line."""

    text: str = ""


@dataclass(slots=True, eq=False)
class Scalar:
    """A leaf. `text` is what the author wrote, with quotes, without the anchor; of a block it is the header.

    `lines` are the lines of a block without their indentation. `style` is libyaml's: one of `|>'"`, or nothing.
    """

    text: str
    value: str
    style: str = ""
    anchor: str = ""
    lines: tuple[str, ...] = ()

    @property
    def is_block(self) -> bool:
        """Whether it is a literal or folded block."""
        return self.style in {"|", ">"}

    @property
    def is_kept(self) -> bool:
        """Whether blank lines after it are its own (`|+`)."""
        return self.is_block and "+" in self.text


@dataclass(slots=True, eq=False)
class Alias:
    """`*name`."""

    text: str


@dataclass(slots=True, eq=False)
class Item:
    """One item of a list, or one entry of a map, with the comments that travel with it.

    `head` stands behind the key or the dash, `between` on lines of its own before the value, `tail` behind the value.
    """

    above: Lines
    key: Scalar | None = None
    value: Node | None = None
    head: Beside = field(default_factory=Beside)
    between: Lines = field(default_factory=list)
    tail: Beside = field(default_factory=Beside)
    # The value begins on a line of its own.
    is_apart: bool = False


@dataclass(slots=True, eq=False)
class Block:
    """A map or a list by indentation; `foot` are the comments after its last item."""

    is_map: bool
    anchor: str = ""
    items: list[Item] = field(default_factory=list)
    foot: Lines = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Flow:
    """A map or a list in brackets; a pair in a list, `[a: b]`, has none of its own (`is_bare`).

    `is_open` tells that the author began a new line after the bracket. `head` stands behind the bracket.
    """

    is_map: bool
    anchor: str = ""
    items: list[Item] = field(default_factory=list)
    foot: Lines = field(default_factory=list)
    head: Beside = field(default_factory=Beside)
    is_open: bool = False
    is_bare: bool = False


Node: TypeAlias = Scalar | Alias | Block | Flow


@dataclass(slots=True, eq=False)
class Page:
    """One document of a file: its text, and what it is made of if it shall be laid out anew.

    `root` is the whole of it as a value without a key: its `head` stands behind `---`. `prelude` stands before that,
    `foot` after the root, `end` and `after` behind and after the end mark `...`.
    """

    text: str
    is_marked: bool
    root: Item | None = None
    prelude: Lines = field(default_factory=list)
    foot: Lines = field(default_factory=list)
    is_ended: bool = False
    end: Beside = field(default_factory=Beside)
    after: Lines = field(default_factory=list)
    has_aliases: bool = False
