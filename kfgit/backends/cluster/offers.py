"""Devices of dynamic resource allocation that tasks ask for by the name of a resource, counted from ResourceSlices.

A DeviceClass may give its devices such a name (`extendedResourceName`), and each class has one without that, too
(KEP-5004). DeviceClasses and ResourceSlices are listed once each, and only where a profile asks for what no node has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kfgit.backend import Finding
from kfgit.backends.cluster.connection.wire import Forbidden
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Object
from kfgit.backends.cluster.kubernetes.lacking import DEVICES
from kfgit.backends.cluster.kubernetes.reading import mapping
from kfgit.backends.cluster.rights import Right
from kfgit.demand.fitting import Node
from kfgit.demand.slices import Offer, offer
from kfgit.model import DeviceClass, Project

_IMPLICIT = "deviceclass.resource.kubernetes.io/"


@dataclass(frozen=True, slots=True)
class Offers:
    """Nodes with what ResourceSlices say of them, and the classes whose devices some resources are."""

    nodes: Sequence[Node]
    classes: Mapping[str, str] = field(default_factory=dict)
    counted: Mapping[str, Offer] = field(default_factory=dict)
    unseen: Finding | None = None

    @property
    def uncounted(self) -> frozenset[str]:
        """Resources of which no node says how many it has."""
        return frozenset(
            name for name in self.classes if name not in self.counted or self.counted[name].elsewhere
        )

    def note(self, resource: str) -> str:
        """What is to be said of a resource that comes from a class, as the end of a sentence."""
        if resource not in self.classes:
            return ""
        whose = f"; {resource} comes from the DeviceClass {self.classes[resource]}"
        found = self.counted.get(resource)
        if found is None:
            return f"{whose} and is not counted"
        most = "at most " if found.is_most and found.devices else ""
        devices = f"{found.devices or 'no'} device{'' if found.devices == 1 else 's'}"
        return f"{whose}, for which ResourceSlices have {most}{devices}"


def find(kube: KubeApi, project: Project, nodes: Sequence[Node]) -> Offers:
    """What there is of the resources that profiles ask for and that come from DeviceClasses."""
    profiles = project.profiles.values()
    asked = {
        each.resources.accelerator.resource for each in profiles if each.resources.accelerator is not None
    }
    own = [each.device_class for each in profiles if each.device_class is not None]
    classes = dict(_named(own, asked))
    unknown = asked - {name for each in nodes for name in each.allocatable} - classes.keys() - {""}
    classes |= {
        name: DeviceClass(name.removeprefix(_IMPLICIT)) for name in unknown if name.startswith(_IMPLICIT)
    }
    if not (classes or unknown) or not kube.serves(DEVICES, "DeviceClass"):
        return Offers(nodes, _names(classes))
    try:
        found = dict(_named(_classes(kube) if unknown else [], unknown))
        # Of a class that is not there nothing is known, and nobody gets devices by it.
        classes = {
            name: each for name, each in (classes | found).items() if name not in unknown - found.keys()
        }
        slices = [_spec(each) for each in kube.list(DEVICES, "ResourceSlice")] if classes else []
    except Forbidden:
        return Offers(nodes, _names(classes), unseen=_forbidden())
    counted = {name: offer(each.selectors, slices) for name, each in classes.items()}
    return Offers([_with(each, counted) for each in nodes], _names(classes), counted)


def _names(classes: Mapping[str, DeviceClass]) -> dict[str, str]:
    return {name: each.name for name, each in classes.items()}


def _named(classes: Iterable[DeviceClass], resources: Iterable[str]) -> Iterable[tuple[str, DeviceClass]]:
    """The class of each resource; of several the last."""
    wanted = frozenset(resources)
    for each in classes:
        names = {each.extended_resource, _IMPLICIT + each.name} & wanted
        yield from ((name, each) for name in names if name is not None)


def _classes(kube: KubeApi) -> list[DeviceClass]:
    """The classes of the cluster. Last comes who has a name that several claim: the newest, or else by its own name."""
    found = sorted(
        kube.list(DEVICES, "DeviceClass"), key=lambda each: str(each["metadata"]["name"]), reverse=True
    )
    return [
        _class(each)
        for each in sorted(found, key=lambda each: str(each["metadata"].get("creationTimestamp")))
    ]


def _class(found: Object) -> DeviceClass:
    spec = _spec(found)
    told = spec.get("selectors")
    selectors = (
        [mapping(mapping(each).get("cel")).get("expression") for each in told]
        if isinstance(told, list)
        else []
    )
    name = spec.get("extendedResourceName")
    return DeviceClass(
        str(found["metadata"]["name"]), tuple(map(str, selectors)), name if isinstance(name, str) else None
    )


def _with(node: Node, counted: Mapping[str, Offer]) -> Node:
    """A node with its devices among what is allocatable."""
    here = {name: str(each.by_node[node.name]) for name, each in counted.items() if node.name in each.by_node}
    return replace(node, allocatable={**here, **node.allocatable})


def _forbidden() -> Finding:
    rights = (Right("list", "resource.k8s.io", each, None) for each in ("deviceclasses", "resourceslices"))
    rules = " and ".join(f"`{each.rule}`" for each in rights)
    message = "DeviceClasses and ResourceSlices may not be listed: devices that stand there are not counted"
    return Finding(
        "nodes", "note", message, f"add {rules} to a ClusterRole; deploy/components/nodes has them"
    )


def _spec(found: Object) -> Mapping[str, Any]:
    return mapping(found.get("spec"))
