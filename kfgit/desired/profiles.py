"""The Kubernetes objects that profiles want, as manifests: classes of priority and devices, queues, quotas, limits.

Only what documents say is written, so that what a server fills in is nobody's difference. Kueue's objects are said in
its newest version; the cluster backend translates for servers that have an older one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kfgit.graph.sharing import AMOUNTS, Kept, groups

Manifest = dict[str, Any]

KUEUE = "kueue.x-k8s.io/v1beta2"
DEVICES = "resource.k8s.io/v1"

# How kfgit's words for amounts are called in Kubernetes.
_RESOURCES = {"ephemeralStorage": "ephemeral-storage"}
# What a quota counts as requests; everything else but extended resources, such as `pods`, has no prefix there.
_COUNTED = ("cpu", "memory", "ephemeral-storage", "storage")
_PREFIXES = ("requests.", "limits.", "count/")
# Kubernetes' own names, which stand in a quota as they are, such as `CLASS.deviceclass.resource.k8s.io/devices`. What a
# class gives without any other name is counted as a request (pkg/quota/v1/evaluator/core/resource_claims.go).
_OWN = re.compile(r"(?!deviceclass\.resource\.kubernetes\.io/)(.*\.)?(k8s|kubernetes)\.io/")


def manifest(kept: Kept) -> Manifest:
    """An object without its name and kind."""
    return _MANIFESTS[kept.kind](kept)


def _priority_class(kept: Kept) -> Manifest:
    return {"apiVersion": "scheduling.k8s.io/v1", "value": kept.parts["value",]}


def _workload_priority_class(kept: Kept) -> Manifest:
    return {"apiVersion": KUEUE, "value": kept.parts["value",]}


def _flavor(kept: Kept) -> Manifest:
    spec: Manifest = {}
    if kept.parts["nodeLabels",]:
        spec["nodeLabels"] = dict(kept.parts["nodeLabels",])
    if kept.parts["tolerations",]:
        spec["tolerations"] = [dict(each) for each in kept.parts["tolerations",]]
    return {"apiVersion": KUEUE, "spec": spec}


def _cluster_queue(kept: Kept) -> Manifest:
    spec: Manifest = {"namespaceSelector": {}, "resourceGroups": list(_groups(kept))}
    for part, key in (("cohort", "cohortName"), ("strategy", "queueingStrategy")):
        if kept.parts.get((part,)) is not None:
            spec[key] = kept.parts[part,]
    preemption = kept.under("preemption")
    if preemption:
        spec["preemption"] = preemption
    return {"apiVersion": KUEUE, "spec": spec}


def _groups(kept: Kept) -> Iterator[Manifest]:
    """One group for all flavors and resources that hang together: each flavor is in one, and says all its resources."""
    pairs = {(path[1], path[2]) for path in kept.parts if path[0] in AMOUNTS}
    for flavors, resources in sorted(groups(sorted(pairs)), key=lambda group: min(group[0])):
        covered = sorted(resources, key=_rank)
        yield {
            "coveredResources": [_resource(each) for each in covered],
            "flavors": [
                {"name": flavor, "resources": [_amounts(kept, flavor, each) for each in covered]}
                for flavor in sorted(flavors)
            ],
        }


def _amounts(kept: Kept, flavor: str, resource: str) -> Manifest:
    quota, borrowing, lending = (kept.parts.get((part, flavor, resource)) for part in AMOUNTS)
    found = {"name": _resource(resource), "nominalQuota": quota or "0"}
    if borrowing is not None:
        found["borrowingLimit"] = borrowing
    if lending is not None:
        found["lendingLimit"] = lending
    return found


def _local_queue(kept: Kept) -> Manifest:
    return {"apiVersion": KUEUE, "spec": {"clusterQueue": kept.parts["clusterQueue",]}}


def _resource_quota(kept: Kept) -> Manifest:
    hard = {_counted(resource): amount for resource, amount in kept.under("hard").items()}
    return {"apiVersion": "v1", "spec": {"hard": dict(sorted(hard.items()))}}


def _limit_range(kept: Kept) -> Manifest:
    limit: Manifest = {"type": "Container"}
    for word in ("default", "defaultRequest", "max", "min"):
        amounts = {_resource(resource): amount for resource, amount in kept.under(word).items()}
        if amounts:
            limit[word] = amounts
    return {"apiVersion": "v1", "spec": {"limits": [limit]}}


def _device_class(kept: Kept) -> Manifest:
    spec: Manifest = {}
    if kept.parts["selectors",]:
        spec["selectors"] = _expressions(kept.parts["selectors",])
    if kept.parts["extendedResourceName",] is not None:
        spec["extendedResourceName"] = kept.parts["extendedResourceName",]
    return {"apiVersion": DEVICES, "spec": spec}


def _claim_template(kept: Kept) -> Manifest:
    exactly: Manifest = {
        "deviceClassName": kept.parts["deviceClass",],
        "allocationMode": "ExactCount",
        "count": kept.parts["count",],
    }
    if kept.parts["selectors",]:
        exactly["selectors"] = _expressions(kept.parts["selectors",])
    request = {"name": "devices", "exactly": exactly}
    return {"apiVersion": DEVICES, "spec": {"spec": {"devices": {"requests": [request]}}}}


def _expressions(selectors: tuple[str, ...]) -> list[Manifest]:
    return [{"cel": {"expression": each}} for each in selectors]


def _resource(name: str) -> str:
    return _RESOURCES.get(name, name)


def _rank(resource: str) -> tuple[bool, str]:
    """What every pod asks for comes first."""
    return _resource(resource) not in _COUNTED, resource


def _counted(resource: str) -> str:
    """As a ResourceQuota counts it: of an extended resource it takes requests only."""
    name = _resource(resource)
    is_extended = "/" in name and not name.startswith(_PREFIXES) and not _OWN.match(name)
    return f"requests.{name}" if name in _COUNTED or is_extended else name


_MANIFESTS: Mapping[str, Callable[[Kept], Manifest]] = {
    "PriorityClass": _priority_class,
    "WorkloadPriorityClass": _workload_priority_class,
    "ResourceFlavor": _flavor,
    "ClusterQueue": _cluster_queue,
    "LocalQueue": _local_queue,
    "ResourceQuota": _resource_quota,
    "LimitRange": _limit_range,
    "DeviceClass": _device_class,
    "ResourceClaimTemplate": _claim_template,
}
