"""One part of a group, whose items hang together: rows across the flow, one after the other, and the lines between.

In a row every line runs straight along the flow, at a place that is its own; between rows it bends. So no line crosses
a box that it does not join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kfgit.render.graph.layering import Layers, is_bend, layered
from kfgit.render.graph.pieces import Flow, Piece, Point, Wire, over
from kfgit.render.graph.placing import placed, room
from kfgit.render.graph.view import Edge
from kfgit.render.graph.waves import Pair

_ROW_GAP: Final[Mapping[Flow, int]] = {"down": 40, "right": 60}
_WIDEST_GAP: Final = 110
_ASIDE: Final = 12  # a line that goes this far aside wants one pixel more between its rows


@dataclass(frozen=True, slots=True)
class Grid:
    """The places of one part: `middle` across the flow, `bands` along it."""

    flow: Flow
    layers: Layers
    row: Mapping[str, int]
    middle: Mapping[str, int]
    across: Mapping[str, int]
    along: Mapping[str, int]
    bands: Sequence[tuple[int, int]]

    def span(self, stop: str) -> tuple[int, int]:
        """Where a stop begins and ends along the flow; nodes stand in the middle of their row."""
        start, end = self.bands[self.row[stop]]
        inset = 0 if is_bend(stop) else (end - start - self.along[stop]) // 2
        return (start, end) if is_bend(stop) else (start + inset, start + inset + self.along[stop])

    def corner(self, id: str) -> Point:
        """The upper left corner of an item."""
        return self.point(self.middle[id] - self.across[id] // 2, self.span(id)[0])

    def point(self, across: int, along: int) -> Point:
        """A place of the grid on the page."""
        return (across, along) if self.flow == "down" else (along, across)


def connected(
    items: Mapping[str, Piece], edges: Mapping[Pair, tuple[Edge, ...]], flow: Flow, depth: int
) -> Piece:
    """The items in place with the lines of `edges`, which join nothing else."""
    grid = grid_of(items, list(edges), flow)
    breadth = max(middle + (room(stop, grid.across) + 1) // 2 for stop, middle in grid.middle.items())
    width, height = grid.point(breadth, grid.bands[-1][1])
    wires = tuple(_wire(grid, pair, joined, depth) for pair, joined in edges.items())
    parts = [item.moved(*grid.corner(id)) for id, item in items.items()]
    return over(width, height, [Piece(width, height, wires=wires), *parts])


def grid_of(items: Mapping[str, Piece], pairs: Sequence[Pair], flow: Flow) -> Grid:
    """Where the items and the bends of their lines stand."""
    widths = {id: item.width for id, item in items.items()}
    heights = {id: item.height for id, item in items.items()}
    across, along = (widths, heights) if flow == "down" else (heights, widths)
    layers = layered(list(items), pairs)
    middle = placed(layers, across)
    left = min(at - (room(stop, across) + 1) // 2 for stop, at in middle.items())
    middle = {stop: at - left for stop, at in middle.items()}
    row = {stop: index for index, stops in enumerate(layers.rows) for stop in stops}
    return Grid(flow, layers, row, middle, across, along, _bands(layers, row, middle, along, _ROW_GAP[flow]))


def _bands(
    layers: Layers, row: Mapping[str, int], middle: Mapping[str, int], along: Mapping[str, int], least: int
) -> list[tuple[int, int]]:
    """Where each row begins and ends along the flow; rows whose lines go far aside stand further apart."""
    aside = [0] * len(layers.rows)
    for upper, lower in layers.steps():
        aside[row[lower]] = max(aside[row[lower]], abs(middle[upper] - middle[lower]))
    bands: list[tuple[int, int]] = []
    for index, stops in enumerate(layers.rows):
        gap = min(_WIDEST_GAP, least + aside[index] // _ASIDE)
        start = bands[-1][1] + gap if bands else 0
        bands.append((start, start + max((along[stop] for stop in stops if not is_bend(stop)), default=0)))
    return bands


def _wire(grid: Grid, pair: Pair, joined: tuple[Edge, ...], depth: int) -> Wire:
    """A line from border to border; an edge that closes a cycle takes its way backwards."""
    back = pair not in grid.layers.ways
    source, *bends, target = grid.layers.ways[pair[::-1] if back else pair]
    stretches = [(source, grid.span(source)[1], grid.bands[grid.row[source]][1])]
    stretches += [(bend, *grid.span(bend)) for bend in bends]
    stretches.append((target, grid.bands[grid.row[target]][0], grid.span(target)[0]))
    points = [grid.point(grid.middle[stop], at) for stop, *ends in stretches for at in ends]
    return Wire(joined, tuple(points[::-1] if back else points), depth, back)
