"""Every value of a profile, with the profile that says it and where: its own document, or one that it extends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kfgit.model import Path, Profile, Project
from kfgit.source import Span

# What is taken from one document as a whole: whatever its own says hides all of it that a base says.
_WHOLE: tuple[Path, ...] = (
    ("node", "selector"),
    ("queue", "borrowingLimit"),
    ("queue", "lendingLimit"),
    ("queue", "preemption"),
    ("quota",),
    ("limitRange",),
    ("deviceClass",),
    ("claim",),
    ("cost",),
)
_RESOURCE = ("accelerator", "resource")


@dataclass(frozen=True, slots=True)
class Value:
    """A value at a path below `spec`. `profile` says it, at `span`; both are None for a default of the language."""

    path: Path
    value: Any
    profile: str | None
    span: Span | None


def values(project: Project, profile: Profile) -> tuple[Value, ...]:
    """All values that a profile has in the end, in the order of the reference."""
    chain = _chain(project, profile)
    return tuple(_value(chain, path, value) for path, value in _leaves(profile))


def _chain(project: Project, profile: Profile) -> tuple[Profile, ...]:
    """A profile and what it extends, one after the other."""
    chain = [profile]
    while chain[-1].extends is not None and chain[-1].extends in project.profiles:
        chain.append(project.profiles[chain[-1].extends])
    return tuple(chain)


def _value(chain: tuple[Profile, ...], path: Path, value: Any) -> Value:
    for each in chain:
        if path in each.said:
            return Value(path, value, each.name, each.said[path])
        if _closes(each, path):
            break
    return Value(path, value, None, None)


def _closes(profile: Profile, path: Path) -> bool:
    """Whether nothing of what a profile extends holds at a path, though it does not say that path itself."""
    if path[0] == "accelerator":
        return _RESOURCE in profile.said
    prefix = next((each for each in _WHOLE if path[: len(each)] == each), None)
    return prefix is not None and any(said[: len(prefix)] == prefix for said in profile.said)


def _leaves(profile: Profile) -> Iterator[tuple[Path, Any]]:
    for which in ("requests", "limits"):
        yield from _map((which,), getattr(profile.resources, which))
    accelerator = profile.resources.accelerator
    if accelerator is not None:
        fields = {"resource": accelerator.resource, "count": accelerator.count, "model": accelerator.model}
        yield from _map(("accelerator",), fields)
    yield from _placement(profile)
    yield from _kept(profile)
    if profile.cost is not None:
        fields = {"perHour": profile.cost.per_hour, "currency": profile.cost.currency}
        yield from _map(("cost",), fields)


def _placement(profile: Profile) -> Iterator[tuple[Path, Any]]:
    found = profile.placement
    yield from _map((), {"sharedMemory": found.shared_memory})
    yield from _map(("node", "selector"), found.node_selector)
    yield from _map(("node",), {"affinity": found.affinity, "tolerations": found.tolerations})
    yield from _map(("priority",), {"class": found.priority, "value": profile.priority_value})


def _kept(profile: Profile) -> Iterator[tuple[Path, Any]]:
    """What a cluster keeps beside the tasks."""
    queue, limits = profile.queue, profile.limit_range
    if queue is not None:
        names = {"localQueue": queue.local, "clusterQueue": queue.cluster, "flavor": queue.flavor}
        yield from _map(("queue",), {**names, "cohort": queue.cohort, "strategy": queue.strategy})
        yield from _map(("queue", "borrowingLimit"), queue.borrowing_limit)
        yield from _map(("queue", "lendingLimit"), queue.lending_limit)
        yield from _map(("queue", "preemption"), queue.preemption)
    yield from _map(("quota",), profile.quota)
    if limits is not None:
        for key, amounts in limits.by_key.items():
            yield from _map(("limitRange", key), amounts)
    yield from _devices(profile)


def _devices(profile: Profile) -> Iterator[tuple[Path, Any]]:
    found, claim = profile.device_class, profile.claim
    if found is not None:
        fields = {"name": found.name, "selectors": found.selectors}
        yield from _map(("deviceClass",), {**fields, "extendedResourceName": found.extended_resource})
    if claim is not None:
        fields = {"name": claim.name, "deviceClass": claim.device_class}
        yield from _map(("claim",), {**fields, "count": claim.count, "selectors": claim.selectors})


def _map(above: Path, found: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """What is said: neither None nor an empty list."""
    yield from (((*above, key), value) for key, value in found.items() if value not in (None, "", ()))
