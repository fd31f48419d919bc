"""Whether Kueue's queues that tasks go through admit anything, as its controller says of them (condition `Active`).

A LocalQueue that does not says mostly that its ClusterQueue does not, which says why: a flavor that is not there, a
check, somebody who stopped it (Kueue, apis/kueue/v1beta2/clusterqueue_types.go and localqueue_controller.go).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from kfgit.backend import Finding
from kfgit.backends.cluster.connection.wire import Forbidden
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Object
from kfgit.backends.cluster.kubernetes.lacking import GROUP, KUEUE, of_tasks
from kfgit.backends.cluster.kubernetes.reading import mapping, mappings
from kfgit.backends.cluster.rights import Right
from kfgit.ir import Resource

_HELP = {
    "FlavorNotFound": "a ResourceFlavor that its quota is of is not there: `kfgit plan` shows those that kfgit keeps",
    "Stopped": "somebody stopped it: see its `spec.stopPolicy`",
    "ClusterQueueDoesNotExist": "make the ClusterQueue that its `spec.clusterQueue` names",
}


def examine(kube: KubeApi, desired: Sequence[Resource]) -> Iterator[Finding]:
    """What is found of the queues that are there; those that are not, others tell of."""
    used = frozenset(of_tasks(desired).get("LocalQueue", {}))
    kept = {
        kind: {each.name for each in desired if each.kind == kind} for kind in ("LocalQueue", "ClusterQueue")
    }
    names = used | kept["LocalQueue"]
    if not names or not kube.serves(KUEUE, "LocalQueue"):
        return
    try:
        found = _named(kube, "LocalQueue", names)
    except Forbidden:
        yield _forbidden("localqueues", kube.namespace)
        return
    behind = {_behind(each) for each in found.values() if _is_inactive(each)} | kept["ClusterQueue"]
    try:
        clusters = _named(kube, "ClusterQueue", behind - {""}) if behind - {""} else {}
    except Forbidden:
        clusters = {}
        yield _forbidden("clusterqueues", None)
    needed = {_behind(found[name]) for name in used & found.keys()}
    yield from _inactive("ClusterQueue", clusters, needed)
    closed = {name for name, each in clusters.items() if _is_inactive(each)}
    yield from _inactive("LocalQueue", {n: q for n, q in found.items() if _behind(q) not in closed}, used)
    yield from (_open(name, each) for name, each in found.items() if not _is_inactive(each))


def _named(kube: KubeApi, kind: str, names: Collection[str]) -> dict[str, Object]:
    listed = ((str(each["metadata"]["name"]), each) for each in kube.list(KUEUE, kind))
    return {name: each for name, each in listed if name in names}


def _forbidden(resource: str, namespace: str | None) -> Finding:
    right = Right("list", GROUP, resource, namespace)
    message = f"{resource} may not be listed: nobody can say whether they admit anything"
    return Finding("queues", "note", message, f"add the rule `{right.rule}`; deploy/components/kueue has it")


def _inactive(kind: str, found: Mapping[str, Object], used: Collection[str]) -> Iterator[Finding]:
    """Those that admit nothing: a problem where tasks would wait."""
    for name, each in found.items():
        if _is_inactive(each):
            told = _active(each)
            reason = str(told.get("reason") or "no reason given")
            message = f"the {kind} `{name}` admits nothing ({reason}): {told.get('message') or 'nothing more is said'}"
            help_ = _HELP.get(reason, f"`kubectl describe {kind.lower()} {name}` tells more")
            yield Finding("queues", "problem" if name in used else "note", message, help_)


def _open(name: str, found: Object) -> Finding:
    if not _active(found):
        message = f"Kueue has not said yet whether the LocalQueue `{name}` is active"
        return Finding("queues", "note", message, "see whether Kueue's controller is at work")
    waiting = mapping(found.get("status")).get("pendingWorkloads") or 0
    return Finding("queues", "ok", f"the LocalQueue `{name}` is active; {waiting} of its workloads wait")


def _is_inactive(found: Object) -> bool:
    return _active(found).get("status") == "False"


def _active(found: Object) -> Mapping[str, Any]:
    """The condition; empty before the controller has seen the queue."""
    conditions = mappings(mapping(found.get("status")).get("conditions"))
    return next((each for each in conditions if each.get("type") == "Active"), {})


def _behind(found: Object) -> str:
    return str(mapping(found.get("spec")).get("clusterQueue") or "")
