"""Nodes: YAML as values, each with the place it was read from."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import Any, NamedTuple, TypeAlias

from kfgit.source import Span

Value: TypeAlias = str | int | float | bool | None


class Origin(NamedTuple):
    """Something a value was computed from: a variable, a template, and where it stands; None where no file says it."""

    what: str
    span: Span | None


class Scalar(NamedTuple):
    """A leaf. `plain` tells that it was written without quotes; `origins` what a template took it from.

    `indent` counts the blanks before the lines of a literal block (`|`), so that places inside it can be found.
    """

    value: Value
    span: Span
    plain: bool = False
    origins: tuple[Origin, ...] = ()
    indent: int | None = None

    @property
    def is_failed(self) -> bool:
        """Whether it stands for what could not be read, which was told: nobody shall complain about it again."""
        return self.value is None and self.plain and bool(self.origins)


def failed(span: Span, what: str) -> Scalar:
    """What stands where a value could not be read."""
    return Scalar(None, span, plain=True, origins=(Origin(what, span),))


class Sequence(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    span: Span


class Entry(NamedTuple):
    """A value under its key; `key_span` is where the key stands."""

    key_span: Span
    node: Node


class Mapping(NamedTuple):
    """A map, in the order of the text. Its span is that of its first line."""

    entries: MappingOf[str, Entry]
    span: Span

    def get(self, key: str) -> Node | None:
        """The node under `key`, or None."""
        entry = self.entries.get(key)
        return entry.node if entry is not None else None


Node: TypeAlias = Scalar | Sequence | Mapping


class Document(NamedTuple):
    """One YAML document of a file; `index` counts from 0. Where it is not `sound`, something in it was told."""

    file: str
    index: int  # type: ignore[assignment]  # hides a method of tuples that nobody wants here
    root: Node
    sound: bool = True


def plain(node: Node) -> Any:
    """The node as ordinary Python values, without spans."""
    # By class and not by `match`: every document comes by here, value by value.
    if node.__class__ is Mapping:
        return {key: plain(entry[1]) for key, entry in node[0].items()}
    if node.__class__ is Sequence:
        return [plain(item) for item in node[0]]
    return node[0]


def at(node: Node, path: tuple[str | int, ...]) -> Node | None:
    """The node at `path`, or None where the path leads nowhere."""
    for step in path:
        match node:
            case Mapping() if isinstance(step, str) and step in node.entries:
                node = node.entries[step].node
            case Sequence() if isinstance(step, int) and -1 < step < len(node.items):
                node = node.items[step]
            case _:
                return None
    return node


def places(node: Node) -> tuple[Span, ...]:
    """Where the items of a list stand; nothing for what is no list."""
    return tuple(item.span for item in node.items) if isinstance(node, Sequence) else ()
