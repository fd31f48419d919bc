"""What the lines and marks of a picture mean: only those that are in it, and nothing where all is plain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from kfgit.render.graph.measure import text_width
from kfgit.render.graph.palette import MARKS, SIGNS
from kfgit.render.graph.pieces import Piece

Sign = Literal["data", "after", "frame", "mark", "state"]
_SIZE: Final = 10.0
_SIGN_ROOM: Final = 30
_GAP: Final = 20
_LINE: Final = 20
_EDGES: Final[tuple[tuple[Literal["data", "after"], str], ...]] = (
    ("data", "reads an output"),
    ("after", "only waits for the end"),
)
_KINDS: Final = {
    "import": "imported artifact",
    "pipeline": "nested pipeline",
    "loop": "once for each item",
    "switch": "one branch runs",
}
_STATES: Final = {"added": "added", "changed": "changed", "removed": "removed"}
_FRAME: Final = "an edge of the frame is an edge of each task in it"


@dataclass(frozen=True, slots=True)
class _Item:
    sign: Sign
    name: str
    words: str

    @property
    def width(self) -> int:
        return round(_SIGN_ROOM + text_width(self.words, _SIZE))


def legend(piece: Piece, x: int, y: int, room: int) -> tuple[int, list[str]]:
    """Its height and its elements, from (x, y) on in lines of at most `room`."""
    items = tuple(_items(piece))
    if not any(item.sign != "data" for item in items):
        return 0, []
    drawn: list[str] = []
    left, line = 0, 0
    for item in items:
        if left and left + item.width > room:
            left, line = 0, line + 1
        drawn += _drawn(item, x + left, y + _LINE * line + _LINE // 2)
        left += item.width + _GAP
    return _LINE * (line + 1), drawn


def _items(piece: Piece) -> Iterator[_Item]:
    edges = {edge.kind for wire in piece.wires for edge in wire.edges}
    kinds = {box.node.kind for box in piece.boxes}
    states = {box.node.state for box in piece.boxes}
    yield from (_Item(kind, kind, words) for kind, words in _EDGES if kind in edges)
    yield from (_Item("frame", "", _FRAME) for _ in piece.frames[:1])
    yield from (_Item("mark", kind, words) for kind, words in _KINDS.items() if kind in kinds)
    yield from (_Item("state", state, words) for state, words in _STATES.items() if state in states)


def _drawn(item: _Item, x: int, y: int) -> Iterator[str]:
    match item.sign:
        case "data" | "after":
            after = " after" if item.sign == "after" else ""
            yield f'<g class="edge{after}"><path d="M{x} {y}H{x + 16}"/>'
            yield f'<path class="head" d="M{x + 24} {y}l-8 -4v8z"/></g>'
        case "frame":
            yield f'<rect class="frame" x="{x + 2}" y="{y - 7}" width="20" height="14" rx="4"/>'
        case "mark":
            place = f"translate({x + 6} {y - 8})"
            yield f'<g class="{item.name}"><path class="mark" transform="{place}" d="{MARKS[item.name]}"/></g>'
        case "state":
            yield f'<g class="{item.name}"><text class="sign" x="{x + 14}" y="{y + 4}">{SIGNS[item.name]}</text></g>'
    yield f'<text class="small" x="{x + _SIGN_ROOM}" y="{y + 3}">{item.words}</text>'
