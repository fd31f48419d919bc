"""The parts of a laid-out picture, and how parts are moved and set side by side. Lengths are pixels, y grows down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from kfgit.render.graph.view import Edge, Node

Flow = Literal["down", "right"]
Point = tuple[int, int]
SIDE_GAP: Final = 24
_LANDSCAPE: Final = 1.7
_WIDEST_SHELF: Final = 1400
_GROWN: Final = 1.2  # so much further to the right a column may go for a part below


@dataclass(frozen=True, slots=True)
class Box:
    """A node's rectangle; `depth` counts the groups around it."""

    node: Node
    x: int
    y: int
    width: int
    height: int
    depth: int
    parent: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle around tasks that all have the same neighbours, so that one edge can stand for many."""

    x: int
    y: int
    width: int
    height: int
    count: int


@dataclass(frozen=True, slots=True)
class Wire:
    """A line for one or more edges.

    Straight and curved stretches between its points take turns, straight first. `depth` counts the groups around it,
    `back` says that it runs against the flow, `turns` that it goes from one column to the next.
    """

    edges: tuple[Edge, ...]
    points: tuple[Point, ...]
    depth: int
    back: bool = False
    turns: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """The line above what always runs."""

    x: int
    y: int
    width: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the picture, from (0, 0) to (width, height)."""

    width: int
    height: int
    boxes: tuple[Box, ...] = ()
    wires: tuple[Wire, ...] = ()
    frames: tuple[Frame, ...] = ()
    rules: tuple[Rule, ...] = ()

    def moved(self, dx: int, dy: int) -> Piece:
        """The same part, its corner at (dx, dy); the size then counts from there."""
        return replace(
            self,
            boxes=tuple(replace(box, x=box.x + dx, y=box.y + dy) for box in self.boxes),
            wires=tuple(
                replace(wire, points=tuple((x + dx, y + dy) for x, y in wire.points)) for wire in self.wires
            ),
            frames=tuple(replace(frame, x=frame.x + dx, y=frame.y + dy) for frame in self.frames),
            rules=tuple(replace(rule, x=rule.x + dx, y=rule.y + dy) for rule in self.rules),
        )


def over(width: int, height: int, parts: Sequence[Piece]) -> Piece:
    """Parts that are already in place, as one of the given size."""
    return Piece(
        width,
        height,
        tuple(box for part in parts for box in part.boxes),
        tuple(wire for part in parts for wire in part.wires),
        tuple(frame for part in parts for frame in part.frames),
        tuple(rule for part in parts for rule in part.rules),
    )


def shelved(parts: Sequence[Piece], flow: Flow, *, gap: int = SIDE_GAP) -> Piece:
    """Parts set side by side in their order, on as many shelves as look well; what fits below another goes there."""
    if len(parts) <= 1:
        return parts[0] if parts else Piece(0, 0)
    limit = _shelf_width(parts, flow, gap)
    placed: list[Piece] = []
    shelf, depth, widest = 0, 0, 0  # where the shelf is, how deep it is, how wide the widest is
    left, free, right = 0, 0, 0  # the shelf's last column: where it begins, what is free below, where it ends
    for part in parts:
        if (
            free
            and free + gap + part.height <= shelf + depth
            and left + part.width <= min(limit, _GROWN * right)
        ):
            free += gap
        elif right and right + gap + part.width > limit:
            shelf, depth = shelf + depth + gap, 0
            left, right, free = 0, 0, shelf
        else:
            left, free = right + gap if right else 0, shelf
        placed.append(part.moved(left, free))
        free += part.height
        right = max(right, left + part.width)
        depth = max(depth, free - shelf)
        widest = max(widest, right)
    return over(widest, shelf + depth, placed)


def _shelf_width(parts: Sequence[Piece], flow: Flow, gap: int) -> int:
    area = sum((part.width + gap) * (part.height + gap) for part in parts)
    widest = max(part.width for part in parts)
    landscape = min(math.isqrt(int(area * _LANDSCAPE)), _WIDEST_SHELF)
    if flow == "right":
        return max(widest, landscape if len(parts) > 4 else 0)
    in_one_row = sum(part.width + gap for part in parts)
    return max(widest, landscape, min(in_one_row, 920))
