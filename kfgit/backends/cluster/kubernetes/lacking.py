"""What a cluster has not that is wanted of it: whole kinds, and the queues of others that tasks go through.

Who looks finds out before anything is applied: a task with the label of a queue that is not there waits for ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from kfgit.backends.cluster.connection.wire import Forbidden
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import NoSuchKind, Object
from kfgit.backends.cluster.kubernetes.references import executors
from kfgit.ir import Package, Resource
from kfgit.plan import Lack

Key = tuple[str, str]
# API version and kind.
Group = tuple[str, str]

GROUP = "kueue.x-k8s.io"
KUEUE = f"{GROUP}/v1beta2"
DEVICES = "resource.k8s.io/v1"
_LABELS = {
    "kueue.x-k8s.io/queue-name": "LocalQueue",
    "kueue.x-k8s.io/priority-class": "WorkloadPriorityClass",
}
# What brings the kinds of a version, since when, and the way out.
_BROUGHT = {
    KUEUE: (
        "has no Kueue (kueue.x-k8s.io/v1beta2 or v1beta1)",
        "install Kueue there, or let the environment's `profiles` map the name to a profile without `queue`",
    ),
    DEVICES: (
        "has no dynamic resource allocation (resource.k8s.io/v1, since Kubernetes 1.34)",
        "bring the cluster to 1.34, or let the environment's `profiles` map the name to one without `deviceClass`",
    ),
}


def of_kinds(kube: KubeApi, kinds: Iterable[Group]) -> Mapping[Group, Lack]:
    """The kinds that the server does not have, each with what is missing."""
    absent = [kind for kind in sorted(kinds) if not kube.serves(*kind)]
    return {(api_version, kind): _without(kube, api_version, kind) for api_version, kind in absent}


def _without(kube: KubeApi, api_version: str, kind: str) -> Lack:
    unknown = (
        f"knows no kind `{kind}` in `{api_version}`: is what brings it installed there, and in this version?"
    )
    told, help_ = _BROUGHT.get(api_version, (unknown, "install there what brings it"))
    return Lack(api_version.partition("/")[0], f"the cluster ({kube.wire.place}) {told}", help_)


def of_fields(wanted: Resource, told: Object) -> Lack | None:
    """What a server leaves out of an object without a word, since it cannot do it (yet)."""
    name = _extended(wanted.spec)
    if wanted.kind != "DeviceClass" or name is None or _extended(told) is not None:
        return None
    return Lack(
        DEVICES.partition("/")[0],
        f"the cluster leaves `extendedResourceName` out of the DeviceClass `{wanted.name}`: it gives no devices as "
        f"`{name}` (DRAExtendedResource, since Kubernetes 1.36)",
        "bring the cluster to Kubernetes 1.36, or let the environment's `profiles` map the name to a profile whose "
        "devices a plugin offers",
        wanted.kind,
        wanted.name,
    )


def _extended(manifest: Object) -> Any:
    spec = manifest.get("spec")
    return spec.get("extendedResourceName") if isinstance(spec, Mapping) else None


@dataclass(frozen=True, slots=True)
class Told:
    """What is missing, what pipelines are told of it, and what could not be seen."""

    lacks: tuple[Lack, ...] = ()
    notes: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


# The names of objects, each with the pipelines that name it and their tasks.
Users = Mapping[str, Mapping[Key, AbstractSet[str]]]


def of_queues(desired: Sequence[Resource], kube: KubeApi) -> Told:
    """The queues and classes of Kueue that tasks name, that are not wanted here, and that are not there."""
    told = [_look(kube, kind, users) for kind, users in sorted(of_others(desired).items())]
    keys = {key for each in told for key in each.notes}
    return Told(
        tuple(lack for each in told for lack in each.lacks),
        {key: tuple(note for each in told for note in each.notes.get(key, ())) for key in keys},
        tuple(remark for each in told for remark in each.remarks),
    )


def waiting(package: Package, kube: KubeApi) -> str | None:
    """Why tasks of a package would wait for ever, with the way out; None where nothing is missing, or to be seen.

    A package without queues costs no request.
    """
    told = of_queues([Resource("Pipeline", package.name, {}, "", package)], kube)
    return "; ".join(_sentence(lack, package) for lack in dict.fromkeys(told.lacks)) or None


def _sentence(lack: Lack, package: Package) -> str:
    """What is missing, and for whom; without Kueue it is missing for all that go through it."""
    named = (
        task
        for kind, name, task in _named(package)
        if lack.kind is None or (kind, name) == (lack.kind, lack.name)
    )
    first, *others = sorted(set(named))
    more = f" and {len(others)} more" if others else ""
    keep = (
        f"make it there, or let kfgit keep it ({_KEEP[lack.kind]}) and apply first"
        if lack.kind in _KEEP
        else None
    )
    return f"{lack.message}, and `{first}`{more} would wait for ever; {keep or lack.help}"


def of_others(desired: Sequence[Resource]) -> Mapping[str, Users]:
    """The queues and classes of Kueue that others keep and tasks name, by kind."""
    wanted = {(each.kind, each.name) for each in desired}
    named = {
        kind: {name: users for name, users in found.items() if (kind, name) not in wanted}
        for kind, found in of_tasks(desired).items()
    }
    return {kind: found for kind, found in named.items() if found}


def of_tasks(desired: Sequence[Resource]) -> Mapping[str, Users]:
    """The queues and classes of Kueue that tasks name, whoever keeps them, by kind."""
    named: dict[str, dict[str, dict[Key, set[str]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(set))
    )
    for resource in desired:
        if resource.kind == "Pipeline" and resource.package is not None:
            for kind, name, task in set(_named(resource.package)):
                named[kind][name][resource.kind, resource.name].add(task)
    return named


def goes_through_queues(desired: Sequence[Resource]) -> bool:
    """Whether some task is to be admitted by Kueue."""
    return any(True for each in desired if each.package is not None for _ in _named(each.package))


def _look(kube: KubeApi, kind: str, users: Users) -> Told:
    try:
        there = kube.metadata(KUEUE, kind)
    except NoSuchKind:
        return Told((_without(kube, KUEUE, kind),))
    except Forbidden as fault:
        names = ", ".join(f"`{name}`" for name in sorted(users))
        return Told(remarks=(f"whether the {kind} {names} is there could not be seen: {fault}",))
    gone = {name: _absent(kube, kind, name) for name in sorted(users.keys() - there)}
    notes: dict[Key, tuple[str, ...]] = {}
    for name, lack in gone.items():
        for key, tasks in users[name].items():
            who = ", ".join(f"`{task}`" for task in sorted(tasks))
            notes[key] = (*notes.get(key, ()), f"{lack.message}, and {who} would wait for ever")
    return Told(tuple(gone.values()), notes)


def _absent(kube: KubeApi, kind: str, name: str) -> Lack:
    where = f"namespace `{kube.namespace}`" if kind == "LocalQueue" else "the cluster"
    help_ = f"make it there, or say what kfgit shall keep: {_KEEP[kind]}"
    return Lack(GROUP, f"{where} has no {kind} `{name}`", help_, kind, name)


_KEEP = {
    "LocalQueue": "`queue.clusterQueue` in the profile",
    "WorkloadPriorityClass": "`priority.value` in the profile",
}


def _named(package: Package) -> Iterator[tuple[str, str, str]]:
    """Kind and name of what the labels of a package's tasks name, and the task."""
    for label, executor in executors(package).items():
        labels: Any = executor.get("podMetadata")
        labels = labels.get("labels") if isinstance(labels, Mapping) else None
        for key, value in labels.items() if isinstance(labels, Mapping) else ():
            if key in _LABELS and isinstance(value, str) and value and "{{" not in value:
                yield _LABELS[key], value, label.removeprefix("exec-")
