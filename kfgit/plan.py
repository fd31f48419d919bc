"""Desired against live: the ordered changes that make them equal.

Pure: the same two sides give the same plan, in the same order, with the same digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from kfgit.ir import Resource


@dataclass(frozen=True, slots=True)
class LiveObject:
    """One object as the target has it. `applied` is the digest that kfgit last applied, if it did."""

    kind: str
    name: str
    id: str
    spec: Mapping[str, Any]
    digest: str
    owned: bool
    applied: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Live:
    """All that is live, and how many API requests it took to see it."""

    objects: tuple[LiveObject, ...]
    requests: int = 0


Cause = Literal["source", "drift", "adoption"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that changes; `before` or `after` is None where it is not there."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Create:
    """An object that is not live yet."""

    desired: Resource
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """An object that is changed in place."""

    desired: Resource
    live: LiveObject
    cause: Cause
    diff: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replace:
    """An object that cannot be changed in place: a new one takes over from the old one."""

    desired: Resource
    live: LiveObject
    cause: Cause
    diff: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """An owned object that nobody wants any more."""

    live: LiveObject
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Adopt:
    """A foreign object that becomes ours."""

    desired: Resource
    live: LiveObject
    diff: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An object that is as it should be, or is left alone for the reason in `notes`."""

    kind: str
    name: str
    notes: tuple[str, ...] = ()


Change: TypeAlias = Create | Update | Replace | Delete | Adopt | Unchanged
