"""One error of the validator, and what a sentence about it needs."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from kfgit.diagnostics import Diagnostic, Related
from kfgit.document import Mapping, Node, Scalar, at
from kfgit.schema.bundles import Schema
from kfgit.source import Span

Path: TypeAlias = tuple[str | int, ...]


class Case(NamedTuple):
    """One error of the validator, with what is needed to tell it."""

    document: Node
    path: Path
    value: Any
    rule: Any
    schema: Schema

    @property
    def subject(self) -> str:
        """What the sentence is about."""
        if not self.path:
            return "the document"
        if isinstance(self.path[-1], str):
            return f"`{self.path[-1]}`"
        holder = next((step for step in reversed(self.path) if isinstance(step, str)), "document")
        return f"an item of `{holder}`"

    @property
    def is_told(self) -> bool:
        """Whether this is what `overlay` leaves of a template that failed, which it has told."""
        node = self.node()
        return isinstance(node, Scalar) and node.is_failed

    @property
    def form(self) -> str | None:
        """What people call the form that the schema asks for."""
        return self.schema.get("x-kfgit-form")

    def node(self) -> Node:
        """The node that the error is about; jsonschema's paths come from this very document."""
        found = at(self.document, self.path)
        assert found is not None, self.path
        return found

    def key_span(self, key: str) -> Span:
        """Where a key of the map stands."""
        node = self.node()
        assert isinstance(node, Mapping), self.path
        return node.entries[key].key_span

    def holder_span(self) -> Span:
        """The key that holds the map, else the map."""
        parent = at(self.document, self.path[:-1]) if self.path else None
        if isinstance(parent, Mapping) and isinstance(self.path[-1], str):
            return parent.entries[self.path[-1]].key_span
        return self.node().span

    def diagnostic(self, code: str, message: str, help_: str | None = None) -> Diagnostic:
        """A diagnostic at the value, with the places that a template took it from."""
        node = self.node()
        origins = node.origins if isinstance(node, Scalar) else ()
        related = tuple(
            Related(f"the value comes from `{origin.what}`", origin.span) for origin in origins if origin.span
        )
        return Diagnostic(code, message, node.span, help_, related=related)
