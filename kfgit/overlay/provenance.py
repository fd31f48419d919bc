"""Where the values that templates see were written: the variables, and what `env` and `project` are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping as MappingOf
from itertools import islice

from kfgit.document import Entry, Mapping, Node, Origin, Scalar, Sequence, at, plain
from kfgit.overlay.located import Located
from kfgit.source import Span

# Of a map or list the places that differ are told, as far as somebody would read them.
_MOST_LEAVES = 200
_MOST_PLACES = 6
_ABOUT = {
    "name": ("metadata", "name"),
    "mode": ("spec", "mode"),
    "namespace": ("spec", "target", "namespace"),
    "labels": ("metadata", "labels"),
}


class Sources:
    """For each root of a template's scope the nodes behind it; what no file says (`git`, a default) is not in it.

    It remembers what it was asked, for many templates use the same variables.
    """

    __slots__ = ("_known", "roots")

    def __init__(self, variables: Node, home: Located | None, project: Located | None) -> None:
        self.roots: MappingOf[str, Node] = {
            "vars": variables,
            "env": _about(home, _ABOUT),
            "project": _about(project, {"name": ("metadata", "name")}),
        }
        self._known: dict[str, tuple[Origin, ...]] = {}

    def origins(self, paths: Iterable[str]) -> tuple[Origin, ...]:
        """Where the variables at these dotted paths were written."""
        found: dict[Origin, None] = {}
        for path in paths:
            if path not in self._known:
                self._known[path] = _origins(path, self.roots)
            found.update(dict.fromkeys(self._known[path]))
        return tuple(found)

    def whole(self, paths: tuple[str, ...], value: object) -> tuple[str, Node] | None:
        """The map or list of a variable that a template hands on as it is, with its path."""
        if len(paths) != 1 or not isinstance(value, dict | list):
            return None
        name, node = _followed(paths[0], self.roots)
        return (name, node) if node is not None and plain(node) == value else None


def _about(document: Located | None, paths: MappingOf[str, tuple[str, ...]]) -> Node:
    nowhere = Span("", 1, 1, 1, 1)
    if document is None:
        return Mapping({}, nowhere)
    found = {name: at(document.node, path) for name, path in paths.items()}
    return Mapping(
        {name: Entry(node.span, node) for name, node in found.items() if node is not None}, nowhere
    )


def _origins(path: str, roots: MappingOf[str, Node]) -> tuple[Origin, ...]:
    name, node = _followed(path, roots)
    if node is None:
        return (Origin(path, None),)
    places: dict[tuple[str, int], Origin] = {}
    for leaf, below in islice(leaves(node, name), _MOST_LEAVES):
        places.setdefault((below.span.file, below.span.line), Origin(leaf, below.span))
    told = tuple(places.values())
    return (Origin(name, told[0].span),) if len(told) == 1 else told[:_MOST_PLACES]


def _followed(path: str, roots: MappingOf[str, Node]) -> tuple[str, Node | None]:
    """The variable and its node: as far as the path leads, for a method's name may be its last step."""
    root, *steps = path.split(".")
    name, node = root, roots.get(root)
    for step in steps:
        key: str | int = int(step) if isinstance(node, Sequence) and step.isdecimal() else step
        below = at(node, (key,)) if node is not None else None
        if below is None:
            return (name, node) if isinstance(node, Scalar) or name.count(".") else (path, None)
        name, node = f"{name}.{step}", below
    return name, node


def leaves(node: Node, name: str) -> Iterator[tuple[str, Node]]:
    """The scalars below a node, and the maps and lists that are empty, each with its path."""
    match node:
        case Mapping(entries=entries) if entries:
            for key, entry in entries.items():
                yield from leaves(entry.node, f"{name}.{key}")
        case Sequence(items=items) if items:
            for index, item in enumerate(items):
                yield from leaves(item, f"{name}.{index}")
        case _:
            yield name, node
