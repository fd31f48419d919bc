"""What stands on a node's card: the lines of text, their sizes, and the room they take.

Layout asks how large a card is, the SVG writes the same lines into it; so both read them here. Lengths are pixels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from kfgit.render.graph.measure import text_width
from kfgit.render.graph.plain import plain
from kfgit.render.graph.view import Node

Role = Literal["name", "detail", "when"]

SIZE: Final[dict[Role, float]] = {"name": 13.0, "detail": 11.0, "when": 10.5}
LEADING: Final[dict[Role, int]] = {"name": 18, "detail": 15, "when": 16}
EDGE: Final = 11  # free room above the first line and below the last
TEXT_LEFT: Final = 36  # where text begins; the mark stands before it
TEXT_RIGHT: Final = 14
_NARROWEST: Final = 128
_WIDEST_CARD: Final = 236
_WIDEST_HEADING: Final = 320
_WIDEST_CONDITION: Final = 200
_MOST_LINES: Final[dict[Role, int]] = {"name": 3, "detail": 5, "when": 5}
# Where a line may end: conditions at blanks, names and paths behind what joins their words too.
_WORDS: Final = re.compile(r"\S+\s*|\s+")
_NAME: Final = re.compile(r"[^\s/_.:-]+[\s/_.:-]*|[\s/_.:-]+")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a card, harmless but not yet cut to the card's width."""

    role: Role
    text: str

    @property
    def width(self) -> float:
        """The room it wants."""
        return text_width(self.text, SIZE[self.role], bold=self.role == "name")


def lines(node: Node) -> tuple[Line, ...]:
    """The name, then what there is of detail and guard, each on as many lines as it needs within reason."""
    room = (_WIDEST_HEADING if node.children else _WIDEST_CARD) - TEXT_LEFT - TEXT_RIGHT
    branch = node.kind == "branch"
    guard = f"if {node.when}" if node.when else ""
    detail = _wrapped(
        "detail", plain(node.detail), _WIDEST_CONDITION if branch else room, _WORDS if branch else _NAME
    )
    told = (
        *_wrapped("name", plain(node.label), room, _NAME),
        *detail,
        *_wrapped("when", plain(guard), _WIDEST_CONDITION, _WORDS),
    )
    return tuple(line for line in told if line.text) or (Line("name", ""),)


def wrapped(role: Role, text: str, room: int) -> tuple[str, ...]:
    """A text in lines of at most `room` where its words allow."""
    return tuple(line.text for line in _wrapped(role, text, room, _WORDS))


def whole(node: Node) -> str:
    """All that the lines say, uncut."""
    guard = f"if {node.when}" if node.when else ""
    return "\n".join(plain(text) for text in (node.label, node.detail, guard) if text)


def _wrapped(role: Role, text: str, room: int, pieces: re.Pattern[str]) -> Iterator[Line]:
    """The pieces in lines of at most `room` where pieces allow; the last line takes what is left."""
    line, done = "", 1
    for piece in pieces.findall(text):
        longer = Line(role, line + piece)
        if line and done < _MOST_LINES[role] and longer.width > room:
            yield Line(role, line.rstrip())
            line, done = "", done + 1
        line += piece
    yield Line(role, line.rstrip())


def card_width(node: Node) -> int:
    """How wide a card wants to be; even, so that its middle is a whole pixel."""
    return min(_WIDEST_CARD, max(_NARROWEST, _wanted(node)))


def heading_width(node: Node) -> int:
    """How wide a group must at least be for its heading."""
    widest = TEXT_LEFT + _WIDEST_CONDITION + TEXT_RIGHT if node.kind == "branch" else _WIDEST_HEADING
    return min(widest, max(_NARROWEST, _wanted(node)))


def text_height(node: Node) -> int:
    """The height of a card, or of a group's heading; even."""
    height = 2 * EDGE + sum(LEADING[line.role] for line in lines(node))
    return height + height % 2


def _wanted(node: Node) -> int:
    return 2 * math.ceil((TEXT_LEFT + max(line.width for line in lines(node)) + TEXT_RIGHT) / 2)
