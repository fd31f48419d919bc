"""Parameter values as KFP's driver treats them: types, text forms, and the placeholders inside constants.

On a cluster every value is a protobuf `Value`, so all numbers are doubles and a whole double prints as an integer.
Here whole doubles become Python ints where the declared type, or JSON inside a list or struct, allows it, so that a
component sees the same text as on a cluster. Sources: `driver/resolve.go` (type check), `metadata/converter.go`
(`PbValueToText`), `common/util/validate_literal.go` in kubeflow/pipelines 2.17.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

_INPUT: Final = re.compile(r"""\{\{\$\.inputs\.parameters\[(['"])(.*?)\1\]\}\}""")
# Above this Go prints a double with an exponent, so it is no integer to a component either.
_WHOLE_LIMIT: Final = 1e21

_KINDS: Final[Mapping[str, str]] = {
    "STRING": "a string",
    "NUMBER_INTEGER": "an integer",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "a boolean",
    "LIST": "a list",
    "STRUCT": "a struct",
    "TASK_FINAL_STATUS": "a struct",
    "TASK_CONFIG": "a struct",
}


class Mismatch(Exception):
    """A value that does not fit a declared type; the text says what was expected and what came."""


def kind(value: Any) -> str:
    """What a JSON value is, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case Mapping():
            return "a struct"
        case _:
            return "a list"


def normal(value: Any) -> Any:
    """JSON with whole doubles as ints and tuples as lists: what a component reads after protobuf's JSON."""
    match value:
        case float() if value.is_integer() and abs(value) < _WHOLE_LIMIT:
            return int(value)
        case Mapping():
            return {str(key): normal(item) for key, item in value.items()}
        case list() | tuple():
            return [normal(item) for item in value]
        case _:
            return value


def text(value: Any) -> str:
    """The text of a value inside a string (`PbValueToText`): no exponents, JSON for lists and structs."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return _double(value)
        case _:
            return json.dumps(normal(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _double(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value.is_integer():
        return str(int(value))
    return f"{Decimal(repr(value)):f}"


def coerce(type_: str, value: Any) -> Any:
    """The value as the declared type wants it; raises `Mismatch`. A string is never parsed, as in KFP."""
    if type_ not in _KINDS:
        return normal(value)
    fitted = _fitted(type_, value)
    if fitted is not None:
        return fitted
    shown = f"{kind(value)} ({value})" if kind(value) == "a number" else kind(value)
    raise Mismatch(f"expects {_KINDS[type_]}, got {shown}")


def _fitted(type_: str, value: Any) -> Any:
    match type_, value:
        case ("STRING", value) if value is not None:
            return text(value)
        case ("BOOLEAN", bool()):
            return value
        case (_, bool()):
            return None
        case ("NUMBER_INTEGER", int()) | ("NUMBER_DOUBLE", float()):
            return value
        case ("NUMBER_INTEGER", float()) if value.is_integer():
            return int(value)
        case ("NUMBER_DOUBLE", int()) if abs(value) < 10**300:
            return float(value)
        case ("LIST", list() | tuple()) | ("STRUCT" | "TASK_FINAL_STATUS" | "TASK_CONFIG", Mapping()):
            return normal(value)
        case _:
            return None


def check_literals(literals: Sequence[Any], value: Any) -> None:
    """Raises `Mismatch` when a declared set of allowed values does not hold the value."""
    if not literals or any(_same(value, allowed) for allowed in literals):
        return
    shown = ", ".join(f"`{text(allowed)}`" for allowed in literals)
    raise Mismatch(f"must be one of {shown}, got `{text(value)}`")


def _same(value: Any, allowed: Any) -> bool:
    return isinstance(value, bool) == isinstance(allowed, bool) and bool(normal(value) == normal(allowed))


def substitute(value: Any, lookup: Callable[[str], str | None], job: Mapping[str, str]) -> Any:
    """The constant with its placeholders replaced, also inside structs and lists; each text is read once.

    `lookup` gives the text of another input, or None for a placeholder that stays as it is; `job` maps the whole
    `{{$.…}}` of job placeholders to their texts.
    """
    match value:
        case str():
            return _replaced(value, lookup, job)
        case Mapping():
            return {
                substitute(key, lookup, job): substitute(item, lookup, job) for key, item in value.items()
            }
        case list() | tuple():
            return [substitute(item, lookup, job) for item in value]
        case _:
            return value


_PLACEHOLDER: Final = re.compile(r"\{\{\$\.[^{}]*\}\}")


def _replaced(value: str, lookup: Callable[[str], str | None], job: Mapping[str, str]) -> str:
    if "{{$." not in value:
        return value

    def one(found: re.Match[str]) -> str:
        whole = found.group(0)
        name = placeholder_input(whole)
        new = job.get(whole) if name is None else lookup(name)
        return whole if new is None else new

    return _PLACEHOLDER.sub(one, value)


def placeholder_input(value: str) -> str | None:
    """The input's name when the whole text is `{{$.inputs.parameters['NAME']}}`."""
    found = _INPUT.fullmatch(value)
    return None if found is None else found.group(2)
