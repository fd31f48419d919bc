"""Which handler a request is for: a tree over the parts of the path, made once.

An id may hold anything, so a path is taken apart as it was sent, and each part is decoded by itself: an encoded slash
or colon belongs to an id, a plain colon in the last part begins a verb (`/runs/{run_id}:terminate`). As on KFP's
grpc-gateway a path that another method has is told apart from one that nobody has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from kfgit.server.calls import Route


class Match(NamedTuple):
    """The row of the table, and the ids in the path."""

    route: Route
    path: Mapping[str, str]


Miss = Literal["path", "method"]
_Leaf = tuple[Route, tuple[str, ...]]


@dataclass(slots=True, eq=False)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None
    # By verb ("" for none), then by method.
    leaves: dict[str, dict[str, _Leaf]] = field(default_factory=dict)


class Table:
    """All routes; a fixed part goes before a name, and the way back is taken where it leads nowhere."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def find(self, method: str, path: str) -> Match | Miss:
        """The row for a request, by its path as it was sent."""
        parts = path.split("/")
        last, colon, verb = parts[-1].rpartition(":")
        ways = (([*parts[:-1], last], verb), (parts, "")) if colon else ((parts, ""),)
        other: Miss = "path"
        for way, wanted in ways:
            for methods, values in _leaves(self._root, way, 1, wanted):
                if method in methods:
                    route, names = methods[method]
                    return Match(route, dict(zip(names, map(_decoded, values), strict=True)))
                other = "method"
        return other

    def _add(self, route: Route) -> None:
        *parts, last = route.path.split("/")[1:]
        last, _, verb = last.partition(":")
        node, names = self._root, list[str]()
        for part in (*parts, last):
            if part.startswith("{"):
                names.append(part[1:-1])
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.fixed.setdefault(part, _Node())
        methods = node.leaves.setdefault(verb, {})
        if route.method in methods:
            raise ValueError(f"two handlers for {route.method} {route.path}")
        methods[route.method] = (route, tuple(names))


def _leaves(
    node: _Node, parts: list[str], at: int, verb: str, values: tuple[str, ...] = ()
) -> Iterable[tuple[Mapping[str, _Leaf], tuple[str, ...]]]:
    if at == len(parts):
        if verb in node.leaves:
            yield node.leaves[verb], values
        return
    part = parts[at]
    if part in node.fixed:
        yield from _leaves(node.fixed[part], parts, at + 1, verb, values)
    if node.any is not None and part:
        yield from _leaves(node.any, parts, at + 1, verb, (*values, part))


def _decoded(part: str) -> str:
    return unquote_to_bytes(part).decode("utf-8", "replace") if "%" in part else part
