"""Ids for formats with a grammar: letters, digits and `_`, one for each node, readable, never a keyword."""

from __future__ import annotations

import re

from kfgit.render.graph.view import Graph, descendants

_OTHER = re.compile(r"[^A-Za-z0-9]+")
_LONGEST = 60


def safe_ids(graph: Graph) -> dict[str, str]:
    """A distinct safe id for the id of every node below the root: `n_sweep_train` for `sweep/train`."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for node, _ in descendants(graph.root):
        base = f"n_{_OTHER.sub('_', node.id)[:_LONGEST].strip('_')}"
        name, count = base, 1
        while name.lower() in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name.lower())
        found[node.id] = name
    return found
