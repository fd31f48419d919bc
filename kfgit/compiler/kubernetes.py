"""What Kubernetes adds to a task: its KubernetesExecutorConfig, as kfp-kubernetes 2.17.0 writes it.

Three places speak: `env` and `timeout`, the profile, and the task's `kubernetes` block. The block wins: over the
profile field by field, pod labels key by key; over variables by name. Names are written twice, as a constant that older
backends read and as the parameter that took its place (kubernetes_platform/proto/kubernetes_executor_config.proto).
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from kfgit.model import (
    ClaimMount,
    Component,
    ConfigMapKey,
    EmptyDir,
    EnvValue,
    EphemeralVolume,
    FieldPath,
    KeySource,
    Kubernetes,
    Literal_,
    Placement,
    SecretKey,
    SecurityContext,
    Settings,
    Value,
)

Json: TypeAlias = dict[str, Any]
# The InputParameterSpec of a value: a constant, or where the driver looks it up.
Source: TypeAlias = Callable[[Value], Json]

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where POSIX shared memory is, inside the task's container
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"


def kubernetes_config(component: Component, settings: Settings, source: Source) -> Json:
    """The config of a task's executor; empty where there is nothing to say."""
    block = settings.kubernetes or Kubernetes()
    placement = settings.placement or Placement()
    config: Json = {
        **_key_sources(component, settings, block, source),
        "pvcMount": [_claim(claim, source) for claim in block.claims],
        "genericEphemeralVolume": [_ephemeral(volume) for volume in block.ephemeral_volumes],
        "emptyDirMounts": [*map(_empty_dir, block.empty_dirs), *_shared_memory(placement, block)],
        "nodeSelector": _node_selector(placement, block, source),
        "nodeAffinity": _affinity(placement, block, source),
        "tolerations": _tolerations(placement, block, source),
        "podMetadata": _filled(labels=_labels(placement, block), annotations=dict(block.pod_annotations)),
        "imagePullPolicy": block.image_pull_policy,
        "imagePullSecret": [_named("secretName", name, source) for name in block.image_pull_secrets],
        "securityContext": _security_context(block.security_context),
        "activeDeadlineSeconds": str(settings.timeout) if settings.timeout is not None else None,
    }
    return _filled(**config)


def environment(component: Component, settings: Settings) -> dict[str, EnvValue]:
    """The variables of `env`, of the component and the task, without those that the block sets."""
    taken = variables_of(settings.kubernetes)
    found = {**component.env, **(settings.env or {})}
    return {name: value for name, value in found.items() if name not in taken}


def variables_of(block: Kubernetes | None) -> frozenset[str]:
    """The names of the variables that a block sets."""
    if block is None:
        return frozenset()
    pairs = [pair for each in (*block.secrets, *block.config_maps) for pair in each.variables]
    return frozenset(name.text for name, _ in (*pairs, *block.field_paths))


def without_variables(block: Kubernetes | None, names: Iterable[str]) -> Kubernetes | None:
    """The block of `defaults` for a task whose own `env` has some of its variables."""
    taken = frozenset(names)
    if block is None or not taken & variables_of(block):
        return block

    def kept(source: KeySource) -> KeySource:
        return replace(
            source, variables=tuple(pair for pair in source.variables if pair[0].text not in taken)
        )

    return replace(
        block,
        secrets=tuple(map(kept, block.secrets)),
        config_maps=tuple(map(kept, block.config_maps)),
        field_paths=tuple(pair for pair in block.field_paths if pair[0].text not in taken),
    )


def _filled(**fields: Any) -> Json:
    """What holds anything: protobuf's JSON leaves out what is empty."""
    return {key: value for key, value in fields.items() if value not in (None, [], {}, "")}


def _named(field: str, name: Value, source: Source) -> Json:
    spec = source(name)
    constant = spec.get("runtimeValue", {}).get("constant")
    return {f"{field}Parameter": spec, **({field: constant} if constant is not None else {})}


# Secrets, ConfigMaps and fields of the pod.


def _key_sources(component: Component, settings: Settings, block: Kubernetes, source: Source) -> Json:
    secrets: dict[tuple[str, bool], list[Json]] = {}
    maps: dict[tuple[str, bool], list[Json]] = {}
    fields: list[Json] = []
    for name, value in sorted(environment(component, settings).items()):
        match value:
            case SecretKey(secret, key, optional):
                secrets.setdefault((secret, optional), []).append({"secretKey": key, "envVar": name})
            case ConfigMapKey(config_map, key, optional):
                maps.setdefault((config_map, optional), []).append({"configMapKey": key, "envVar": name})
            case FieldPath(path):
                fields.append({"name": name, "fieldPath": path})
            case str():
                pass
    fields += [{"name": name.text, "fieldPath": path} for name, path in block.field_paths]
    return {
        "secretAsEnv": [
            *_grouped("secretName", secrets),
            *_as_env("secretName", "secretKey", block.secrets, source),
        ],
        "secretAsVolume": list(_as_volume("secretName", block.secrets, source)),
        "configMapAsEnv": [
            *_grouped("configMapName", maps),
            *_as_env("configMapName", "configMapKey", block.config_maps, source),
        ],
        "configMapAsVolume": list(_as_volume("configMapName", block.config_maps, source)),
        "fieldPathAsEnv": fields,
    }


def _grouped(field: str, found: Mapping[tuple[str, bool], list[Json]]) -> Iterator[Json]:
    for (name, optional), keys in found.items():
        constant = {"runtimeValue": {"constant": name}}
        yield {field: name, f"{field}Parameter": constant, "keyToEnv": keys, "optional": optional}


def _as_env(field: str, key: str, sources: Iterable[KeySource], source: Source) -> Iterator[Json]:
    for each in sources:
        keys = [{key: text, "envVar": name.text} for name, text in each.variables]
        if keys:
            yield {**_named(field, each.name, source), "keyToEnv": keys, "optional": each.optional}


def _as_volume(field: str, sources: Iterable[KeySource], source: Source) -> Iterator[Json]:
    for each in sources:
        if each.mount_path is not None:
            path = each.mount_path.text
            yield {**_named(field, each.name, source), "mountPath": path, "optional": each.optional}


# Volumes.


def _claim(claim: ClaimMount, source: Source) -> Json:
    """The reference also stands beside its parameter, where backends before 2.5 look for it."""
    spec = source(claim.name)
    constant = spec.get("runtimeValue", {}).get("constant")
    older = spec if constant is None else {"constant": constant}
    path = claim.sub_path.text if claim.sub_path is not None else None
    return {**older, "pvcNameParameter": spec, **_filled(mountPath=claim.mount_path.text, subPath=path)}


def _ephemeral(volume: EphemeralVolume) -> Json:
    return _filled(
        volumeName=volume.name.text,
        mountPath=volume.mount_path.text,
        accessModes=list(volume.access_modes),
        size=volume.size.text,
        defaultStorageClass=True if volume.storage_class is None else None,
        storageClassName=volume.storage_class,
        metadata=_filled(labels=dict(volume.labels), annotations=dict(volume.annotations)),
    )


def _empty_dir(folder: EmptyDir) -> Json:
    return _filled(
        volumeName=folder.name.text,
        mountPath=folder.mount_path.text,
        medium=folder.medium,
        sizeLimit=folder.size_limit.text if folder.size_limit is not None else None,
    )


def _shared_memory(placement: Placement, block: Kubernetes) -> Iterator[Json]:
    """The profile's, unless the block has a volume there."""
    volumes: tuple[EphemeralVolume | EmptyDir, ...] = (*block.ephemeral_volumes, *block.empty_dirs)
    if placement.shared_memory is None or has_shared_memory(block):
        return
    taken = {volume.name.text for volume in volumes}
    name = "shared-memory" if "shared-memory" not in taken else "kfgit-shared-memory"
    mount = {"volumeName": name, "mountPath": _SHARED_MEMORY, "medium": "Memory"}
    yield {**mount, "sizeLimit": placement.shared_memory}


def has_shared_memory(block: Kubernetes) -> bool:
    """Whether a task mounts a volume of its own where shared memory is."""
    volumes: tuple[EphemeralVolume | EmptyDir, ...] = (*block.ephemeral_volumes, *block.empty_dirs)
    paths = (each.mount_path.text for each in (*volumes, *block.claims))
    return _SHARED_MEMORY in map(posixpath.normpath, paths)


# Where the pod may run, and how it is marked (kueue.sigs.k8s.io for the labels).


def _node_selector(placement: Placement, block: Kubernetes, source: Source) -> Json:
    match block.node_selector:
        case None:
            return _filled(labels=dict(placement.node_selector))
        case Literal_(value=dict(labels)):
            return {"labels": labels}
        case value:
            return {"nodeSelectorJson": source(value)}


def _affinity(placement: Placement, block: Kubernetes, source: Source) -> list[Json]:
    if block.node_affinity is None:
        return [_filled(**term) for term in placement.affinity]
    return [_affinity_term(value, source) for value in block.node_affinity]


def _affinity_term(value: Value, source: Source) -> Json:
    if isinstance(value, Literal_) and not any("DuringScheduling" in key for key in value.value):
        return _filled(**value.value)
    return {"nodeAffinityJson": source(value)}


def _tolerations(placement: Placement, block: Kubernetes, source: Source) -> list[Json]:
    if block.tolerations is None:
        return [_toleration(toleration) for toleration in placement.tolerations]
    return [
        _toleration(value.value) if isinstance(value, Literal_) else {"tolerationJson": source(value)}
        for value in block.tolerations
    ]


def _toleration(toleration: Mapping[str, Any]) -> Json:
    """An int64 is a string in protobuf's JSON."""
    return {key: str(value) if key == "tolerationSeconds" else value for key, value in toleration.items()}


def _labels(placement: Placement, block: Kubernetes) -> dict[str, str]:
    queue = {QUEUE_LABEL: placement.queue, PRIORITY_LABEL: placement.priority} if placement.queue else {}
    return _filled(**queue) | dict(block.pod_labels)


def _security_context(context: SecurityContext | None) -> Json:
    if context is None:
        return {}
    user, group = (str(n) if n is not None else None for n in (context.run_as_user, context.run_as_group))
    return _filled(runAsUser=user, runAsGroup=group, runAsNonRoot=context.run_as_non_root)
