"""What an environment wants of changes to it: when there are none, what is left alone, and its own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kfgit.cel.syntax import Expr
from kfgit.model.names import Name
from kfgit.source import Span


@dataclass(frozen=True, slots=True)
class Window:
    """A time without changes: from `start` on, until `end` and not at it."""

    start: datetime
    end: datetime
    reason: str
    span: Span


@dataclass(frozen=True, slots=True)
class Freeze:
    """When nothing is changed: always, or in windows. One that does not block only warns."""

    always: bool
    windows: tuple[Window, ...]
    blocks: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Protected:
    """What no plan may change, as globs of `kind/name`. One that does not block only warns."""

    globs: tuple[Name, ...]
    blocks: bool


@dataclass(frozen=True, slots=True)
class RuleTest:
    """An example beside a rule: what it is asked about, and whether that `passes`."""

    name: str
    resource: Mapping[str, Any]
    change: Mapping[str, Any] | None
    environment: Mapping[str, Any]
    passes: bool
    span: Span


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A team's own rule: what `require` must be true of.

    With `asks_change` it is about a change and is asked in a plan; `actions` narrows which.
    """

    name: str
    span: Span
    require: Expr
    require_span: Span
    text: str
    asks_change: bool
    kinds: frozenset[str]
    actions: frozenset[str]
    message: str
    description: str
    blocks: bool
    tests: tuple[RuleTest, ...]
