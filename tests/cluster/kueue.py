"""Kueue's kinds on the API server of the tests: structural schemas of the fields that kfgit uses, and their rules.

Written after Kueue's API types (apis/kueue/v1beta1, v1beta2): types, defaults, which lists are one value, what cannot
change. No controller stands behind them; what Kueue's does to objects a test does itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.cluster.cluster import User, until

GROUP = "kueue.x-k8s.io"
NEW, OLD = "v1beta2", "v1beta1"
CLUSTER_WIDE = ("resourceflavors", "clusterqueues", "workloadpriorityclasses")

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NAME: Schema = {"type": "string", "maxLength": 253}
_AMOUNT: Schema = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
    "pattern": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$",
}
_STOP: Schema = {"type": "string", "enum": ["None", "Hold", "HoldAndDrain"], "default": "None"}


def install(admin: User, *served: str) -> None:
    """Brings the kinds in some versions, or in others than before, and waits until they are served."""
    for plural, kind, namespaced in _KINDS:
        admin.apply(
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}",
            definition(plural, kind, served or (NEW,), namespaced=namespaced),
            "kueue",
        )
    for version in served or (NEW,):
        until(lambda version=version: _is_served(admin, version))  # type: ignore[misc]


def _is_served(admin: User, version: str) -> bool:
    answer = admin.ask("GET", f"/apis/{GROUP}/{version}")
    known = {each["name"] for each in answer.json()["resources"]} if answer.is_success else set()
    # An object of a kind that was just made may be refused for a moment.
    return all(
        plural in known and admin.ask("GET", f"/apis/{GROUP}/{version}/{plural}").is_success
        for plural, _, _ in _KINDS
    )


def definition(plural: str, kind: str, served: Sequence[str], *, namespaced: bool) -> Mapping[str, Any]:
    """A kind, as the API server wants to be told of it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if namespaced else "Cluster",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [_version(kind, each, is_stored=each == served[0]) for each in served],
        },
    }


def _version(kind: str, version: str, *, is_stored: bool) -> Schema:
    return {
        "name": version,
        "served": True,
        "storage": is_stored,
        "subresources": {"status": {}} if kind in {"ClusterQueue", "LocalQueue"} else {},
        "schema": {"openAPIV3Schema": _whole(kind, version)},
    }


def _whole(kind: str, version: str) -> Schema:
    parts: Schema = {
        "ResourceFlavor": lambda: {"spec": _flavor()},
        "ClusterQueue": lambda: {"spec": _cluster_queue(version), "status": _status()},
        "LocalQueue": lambda: {"spec": _local_queue(), "status": _status()},
        "WorkloadPriorityClass": lambda: {
            "value": {"type": "integer", "format": "int32"},
            "description": _TEXT,
        },
    }
    own = parts[kind]()
    required = ["value"] if "value" in own else []
    return _object(
        {"apiVersion": _TEXT, "kind": _TEXT, "metadata": {"type": "object"}, **own}, required=required
    )


def _object(properties: Schema, *, required: Sequence[str] = (), **more: Any) -> Schema:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed, **more}


def _list(items: Schema, key: str | None = None, **more: Any) -> Schema:
    sort = {"x-kubernetes-list-type": "atomic"}
    if key is not None:
        sort = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}  # type: ignore[dict-item]
    return {"type": "array", "items": items, **sort, **more}


def _texts() -> Schema:
    return {"type": "object", "additionalProperties": _TEXT}


def _status() -> Schema:
    return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _flavor() -> Schema:
    toleration = _object(
        {
            **dict.fromkeys(("key", "operator", "value", "effect"), _TEXT),
            "tolerationSeconds": {"type": "integer", "format": "int64"},
        }
    )
    return _object(
        {
            "nodeLabels": {**_texts(), "maxProperties": 8, "x-kubernetes-map-type": "atomic"},
            "nodeTaints": _list(_object(dict.fromkeys(("key", "value", "effect"), _TEXT)), maxItems=8),
            "tolerations": _list(toleration, maxItems=8),
            "topologyName": _NAME,
        }
    )


def _cluster_queue(version: str) -> Schema:
    cohort = "cohortName" if version == NEW else "cohort"
    quota = _object(
        {"name": _TEXT, "nominalQuota": _AMOUNT, "borrowingLimit": _AMOUNT, "lendingLimit": _AMOUNT},
        required=("name", "nominalQuota"),
    )
    flavor = _object(
        {"name": _NAME, "resources": _list(quota, "name", minItems=1, maxItems=64)},
        required=("name", "resources"),
    )
    group = _object(
        {
            "coveredResources": _list(_TEXT, minItems=1, maxItems=64),
            "flavors": _list(flavor, "name", minItems=1, maxItems=64),
        },
        required=("coveredResources", "flavors"),
        **_rule(
            "self.flavors.all(x, size(x.resources) == size(self.coveredResources))",
            "flavors must have the same number of resources as the coveredResources",
        ),
    )
    never = {"type": "string", "default": "Never"}
    preemption = _object(
        {
            "withinClusterQueue": {**never, "enum": ["Never", "LowerPriority", "LowerOrNewerEqualPriority"]},
            "reclaimWithinCohort": {**never, "enum": ["Never", "LowerPriority", "Any"]},
        },
        default={},
    )
    selector = _object(
        {
            "matchLabels": _texts(),
            "matchExpressions": _list(_object({"key": _TEXT, "operator": _TEXT, "values": _list(_TEXT)})),
        }
    )
    fungible = _object({"whenCanBorrow": _TEXT, "whenCanPreempt": _TEXT}, default={})
    strategy = {"type": "string", "enum": ["StrictFIFO", "BestEffortFIFO"], "default": "BestEffortFIFO"}
    alone = (
        f"!has(self.{cohort}) && has(self.resourceGroups) ? self.resourceGroups.all(rg, rg.flavors.all(f, "
        "f.resources.all(r, !has(r.borrowingLimit)))) : true"
    )
    return _object(
        {
            "resourceGroups": _list(group, maxItems=16),
            cohort: _NAME,
            "queueingStrategy": strategy,
            "namespaceSelector": {**selector, "x-kubernetes-map-type": "atomic"},
            "flavorFungibility": fungible,
            "preemption": preemption,
            "stopPolicy": _STOP,
        },
        **_rule(alone, "borrowingLimit must be nil when cohort is empty"),
    )


def _local_queue() -> Schema:
    fixed = {**_NAME, **_rule("self == oldSelf", "field is immutable")}
    return _object({"clusterQueue": fixed, "stopPolicy": _STOP})


def _rule(rule: str, message: str) -> Schema:
    return {"x-kubernetes-validations": [{"rule": rule, "message": message}]}


_KINDS = (
    ("resourceflavors", "ResourceFlavor", False),
    ("clusterqueues", "ClusterQueue", False),
    ("localqueues", "LocalQueue", True),
    ("workloadpriorityclasses", "WorkloadPriorityClass", False),
)
