"""What stands on a node's card: the lines of text, their sizes, and the room they take.

Layout asks how large a card is, the SVG writes the same lines into it; so both read them here. Lengths are pixels.
"""

from __future__ import annotations

import math
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
_CONDITION_LINES: Final = 3


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
    """The name, then what there is of detail and guard; a branch's condition may take several lines."""
    detail = plain(node.detail)
    wrapped = _wrapped(detail, _WIDEST_CONDITION) if node.kind == "branch" else (detail,)
    guard = plain(f"if {node.when}") if node.when else ""
    named: tuple[tuple[Role, str], ...] = (
        ("name", plain(node.label)),
        *(("detail", text) for text in wrapped),
        ("when", guard),
    )
    return tuple(Line(role, text) for role, text in named if text or role == "name")


def _wrapped(text: str, width: int) -> tuple[str, ...]:
    """The words in lines of at most `width` where words allow; the last line takes what is left."""
    found: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and len(found) < _CONDITION_LINES - 1 and text_width(longer, SIZE["detail"]) > width:
            found.append(line)
            longer = word
        line = longer
    return (*found, line)


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
