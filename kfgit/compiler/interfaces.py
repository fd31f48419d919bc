"""Inputs and outputs as the IR declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfgit.model import ArtifactType, Component, Input, ParameterType, StatusType, Type

_PARAMETER_TYPES = {
    "string": "STRING", "int": "NUMBER_INTEGER", "float": "NUMBER_DOUBLE", "bool": "BOOLEAN",
    "list": "LIST", "dict": "STRUCT",
}  # fmt: skip


def declared_inputs(inputs: Mapping[str, Input]) -> dict[str, Any]:
    """`inputDefinitions`."""
    found: dict[str, Any] = {}
    for name, port in inputs.items():
        definition = _definition(port.type)
        if port.has_default:
            definition["defaultValue"] = port.default
        if not port.required:
            definition["isOptional"] = True
        if port.description:
            definition["description"] = port.description
        found[name] = definition
    return by_kind(found, {name: port.type for name, port in inputs.items()})


def carried_inputs(types: Mapping[str, Type | None]) -> dict[str, Any]:
    """`inputDefinitions` of a group: what is carried over its border has a type and nothing else."""
    return by_kind({name: _definition(type_) for name, type_ in types.items()}, types)


def component_outputs(component: Component) -> dict[str, Any]:
    """`outputDefinitions` of a component."""
    found: dict[str, Any] = {}
    for name, port in component.outputs.items():
        found[name] = _definition(port.type)
        if port.description:
            found[name]["description"] = port.description
    return by_kind(found, {name: port.type for name, port in component.outputs.items()})


def declared_outputs(types: Mapping[str, Type | None]) -> dict[str, Any]:
    """`outputDefinitions` of a DAG or an importer."""
    return carried_inputs(types)


def by_kind(values: Mapping[str, Any], types: Mapping[str, Type | None]) -> dict[str, Any]:
    """Values by name, artifacts apart from parameters; a kind without any is left out."""
    artifacts = {name: value for name, value in values.items() if isinstance(types[name], ArtifactType)}
    parameters = {name: value for name, value in values.items() if name not in artifacts}
    return {kind: found for kind, found in (("artifacts", artifacts), ("parameters", parameters)) if found}


def _definition(type_: Type | None) -> dict[str, Any]:
    match type_:
        case ArtifactType(title, version, many):
            definition: dict[str, Any] = {"artifactType": {"schemaTitle": title, "schemaVersion": version}}
            return {**definition, "isArtifactList": True} if many else definition
        case ParameterType(name):
            return {"parameterType": _PARAMETER_TYPES[name]}
        case StatusType():
            return {"parameterType": "TASK_FINAL_STATUS"}
        case None:
            return {"parameterType": "STRING"}  # as the SDK has it where a type is unknown
