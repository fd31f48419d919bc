"""Reads nodes without trusting them: what has the wrong form is skipped here, since `schema` has told it already.

`broken` remembers that something was skipped, so that no later stage complains about what is missing because of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kfgit.diagnostics import Diagnostic, Related
from kfgit.document import Entry, Mapping, Node, Scalar, Sequence, plain
from kfgit.model import CLEAR, UNCLEAR, Name, Unclear
from kfgit.source import Span

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")


@dataclass(slots=True, eq=False)
class Reader:
    """Collects faults while one document is read.

    `strays` are keys that have no meaning, `doubled` those that are written twice; both were told.
    """

    faults: list[Diagnostic] = field(default_factory=list)
    broken: bool = False
    strays: frozenset[Span] = frozenset()
    doubled: frozenset[Span] = frozenset()

    def nested(self) -> Reader:
        """A reader for a part whose faults are counted by themselves."""
        return Reader(strays=self.strays, doubled=self.doubled)

    def without_strays(self, node: Mapping) -> Mapping:
        """The map without what has no business in it: that was told by its key, and nobody looks at its value."""
        if not self.strays:
            return node
        return Mapping(
            {key: e for key, e in node.entries.items() if e.key_span not in self.strays}, node.span
        )

    def unclear(self, node: Node | None, *maps: str) -> Unclear:
        """What seems to be missing in some maps of a map, and may only stand under a stray key.

        Nobody knows anything where there is no map though one belongs, or where it is written twice.
        """
        if not isinstance(node, Mapping):
            return UNCLEAR if node is not None else CLEAR
        unsound = {key for key in maps if key in node.entries and not self._is_sound(node.entries[key])}
        names: set[str] = set()
        for _, entry in self.strays_in(node):
            match entry.node:
                case Mapping(entries=entries):
                    names.update(entries)
                case Sequence(items=items) if any(isinstance(item, Mapping) for item in items):
                    unsound |= {key for key in maps if key not in node.entries}
                case _:
                    pass
        return Unclear(frozenset(names), frozenset(unsound)) if names or unsound else CLEAR

    def is_unclear(self, node: Node | None) -> bool:
        """Whether any key that seems to be missing in a map may only be misspelt."""
        return any(self.strays_in(node)) if isinstance(node, Mapping) else node is not None

    def strays_in(self, node: Node | None) -> Iterator[tuple[str, Entry]]:
        """The entries of a map that have no business in it."""
        if self.strays and isinstance(node, Mapping):
            yield from ((key, e) for key, e in node.entries.items() if e.key_span in self.strays)

    def _is_sound(self, entry: Entry) -> bool:
        return isinstance(entry.node, Mapping) and entry.key_span not in self.doubled

    def fault(self, code: str, message: str, span: Span, help_: str | None = None, *related: Related) -> None:
        """Tells an error and marks the document."""
        self.faults.append(Diagnostic(code, message, span, help_, related=related))
        self.broken = True

    def warn(self, code: str, message: str, span: Span, help_: str | None = None) -> None:
        """Tells a warning."""
        self.faults.append(Diagnostic(code, message, span, help_, severity="warning"))

    def mapping(self, node: Node | None) -> Mapping | None:
        """The node, if it is a map."""
        if node is None or isinstance(node, Mapping):
            return node
        self.broken = True
        return None

    def entries(self, node: Node | None) -> Iterator[tuple[str, Entry]]:
        """The entries, if it is a map."""
        found = self.mapping(node)
        if found is not None:
            yield from found.entries.items()

    def items(self, node: Node | None) -> tuple[Node, ...]:
        """The items, if it is a list."""
        if isinstance(node, Sequence):
            return node.items
        self.broken = self.broken or node is not None
        return ()

    def string(self, node: Node | None) -> str | None:
        """The text, if it is one."""
        found = self._scalar(node, str)
        return found if isinstance(found, str) else None

    def name(self, node: Node | None) -> Name | None:
        """The text with its place."""
        text = self.string(node)
        return Name(text, node.span) if text is not None and node is not None else None

    def boolean(self, node: Node | None) -> bool | None:
        """The boolean, if it is one."""
        found = self._scalar(node, bool)
        return found if isinstance(found, bool) else None

    def integer(self, node: Node | None) -> int | None:
        """The whole number, if it is one."""
        found = self._scalar(node, (int, float))
        if isinstance(found, float):
            return int(found) if math.isfinite(found) and found == int(found) else None
        return None if isinstance(found, bool) else found  # of any length, which no float is

    def number(self, node: Node | None) -> float | None:
        """The number, if it is one."""
        found = self._scalar(node, (int, float))
        return None if isinstance(found, bool) else found

    def strings(self, node: Node | None) -> tuple[str, ...]:
        """The texts of a list."""
        found = (self.string(item) for item in self.items(node))
        return tuple(text for text in found if text is not None)

    def texts(self, node: Node | None) -> dict[str, str]:
        """A map of texts; numbers become their text, as Kubernetes quantities may be written."""
        found: dict[str, str] = {}
        for key, entry in self.entries(node):
            if (
                isinstance(entry.node, Scalar)
                and entry.node.value is not None
                and not isinstance(entry.node.value, bool)
            ):
                found[key] = str(entry.node.value)
            else:
                self.broken = True
        return found

    def duration(self, node: Node | None) -> int | None:
        """Seconds of `90s`, `30m`, `1h30m`, `1d`."""
        text = self.string(node)
        match = _DURATION.match(text) if text else None
        if match is None or not any(match.groups()):
            self.broken = self.broken or node is not None
            return None
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds

    def plain(self, node: Node | None) -> Any:
        """Any JSON value."""
        return plain(node) if node is not None else None

    def _scalar(self, node: Node | None, type_: Any) -> Any:
        if node is None:
            return None
        if isinstance(node, Scalar) and isinstance(node.value, type_):
            return node.value
        self.broken = True
        return None
