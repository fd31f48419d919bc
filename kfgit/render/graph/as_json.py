"""The DAG as JSON: flat lists of nodes and edges with full ids, for `jq` and for other people's pictures."""

from __future__ import annotations

from typing import Any

from kfgit.render.graph.plain import plain
from kfgit.render.graph.view import Edge, Graph, Node, descendants
from kfgit.render.graph.waves import waves_of


def as_json(graph: Graph) -> dict[str, Any]:
    """The document. `parent` is null at the top; `wave` counts from 0 within the parent and is null for exit tasks."""
    groups = (graph.root, *(node for node, _ in descendants(graph.root) if node.children))
    waves = {(group.id, id): wave for group in groups for id, wave in waves_of(group).items()}
    return {
        "apiVersion": "kfgit.dev/cli/v1",
        "kind": "Graph",
        "name": _whole(graph.name),
        "description": _whole(graph.description),
        "inputs": [_whole(name) for name in graph.inputs],
        "outputs": [_whole(name) for name in graph.outputs],
        "nodes": [
            _node(node, None if parent is graph.root else parent.id, waves.get((parent.id, node.id)))
            for node, parent in descendants(graph.root)
        ],
        "edges": [_edge(edge) for group in groups for edge in group.edges],
    }


def _node(node: Node, parent: str | None, wave: int | None) -> dict[str, Any]:
    return {
        "id": _whole(node.id),
        "label": _whole(node.label),
        "kind": node.kind,
        "detail": _whole(node.detail),
        "when": _whole(node.when),
        "state": node.state,
        "parent": None if parent is None else _whole(parent),
        "wave": wave,
    }


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "source": _whole(edge.source),
        "target": _whole(edge.target),
        "labels": [_whole(label) for label in edge.labels],
        "kind": edge.kind,
    }


def _whole(text: str) -> str:
    """Harmless but uncut: programs compare these."""
    return plain(text, len(text) + 1)
