"""The ConfigMaps and Secrets that pipelines name, and which of them are missing where their tasks will run.

Only names are asked for: what is in them stays on the server. The right to list Secrets shows their values all the
same, so that they are looked at only where somebody asks for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.ir import Package, Resource

Key = tuple[str, str]

# Where tasks name them (kfp-kubernetes, kubernetes_executor_config.proto).
_FIELDS = (
    ("configMapAsEnv", "ConfigMap", "configMapName"),
    ("configMapAsVolume", "ConfigMap", "configMapName"),
    ("secretAsEnv", "Secret", "secretName"),
    ("secretAsVolume", "Secret", "secretName"),
    ("imagePullSecret", "Secret", "secretName"),
)


class Reference(NamedTuple):
    """What a task cannot do without. A name that is known only when it runs is none."""

    kind: str
    name: str
    task: str


def references(package: Package) -> Iterator[Reference]:
    """What the tasks of a package name and do not call optional."""
    for label, executor in executors(package).items():
        for field, kind, key in _FIELDS:
            for each in _listed(executor, field):
                name = _constant(each, key)
                if name and not each.get("optional"):
                    yield Reference(kind, name, label.removeprefix("exec-"))


def missing(
    desired: Sequence[Resource], kube: KubeApi, *, secrets: bool = False
) -> Mapping[Key, tuple[str, ...]]:
    """A note for each reference of a pipeline that leads nowhere; one list for each kind that is named at all."""
    named = {
        (resource.kind, resource.name): sorted(set(references(resource.package)))
        for resource in desired
        if resource.kind == "Pipeline" and resource.package is not None
    }
    looked_at = {"ConfigMap", "Secret"} if secrets else {"ConfigMap"}
    kinds = {each.kind for found in named.values() for each in found} & looked_at
    there = {kind: kube.metadata("v1", kind) for kind in sorted(kinds)}
    notes: dict[Key, tuple[str, ...]] = {}
    for key, found in named.items():
        gone: dict[Key, list[str]] = defaultdict(list)
        for each in found:
            if each.name not in there.get(each.kind, {each.name}):
                gone[each.kind, each.name].append(each.task)
        if gone:
            notes[key] = tuple(_note(*what, tasks, kube.namespace) for what, tasks in gone.items())
    return notes


def _note(kind: str, name: str, tasks: Sequence[str], namespace: str) -> str:
    who = ", ".join(f"`{task}`" for task in tasks)
    return f"there is no {kind} `{name}` in namespace `{namespace}`, and {who} cannot start without it"


def executors(package: Package) -> Mapping[str, Mapping[str, Any]]:
    """What the platform spec of a package says of each of its executors."""
    found: Any = package.platform
    for key in ("platforms", "kubernetes", "deploymentSpec", "executors"):
        found = found.get(key) if isinstance(found, Mapping) else None
    told = found if isinstance(found, Mapping) else {}
    return {label: each for label, each in told.items() if isinstance(each, Mapping)}


def _listed(executor: Mapping[str, Any], field: str) -> Iterator[Mapping[str, Any]]:
    """What stands there in a package that others made: KFP's format takes anything for a platform's words."""
    found = executor.get(field)
    yield from (each for each in found if isinstance(each, Mapping)) if isinstance(found, list) else ()


def _constant(reference: Mapping[str, Any], key: str) -> str | None:
    told: Any = reference.get(f"{key}Parameter")
    for part in ("runtimeValue", "constant"):
        told = told.get(part) if isinstance(told, Mapping) else None
    found = told if told is not None else reference.get(key)
    return found if isinstance(found, str) else None
