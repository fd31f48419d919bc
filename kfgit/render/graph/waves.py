"""Waves: which of a group's children can run at once, found by the longest path from the start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kfgit.render.graph.view import Node

Pair = tuple[str, str]


def waves_of(group: Node) -> dict[str, int]:
    """The wave of each child, counted from 0. Exit tasks stand in none: they run after everything."""
    ids = [child.id for child in group.children if child.kind != "exit"]
    return waves(ids, forward(ids, [(edge.source, edge.target) for edge in group.edges]))


def waves(ids: Sequence[str], pairs: Sequence[Pair]) -> dict[str, int]:
    """The length of the longest path that ends at each id; `pairs` must have no cycle."""
    wave = dict.fromkeys(ids, 0)
    before = _sources(ids, pairs)
    for id in topological(ids, pairs):
        wave[id] = max((wave[source] + 1 for source in before[id]), default=0)
    return wave


def forward(ids: Sequence[str], pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs among `ids`, once each, those that close a cycle turned round."""
    known = frozenset(ids)
    inside = [pair for pair in dict.fromkeys(pairs) if known.issuperset(pair)]
    place = {id: index for index, id in enumerate(topological(ids, inside))}
    return list(dict.fromkeys((a, b) if place[a] < place[b] else (b, a) for a, b in inside))


def topological(ids: Sequence[str], pairs: Sequence[Pair]) -> list[str]:
    """Sources before targets, else as given; where a cycle leaves nothing free, the first one left goes."""
    waiting = {id: len(sources) for id, sources in _sources(ids, pairs).items()}
    targets = _sources(ids, [(target, source) for source, target in pairs])
    done: list[str] = []
    while waiting:
        ready = [id for id, count in waiting.items() if count <= 0] or [next(iter(waiting))]
        for id in ready:
            del waiting[id]
        for id in ready:
            for target in targets[id]:
                if target in waiting:
                    waiting[target] -= 1
        done += ready
    return done


def _sources(ids: Sequence[str], pairs: Sequence[Pair]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {id: [] for id in ids}
    for source, target in pairs:
        found[target].append(source)
    return found
