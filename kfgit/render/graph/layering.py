"""A DAG in layers: who stands in which row, and in which order, so that few edges cross.

Sugiyama's way with the plainest choice at each step: longest path for the rows, sources drawn down to their readers,
a bend in each row that an edge passes, and the barycentre of the neighbours for the order. Only names here; sizes and
places are `placing`'s. Equal input gives equal rows: nothing iterates over a set.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from kfgit.render.graph.waves import Pair, forward, topological, waves

Rows = tuple[tuple[str, ...], ...]
_SWEEPS: Final = 12


@dataclass(frozen=True, slots=True)
class Layers:
    """The rows in order, bends among them; and the way of each edge, one stop in each row from source to target."""

    rows: Rows
    ways: Mapping[Pair, tuple[str, ...]]

    def steps(self) -> tuple[Pair, ...]:
        """Every piece of an edge between one row and the next."""
        return tuple(dict.fromkeys(step for way in self.ways.values() for step in pairwise(way)))


def is_bend(stop: str) -> bool:
    """Whether a stop of an edge is only a bend and no node."""
    return stop.startswith("\0")


def layered(ids: Sequence[str], pairs: Sequence[Pair]) -> Layers:
    """Rows for all ids. A pair that closes a cycle is laid the other way round, and so are its stops in `ways`."""
    onward = forward(ids, pairs)
    row_of = _drawn_down(ids, onward)
    ways = {pair: _way(pair, row_of) for pair in onward}
    rows: list[list[str]] = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    for id in ids:
        rows[row_of[id]].append(id)
    for (source, _), way in ways.items():
        for offset, stop in enumerate(way[1:-1], start=1):
            rows[row_of[source] + offset].append(stop)
    unordered = Layers(tuple(tuple(row) for row in rows), ways)
    return Layers(_ordered(unordered), ways)


def _drawn_down(ids: Sequence[str], pairs: Sequence[Pair]) -> dict[str, int]:
    """Longest-path rows; then whatever feeds more than it reads moves next to its first reader."""
    row = waves(ids, pairs)
    readers: dict[str, list[str]] = {id: [] for id in ids}
    reads = dict.fromkeys(ids, 0)
    for source, target in pairs:
        readers[source].append(target)
        reads[target] += 1
    for id in reversed(topological(ids, pairs)):
        if len(readers[id]) > reads[id]:
            row[id] = min(row[reader] for reader in readers[id]) - 1
    return row


def _way(pair: Pair, row_of: Mapping[str, int]) -> tuple[str, ...]:
    source, target = pair
    bends = [f"\0{source}\0{target}\0{row}" for row in range(row_of[source] + 1, row_of[target])]
    return (source, *bends, target)


def _ordered(layers: Layers) -> Rows:
    """The rows with the fewest crossings met while sweeping down and up; source order where it makes no difference."""
    above, below = _neighbours(layers)
    rows = best = layers.rows
    fewest = crossings(rows, below)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        rows = _swept(rows, above) if sweep % 2 == 0 else _swept(rows[::-1], below)[::-1]
        count = crossings(rows, below)
        if count < fewest:
            best, fewest = rows, count
    return best


def crossings(rows: Rows, below: Mapping[str, Sequence[str]]) -> int:
    """How often two pieces of edges cross between neighbouring rows."""
    total = 0
    for upper, lower in pairwise(rows):
        place = {stop: index for index, stop in enumerate(lower)}
        ends: list[int] = []
        for stop in upper:
            own = sorted(place[target] for target in below[stop])
            total += sum(len(ends) - _up_to(ends, end) for end in own)
            for end in own:
                insort(ends, end)
    return total


def _up_to(ends: list[int], end: int) -> int:
    return bisect_left(ends, end + 1)


def _swept(rows: Rows, neighbours: Mapping[str, Sequence[str]]) -> Rows:
    """Each row sorted by the mean place of its neighbours in the row before."""
    swept = [rows[0]]
    for row in rows[1:]:
        place = {stop: index for index, stop in enumerate(swept[-1])}
        swept.append(tuple(sorted(row, key=_barycentre(row, place, neighbours))))
    return tuple(swept)


def _barycentre(
    row: Sequence[str], place: Mapping[str, int], neighbours: Mapping[str, Sequence[str]]
) -> Callable[[str], float]:
    own = {stop: float(index) for index, stop in enumerate(row)}

    def key(stop: str) -> float:
        near = neighbours[stop]
        return sum(place[other] for other in near) / len(near) if near else own[stop]

    return key


def _neighbours(layers: Layers) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {stop: [] for row in layers.rows for stop in row}
    below: dict[str, list[str]] = {stop: [] for row in layers.rows for stop in row}
    for upper, lower in layers.steps():
        below[upper].append(lower)
        above[lower].append(upper)
    return above, below
