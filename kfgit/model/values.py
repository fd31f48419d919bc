"""What an input is given: literals, references, and both; and conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from kfgit.references import Ref
from kfgit.source import Span

if TYPE_CHECKING:
    from kfgit.cel import Expr


@dataclass(frozen=True, slots=True)
class Literal_:  # noqa: N801 - `typing` has the plain name
    """A given value without references; `items` are the places of what a list holds."""

    value: Any
    span: Span
    items: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """A given value that is exactly one reference."""

    ref: Ref
    span: Span


@dataclass(frozen=True, slots=True)
class Composite:
    """A text, list or map with references in it; the leaves of `value` are JSON scalars and `Text`.

    `places` are the scalars of a list or map that hold the references, one for each.
    """

    value: Any
    references: tuple[Ref, ...]
    span: Span
    places: tuple[Span, ...] = ()


Value: TypeAlias = Literal_ | Whole | Composite


@dataclass(frozen=True, slots=True)
class Condition:
    """A `when`; `references` maps what stands in `$( … )` to its meaning."""

    text: str
    expression: Expr
    references: Mapping[str, Ref]
    span: Span
