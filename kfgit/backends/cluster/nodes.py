"""A cluster's nodes against the profiles of an environment: where their tasks could run, and how many at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kfgit.backend import Finding
from kfgit.backends.cluster.connection.wire import Forbidden
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Object
from kfgit.backends.cluster.rights import Right
from kfgit.demand.fitting import Fitting, Node, Taint, fitting
from kfgit.demand.usage import uses_in
from kfgit.model import Project

# Beside the name that a DeviceClass has for its devices there is one that all classes have (KEP-5004).
_IMPLICIT = "deviceclass.resource.kubernetes.io/"
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
    used = _used(project)
    elsewhere = _by_claims(project)
    for name, profile in project.profiles.items():
        yield _told(fitting(profile, nodes, elsewhere), used.get(name, 0), _notes(project, name, elsewhere))


def node(found: Object) -> Node:
    """A node as it stands in the API; what is missing or not what it should be is not there."""
    metadata, spec, status = (_mapping(found.get(key)) for key in ("metadata", "spec", "status"))
    return Node(
        str(metadata.get("name")),
        {str(key): str(value) for key, value in _mapping(status.get("allocatable")).items()},
        {str(key): str(value) for key, value in _mapping(metadata.get("labels")).items()},
        tuple(_taint(each) for each in _list(spec.get("taints"))),
        spec.get("unschedulable") is True,
    )


def _taint(found: Mapping[str, Any]) -> Taint:
    return Taint(*(str(found.get(key) or "") for key in ("key", "value", "effect")))


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _list(found: Any) -> Sequence[Mapping[str, Any]]:
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _used(project: Project) -> Mapping[str, int]:
    """How many tasks mean each profile."""
    found: dict[str, int] = {}
    for pipeline in project.pipelines.values():
        for use in uses_in(pipeline, project):
            profile = project.profile_of(use.name)
            if profile is not None:
                found[profile.name] = found.get(profile.name, 0) + 1
    return found


def _by_claims(project: Project) -> frozenset[str]:
    """Resources whose devices come from a DeviceClass: they stand in ResourceSlices, not on nodes."""
    classes = [each.device_class for each in project.profiles.values() if each.device_class is not None]
    named = {each.extended_resource for each in classes if each.extended_resource is not None}
    asked = (each.resources.accelerator for each in project.profiles.values())
    implicit = {a.resource for a in asked if a is not None and a.resource.startswith(_IMPLICIT)}
    return frozenset(named | implicit)


def _notes(project: Project, name: str, elsewhere: frozenset[str]) -> str:
    accelerator = project.profiles[name].resources.accelerator
    if accelerator is None or accelerator.resource not in elsewhere:
        return ""
    return f"; {accelerator.resource} comes from a DeviceClass and is not counted"


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
