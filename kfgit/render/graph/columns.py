"""What is too high for a page, in columns: cut where a single edge joins what is above with what is below.

A chain of sixty tasks is five thousand pixels high and one task wide. In columns it is read like the columns of a
newspaper: the edge that was cut goes up between them, and down to the top of the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from kfgit.render.graph.layering import is_bend
from kfgit.render.graph.pieces import Box, Flow, Frame, Piece, Wire, over
from kfgit.render.graph.rows import Grid, connected, grid_of
from kfgit.render.graph.view import Edge
from kfgit.render.graph.waves import Pair

_PAGE: Final = 1700
_COLUMN: Final = 1250
_GUTTER: Final = 64
_TURN: Final = 16  # room for a line to turn, above and below the columns

Edges = Mapping[Pair, tuple[Edge, ...]]


def in_columns(items: Mapping[str, Piece], edges: Edges, flow: Flow, depth: int) -> Piece:
    """The items in place with their lines, in several columns where one would be too high."""
    whole = connected(items, edges, flow, depth)
    if flow == "right" or whole.height <= _PAGE:
        return whole
    parts = _parts(grid_of(items, list(edges), flow), whole.height)
    if len(parts) == 1:
        return whole
    columns = [
        connected({id: items[id] for id in part}, _within(edges, frozenset(part)), flow, depth)
        for part in parts
    ]
    placed: list[_Column] = []
    x = 0
    for column in columns:
        placed.append(_Column(x, column.moved(x, _TURN)))
        x += column.width + _GUTTER
    homes = {id: placed[index] for index, part in enumerate(parts) for id in part}
    turns = tuple(
        _turn(pair, joined, homes, depth)
        for pair, joined in edges.items()
        if homes[pair[0]].x != homes[pair[1]].x
    )
    width, height = x - _GUTTER, max(column.height for column in columns) + 2 * _TURN
    if any(_is_crossed(wire, column.piece) for wire in turns for column in placed):
        return whole
    return over(width, height, [Piece(width, height, wires=turns), *(column.piece for column in placed)])


class _Column(NamedTuple):
    x: int
    piece: Piece


def _parts(grid: Grid, height: int) -> list[list[str]]:
    """The items in columns of about one height, as far as there are places to cut."""
    least = height / -(-height // _COLUMN) * 0.95
    steps: dict[int, list[Pair]] = {}
    for step in grid.layers.steps():
        steps.setdefault(grid.row[step[0]], []).append(step)
    parts: list[list[str]] = [[]]
    start = 0
    last = len(grid.layers.rows) - 1
    for index, row in enumerate(grid.layers.rows):
        parts[-1] += [stop for stop in row if not is_bend(stop)]
        crossing = steps.get(index, [])
        single = len(crossing) == 1 and not any(map(is_bend, crossing[0]))
        if index < last and single and grid.bands[index][1] - start >= least:
            parts.append([])
            start = grid.bands[index + 1][0]
    return parts


def _within(edges: Edges, ids: frozenset[str]) -> Edges:
    return {pair: joined for pair, joined in edges.items() if ids.issuperset(pair)}


def _turn(pair: Pair, joined: tuple[Edge, ...], homes: Mapping[str, _Column], depth: int) -> Wire:
    """Down from the end of one column, up beside the next one, and down to its beginning."""
    back = homes[pair[0]].x > homes[pair[1]].x
    first, second = pair[::-1] if back else pair
    left, right = homes[first].piece, homes[second].piece
    source, target = _card(left, first), _card(right, second)
    out, into = source.x + source.width // 2, target.x + target.width // 2
    gutter, low = homes[second].x - _GUTTER // 2, left.height + 2 * _TURN
    points = (
        (out, source.y + source.height), (out, low), (gutter, low), (gutter, 0), (into, 0), (into, target.y)
    )  # fmt: skip
    return Wire(joined, points[::-1] if back else points, depth, back, turns=True)


def _is_crossed(wire: Wire, column: Piece) -> bool:
    """Whether the line would go through a box: then nothing is cut."""
    boxes: tuple[Box | Frame, ...] = (*column.boxes, *column.frames)
    return any(
        box.x < max(x1, x2) and min(x1, x2) < box.x + box.width
        and box.y < max(y1, y2) and min(y1, y2) < box.y + box.height
        for (x1, y1), (x2, y2) in pairwise(wire.points)
        for box in boxes
    )  # fmt: skip


def _card(column: Piece, id: str) -> Box | Frame:
    """Where an item stands: its box, or the frame of the tasks that it stands for."""
    box = next(box for box in column.boxes if box.node.id == id)
    around = (frame for frame in column.frames if _holds(frame, box))
    return min(around, key=lambda frame: frame.width * frame.height, default=box)


def _holds(frame: Frame, box: Box) -> bool:
    return (
        frame.x < box.x
        and frame.y < box.y
        and box.x + box.width < frame.x + frame.width
        and box.y + box.height < frame.y + frame.height
    )
