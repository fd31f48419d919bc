"""Which variables each expression of a template file is made from, through its loops and `{% set %}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from kfgit.template.grammar import path_of

if TYPE_CHECKING:
    from jinja2 import nodes

_MOST = 12  # nobody reads on
_OWN = frozenset({"loop", "range"})


def used_by(tree: nodes.Template) -> tuple[tuple[str, ...], ...]:
    """For each expression that puts text out, in the order of the tree, the dotted paths of the variables in it.

    A loop's own names stand for what the loop goes over. A name that two loops use stands for both.
    """
    from jinja2 import nodes as kinds  # noqa: PLC0415 - see render

    bound: dict[str, list[str]] = {}
    sources: list[tuple[nodes.Node, nodes.Node]] = [
        (loop.target, loop.iter) for loop in tree.find_all(kinds.For)
    ]
    sources += [(given.target, given.node) for given in tree.find_all(kinds.Assign)]
    for target, source in sources:
        for name in [target] if isinstance(target, kinds.Name) else target.find_all(kinds.Name):
            bound.setdefault(name.name, []).extend(_paths(source))
    return tuple(
        tuple(islice(_resolved(list(_paths(node)), bound), _MOST))
        for output in tree.find_all(kinds.Output)
        for node in output.nodes
        if not isinstance(node, kinds.TemplateData)
    )


def _paths(node: nodes.Node) -> Iterator[str]:
    """The paths as they are written in an expression."""
    path = path_of(node)
    if path is not None:
        yield path
        return
    for child in node.iter_child_nodes():
        yield from _paths(child)


def _resolved(paths: list[str], bound: Mapping[str, list[str]]) -> Iterator[str]:
    """The paths that lead out of the template, each once."""
    seen: set[str] = set()
    pending = paths[::-1]
    while pending:
        path = pending.pop()
        name = path.partition(".")[0]
        known = name if name in bound else path
        if known in seen or name in _OWN:
            continue
        seen.add(known)
        if name in bound:
            pending += bound[name][::-1]
        else:
            yield path
