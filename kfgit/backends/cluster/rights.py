"""The rights that kfgit needs on a cluster, and which of them it lacks: Kubernetes is asked, nothing is tried.

They are those of `deploy/`; a test holds both equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.wire import Wire
from kfgit.model import ClusterTarget

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one kind; `namespace` is None for what the cluster has as a whole."""

    verb: str
    group: str
    resource: str
    namespace: str | None

    @property
    def rule(self) -> str:
        """As it stands in a Role."""
        return f'verbs: [{self.verb}], apiGroups: ["{self.group}"], resources: [{self.resource}]'


# By API group and resource.
Rules = Mapping[tuple[str, str], Sequence[str]]

NAMESPACED: Rules = {
    ("", "configmaps"): ("get", "list", "create", "update", "delete"),
    ("coordination.k8s.io", "leases"): ("get", "create", "update"),
    ("", "namespaces"): ("get",),
}
_KEPT = ("get", "list", "create", "patch", "delete")
# What profiles bring, by kind; some are in the target's namespace, the others of the cluster as a whole.
OF_CLUSTER: Mapping[str, Rules] = {
    "PriorityClass": {("scheduling.k8s.io", "priorityclasses"): _KEPT},
    "WorkloadPriorityClass": {("kueue.x-k8s.io", "workloadpriorityclasses"): _KEPT},
    "ResourceFlavor": {("kueue.x-k8s.io", "resourceflavors"): _KEPT},
    "ClusterQueue": {("kueue.x-k8s.io", "clusterqueues"): _KEPT},
    "DeviceClass": {("resource.k8s.io", "deviceclasses"): _KEPT},
}
OF_NAMESPACE: Mapping[str, Rules] = {
    "LocalQueue": {("kueue.x-k8s.io", "localqueues"): _KEPT},
    "ResourceQuota": {("", "resourcequotas"): _KEPT},
    "LimitRange": {("", "limitranges"): _KEPT},
    "ResourceClaimTemplate": {("resource.k8s.io", "resourceclaimtemplates"): _KEPT},
}
# For `doctor` alone, which compares profiles with nodes, and with the devices that DeviceClasses take.
NODES: Rules = {
    ("", "nodes"): ("list",),
    ("resource.k8s.io", "deviceclasses"): ("list",),
    ("resource.k8s.io", "resourceslices"): ("list",),
}
# What a KFP for many users asks Kubernetes about whoever asks it; schedules are `jobs` there.
MULTI_USER: Rules = {
    ("pipelines.kubeflow.org", "pipelines"): ("get", "list", "create", "update", "delete"),
    ("pipelines.kubeflow.org", "pipelines/versions"): ("get", "list", "create", "update", "delete"),
    ("pipelines.kubeflow.org", "experiments"): ("get", "list", "create", "delete"),
    ("pipelines.kubeflow.org", "jobs"): ("get", "list", "create", "delete", "enable", "disable"),
    ("pipelines.kubeflow.org", "runs"): ("get", "list", "create", "retry", "terminate", "delete"),
}
# KFP behind the API server's proxy: the verbs of HTTP's methods.
PROXY: Rules = {("", "services/proxy"): ("get", "create", "patch", "delete")}


def needed(
    target: ClusterTarget, namespace: str, kinds: Collection[str] = (), looked_for: Collection[str] = ()
) -> tuple[Right, ...]:
    """What an environment needs that has objects of some kinds, and uses those of others of some kinds.

    Those of a many-user KFP are the asking person's where they ask KFP as themselves.
    """
    found = [*needed_in(namespace), *_of_kinds(namespace, kinds)]
    found += [each for each in _of_kinds(namespace, looked_for) if each.verb == "list" and each not in found]
    if target.kfp.endpoint is None:
        found += _rights(PROXY, target.kfp.service_namespace)
    if target.kfp.namespace is not None and target.kfp.user is None and target.kfp.user_env is None:
        found += _rights(MULTI_USER, target.kfp.namespace)
    return tuple(found)


def _of_kinds(namespace: str, kinds: Collection[str]) -> Iterator[Right]:
    for kind in sorted(set(kinds)):
        yield from _rights(OF_CLUSTER.get(kind, {}), None)
        yield from _rights(OF_NAMESPACE.get(kind, {}), namespace)


def needed_in(namespace: str) -> tuple[Right, ...]:
    """What every environment needs, in its own namespace."""
    return tuple(_rights(NAMESPACED, namespace))


def missing(kube: Wire, rights: Sequence[Right]) -> tuple[Right, ...]:
    """Those that whoever asks does not have; raises `MachineFault` where Kubernetes does not say."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda right: _allowed(kube, right), rights)
        return tuple(right for right, allowed in zip(rights, answers, strict=True) if not allowed)


def _rights(rules: Rules, namespace: str | None) -> Iterator[Right]:
    for (group, resource), verbs in rules.items():
        for verb in verbs:
            yield Right(verb, group, resource, namespace)


def _allowed(kube: Wire, right: Right) -> bool:
    """A SelfSubjectAccessReview, which everybody may ask for."""
    resource, _, part = right.resource.partition("/")
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": part,
        "namespace": right.namespace or "",
        # A namespace is the one object whose name is known.
        "name": right.namespace if resource == "namespaces" else "",
    }
    told = _review(
        kube, "authorization.k8s.io", "SelfSubjectAccessReview", {"resourceAttributes": attributes}
    )
    return bool(told.get("allowed"))


def who(kube: Wire) -> str:
    """Whom Kubernetes takes us for (1.28)."""
    told = _review(kube, "authentication.k8s.io", "SelfSubjectReview", None)
    user = told.get("userInfo")
    return str(user.get("username", "")) if isinstance(user, Mapping) else ""


def _review(kube: Wire, group: str, kind: str, spec: Mapping[str, Any] | None) -> Mapping[str, Any]:
    body = {"apiVersion": f"{group}/v1", "kind": kind, **({"spec": spec} if spec else {})}
    answer = kube.read("POST", f"/apis/{group}/v1/{kind.lower()}s", json=body)
    if not 200 <= answer.status < 300:
        raise MachineFault(f"{answer.place} does not answer a {kind}: HTTP {answer.status}")
    told = answer.json().get("status")
    return told if isinstance(told, Mapping) else {}
