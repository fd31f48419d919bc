"""Words on edges, where there is room for them.

A busy picture gets none: which outputs an edge carries is in its tooltip anyway. Else each label goes to the middle
of a bend, or a little further on, and is left out where it would touch a box or another label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kfgit.render.graph.measure import fit, text_width
from kfgit.render.graph.pieces import Box, Frame, Piece, Wire
from kfgit.render.graph.plain import plain

_BUSY: Final = 24
_SIZE: Final = 10.0
_WIDEST: Final = 120
_HALF_HEIGHT: Final = 8
_PLACES: Final = (0.5, 0.62, 0.38)


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text around its middle; `depth` tells the ground it stands on."""

    text: str
    x: int
    y: int
    depth: int

    @property
    def width(self) -> float:
        """The room it takes."""
        return text_width(self.text, _SIZE)

    def touches(self, box: Box | Frame) -> bool:
        """Whether it crosses the border of a box or lies in a box without children."""
        half = self.width / 2 + 3
        left, right, top, bottom = self.x - half, self.x + half, self.y - _HALF_HEIGHT, self.y + _HALF_HEIGHT
        apart = right < box.x or left > box.x + box.width or bottom < box.y or top > box.y + box.height
        around = box.x < left and right < box.x + box.width and box.y < top and bottom < box.y + box.height
        group = isinstance(box, Box) and bool(box.node.children)
        return not apart and not (group and around)

    def near(self, other: Label) -> bool:
        """Whether two labels would touch."""
        reach = (self.width + other.width) / 2 + 6
        return abs(self.x - other.x) < reach and abs(self.y - other.y) < 2 * _HALF_HEIGHT


def labels(piece: Piece) -> tuple[Label, ...]:
    """The labels that are drawn."""
    kept: list[Label] = []
    if len(piece.wires) > _BUSY:
        return ()
    obstacles: tuple[Box | Frame, ...] = (*piece.boxes, *piece.frames)
    for wire in piece.wires:
        kept += _first_free(wire, obstacles, kept)
    return tuple(kept)


def _first_free(wire: Wire, obstacles: Sequence[Box | Frame], kept: Sequence[Label]) -> list[Label]:
    text = _words(wire)
    if not text:
        return []
    for label in _candidates(wire, text):
        if not any(label.touches(box) for box in obstacles) and not any(label.near(other) for other in kept):
            return [label]
    return []


def _words(wire: Wire) -> str:
    named = tuple(dict.fromkeys(label for edge in wire.edges for label in edge.labels))
    text = ", ".join(named) if len(named) <= 3 else f"{len(named)} values"
    return fit(plain(text), _WIDEST, _SIZE)


def _candidates(wire: Wire, text: str) -> Iterator[Label]:
    """Places on the curved stretches, the last one first: it is next to the reader."""
    for index in range(len(wire.points) - 3, 0, -2):
        (x1, y1), (x2, y2) = wire.points[index], wire.points[index + 1]
        for t in _PLACES:
            s = t * t * (3 - 2 * t)
            flat = 1.5 * t * (1 - t) + t**3  # a cubic whose inner points stand halfway
            down = abs(x1 - x2) < 1 or y1 != y2
            x = x1 + (x2 - x1) * s
            y = y1 + (y2 - y1) * (flat if down else s)
            yield Label(text, round(x), round(y), wire.depth)
