"""What profiles want a cluster to keep, put together: queues, quotas, classes; and where two want it differently.

Several profiles may speak of one object, such as a ClusterQueue with a flavor for each of them. Each of them wishes for
parts of it; the object is the sum of all wishes, and two wishes for one part must agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kfgit.diagnostics import Diagnostic, Related
from kfgit.graph.quantities import quantity
from kfgit.model import Path, Profile, Project, Queue
from kfgit.source import Span

Key = tuple[str, str]

# Parts of a ClusterQueue that are amounts, by flavor and resource.
AMOUNTS = ("quota", "borrowingLimit", "lendingLimit")


@dataclass(frozen=True, slots=True)
class Wish:
    """One part of an object as a profile wants it; `path` is where below its `spec` that is said."""

    kind: str
    name: str
    profile: Profile
    part: Path
    value: Any
    path: Path


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
    return [*faults, *_without_cohort(project, first)]


def place(project: Project, profile: Profile, path: Path) -> Span:
    """Where a profile says something below its `spec`, itself or what it extends; else where it begins."""
    found: Profile | None = profile
    while found is not None:
        spans = [span for said, span in found.said.items() if said[: len(path)] == path]
        if spans:
            return min(spans)
        found = _parent(project, found)
    return place(project, profile, path[:-1]) if len(path) > 1 else profile.span


def sayer(project: Project, profile: Profile, key: str) -> Profile | None:
    """The profile whose own document says a key of `spec` for another: itself, or the nearest that it extends."""
    found: Profile | None = profile
    while found is not None and not found.says(key):
        found = _parent(project, found)
    return found


def _parent(project: Project, profile: Profile) -> Profile | None:
    return project.profiles.get(profile.extends) if profile.extends is not None else None


# --- what each profile wishes for


def wishes(project: Project) -> Iterator[Wish]:
    """The wishes of all profiles: whose own document says a key wishes for its objects, with its folded values."""
    for profile in project.profiles.values():
        yield from _priority(profile)
        yield from _quota(project, profile)
        yield from _limits(project, profile)
        yield from _devices(profile)
        if profile.queue is not None and (profile.says("queue") or profile.says("quota")):
            yield from _queue(project, profile, profile.queue)


def _priority(profile: Profile) -> Iterator[Wish]:
    """A class that a value is given; with a queue it is Kueue's."""
    name, value = profile.placement.priority, profile.priority_value
    if name and value is not None:
        kind = "PriorityClass" if profile.placement.queue is None else "WorkloadPriorityClass"
        yield Wish(kind, name, profile, ("value",), value, ("priority", "value"))


def _quota(project: Project, profile: Profile) -> Iterator[Wish]:
    """The namespace's quota, where no ClusterQueue has it."""
    if profile.says("quota") and (profile.queue is None or profile.queue.cluster is None):
        name = project.environment.prefix + profile.name
        for resource, amount in profile.quota.items():
            yield Wish("ResourceQuota", name, profile, ("hard", resource), amount, ("quota", resource))


def _limits(project: Project, profile: Profile) -> Iterator[Wish]:
    limits = profile.limit_range
    if limits is None or not profile.says("limitRange"):
        return
    name = project.environment.prefix + profile.name
    words = {
        "default": limits.default,
        "defaultRequest": limits.default_request,
        "min": limits.min,
        "max": limits.max,
    }
    for word, amounts in words.items():
        for resource, amount in amounts.items():
            yield Wish("LimitRange", name, profile, (word, resource), amount, ("limitRange", word, resource))


def _devices(profile: Profile) -> Iterator[Wish]:
    class_, claim = profile.device_class, profile.claim
    if class_ is not None and profile.says("deviceClass"):
        words: dict[str, Any] = {
            "selectors": class_.selectors or None,
            "extendedResourceName": class_.extended_resource,
        }
        for part, value in words.items():
            yield Wish("DeviceClass", class_.name, profile, (part,), value, ("deviceClass", part))
    if claim is not None and profile.says("claim"):
        words = {
            "deviceClass": claim.device_class,
            "count": claim.count,
            "selectors": claim.selectors or None,
        }
        for part, value in words.items():
            yield Wish("ResourceClaimTemplate", claim.name, profile, (part,), value, ("claim", part))


def _queue(project: Project, profile: Profile, queue: Queue) -> Iterator[Wish]:
    """The LocalQueue of a known ClusterQueue; that one and its flavor too, where the profile has a quota."""
    owner = _flavor_owner(project, profile)
    flavor = queue.flavor or project.environment.prefix + owner.name
    if queue.cluster is not None:
        path = ("queue", "clusterQueue")
        yield Wish("LocalQueue", queue.local, profile, ("clusterQueue",), queue.cluster, path)
        if profile.quota:
            yield from _cluster_queue(profile, queue, queue.cluster, flavor)
    if queue.flavor is not None or (owner is profile and queue.cluster is not None and profile.quota):
        yield from _flavor(profile, flavor)


def _flavor(profile: Profile, name: str) -> Iterator[Wish]:
    node = profile.placement
    for part, word, value in (
        ("nodeLabels", "selector", node.node_selector),
        ("tolerations", "tolerations", node.tolerations),
    ):
        yield Wish("ResourceFlavor", name, profile, (part,), value, ("node", word))


def _flavor_owner(project: Project, profile: Profile) -> Profile:
    """Whose nodes a quota is of: the profile that says the quota, as far as it is in the same ClusterQueue."""
    assert profile.queue is not None
    chain, found = [], profile
    while found.queue is not None and found.queue.cluster == profile.queue.cluster:
        chain.append(found)
        parent = _parent(project, found)
        if parent is None:
            break
        found = parent
    saying = [each for key in ("quota", "queue") for each in chain if each.says(key)]
    return next(iter(saying), profile)


def _cluster_queue(profile: Profile, queue: Queue, name: str, flavor: str) -> Iterator[Wish]:
    kind = "ClusterQueue"
    yield Wish(kind, name, profile, ("cohort",), queue.cohort, ("queue", "cohort"))
    yield Wish(kind, name, profile, ("strategy",), queue.strategy, ("queue", "strategy"))
    for key, word in queue.preemption.items():
        yield Wish(kind, name, profile, ("preemption", key), word, ("queue", "preemption", key))
    for part, amounts in zip(
        AMOUNTS, (profile.quota, queue.borrowing_limit, queue.lending_limit), strict=True
    ):
        above = () if part == "quota" else ("queue",)
        for resource, amount in amounts.items():
            yield Wish(kind, name, profile, (part, flavor, resource), amount, (*above, part, resource))


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
