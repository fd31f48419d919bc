"""What is the same in several environments, told once with their names.

Most changes of a repository are changes of what all its environments share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from kfgit.diagnostics import Diagnostic
from kfgit.diff.values import Break, Diff, EnvironmentDiff, Firing, ResourceChange
from kfgit.plan import Remap

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """Something, and the environments of which it is true; `everywhere` if these are all that have anything to tell.

    `variants` has it once for each environment: two that read alike may belong to pipelines that differ elsewhere.
    """

    variants: tuple[T, ...]
    environments: tuple[str, ...]
    everywhere: bool

    @property
    def what(self) -> T:
        """It, as the first environment has it."""
        return self.variants[0]


@dataclass(frozen=True, slots=True)
class Merged:
    """All that differs, in the order in which it is first met."""

    changes: tuple[Told[ResourceChange], ...]
    firings: tuple[Told[Firing], ...]
    breaks: tuple[Told[Break], ...]
    faults: tuple[Told[Diagnostic], ...]
    notes: tuple[Told[str], ...]
    profiles: tuple[Told[Remap], ...]


def merged(diff: Diff) -> Merged:
    """The same for all environments together."""
    found = [each for each in diff.environments if _tells(each)]
    return Merged(
        _told(found, lambda each: each.changes, _change),
        _told(found, lambda each: each.firings, lambda firing: firing),
        _told(found, lambda each: each.breaks, lambda broken: broken),
        _errors_first(_told(found, lambda each: each.faults, lambda fault: fault.in_environment(None))),
        _told(found, lambda each: each.notes, lambda note: note),
        _told(found, lambda each: each.profiles, lambda remap: remap),
    )


def _tells(each: EnvironmentDiff) -> bool:
    return any((each.changes, each.firings, each.breaks, each.faults, each.notes))


def _told(
    found: Iterable[EnvironmentDiff],
    of: Callable[[EnvironmentDiff], Iterable[T]],
    key: Callable[[T], Hashable],
) -> tuple[Told[T], ...]:
    every = tuple(each.environment for each in found)
    places: dict[Hashable, dict[str, T]] = {}
    for each in found:
        for what in of(each):
            places.setdefault(key(what), {})[each.environment] = what
    return tuple(Told(tuple(at.values()), tuple(at), tuple(at) == every) for at in places.values())


def _change(change: ResourceChange) -> Hashable:
    """What is told of it. The values in its fields are plain, but no keys of a mapping."""
    told = repr(replace(change, before=None, after=None))
    # Of many environments with large values the texts themselves would fill the memory.
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()


def _errors_first(faults: tuple[Told[Diagnostic], ...]) -> tuple[Told[Diagnostic], ...]:
    return tuple(sorted(faults, key=lambda told: told.what.severity != "error"))
