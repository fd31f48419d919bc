"""What exists in a condition: the variables of KFP's driver, the names of types, and the functions with their types.

Sources: cel-go `common/stdlib/standard.go` (without the comparisons of mixed number types, which are off unless
asked for), KFP `backend/src/v2/expression/expression.go` (variables, `parseJson`) and `pipeline_spec.proto`
(the messages).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kfgit.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
    map_of,
    message,
    type_of_type,
    variable,
)

_A, _B = variable("A"), variable("B")
_LIST, _MAP = list_of(_A), map_of(_A, _B)

INPUTS, OUTPUTS = message("ml_pipelines.ExecutorInput.Inputs"), message("ml_pipelines.ExecutorInput.Outputs")

VARIABLES: Mapping[str, Type] = {"inputs": INPUTS, "outputs": OUTPUTS}

FIELDS: Mapping[str, Mapping[str, Type]] = {
    INPUTS.name: {
        "parameters": map_of(STRING, message("ml_pipelines.Value")),
        "artifacts": map_of(STRING, message("ml_pipelines.ArtifactList")),
        "parameter_values": map_of(STRING, DYN),
    },
    OUTPUTS.name: {
        "parameters": map_of(STRING, message("ml_pipelines.ExecutorInput.OutputParameter")),
        "artifacts": map_of(STRING, message("ml_pipelines.ArtifactList")),
        "output_file": STRING,
    },
    "ml_pipelines.Value": {"int_value": INT, "double_value": DOUBLE, "string_value": STRING},
    "ml_pipelines.ArtifactList": {"artifacts": list_of(message("ml_pipelines.RuntimeArtifact"))},
    "ml_pipelines.ExecutorInput.OutputParameter": {"output_file": STRING},
    "ml_pipelines.RuntimeArtifact": {
        "name": STRING,
        "type": message("ml_pipelines.ArtifactTypeSchema"),
        "uri": STRING,
        "properties": map_of(STRING, message("ml_pipelines.Value")),
        "custom_properties": map_of(STRING, message("ml_pipelines.Value")),
        "metadata": map_of(STRING, DYN),
        "custom_path": STRING,
    },
    "ml_pipelines.ArtifactTypeSchema": {
        "schema_title": STRING,
        "schema_uri": STRING,
        "instance_schema": STRING,
        "schema_version": STRING,
    },
}

TYPE_NAMES: Mapping[str, Type] = {
    "bool": BOOL,
    "bytes": BYTES,
    "double": DOUBLE,
    "dyn": DYN,
    "int": INT,
    "list": list_of(DYN),
    "map": map_of(DYN, DYN),
    "null_type": NULL,
    "string": STRING,
    "type": type_of_type(DYN),
    "uint": UINT,
}


class Overload(NamedTuple):
    """One way to call a function. The first argument of a member is what stands before the dot."""

    arguments: tuple[Type, ...]
    result: Type
    member: bool = False


def _same(result: Type | None, *kinds: Type, arity: int = 2) -> tuple[Overload, ...]:
    return tuple(Overload((kind,) * arity, result or kind) for kind in kinds)


def _converts(result: Type, *kinds: Type) -> tuple[Overload, ...]:
    return tuple(Overload((kind,), result) for kind in kinds)


def _member(result: Type, *arguments: Type) -> Overload:
    return Overload(arguments, result, member=True)


_ORDER = _same(BOOL, BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION)
_NUMBERS = (INT, UINT, DOUBLE)
_MIXED_ORDER = tuple(Overload((a, b), BOOL) for a in _NUMBERS for b in _NUMBERS if a != b)
_SIZED = (BYTES, _LIST, _MAP, STRING)
_TEXT = (_member(BOOL, STRING, STRING),)
_CALENDAR = (_member(INT, TIMESTAMP), _member(INT, TIMESTAMP, STRING))
_CLOCK = (*_CALENDAR, _member(INT, DURATION))

OPERATORS: Mapping[str, tuple[Overload, ...]] = {
    "==": (Overload((_A, _A), BOOL),),
    "!=": (Overload((_A, _A), BOOL),),
    "<": _ORDER,
    "<=": _ORDER,
    ">": _ORDER,
    ">=": _ORDER,
    "in": (Overload((_A, _LIST), BOOL), Overload((_A, _MAP), BOOL)),
    "+": (
        *_same(None, BYTES, DOUBLE, DURATION),
        Overload((DURATION, TIMESTAMP), TIMESTAMP),
        Overload((TIMESTAMP, DURATION), TIMESTAMP),
        *_same(None, INT, _LIST, STRING, UINT),
    ),
    "-": (
        *_same(None, DOUBLE, DURATION, INT),
        Overload((TIMESTAMP, DURATION), TIMESTAMP),
        Overload((TIMESTAMP, TIMESTAMP), DURATION),
        *_same(None, UINT),
    ),
    "*": _same(None, DOUBLE, INT, UINT),
    "/": _same(None, DOUBLE, INT, UINT),
    "%": _same(None, INT, UINT),
    "!": _same(None, BOOL, arity=1),
    "neg": _same(None, DOUBLE, INT, arity=1),
    "[]": (Overload((_LIST, INT), _A), Overload((_MAP, _A), _B)),
    "?:": (Overload((BOOL, _A, _A), _A),),
}

# cel-go forgets inside a macro that comparisons of mixed number types are off.
OPERATORS_IN_MACROS: Mapping[str, tuple[Overload, ...]] = {
    **OPERATORS,
    **dict.fromkeys(("<", "<=", ">", ">="), (*_ORDER, *_MIXED_ORDER)),
}

FUNCTIONS: Mapping[str, tuple[Overload, ...]] = {
    "parseJson": _converts(DYN, STRING),
    "size": (*_converts(INT, *_SIZED), *(_member(INT, kind) for kind in _SIZED)),
    "type": (Overload((_A,), type_of_type(_A)),),
    "dyn": _converts(DYN, _A),
    "bool": _converts(BOOL, BOOL, STRING),
    "bytes": _converts(BYTES, BYTES, STRING),
    "double": _converts(DOUBLE, DOUBLE, INT, STRING, UINT),
    "duration": _converts(DURATION, DURATION, INT, STRING),
    "int": _converts(INT, INT, DOUBLE, DURATION, STRING, TIMESTAMP, UINT),
    "string": _converts(STRING, STRING, BOOL, BYTES, DOUBLE, DURATION, INT, TIMESTAMP, UINT),
    "timestamp": _converts(TIMESTAMP, TIMESTAMP, INT, STRING),
    "uint": _converts(UINT, UINT, DOUBLE, INT, STRING),
    "contains": _TEXT,
    "endsWith": _TEXT,
    "startsWith": _TEXT,
    "matches": (*_TEXT, Overload((STRING, STRING), BOOL)),
    "getFullYear": _CALENDAR,
    "getMonth": _CALENDAR,
    "getDayOfYear": _CALENDAR,
    "getDayOfMonth": _CALENDAR,
    "getDate": _CALENDAR,
    "getDayOfWeek": _CALENDAR,
    "getHours": _CLOCK,
    "getMinutes": _CLOCK,
    "getSeconds": _CLOCK,
    "getMilliseconds": _CLOCK,
}
