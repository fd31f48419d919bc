"""From a task with its inputs to the command that runs it: executor, platform, cache key.

What the driver patches into the pod is resolved here (image, resources, Kubernetes settings: `driver/driver.go` and
`k8s.go`); command and args stay as written, since the launcher, our worker, replaces what stands in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kfgit import canonical
from kfgit.backends.local.engine.program import (
    Constant,
    Container,
    EngineError,
    FinalStatus,
    FromInput,
    Importer,
    Retry,
)
from kfgit.backends.local.engine.reading import parameter_source
from kfgit.backends.local.engine.resolve import Scope, Unresolved, parameter, with_placeholders
from kfgit.backends.local.engine.state import Place, Values
from kfgit.backends.local.engine.values import normal, placeholder_input, text
from kfgit.backends.local.protocol import Execute, Import

_SOURCES: Final = frozenset(
    {"runtimeValue", "componentInputParameter", "taskOutputParameter", "taskFinalStatus"}
)


_CREATES_CLAIM: Final = "argostub/createpvc"


class _Absent:
    """Marks a setting whose optional input has no value: it is left out, as `k8s.go` does."""


_ABSENT: Final = _Absent()


def execute(scope: Scope, place: Place, body: Container, values: Values, retry: Retry | None) -> Execute:
    """The first attempt of a container; raises `Unresolved`."""
    platform = _settings(scope, body.platform, values)
    resolved = {
        key: _in_pod(scope, value, values) if key in ("image", "resources") else value
        for key, value in body.spec.items()
    }
    return Execute(
        key=place.key,
        path=place.path,
        task_name=scope.task.name,
        component_name=scope.component.name,
        component=scope.component.spec,
        executor=resolved,
        parameters=values.parameters,
        artifacts=values.artifacts,
        retries=0 if retry is None else retry.count,
        fingerprint=fingerprint(scope, body, values, platform),
        timeout=body.timeout,
        platform=platform,
        earlier=scope.context.earlier.get(place.key, 0),
    )


def importing(scope: Scope, place: Place, body: Importer, values: Values) -> Import:
    """The command of an importer; raises `Unresolved`."""
    uri = body.uri
    if body.uri_input is not None:
        uri = text(_given(scope, values, body.uri_input))
    if not uri:
        raise Unresolved("there is nothing to import: the URI is empty")
    return Import(
        key=place.key,
        path=place.path,
        uri=uri,
        type=body.type,
        version=body.version,
        metadata=_metadata(scope, body.metadata, values),
        reimport=body.reimport,
    )


def fingerprint(scope: Scope, body: Container, values: Values, platform: Mapping[str, Any]) -> str | None:
    """The cache key's digest (`driver/cache.go`, `cacheutils/cache.go`), None when caching is off.

    The image and the command count as written. KFP scopes its cache by pipeline; here that is part of the key.
    """
    if not (scope.task.cache and scope.context.cache):
        return None
    if body.spec.get("image") == _CREATES_CLAIM and not values.parameters.get("pvc_name"):
        # The driver makes up a name before it looks into the cache (`driver/k8s.go`, createPVC), so it finds nothing.
        return None
    if scope.task.cache_key:
        return canonical.digest([scope.context.pipeline_name, scope.component.name, scope.task.cache_key])
    component = scope.component
    key = {
        "pipeline": scope.context.pipeline_name,
        "inputArtifactNames": {
            name: [one.id for one in several] for name, several in values.artifacts.items()
        },
        "inputParameterValues": normal(values.parameters),
        "outputArtifactsSpec": {
            name: {
                "schemaTitle": slot.type,
                "schemaVersion": slot.version,
                "metadata": _declared(component.spec, name),
            }
            for name, slot in component.output_artifacts.items()
        },
        "outputParametersSpec": dict(component.output_parameters),
        "containerSpec": {
            "image": body.spec.get("image", ""),
            "cmdArgs": [*(body.spec.get("command") or ()), *(body.spec.get("args") or ())],
        },
        "pvcNames": sorted({text(mount.get("pvcName")) for mount in platform.get("pvcMount") or ()}),
    }
    try:
        return canonical.digest(key)
    except ValueError:
        # NaN has no JSON, so such inputs have no key and are not cached.
        return None


def _declared(spec: Mapping[str, Any], output: str) -> Any:
    artifacts = (spec.get("outputDefinitions") or {}).get("artifacts") or {}
    return (artifacts.get(output) or {}).get("metadata") or {}


def _given(scope: Scope, values: Values, name: str) -> Any:
    """An input's value or its component's default; raises `Unresolved`."""
    if name in values.parameters:
        return values.parameters[name]
    declared = scope.component.parameters.get(name)
    if declared is None or not declared.has_default:
        raise Unresolved(f"input `{name}` has no value")
    return declared.default


def _in_pod(scope: Scope, value: Any, values: Values) -> Any:
    """Image and resources: their placeholders must have values (`resolvePodSpecInputRuntimeParameter`)."""
    match value:
        case str():
            name = placeholder_input(value)
            return (
                text(_given(scope, values, name))
                if name
                else with_placeholders(scope, value, values.parameters)
            )
        case Mapping():
            return {key: _in_pod(scope, item, values) for key, item in value.items()}
        case list():
            return [_in_pod(scope, item, values) for item in value]
        case _:
            return value


def _metadata(scope: Scope, metadata: Any, values: Values) -> Any:
    match metadata:
        case str():
            name = placeholder_input(metadata)
            return normal(_given(scope, values, name)) if name else _text(scope, metadata, values)
        case Mapping():
            return {
                _text(scope, key, values): _metadata(scope, item, values) for key, item in metadata.items()
            }
        case list():
            return [_metadata(scope, item, values) for item in metadata]
        case _:
            return normal(metadata)


def _text(scope: Scope, value: Any, values: Values) -> str:
    return text(with_placeholders(scope, value, values.parameters))


def _settings(scope: Scope, config: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """A KubernetesExecutorConfig in which every reference has become a constant."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key in _SOURCES:
            continue
        setting = _setting(scope, value, values)
        if setting is _ABSENT:
            continue
        found[key] = setting
        if key.endswith("NameParameter") and "runtimeValue" in setting:
            # The field that the parameter replaced, so that a reader needs to know one form only.
            found[key.removesuffix("Parameter")] = setting["runtimeValue"]["constant"]
    if not _SOURCES.isdisjoint(config):
        # An old pvcMount: the reference stands beside the mount path.
        value = found.get("pvcName", _referenced(scope, config, values))
        found.update({} if value is None else {"constant": value, "pvcName": value})
    elif "constant" in config and "mountPath" in config:
        found.setdefault("pvcName", config["constant"])
    return found


def _setting(scope: Scope, value: Any, values: Values) -> Any:
    match value:
        case Mapping() if value and _SOURCES.issuperset(value):
            constant = _referenced(scope, value, values)
            return _ABSENT if constant is None else {"runtimeValue": {"constant": constant}}
        case Mapping():
            if any(_lost(scope, key, item, values) for key, item in value.items()):
                return _ABSENT
            return _settings(scope, value, values)
        case list():
            settings = [_setting(scope, item, values) for item in value]
            return [setting for setting in settings if setting is not _ABSENT]
        case _:
            return value


def _lost(scope: Scope, key: str, value: Any, values: Values) -> bool:
    """Whether a part without which the whole setting means nothing has no value."""
    named = key.endswith(("NameParameter", "Json"))
    return named and isinstance(value, Mapping) and bool(value) and _setting(scope, value, values) is _ABSENT


def _referenced(scope: Scope, spec: Mapping[str, Any], values: Values) -> Any:
    try:
        source = parameter_source(spec, "a Kubernetes setting")
    except EngineError as fault:
        raise Unresolved(str(fault)) from fault
    if isinstance(source, FinalStatus):
        return None
    value = parameter(scope, source)
    if value is None and isinstance(source, FromInput):
        value = values.parameters.get(source.name)
    if isinstance(source, Constant):
        value = with_placeholders(scope, value, values.parameters)
    return normal(value)
