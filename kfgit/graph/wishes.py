"""What each profile wishes a cluster to keep: parts of queues, quotas, classes, each with where that is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kfgit.model import Path, Profile, Project, Queue
from kfgit.source import Span

# Parts of a ClusterQueue that are amounts, by flavor and resource.
AMOUNTS = ("quota", "borrowingLimit", "lendingLimit")
_BORROWED = tuple(("queue", part) for part in AMOUNTS[1:])


@dataclass(frozen=True, slots=True)
class Wish:
    """One part of an object as a profile wants it; `path` is where below its `spec` that is said."""

    kind: str
    name: str
    profile: Profile
    part: Path
    value: Any
    path: Path


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
    for word, amounts in limits.by_key.items():
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
            yield from _cluster_queue(profile, queue, queue.cluster)
            if not _is_wished(project, profile, flavor):
                yield from _amounts(profile, queue, queue.cluster, flavor)
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


def _is_wished(project: Project, profile: Profile, flavor: str) -> bool:
    """Whether what a profile extends has wished for the same amounts in the same place."""
    if any(path[0] == "quota" or path[:2] in _BORROWED for path in profile.said):
        return False
    found = _parent(project, profile)
    while found is not None and not (found.says("queue") or found.says("quota")):
        found = _parent(project, found)
    if found is None or found.queue is None or profile.queue is None:
        return False
    theirs = found.queue.flavor or project.environment.prefix + _flavor_owner(project, found).name
    return found.queue.cluster == profile.queue.cluster and theirs == flavor


def _cluster_queue(profile: Profile, queue: Queue, name: str) -> Iterator[Wish]:
    kind = "ClusterQueue"
    yield Wish(kind, name, profile, ("cohort",), queue.cohort, ("queue", "cohort"))
    yield Wish(kind, name, profile, ("strategy",), queue.strategy, ("queue", "strategy"))
    for key, word in queue.preemption.items():
        yield Wish(kind, name, profile, ("preemption", key), word, ("queue", "preemption", key))


def _amounts(profile: Profile, queue: Queue, name: str, flavor: str) -> Iterator[Wish]:
    for part, amounts in zip(
        AMOUNTS, (profile.quota, queue.borrowing_limit, queue.lending_limit), strict=True
    ):
        above = () if part == "quota" else ("queue",)
        for resource, amount in amounts.items():
            path = (*above, part, resource)
            yield Wish("ClusterQueue", name, profile, (part, flavor, resource), amount, path)


# --- who says what


def place(project: Project, profile: Profile, path: Path) -> Span:
    """Where a profile says something below its `spec`, itself or what it extends; else where it begins."""
    found: Profile | None = profile
    while found is not None:
        if path in found.said:
            return found.said[path]
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
