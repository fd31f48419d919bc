"""Sheaves: many tasks with exactly the same neighbours, drawn in one frame with one edge in and one edge out.

Forty tasks between one source and one sink are eighty edges that say nothing singly. Gathered they are two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kfgit.render.graph.view import Edge, Node
from kfgit.render.graph.waves import Pair

Sheaf = tuple[str, ...]
_SMALLEST: Final = 7
_SMALLEST_OF_MANY: Final = 4
_MANY: Final = 24


@dataclass(frozen=True, slots=True)
class Gathering:
    """A group's children with sheaves in the place of their members, under the first member's id."""

    ids: tuple[str, ...]
    sheaves: Mapping[str, Sheaf]
    edges: Mapping[Pair, tuple[Edge, ...]]


def gathered(group: Node) -> Gathering:
    """The children that are drawn singly, the sheaves, and the edges between them, several of a pair as one."""
    least = _SMALLEST if len(group.children) < _MANY else _SMALLEST_OF_MANY
    sheaves = {members[0]: members for members in _alike(group) if len(members) >= least}
    stands_in = {member: first for first, members in sheaves.items() for member in members}
    ids = tuple(child.id for child in group.children if stands_in.get(child.id, child.id) == child.id)
    edges: dict[Pair, tuple[Edge, ...]] = {}
    for edge in group.edges:
        pair = (stands_in.get(edge.source, edge.source), stands_in.get(edge.target, edge.target))
        edges[pair] = (*edges.get(pair, ()), edge)
    return Gathering(ids, sheaves, edges)


def _alike(group: Node) -> list[Sheaf]:
    """Single cards with the same sources and targets, of which there is at least one."""
    near: dict[str, list[str]] = {child.id: [] for child in group.children}
    for edge in group.edges:
        near[edge.target].append(f"from {edge.kind} {edge.source}")
        near[edge.source].append(f"to {edge.kind} {edge.target}")
    alike: dict[tuple[str, ...], list[str]] = {}
    for child in group.children:
        if near[child.id] and not child.children:
            alike.setdefault(tuple(sorted(set(near[child.id]))), []).append(child.id)
    return [tuple(members) for members in alike.values()]
