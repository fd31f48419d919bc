"""Literals against the inputs that take them: types, allowed values, ranges and patterns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from kfgit.diagnostics import did_you_mean
from kfgit.model import Input, ParameterName, ParameterType
from kfgit.resolve.types import show_type
from kfgit.source import Span


def conforms(value: Any, type_: ParameterType) -> bool:
    """Whether a JSON value is of a parameter type. A whole number may stand for a float."""
    match type_.name:
        case "string":
            return isinstance(value, str)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "dict":
            return isinstance(value, dict)
        case "list":
            item = ParameterType(type_.item) if type_.item else None
            return isinstance(value, list) and (item is None or all(conforms(v, item) for v in value))


class LiteralFault(NamedTuple):
    """Why an input cannot take a literal; `item` is the number of the item of a list that it cannot take."""

    code: str
    message: str
    help: str
    item: int | None = None

    def place(self, whole: Span, items: Sequence[Span]) -> Span:
        """Where it is told: at the item, if its place is known."""
        return items[self.item] if self.item is not None and self.item < len(items) else whole


def literal_fault(value: Any, port: Input) -> LiteralFault | None:
    """The first thing wrong with a literal that an input cannot take."""
    return next(literal_faults(value, port), None)


def literal_faults(value: Any, port: Input) -> Iterator[LiteralFault]:
    """What is wrong with a literal that an input cannot take; of a list each item is looked at."""
    if value is None or not isinstance(port.type, ParameterType):
        return
    if not is_finite(value):
        message = f"`{port.name}` cannot be infinity or NaN, which JSON does not have"
        yield LiteralFault("type-mismatch", message, "write a number, or leave it out")
    elif (
        conforms(value, port.type) and "float" not in (port.type.name, port.type.item) and not is_exact(value)
    ):
        message = f"`{port.name}` cannot be {_short(value)}: KFP keeps numbers as doubles, which change it"
        yield LiteralFault(
            "out-of-range", message, "stay within ±9007199254740992 (2^53), or make it a string"
        )
    elif not conforms(value, port.type):
        yield from _mismatches(value, port.name, port.type)
    elif port.enum and value not in port.enum:
        help_ = did_you_mean(str(value), map(str, port.enum), what="its values")
        yield LiteralFault("value-not-allowed", f"`{port.name}` cannot be {_short(value)}", help_)
    else:
        yield from _bound_faults(value, port)


def _mismatches(value: Any, name: str, type_: ParameterType) -> Iterator[LiteralFault]:
    if type_.item is None or not isinstance(value, list):
        message = f"`{name}` must be {show_type(type_)}, not {_kind(value)}"
        yield LiteralFault("type-mismatch", message, _hint(value, type_))
        return
    wanted = ParameterType(type_.item)
    for index, item in enumerate(value):
        if not conforms(item, wanted):
            message = f"an item of `{name}` must be {show_type(wanted)}, not {_kind(item)}"
            yield LiteralFault("type-mismatch", message, _hint(item, wanted), index)


def _bound_faults(value: Any, port: Input) -> Iterator[LiteralFault]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if port.minimum is not None and value < port.minimum:
            message = f"`{port.name}` must be at least {port.minimum:g}, not {value}"
            yield LiteralFault("out-of-range", message, f"write {port.minimum:g} or more")
        elif port.maximum is not None and value > port.maximum:
            message = f"`{port.name}` must be at most {port.maximum:g}, not {value}"
            yield LiteralFault("out-of-range", message, f"write {port.maximum:g} or less")
    elif port.pattern and isinstance(value, str) and not _matches(port.pattern, value):
        message = f"`{port.name}` must match `{port.pattern}`"
        yield LiteralFault("value-not-allowed", message, "the whole value must match the regular expression")


def is_finite(value: Any) -> bool:
    """Whether JSON has all numbers of a value."""
    match value:
        case float():
            return math.isfinite(value)
        case list():
            return all(is_finite(item) for item in value)
        case dict():
            return all(is_finite(item) for item in value.values())
        case _:
            return True


def is_exact(value: Any) -> bool:
    """Whether doubles have all whole numbers of a value, as protobuf's Struct keeps them."""
    match value:
        case int():
            return abs(value) <= _EXACT or (abs(value) < _LARGEST and int(float(value)) == value)
        case list():
            return all(is_exact(item) for item in value)
        case dict():
            return all(is_exact(item) for item in value.values())
        case _:
            return True


_EXACT = 2**53
_LARGEST = 2**1023


@lru_cache(maxsize=4096)
def _matches(pattern: str, value: str) -> bool:
    """The whole of it. What Python's expressions could take for ever to see is left to a machine without backtracking.

    A pattern that it does not know, since it looks around or back, and one that is too large, are not tried.
    """
    if len(pattern) > _MAX_PATTERN or len(value) > _MAX_TRIED:
        return True
    from kfgit.cel import patterns  # noqa: PLC0415 - most repositories have no patterns
    from kfgit.cel.values import Meter  # noqa: PLC0415 - see above

    try:
        if (
            len(value) <= _MAX_BACKTRACKED
            and len(_REPEATS.findall(pattern)) <= 2
            and not _GROUPS.search(pattern)
        ):
            return re.fullmatch(pattern, value) is not None
        return patterns.matches(value, rf"\A(?:{pattern})\z", Meter(_MAX_STEPS))
    except (re.error, OverflowError, RecursionError, ValueError):
        return True


_MAX_PATTERN = 500
_MAX_TRIED = 500
_MAX_BACKTRACKED = 200
_MAX_STEPS = 20_000
_REPEATS = re.compile(r"[*+?{]")
_GROUPS = re.compile(r"\)[*+?{]|\\[0-9]")


def _kind(value: Any) -> str:
    names = {
        bool: "a boolean",
        int: "a whole number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "a map",
        type(None): "null",
    }
    return names.get(type(value), "this")


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) < 60 else text[:57] + "…"


def _hint(value: Any, type_: ParameterType) -> str:
    """The way out of a wrong type."""
    match type_.name, value:
        case "string", bool():
            return f'quote it: "{str(value).lower()}"'
        case "string", int():
            return f'quote it: "{value}"'
        case "string", float():
            return "put it in quotes"  # as it is written: of 1.10 only 1.1 is left here
        case "bool", str() if value.lower() in _BOOLEANS:
            return f"write {_BOOLEANS[value.lower()]}"
        case "int" | "float", str() if _NUMBER.match(value):
            return f"write it without quotes: {value}"
        case "int", float():
            return f"write {round(value)}, or make the input a float"
        case _:
            return f"write a value such as {_EXAMPLES[type_.name]}"


_BOOLEANS = dict.fromkeys(("true", "yes", "on", "y"), "true") | dict.fromkeys(
    ("false", "no", "off", "n"), "false"
)
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?\Z")
_EXAMPLES: Mapping[ParameterName, str] = {
    "string": '"text"',
    "int": "3",
    "float": "0.5",
    "bool": "true",
    "list": "[1, 2]",
    "dict": "{a: 1}",
}
