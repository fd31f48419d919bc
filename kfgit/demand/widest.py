"""The heaviest set of tasks that can run at once: no two of them wait for each other, however long each takes.

A task that waits for another never runs beside it, and all others may; so what can be held at once is the heaviest
antichain of the order that the edges make. By Dilworth's theorem with weights its weight is what is left of the whole
when a largest flow along that order is taken away, and the smallest cut of that flow shows the tasks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

# Beyond so many steps nobody waits for the answer: all tasks together are a bound as well.
_MAX_STEPS = 300_000

_SOURCE, _SINK = ("source", ""), ("sink", "")
_Node = tuple[str, str]


def widest(weights: Mapping[str, int], edges: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], bool]:
    """The tasks of a heaviest set that can run at once, in the order of `weights`; without weight none is in it.

    Of what is too large to be looked at all tasks, which is an upper bound: then it comes with False.
    """
    heavy = [name for name, weight in weights.items() if weight > 0]
    known = [(one, other) for one, other in edges if one in weights and other in weights]
    if len(heavy) < 2 or not known:
        return tuple(heavy), True
    if len(heavy) * (len(known) + len(weights)) > _MAX_STEPS:
        return tuple(heavy), False
    reached = _cut(_network(weights, known))
    return tuple(name for name in heavy if ("from", name) in reached and ("to", name) not in reached), True


def _network(weights: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> dict[_Node, dict[_Node, int]]:
    """What may flow: from a task to each that waits for it, also by way of others."""
    endless = sum(weights.values()) + 1
    room: dict[_Node, dict[_Node, int]] = {_SOURCE: {}, _SINK: {}}
    for name, weight in weights.items():
        room["from", name], room["to", name] = {}, {}
        room[_SOURCE]["from", name] = weight
        room["to", name][_SINK] = weight
        room["to", name]["from", name] = endless
    for one, other in edges:
        room["from", one]["to", other] = endless
    for start in list(room):
        for end in list(room[start]):
            room[end].setdefault(start, 0)
    return room


def _cut(room: dict[_Node, dict[_Node, int]]) -> frozenset[_Node]:
    """The nodes on the source's side once nothing more can flow (Edmonds and Karp)."""
    while True:
        came = _ways(room)
        if _SINK not in came:
            return frozenset(came)
        way: list[_Node] = [_SINK]
        while way[-1] != _SOURCE:
            way.append(came[way[-1]])
        steps = list(zip(way[1:], way, strict=False))
        most = min(room[one][other] for one, other in steps)
        for one, other in steps:
            room[one][other] -= most
            room[other][one] += most


def _ways(room: Mapping[_Node, Mapping[_Node, int]]) -> dict[_Node, _Node]:
    """Where each node is reached from, with the fewest steps from the source."""
    came = {_SOURCE: _SOURCE}
    waiting = deque([_SOURCE])
    while waiting and _SINK not in came:
        node = waiting.popleft()
        for other, left in room[node].items():
            if left > 0 and other not in came:
                came[other] = node
                waiting.append(other)
    return came
