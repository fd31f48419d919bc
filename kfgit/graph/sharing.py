"""What profiles want a cluster to keep, put together: queues, quotas, classes; and where two want it differently.

Several profiles may speak of one object, such as a ClusterQueue with a flavor for each of them. Each of them wishes for
parts of it; the object is the sum of all wishes, and two wishes for one part must agree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kfgit.diagnostics import Diagnostic, Related
from kfgit.graph.quantities import quantity
from kfgit.graph.wishes import AMOUNTS, Wish, place, sayer, wishes
from kfgit.model import Path, Project

__all__ = [
    "AMOUNTS",
    "Kept",
    "Key",
    "Wish",
    "check_sharing",
    "groups",
    "is_too_large",
    "kept",
    "place",
    "sayer",
    "wishes",
]

Key = tuple[str, str]
Pair = tuple[str, str]

# What a ClusterQueue has room for: groups, and in each of them flavors and resources (Kueue, clusterqueue_types.go).
_MOST_GROUPS, _MOST_EACH = 16, 64


@dataclass(frozen=True, slots=True)
class Kept:
    """An object that the cluster is to keep, by its parts, and the profiles that want it."""

    kind: str
    name: str
    parts: Mapping[Path, Any] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()

    def under(self, *above: str) -> dict[str, Any]:
        """The parts one below some others, by their last names."""
        return {
            path[-1]: value for path, value in self.parts.items() if path[:-1] == above and value is not None
        }


def kept(project: Project) -> tuple[Kept, ...]:
    """All that profiles want of the environment's cluster, by kind and name; nothing on local targets."""
    if project.environment.cluster is None:
        return ()
    parts: dict[Key, dict[Path, Any]] = {}
    wanting: dict[Key, set[str]] = {}
    for wish in wishes(project):
        found = parts.setdefault((wish.kind, wish.name), {})
        if found.get(wish.part) is None:
            found[wish.part] = wish.value
        wanting.setdefault((wish.kind, wish.name), set()).add(wish.profile.name)
    return tuple(
        Kept(kind, name, parts[kind, name], tuple(sorted(wanting[kind, name])))
        for kind, name in sorted(parts)
    )


def check_sharing(project: Project) -> list[Diagnostic]:
    """Where two profiles want one part of an object differently, and what Kueue takes only in a cohort."""
    if project.environment.cluster is None:
        return []
    first: dict[tuple[Key, Path], Wish] = {}
    faults = []
    for wish in sorted(wishes(project), key=lambda each: each.profile.span):
        if wish.value is None:
            continue
        before = first.setdefault(((wish.kind, wish.name), wish.part), wish)
        if not _same(before, wish):
            faults.append(_conflict(project, before, wish))
    return [*faults, *_without_cohort(project, first), *_too_large(project, first)]


# --- wishes that do not go together


def _same(one: Wish, other: Wish) -> bool:
    if one.value == other.value:
        return True
    if one.part[0] in AMOUNTS:
        number = quantity(one.value)
        return number is not None and number == quantity(other.value)
    return False


def _conflict(project: Project, before: Wish, wish: Wish) -> Diagnostic:
    what = ".".join(wish.path)
    message = (
        f"the profiles `{before.profile.name}` and `{wish.profile.name}` want the {wish.kind} `{wish.name}` "
        f"with different `{what}`{_values(before, wish)}"
    )
    other = Related(f"`{before.profile.name}` says it here", place(project, before.profile, before.path))
    return Diagnostic(
        "profile-conflict",
        message,
        place(project, wish.profile, wish.path),
        "say the same in both, say it in one that both extend, or give one of them an object of its own",
        related=(other,),
    )


def _values(before: Wish, wish: Wish) -> str:
    simple = all(isinstance(each.value, str | int) for each in (before, wish))
    return f": {before.value} and {wish.value}" if simple else ""


def _without_cohort(project: Project, first: Mapping[tuple[Key, Path], Wish]) -> Iterator[Diagnostic]:
    """Limits of borrowing and lending mean nothing to a queue that stands alone, and Kueue refuses them."""
    for (key, part), wish in first.items():
        if part[0] in AMOUNTS[1:] and (key, ("cohort",)) not in first:
            yield Diagnostic(
                "queue-without-cohort",
                f"the ClusterQueue `{wish.name}` is in no cohort, so that there is nobody to borrow from or lend to",
                place(project, wish.profile, wish.path[:2]),
                f"say `queue.cohort`, or leave `{part[0]}` out",
            )


def _too_large(project: Project, first: Mapping[tuple[Key, Path], Wish]) -> Iterator[Diagnostic]:
    """ClusterQueues with more than Kueue takes: each flavor of a group has all its resources, so they grow fast."""
    said: dict[str, dict[Pair, Wish]] = {}
    for (key, part), wish in first.items():
        if part[0] in AMOUNTS:
            said.setdefault(key[1], {}).setdefault((part[1], part[2]), wish)
    for name, pairs in said.items():
        if is_too_large(pairs):
            found = groups(pairs)
            flavors, resources = (max(len(group[side]) for group in found) for side in (0, 1))
            wish = min(pairs.values(), key=lambda each: each.profile.span)
            message = (
                f"the ClusterQueue `{name}` would have {len(found)} groups of up to {flavors} flavors and {resources} "
                "resources, and Kueue takes no more than "
                f"{_MOST_GROUPS} groups of {_MOST_EACH} flavors and {_MOST_EACH} resources"
            )
            help_ = "spread the profiles over several queues, of one cohort if they shall share"
            yield Diagnostic("queue-too-large", message, place(project, wish.profile, wish.path), help_)


def is_too_large(pairs: Collection[Pair]) -> bool:
    """Whether Kueue would not take a ClusterQueue with these flavors and resources."""
    found = groups(pairs)
    return len(found) > _MOST_GROUPS or any(len(side) > _MOST_EACH for group in found for side in group)


def groups(pairs: Collection[Pair]) -> list[tuple[frozenset[str], frozenset[str]]]:
    """The flavors and resources of pairs that hang together, directly or by way of others, in their order."""
    beside: dict[Pair, list[Pair]] = {}
    for flavor, resource in pairs:
        beside.setdefault(("flavor", flavor), []).append(("resource", resource))
        beside.setdefault(("resource", resource), []).append(("flavor", flavor))
    found: list[tuple[frozenset[str], frozenset[str]]] = []
    seen: set[Pair] = set()
    for start in beside:
        if start not in seen:
            group = dict.fromkeys([start])
            waiting = [start]
            for each in waiting:  # grows while it is read
                new = dict.fromkeys(other for other in beside[each] if other not in group)
                group |= new
                waiting += new
            seen |= group.keys()
            flavors, resources = (
                frozenset(name for sort, name in group if sort == which) for which in ("flavor", "resource")
            )
            found.append((flavors, resources))
    return found
