"""Goes through a document, each node before what is in it, in the order of the text."""

from __future__ import annotations

from collections.abc import Iterator

from kfgit.document.nodes import Mapping, Node, Scalar, Sequence


def nodes(root: Node) -> Iterator[Node]:
    """A node and all that is in it. What aliases share comes as often as it stands there."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        match node:
            case Mapping(entries=entries):
                pending += [entry.node for entry in entries.values()][::-1]
            case Sequence(items=items):
                pending += items[::-1]
            case Scalar():
                pass


def scalars(root: Node) -> Iterator[Scalar]:
    """The leaves."""
    return (node for node in nodes(root) if isinstance(node, Scalar))


def texts(root: Node) -> Iterator[tuple[str, Scalar]]:
    """The leaves that are texts, each with its text."""
    return ((leaf.value, leaf) for leaf in scalars(root) if isinstance(leaf.value, str))
