"""The DAG in Graphviz's language, groups as clusters. `dot -Tsvg` draws it.

An edge from or to a group joins two of its tasks and is cut at the border (`compound`, `ltail`, `lhead`): Graphviz has
no edges between clusters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from kfgit.render.graph.names import safe_ids
from kfgit.render.graph.plain import plain
from kfgit.render.graph.view import Edge, Graph, Node, State, descendants, told_edges

_LONGEST: Final = 90
_COLOURS: Final[Mapping[State, str]] = {
    "": "",
    "added": ', color="#1a7f37", fillcolor="#dafbe1"',
    "changed": ', color="#9a6700", fillcolor="#fff8c5"',
    "removed": ', color="#cf222e", fillcolor="#ffebe9"',
}
_HEADER: Final = (
    "  compound=true; rankdir=TB; nodesep=0.35; ranksep=0.5;",
    '  graph [fontname="Helvetica", fontsize=12, labeljust=l, labelloc=t];',
    '  node [shape=box, style="rounded,filled", fillcolor="#ffffff", color="#8c959f"];',
    '  node [fontname="Helvetica", fontsize=11];',
    '  edge [color="#6e7781", fontname="Helvetica", fontsize=9];',
)


def dot(graph: Graph) -> str:
    """The text of a digraph."""
    ids = safe_ids(graph)
    drawn = ["digraph pipeline {", *_HEADER, f'  label="{_label(graph.name)}";']
    for child in graph.root.children:
        drawn += _node(child, ids, "  ")
    groups = (graph.root, *(node for node, _ in descendants(graph.root)))
    for parent in groups:
        members = {child.id: child for child in parent.children}
        drawn += (_edge(edge, members, ids) for edge in told_edges(parent))
    unseen = (edge for parent in groups for edge in _exit_edges(parent, ids))
    return "\n".join([*drawn, *unseen, "}"]) + "\n"


def _node(node: Node, ids: Mapping[str, str], indent: str) -> Iterator[str]:
    if not node.children:
        dashed = ', style="rounded,filled,dashed"' if node.kind == "exit" or node.state == "removed" else ""
        yield f'{indent}{ids[node.id]} [label="{_text(node)}"{_COLOURS[node.state]}{dashed}];'
        return
    yield f"{indent}subgraph cluster_{ids[node.id]} {{"
    style = "rounded,dashed" if node.kind == "branch" else "rounded"
    colour = _COLOURS[node.state].split(", fillcolor")[0] or ', color="#afb8c1"'
    yield f'{indent}  graph [label="{_text(node)}", style="{style}"{colour}];'
    for child in node.children:
        yield from _node(child, ids, indent + "  ")
    yield f"{indent}}}"


def _text(node: Node) -> str:
    guard = f"if {node.when}" if node.when else ""
    end = (
        "\\l" if node.children else "\\n"
    )  # lines of a group begin at the left, those of a task have one middle
    return "".join(_label(part) + end for part in (node.label, node.detail, guard) if part)


def _edge(edge: Edge, members: Mapping[str, Node], ids: Mapping[str, str]) -> str:
    source, target = members[edge.source], members[edge.target]
    said = [f'label="{_label(", ".join(edge.labels))}"'] if edge.labels else []
    said += ["style=dashed"] if edge.kind == "after" else []
    said += [f"ltail=cluster_{ids[source.id]}"] if source.children else []
    said += [f"lhead=cluster_{ids[target.id]}"] if target.children else []
    attributes = f" [{', '.join(said)}]" if said else ""
    return f"  {ids[_inmost(source, -1).id]} -> {ids[_inmost(target, 0).id]}{attributes};"


def _exit_edges(group: Node, ids: Mapping[str, str]) -> Iterator[str]:
    """Unseen edges that hold the exit task of a pipeline below all else in it."""
    sources = {edge.source for edge in group.edges}
    for last in (child for child in group.children if child.kind == "exit"):
        for child in group.children:
            if child.kind != "exit" and child.id not in sources:
                yield f"  {ids[_inmost(child, -1).id]} -> {ids[_inmost(last, 0).id]} [style=invis];"


def _inmost(node: Node, which: int) -> Node:
    """The first or last task that a group holds, however deep."""
    while node.children:
        node = node.children[which]
    return node


def _label(text: str) -> str:
    """Safe within quotes: Graphviz reads backslash sequences and HTML entities in labels."""
    return plain(text, _LONGEST).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
