"""What the cluster keeps for a profile: the objects that its tasks are subject to, whichever profile wants them."""

from __future__ import annotations

from collections.abc import Iterator

from kfgit.graph.sharing import Kept, Key, kept, sayer
from kfgit.model import Profile, Project


def kept_for(project: Project, profile: Profile) -> tuple[Kept, ...]:
    """The objects of a profile, also those that another has said: what it extends, or who shares its queue."""
    named = set(_named(project, profile))
    return tuple(each for each in kept(project) if (each.kind, each.name) in named)


def _named(project: Project, profile: Profile) -> Iterator[Key]:
    queue, priority = profile.queue, profile.placement.priority
    if queue is not None:
        yield "LocalQueue", queue.local
        yield "ClusterQueue", queue.cluster or ""
        yield from (("ResourceFlavor", name) for name in _flavors(project, profile))
    if priority is not None:
        yield "PriorityClass" if queue is None else "WorkloadPriorityClass", priority
    if profile.device_class is not None:
        yield "DeviceClass", profile.device_class.name
    if profile.claim is not None:
        yield "ResourceClaimTemplate", profile.claim.name
    for kind, key in (("ResourceQuota", "quota"), ("LimitRange", "limitRange")):
        said = sayer(project, profile, key)
        if said is not None:
            yield kind, project.environment.prefix + said.name


def _flavors(project: Project, profile: Profile) -> Iterator[str]:
    """The one that it names; else the one called after whoever says its quota or its queue."""
    if profile.queue is not None and profile.queue.flavor is not None:
        yield profile.queue.flavor
        return
    for key in ("quota", "queue"):
        said = sayer(project, profile, key)
        if said is not None:
            yield project.environment.prefix + said.name
            return
