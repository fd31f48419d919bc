"""The inputs and outputs of a package, in the types of kfgit's language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from kfgit.document import Mapping, Node, Scalar, at, plain
from kfgit.packages.compiled.reading import items, maps, text
from kfgit.packages.compiled.values import fits
from kfgit.packages.faults import Faults
from kfgit.source import Span

TYPES = {
    "STRING": "string", "NUMBER_INTEGER": "int", "NUMBER_DOUBLE": "float", "BOOLEAN": "bool", "LIST": "list",
    "STRUCT": "dict", "TASK_FINAL_STATUS": "TaskFinalStatus",
}  # fmt: skip
_OLD_TYPES = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE", "STRING": "STRING"}


class Artifact(NamedTuple):
    """A type of artifacts, by its schema title."""

    title: str
    version: str
    many: bool


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a package; a `type` that kfgit's language does not have is None."""

    name: str
    type: str | Artifact | None
    span: Span
    description: str = ""
    default: Any = None
    has_default: bool = False
    optional: bool = False
    enum: tuple[Any, ...] = ()


def inputs_of(faults: Faults, root: Mapping) -> tuple[Port, ...]:
    """The inputs of the root, artifacts last."""
    return (*_parameters(faults, root), *_artifacts(root, "inputDefinitions"))


def outputs_of(root: Mapping) -> tuple[Port, ...]:
    """The outputs of the root."""
    found = [
        Port(name, TYPES.get(_type(node)), span, text(node, "description"))
        for name, span, node in maps(root, "outputDefinitions", "parameters")
    ]
    return (*found, *_artifacts(root, "outputDefinitions"))


def _parameters(faults: Faults, root: Mapping) -> Iterator[Port]:
    for name, span, node in maps(root, "inputDefinitions", "parameters"):
        type_ = _type(node)
        default = node.get("defaultValue")
        given = default is not None and not (isinstance(default, Scalar) and default.value is None)
        if given and default is not None and not fits(default, type_):
            message = f"the default of `{name}` is no {type_}"
            faults.error("type-mismatch", message, default.span, "give a value of that type, or another type")
        yield Port(
            name,
            TYPES.get(type_),
            span,
            text(node, "description"),
            _value(default, type_) if given and default is not None else None,
            given,
            _flag(node, "isOptional") or type_ not in TYPES,
            tuple(_value(item, type_) for item in items(node, "literals")),
        )


def _artifacts(root: Mapping, definitions: str) -> Iterator[Port]:
    for name, span, node in maps(root, definitions, "artifacts"):
        title = text(node, "artifactType", "schemaTitle") or "system.Artifact"
        version = text(node, "artifactType", "schemaVersion") or "0.0.1"
        type_ = Artifact(title, version, _flag(node, "isArtifactList"))
        yield Port(name, type_, span, text(node, "description"), optional=_flag(node, "isOptional"))


def _type(node: Mapping) -> str:
    return text(node, "parameterType") or _OLD_TYPES.get(text(node, "type"), "")


def _flag(node: Node, key: str) -> bool:
    found = at(node, (key,))
    return isinstance(found, Scalar) and found.value is True


def _value(node: Node, type_: str) -> Any:
    """A value as people write it: the IR has whole numbers as `1.0`."""
    value = plain(node)
    return (
        int(value) if type_ == "NUMBER_INTEGER" and isinstance(value, float) and value.is_integer() else value
    )
