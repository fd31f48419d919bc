"""Two versions of a pipeline as one picture: the union of both, each node and edge with what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from kfgit.diff.values import ResourceChange
from kfgit.graph import CheckedPipeline
from kfgit.render.graph.from_pipeline import graph_of
from kfgit.render.graph.mermaid import mermaid
from kfgit.render.graph.view import Edge, Graph, Node, State, descendants

MOST: Final = 60
# GitHub's Mermaid draws no more than 500 edges and 50,000 characters.
_MOST_EDGES: Final = 240
_MOST_TEXT: Final = 14_000
# Nobody looks for what changed among so many, and drawing them takes time.
_COMPARED: Final = 2_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A Mermaid flowchart; `states` are those that are in it, `left_out` counts tasks without a change."""

    text: str
    states: tuple[State, ...]
    left_out: int = 0


def drawn(change: ResourceChange) -> Picture | None:
    """The DAG of a pipeline that is new, or whose tasks changed; None where a picture tells nothing or too much."""
    if change.after is None or not (change.tasks or change.before is None) or _is_large(change):
        return None
    touched = {task.path for task in change.tasks if task.action == "changed"}
    after = graph_of(change.after)
    graph = after if change.before is None else union(graph_of(change.before), after, touched)
    return _bounded(graph)


def _is_large(change: ResourceChange) -> bool:
    return any(_tasks(side) > _COMPARED for side in (change.before, change.after) if side is not None)


def _tasks(checked: CheckedPipeline) -> int:
    return sum(len(edges) for edges in checked.edges.values()) + len(checked.pipeline.tasks)


def union(before: Graph, after: Graph, touched: Iterable[str] = ()) -> Graph:
    """Both as one, in the order of the newer; `touched` are paths of tasks that changed in what is not drawn."""
    root = _both(before.root, after.root, frozenset(touched))
    return replace(after, root=replace(root, state=""))


def _both(old: Node, new: Node, touched: frozenset[str]) -> Node:
    olds, news = ({child.id: child for child in node.children} for node in (old, new))
    children = tuple(_merged(id, olds, news, touched) for id in _in_order(list(olds), list(news)))
    changed = _own(old) != _own(new) or _path(new.id) in touched
    return replace(new, children=children, edges=_edges(old, new), state="changed" if changed else "")


def _merged(id: str, olds: Mapping[str, Node], news: Mapping[str, Node], touched: frozenset[str]) -> Node:
    if id not in news:
        return _all(olds[id], "removed")
    return _both(olds[id], news[id], touched) if id in olds else _all(news[id], "added")


def _own(node: Node) -> tuple[str, ...]:
    return node.label, node.kind, node.detail, node.when


def _path(id: str) -> str:
    """A node as runs tell it, which look through branches: `gate/deploy` for `gate#0/deploy`."""
    return "/".join(part.partition("#")[0] for part in id.split("/"))


def _all(node: Node, state: State) -> Node:
    return replace(
        node,
        state=state,
        children=tuple(_all(child, state) for child in node.children),
        edges=tuple(replace(edge, state=state) for edge in node.edges),
    )


def _edges(old: Node, new: Node) -> tuple[Edge, ...]:
    before, after = ({(edge.source, edge.target): edge for edge in node.edges} for node in (old, new))
    kept = (edge if pair in before else replace(edge, state="added") for pair, edge in after.items())
    gone = (replace(edge, state="removed") for pair, edge in before.items() if pair not in after)
    return tuple(chain(kept, gone))


def _in_order(old: list[str], new: list[str]) -> Iterator[str]:
    """The newer order, what is gone after the one it stood behind."""
    known = frozenset(new)
    behind: dict[str, list[str]] = {}
    last = ""
    for id in old:
        if id in known:
            last = id
        else:
            behind.setdefault(last, []).append(id)
    yield from behind.get("", ())
    for id in new:
        yield id
        yield from behind.get(id, ())


def _bounded(graph: Graph) -> Picture | None:
    """The picture of all, else of what changed and what stands next to it, else none."""
    for root in (graph.root, _near(graph.root)):
        shown = list(descendants(root))
        edges = [edge for node in (root, *(node for node, _ in shown)) for edge in node.edges]
        if shown and sum(not node.children for node, _ in shown) <= MOST and len(edges) <= _MOST_EDGES:
            text = mermaid(replace(graph, root=root))
            states = {node.state for node, _ in shown} | {edge.state for edge in edges}
            if len(text) <= _MOST_TEXT:
                order: tuple[State, ...] = ("added", "changed", "removed")
                present = tuple(state for state in order if state in states)
                left_out = _leaves(graph.root) - _leaves(root)
                return Picture(text, present, left_out)
    return None


def _leaves(root: Node) -> int:
    return sum(not node.children for node, _ in descendants(root))


def _near(group: Node) -> Node:
    """The group with the children that changed, have changes in them, or stand next to a change."""
    inner = {child.id: _near(child) if child.children else child for child in group.children}
    changed = {id for id, child in inner.items() if child.state or child.children}
    shown = set(changed)
    for edge in group.edges:
        ends = {edge.source, edge.target}
        shown |= ends if edge.state or ends & changed else set()
    return replace(
        group,
        children=tuple(_folded(child, inner[child.id]) for child in group.children if child.id in shown),
        edges=tuple(edge for edge in group.edges if {edge.source, edge.target} <= shown),
    )


def _folded(child: Node, inner: Node) -> Node:
    """A neighbour whose inside did not change, as one card."""
    return inner if inner.children or not child.children else replace(child, children=(), edges=())
