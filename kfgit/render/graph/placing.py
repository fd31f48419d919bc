"""Where the stops of each row stand along the row: near their neighbours, in order, never touching.

Each row in turn is put where its neighbours would have it: first at the mean of their places, looking one way, then at
their weighted median, so that one line is straight rather than two that are nearly so. With the order fixed and a
least distance between stops that is an isotonic regression in the L1 norm, which pooling adjacent violators solves.
Pieces of long edges weigh most, then what joins two nodes directly (after Gansner et al., "A Technique for Drawing
Directed Graphs", 1993).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from kfgit.render.graph.layering import Layers, is_bend

_SWEEPS: Final = 8  # each looks only one way, so that a whole chain moves at once
_SETTLING: Final = 8  # then each looks both ways
_ONE_EACH_WAY: Final = 2
_NODE_GAP: Final = 24
_BEND_GAP: Final = 14

Near = Mapping[str, Sequence[tuple[str, float]]]
Drawn = tuple[float, float]
"""A place that something is drawn to, and how strongly."""


def placed(layers: Layers, extent: Mapping[str, int]) -> dict[str, int]:
    """The middle of every stop along its row; `extent` is the room of each node, the leftmost edge is about 0."""
    above, below = _near(layers)
    both = {stop: [*above[stop], *below[stop]] for stop in above}
    middle: dict[str, float] = {}
    for row in layers.rows:
        middle.update(_spread(row, dict.fromkeys(row, (0.0, 1.0)), extent))
    for turn in range(_SWEEPS + _SETTLING):
        down = turn % 2 == 0
        near, centre = (both, _median) if turn >= _SWEEPS else (above if down else below, _mean)
        for row in layers.rows if down else layers.rows[::-1]:
            middle.update(_spread(row, {stop: _wish(stop, near, middle, centre) for stop in row}, extent))
    return {stop: round(value) for stop, value in middle.items()}


def room(stop: str, extent: Mapping[str, int]) -> int:
    """The room a stop needs along its row."""
    return 2 if is_bend(stop) else extent[stop]


def _wish(
    stop: str, near: Near, middle: Mapping[str, float], centre: Callable[[Sequence[Drawn], float], Drawn]
) -> Drawn:
    if not near[stop]:
        return middle[stop], 0.1
    return centre([(middle[other], weight) for other, weight in near[stop]], middle[stop])


def _mean(drawn: Sequence[Drawn], _now: float) -> Drawn:
    total = sum(weight for _, weight in drawn)
    return sum(place * weight for place, weight in drawn) / total, total


def _median(drawn: Sequence[Drawn], now: float) -> Drawn:
    """The weighted median and the whole weight.

    Where a stretch would do: its middle, but between only two the place nearest to `now`, else chains never settle.
    """
    total = sum(weight for _, weight in drawn)
    passed = 0.0
    low: float | None = None
    for place, weight in sorted(drawn):
        if low is not None:
            return (low + place) / 2 if len(drawn) > _ONE_EACH_WAY else min(max(now, low), place), total
        passed += weight
        if 2 * passed > total:
            return place, total
        if 2 * passed == total:
            low = place
    return now, total


def _near(layers: Layers) -> tuple[dict[str, list[tuple[str, float]]], dict[str, list[tuple[str, float]]]]:
    above: dict[str, list[tuple[str, float]]] = {stop: [] for row in layers.rows for stop in row}
    below: dict[str, list[tuple[str, float]]] = {stop: [] for row in layers.rows for stop in row}
    for upper, lower in layers.steps():
        weight = (2.0, 1.0, 8.0)[is_bend(upper) + is_bend(lower)]
        below[upper].append((lower, weight))
        above[lower].append((upper, weight))
    return above, below


def _spread(row: Sequence[str], wish: Mapping[str, Drawn], extent: Mapping[str, int]) -> dict[str, float]:
    """The places nearest to the wishes that keep order and distance."""
    offsets = _offsets(row, extent)
    pools: list[tuple[float, list[Drawn]]] = []
    for stop, offset in zip(row, offsets, strict=True):
        place, weight = wish[stop]
        pool = (place - offset, [(place - offset, weight)])
        while pools and pools[-1][0] >= pool[0]:
            before = pools.pop()
            members = before[1] + pool[1]
            pool = (_median(members, (before[0] + pool[0]) / 2)[0], members)
        pools.append(pool)
    places = [place for place, members in pools for _ in members]
    return {stop: place + offset for stop, place, offset in zip(row, places, offsets, strict=True)}


def _offsets(row: Sequence[str], extent: Mapping[str, int]) -> list[float]:
    """How far each stop's middle is at least from the first one's."""
    offsets = [0.0]
    for left, right in pairwise(row):
        gap = _BEND_GAP if is_bend(left) or is_bend(right) else _NODE_GAP
        offsets.append(offsets[-1] + (room(left, extent) + room(right, extent)) / 2 + gap)
    return offsets
