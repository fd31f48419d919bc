"""Types as documents write them: read, compared by their names, and shown again."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import get_args

from kfgit.diagnostics import did_you_mean, nearest
from kfgit.document import Node
from kfgit.lightweight import ARTIFACT_TYPES
from kfgit.model import ArtifactType, ParameterName, ParameterType, StatusType, Type
from kfgit.resolve.reader import Reader

_PARAMETERS: tuple[ParameterName, ...] = get_args(ParameterName)
_CUSTOM = re.compile(r"([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)+)(?:@(\d+\.\d+\.\d+))?\Z")
_LIST = re.compile(r"list<\s*(.+?)\s*>\Z")

_DICT = re.compile(r"(?:dict|map)\s*<", re.IGNORECASE)


def type_of(reader: Reader, node: Node | None) -> Type | None:
    """The type a document names."""
    text = reader.string(node)
    if text is None or node is None:
        return None
    found = parse_type(text)
    if found is None:
        known = (*_PARAMETERS, *ARTIFACT_TYPES, "TaskFinalStatus")
        listed = _LIST.match(text)
        if listed and (
            meant := nearest(listed.group(1), [name for name in known if parse_type(f"list<{name}>")])
        ):
            help_ = f"did you mean `list<{meant}>`?"
        elif _DICT.match(text):
            help_ = "write `dict`: the types of its values are not told"
        else:
            help_ = did_you_mean(listed.group(1) if listed else text, known, what="types")
        if "@" in text or "." in text:
            help_ = "write `namespace.Title@1.2.3`: the version has three numbers"
        reader.fault("unknown-type", f"there is no type `{text}`", node.span, help_)
    return found


@lru_cache(maxsize=256)
def parse_type(text: str) -> Type | None:
    """`float`, `list<float>`, `Model`, `list<Model>`, `google.VertexModel@0.0.1`, `TaskFinalStatus`."""
    if text == "TaskFinalStatus":
        return StatusType()
    listed = _LIST.match(text)
    if listed is not None:
        item = parse_type(listed.group(1))
        match item:
            case ParameterType(name, None):
                return ParameterType("list", name)
            case ArtifactType(title, version, False):
                return ArtifactType(title, version, many=True)
            case _:
                return None
    parameter = next((name for name in _PARAMETERS if name == text), None)
    if parameter is not None:
        return ParameterType(parameter)
    if text in ARTIFACT_TYPES:
        return ArtifactType(f"system.{text}")
    custom = _CUSTOM.match(text)
    return ArtifactType(custom.group(1), custom.group(2) or "0.0.1") if custom else None


def show_type(type_: Type | None) -> str:
    """The type as documents write it."""
    match type_:
        case ParameterType(name, None):
            return name
        case ParameterType(_, item):
            return f"list<{item}>"
        case ArtifactType(title, version, many):
            short = title.removeprefix("system.") if title.startswith("system.") else f"{title}@{version}"
            return f"list<{short}>" if many else short
        case StatusType():
            return "TaskFinalStatus"
        case None:
            return "unknown"
