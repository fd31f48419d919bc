"""A cluster's nodes against the profiles of an environment: where their tasks could run, and how many at once.

What a device plugin offers stands on nodes. Devices of dynamic resource allocation that have the name of a resource
stand in ResourceSlices; they are counted as if their nodes had them (`offers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kfgit.backend import Finding
from kfgit.backends.cluster import offers
from kfgit.backends.cluster.connection.wire import Forbidden
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Object
from kfgit.backends.cluster.kubernetes.reading import mapping, mappings
from kfgit.backends.cluster.rights import Right
from kfgit.demand.fitting import Fitting, Node, Taint, fitting
from kfgit.demand.usage import uses_in
from kfgit.model import Project

RIGHT = Right("list", "", "nodes", None)


def examine(kube: KubeApi, project: Project) -> Iterator[Finding]:
    """What each profile finds; nobody is asked where there are none."""
    if not project.profiles:
        return
    try:
        nodes = [node(each) for each in kube.list("v1", "Node")]
    except Forbidden:
        help_ = f"add the rule `{RIGHT.rule}` to a ClusterRole; deploy/components/nodes has it"
        yield Finding("nodes", "note", "may not be listed: nobody can say where profiles fit", help_)
        return
    if not nodes:
        yield Finding("nodes", "note", "the cluster has none now; nothing is said of profiles")
        return
    told = offers.find(kube, project, nodes)
    if told.unseen is not None:
        yield told.unseen
    used = _used(project)
    for name, profile in project.profiles.items():
        accelerator = profile.resources.accelerator
        note = told.note(accelerator.resource) if accelerator is not None else ""
        yield _told(fitting(profile, told.nodes, told.uncounted), used.get(name, 0), note)


def node(found: Object) -> Node:
    """A node as it stands in the API; what is missing or not what it should be is not there."""
    metadata, spec, status = (mapping(found.get(key)) for key in ("metadata", "spec", "status"))
    return Node(
        str(metadata.get("name")),
        {str(key): str(value) for key, value in mapping(status.get("allocatable")).items()},
        {str(key): str(value) for key, value in mapping(metadata.get("labels")).items()},
        tuple(_taint(each) for each in mappings(spec.get("taints"))),
        spec.get("unschedulable") is True,
    )


def _taint(found: Mapping[str, Any]) -> Taint:
    return Taint(*(str(found.get(key) or "") for key in ("key", "value", "effect")))


def _used(project: Project) -> Mapping[str, int]:
    """How many tasks mean each profile."""
    found: dict[str, int] = {}
    for pipeline in project.pipelines.values():
        for use in uses_in(pipeline, project):
            profile = project.profile_of(use.name)
            if profile is not None:
                found[profile.name] = found.get(profile.name, 0) + 1
    return found


def _told(found: Fitting, used: int, note: str) -> Finding:
    """A problem where tasks would wait for ever; not where nobody uses it, or another node may come."""
    users = {0: "unused", 1: "1 task of the source uses it"}.get(used, f"{used} tasks of the source use it")
    message = f"{found.profile}: {found.sentence()}{note}; {users}"
    if found.fits:
        return Finding("profile", "ok", message)
    if found.grows:
        help_ = "the cluster has groups of nodes that may grow: see whether one of them has such nodes"
        return Finding("profile", "note", message, help_)
    help_ = (
        "change the profile, map its name to another one (`profiles` of the environment), or add such a node"
    )
    return Finding("profile", "problem" if used else "note", message, help_)
