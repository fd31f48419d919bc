"""Types of lists: of what a loop goes over, and of what it makes of an output."""

from __future__ import annotations

from typing import Any

from kfgit.model import ArtifactType, ParameterName, ParameterType, Type


def common_type(values: list[Any]) -> ParameterType | None:
    """The type of all the values of a literal list, if they have one. Whole numbers among numbers count as such."""
    names = {_name_of(value) for value in values}
    if names == {"int", "float"}:
        return ParameterType("float")
    (only,) = names if len(names) == 1 else (None,)
    return ParameterType(only) if only is not None else None


def _name_of(value: Any) -> ParameterName | None:
    names: dict[type, ParameterName] = {
        bool: "bool",
        int: "int",
        float: "float",
        str: "string",
        list: "list",
        dict: "dict",
    }
    return names.get(type(value))


def collected_type(type_: Type | None) -> Type | None:
    """What a loop makes of an output."""
    match type_:
        case ParameterType("list" | "dict"):
            return ParameterType("list")
        case ParameterType(name):
            return ParameterType("list", name)
        case ArtifactType(title, version):
            return ArtifactType(title, version, many=True)
        case _:
            return None
