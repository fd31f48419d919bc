"""The parts of a pipeline spec, each read by itself: JSON maps in, the types of `program` out.

Nothing here knows what a name stands for; `loading` does. Every reader raises `EngineError` for a shape that
`api/v2alpha1/pipeline_spec.proto` does not have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kfgit import cel
from kfgit.backends.local.engine.program import (
    ArtifactSlot,
    Binding,
    Broken,
    Constant,
    Container,
    EngineError,
    Expression,
    FinalStatus,
    FromInput,
    FromTask,
    Importer,
    Items,
    Parameter,
    Retry,
    Source,
)
from kfgit.backends.local.engine.values import normal

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)s")


_REFERENCES: Final = ("componentInputParameter", "taskOutputParameter", "runtimeValue")


def mapping(parent: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """A map inside a map, empty where it is missing."""
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise EngineError(f"`{key}` of {where} is not a map")
    return value


def mappings(parent: Mapping[str, Any], key: str, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The maps inside a map of maps, by name."""
    group = mapping(parent, key, where)
    for name in group:
        yield str(name), mapping(group, name, f"`{key}` of {where}")


def parameter(spec: Mapping[str, Any]) -> Parameter:
    """A declared parameter."""
    default = spec.get("defaultValue")
    return Parameter(
        type=str(spec.get("parameterType", "")),
        optional=spec.get("isOptional") is True,
        has_default=default is not None,
        default=default,
        literals=tuple(spec.get("literals") or ()),
    )


def slot(spec: Mapping[str, Any]) -> ArtifactSlot:
    """A declared artifact."""
    type_, version = _schema(mapping(spec, "artifactType", "an artifact"))
    return ArtifactSlot(type_, version, spec.get("isArtifactList") is True, spec.get("isOptional") is True)


def executor(label: str, spec: Mapping[str, Any], platform: Mapping[str, Any]) -> Container | Importer:
    """An executor that can run here, with its Kubernetes settings."""
    where = f"executor `{label}`"
    match spec:
        case {"container": Mapping()}:
            # An int64, so its JSON form is a string (protobuf's JSON mapping).
            timeout = _number(platform.get("activeDeadlineSeconds"), f"`activeDeadlineSeconds` of {where}")
            _check_kubernetes(platform, f"the Kubernetes settings of {where}")
            return Container(_container(spec["container"], where), platform, timeout or None)
        case {"importer": Mapping()}:
            return _importer(spec["importer"], where)
        case {"resolver": _}:
            raise EngineError(f"{where} is a resolver, which KFP's backend cannot run either")
        case {"customJob": _}:
            raise EngineError(f"{where} is a custom job, which only Google Cloud can run")
        case _:
            raise EngineError(f"{where} is neither a container nor an importer")


def _container(spec: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The container as it is. `deploymentSpec` is a Struct, so nobody has looked at the types in it."""
    if not isinstance(spec.get("image") or "", str):
        raise EngineError(f"the `image` of {where} is not a text")
    for name in ("command", "args"):
        if not _are_texts(spec.get(name) or []):
            raise EngineError(f"the `{name}` of {where} is not a list of texts")
    env = spec.get("env") or []
    if not isinstance(env, list | tuple) or not all(
        isinstance(each, Mapping) and _are_texts([*each.values()]) for each in env
    ):
        raise EngineError(f"the `env` of {where} is not a list of names and texts")
    mapping(spec, "resources", where)
    return spec


# kubernetes_executor_config.proto, what the engine and its workers read of it.
_LISTS = (
    "configMapAsEnv",
    "configMapAsVolume",
    "emptyDirMounts",
    "fieldPathAsEnv",
    "genericEphemeralVolume",
    "pvcMount",
    "secretAsEnv",
    "secretAsVolume",
)


def _check_kubernetes(platform: Mapping[str, Any], where: str) -> None:
    """The platform spec is a Struct too."""
    for name in _LISTS:
        for entry in _maps(platform, name, where):
            _maps(entry, "keyToEnv", where)
    metadata = mapping(platform, "podMetadata", where)
    for name in ("labels", "annotations"):
        mapping(metadata, name, where)


def _maps(parent: Mapping[str, Any], key: str, where: str) -> Sequence[Mapping[str, Any]]:
    value = parent.get(key) or ()
    if not isinstance(value, list | tuple) or not all(isinstance(each, Mapping) for each in value):
        raise EngineError(f"`{key}` of {where} is not a list of maps")
    return value


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


def _importer(spec: Mapping[str, Any], where: str) -> Importer:
    uri = mapping(spec, "artifactUri", where)
    constant, name = uri.get("constant"), uri.get("runtimeParameter")
    if constant is None and not name:
        raise EngineError(f"{where} imports nothing: `artifactUri` has neither a constant nor a parameter")
    type_, version = _schema(mapping(spec, "typeSchema", where))
    return Importer(
        uri=None if constant is None else str(constant),
        uri_input=None if constant is not None else str(name),
        type=type_,
        version=version,
        metadata=mapping(spec, "metadata", where),
        reimport=spec.get("reimport") is True,
    )


def _schema(spec: Mapping[str, Any]) -> tuple[str, str]:
    return str(spec.get("schemaTitle") or "system.Artifact"), str(spec.get("schemaVersion") or "0.0.1")


def binding(spec: Mapping[str, Any], where: str) -> Binding:
    """Where a task's parameter comes from."""
    selector = spec.get("parameterExpressionSelector")
    return Binding(parameter_source(spec, where), _parsed(str(selector)) if selector else None)


def parameter_source(spec: Mapping[str, Any], where: str) -> Source:
    """Where an InputParameterSpec takes its value from; raises `EngineError`."""
    match spec:
        case {"runtimeValue": Mapping() as value}:
            return Constant(value.get("constant"))
        case {"componentInputParameter": str(name)}:
            return FromInput(name)
        case {"taskOutputParameter": Mapping() as output}:
            return FromTask(str(output.get("producerTask", "")), str(output.get("outputParameterKey", "")))
        case {"taskFinalStatus": Mapping() as status}:
            return FinalStatus(str(status.get("producerTask", "")))
        case _:
            raise EngineError(f"{where} has an input parameter without a source")


def artifact_source(spec: Mapping[str, Any], where: str) -> FromInput | FromTask:
    """Where a task's artifact comes from."""
    match spec:
        case {"componentInputArtifact": str(name)}:
            return FromInput(name)
        case {"taskOutputArtifact": Mapping() as output}:
            return FromTask(str(output.get("producerTask", "")), str(output.get("outputArtifactKey", "")))
        case _:
            raise EngineError(f"{where} has an input artifact without a source")


def condition(text: str) -> Expression:
    """A trigger condition, checked as KFP's driver compiles it."""
    expression = _parsed(text)
    if isinstance(expression, Broken):
        return expression
    try:
        cel.check(expression)
    except (cel.CelSyntaxError, cel.CelTypeError) as fault:
        return Broken(str(fault))
    return expression


def _parsed(text: str) -> Expression:
    try:
        return cel.parse(text)
    except (cel.CelSyntaxError, cel.CelTypeError) as fault:
        return Broken(str(fault))


def references(config: Any) -> Iterator[Mapping[str, Any]]:
    """Every map in a KubernetesExecutorConfig that takes its value from an input or a task."""
    match config:
        case Mapping():
            if any(key in config for key in _REFERENCES):
                yield config
            for value in config.values():
                yield from references(value)
        case list() | tuple():
            for value in config:
                yield from references(value)
        case _:
            pass


def items(spec: Mapping[str, Any], where: str) -> Items | None:
    """What a task loops over, None for a task that is no loop."""
    limit = int(_number(mapping(spec, "iteratorPolicy", where).get("parallelismLimit"), where))
    match spec:
        case {"parameterIterator": _, "artifactIterator": _}:
            raise EngineError(f"{where} has two iterators")
        case {"parameterIterator": {"itemInput": str(item), "items": {"raw": str(raw)}}}:
            return Items(item, artifacts=False, raw=_raw(raw, where), limit=limit)
        case {"parameterIterator": {"itemInput": str(item), "items": {"inputParameter": str(source)}}}:
            return Items(item, artifacts=False, source=source, limit=limit)
        case {"artifactIterator": {"itemInput": str(item), "items": {"inputArtifact": str(source)}}}:
            return Items(item, artifacts=True, source=source, limit=limit)
        case {"parameterIterator": _} | {"artifactIterator": _}:
            raise EngineError(f"{where} has an iterator without items")
        case _:
            return None


def _raw(raw: str, where: str) -> tuple[Any, ...]:
    try:
        items = json.loads(raw)
    except (ValueError, RecursionError) as fault:
        raise EngineError(f"the items of {where} are not JSON: {fault}") from fault
    if not isinstance(items, list):
        raise EngineError(f"the items of {where} are not a list")
    return tuple(normal(items))


def retry(spec: Mapping[str, Any], where: str) -> Retry | None:
    """A retry policy."""
    policy = mapping(spec, "retryPolicy", where)
    if not policy:
        return None
    return Retry(
        count=max(0, int(_number(policy.get("maxRetryCount"), where))),
        delay=_seconds(policy.get("backoffDuration"), where),
        factor=_number(policy.get("backoffFactor"), where),
        longest=_seconds(policy.get("backoffMaxDuration"), where),
    )


def selectors(spec: Mapping[str, Any]) -> Iterator[FromTask]:
    """The tasks that may give a DAG's output parameter."""
    match spec:
        case {"valueFromParameter": Mapping() as one}:
            yield FromTask(str(one.get("producerSubtask", "")), str(one.get("outputParameterKey", "")))
        case {"valueFromOneof": {"parameterSelectors": list(several)}}:
            for one in several:
                yield FromTask(str(one.get("producerSubtask", "")), str(one.get("outputParameterKey", "")))
        case _:
            raise EngineError("a DAG has an output parameter without a source")


def artifact_selectors(spec: Mapping[str, Any]) -> Iterator[FromTask]:
    """The tasks that may give a DAG's output artifact."""
    for one in spec.get("artifactSelectors") or ():
        yield FromTask(str(one.get("producerSubtask", "")), str(one.get("outputArtifactKey", "")))


def _seconds(value: Any, where: str) -> float:
    if value in (None, "", "0"):
        return 0.0
    found = _DURATION.fullmatch(str(value))
    if found is None:
        raise EngineError(f"{where} has the duration `{value}`; a number of seconds such as `30s` is meant")
    return float(found.group(1))


def _number(value: Any, where: str) -> float:
    try:
        number = float(value or 0)
    except (TypeError, ValueError) as fault:
        raise EngineError(f"{where} has `{value}` where a number is meant") from fault
    if not 0 <= number < 1e15:
        raise EngineError(f"{where} has the number `{value}`, which makes no sense there")
    return number
