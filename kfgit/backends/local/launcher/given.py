"""The executor input: what a program is told about its inputs, and where to leave its outputs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfgit.backends.local.launcher.failures import TaskFailure
from kfgit.backends.local.protocol import Execute
from kfgit.events import Artifact


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a task finds and leaves its things."""

    output_file: Path
    parameters: Path
    artifacts: Path


def executor_input(command: Execute, layout: Layout) -> dict[str, Any]:
    """KFP's ExecutorInput in JSON form, component defaults added (absent, as opposed to null, means default)."""
    declared = _definitions(command.component, "inputDefinitions", "parameters")
    defaults = {
        name: spec["defaultValue"] for name, spec in declared.items() if spec.get("defaultValue") is not None
    }
    values = {**defaults, **command.parameters}
    artifacts = {
        name: {"artifacts": [_runtime(each) for each in many]}
        for name, many in command.artifacts.items()
        if many
    }
    outputs: dict[str, Any] = {
        "parameters": {
            n: {"outputFile": str(layout.parameters / _file_name(n))} for n in output_parameters(command)
        },
        "artifacts": {
            n: {"artifacts": [_provisioned(n, s, layout)]} for n, s in output_artifacts(command).items()
        },
        "outputFile": str(layout.output_file),
    }
    inputs = {
        "parameterValues": {n: number_as_double(n, v) for n, v in values.items()},
        "artifacts": artifacts,
    }
    return {"inputs": _without_empty(inputs), "outputs": _without_empty(outputs)}


def output_parameters(command: Execute) -> Mapping[str, Any]:
    """The declared output parameters and their specs."""
    return _definitions(command.component, "outputDefinitions", "parameters")


def output_artifacts(command: Execute) -> Mapping[str, Any]:
    """The declared output artifacts and their specs."""
    return _definitions(command.component, "outputDefinitions", "artifacts")


def to_json(value: Any) -> str:
    """Compact JSON in UTF-8, as protojson writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def number_as_double(name: str, value: Any) -> Any:
    """A value as it comes out of protobuf's Struct. Raises `TaskFailure` for what a Struct cannot hold."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return _double(name, value)
    if isinstance(value, str):
        return _unicode(name, value)
    if isinstance(value, Mapping):
        return {_unicode(name, str(key)): number_as_double(name, each) for key, each in value.items()}
    return [number_as_double(name, each) for each in value]


def _double(name: str, value: float) -> float:
    try:
        double = float(value)
    except OverflowError:
        double = math.inf
    if not math.isfinite(double):
        raise TaskFailure(f"`{name}` holds {value!r}, which is not a number that JSON can carry")
    return int(double) if double.is_integer() and abs(double) < 1e21 else double


def _unicode(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise TaskFailure(f"`{name}` holds text that is not valid Unicode") from None
    return value


def _definitions(component: Mapping[str, Any], side: str, kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (component.get(side) or {}).get(kind) or {}
    return found


def _file_name(name: str) -> str:
    """Names come from packages that others wrote: one must not lead out of its folder."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise TaskFailure(f"the output name {name!r} cannot be a file name")
    return name


def _runtime(artifact: Artifact) -> dict[str, Any]:
    kind = {"schemaTitle": artifact.type, "schemaVersion": artifact.version}
    made = {"name": artifact.id, "uri": artifact.uri, "type": kind, "metadata": dict(artifact.metadata)}
    return {**made, "customPath": artifact.custom_path} if artifact.custom_path else made


def _provisioned(name: str, spec: Mapping[str, Any], layout: Layout) -> dict[str, Any]:
    uri = str(layout.artifacts / _file_name(name))
    return {
        "name": name,
        "type": spec.get("artifactType") or {},
        "uri": uri,
        "metadata": dict(spec.get("metadata") or {}),
    }


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != {}}
