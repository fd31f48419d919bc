"""What is drawn: a pipeline's DAG as plain values, the only input of every picture.

Whoever has a checked pipeline, a compiled one or a difference of two makes these values; the pictures know nothing of
KFP. Ids are source paths such as `sweep/train`. A group (nested pipeline, loop, switch, branch) is a node with
children, and its edges run among those children: an edge into a loop ends at the loop. A cycle is allowed here,
since the union of two versions of a pipeline may have one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["task", "pipeline", "loop", "switch", "branch", "import", "exit"]
State = Literal["", "added", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` waits for `source`: for the outputs named in `labels`, or only for its end (`after`).

    `state` is for the difference of two graphs, as a node's is.
    """

    source: str
    target: str
    labels: tuple[str, ...] = ()
    kind: Literal["data", "after"] = "data"
    state: State = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A task or a group of tasks.

    `detail` is the second line: component or pipeline name, image, `for each of …`, a branch's condition. `when` is
    the guard. Raises ValueError for children with equal ids and for edges that do not join two different children.
    """

    id: str
    label: str
    kind: Kind
    detail: str = ""
    children: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    when: str = ""
    state: State = ""

    def __post_init__(self) -> None:
        ids = [child.id for child in self.children]
        if len(set(ids)) != len(ids):
            raise ValueError(f"{self.id!r} has two children with one id")
        known = frozenset(ids)
        for edge in self.edges:
            if edge.source == edge.target or not known.issuperset((edge.source, edge.target)):
                raise ValueError(
                    f"{self.id!r}: {edge.source!r} → {edge.target!r} does not join two of its children"
                )


@dataclass(frozen=True, slots=True)
class Graph:
    """A pipeline: its name and interface, and a root whose children are its tasks."""

    name: str
    description: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    root: Node


def descendants(node: Node) -> Iterator[tuple[Node, Node]]:
    """Every node below `node` with its parent, in source order, parents first."""
    for child in node.children:
        yield child, node
        yield from descendants(child)


def told_edges(group: Node) -> tuple[Edge, ...]:
    """The group's edges without the `after` of tasks that wait for the same task's data anyway."""
    data = {(edge.source, edge.target) for edge in group.edges if edge.kind == "data"}
    return tuple(e for e in group.edges if e.kind == "data" or (e.source, e.target) not in data)
