"""The values an expression computes with, and what equality and order mean for them.

Null, bools, ints, doubles, strings and bytes are Python's; lists are tuples. A bool is never an int here, so code
asks for exact types. Sources: cel-go `common/types/*.go`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from kfgit.cel.syntax import CelEvaluationError, Uint

MAX_COST = 200_000
"""Steps of one evaluation, a step being about a microsecond: enough for any honest condition."""

_COMPARED = 4096
"""Characters that are compared in a step."""

MAX_JSON_DEPTH = 64
"""Levels of a parameter's value; protobuf itself stops at 100."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in nanoseconds."""

    nanoseconds: int


@dataclass(frozen=True, slots=True)
class Timestamp:
    """Nanoseconds since 1970 in UTC; the offset in seconds is kept because cel-go shows it, but is not compared."""

    nanoseconds: int
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class TypeName:
    """The value of `type(x)` and of names such as `int`."""

    name: str


@dataclass(frozen=True, slots=True)
class Message:
    """A protobuf message: fields by name, all of them present."""

    name: str
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Map:
    """A map. Keys of different types are different keys, but a lookup takes a number for its equal."""

    entries: Mapping[tuple[str, Any], tuple[Value, Value]]

    @classmethod
    def of(cls, entries: Iterable[tuple[Value, Value]]) -> Map:
        """The map with these entries; the last of two equal keys wins. Raises CelEvaluationError."""
        return cls({_key(k): (k, v) for k, v in entries})

    def find(self, key: Value) -> tuple[Value, Value] | None:
        """The entry of a key, or None."""
        for candidate in _equal_keys(key):
            if candidate in self.entries:
                return self.entries[candidate]
        return None

    def __iter__(self) -> Iterator[Value]:
        """The keys."""
        return (key for key, _ in self.entries.values())

    def __len__(self) -> int:
        """The number of entries."""
        return len(self.entries)


Value: TypeAlias = (
    bool
    | int
    | float
    | str
    | bytes
    | Uint
    | Duration
    | Timestamp
    | TypeName
    | Message
    | Map
    | tuple["Value", ...]
    | None
)


class OutOfBudget(CelEvaluationError):
    """The evaluation was given up. `&&` and `||` must not take it for an ordinary error."""


class Meter:
    """Counts steps, so that no condition runs for long."""

    def __init__(self, left: int = MAX_COST) -> None:
        self._left = left

    @property
    def left(self) -> int:
        """The steps that may still be taken."""
        return max(self._left, 0)

    def charge(self, steps: int = 1) -> None:
        """Count so many steps. Raises OutOfBudget when there are none left."""
        self._left -= steps
        if self._left < 0:
            raise OutOfBudget("the evaluation takes too many steps")


_NAMES: Mapping[type, str] = {
    type(None): "null_type",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    bytes: "bytes",
    tuple: "list",
    Uint: "uint",
    Duration: "google.protobuf.Duration",
    Timestamp: "google.protobuf.Timestamp",
    TypeName: "type",
    Map: "map",
}


def type_name(value: Value) -> str:
    """The type of a value, as CEL names it."""
    return value.name if isinstance(value, Message) else _NAMES[type(value)]


def _key(value: Value) -> tuple[str, Any]:
    match value:
        case None | bool() | int() | float() | str() | bytes() | Uint():
            return type_name(value), value
        case _:
            raise CelEvaluationError(f"a {type_name(value)} cannot be the key of a map")


def _equal_keys(value: Value) -> list[tuple[str, Any]]:
    """The keys under which a value may be found: a list or a map never is one."""
    if not isinstance(value, bool | int | float | str | bytes | Uint | None):
        return []
    keys = [_key(value)]
    number = numeric(value)
    if number is not None and number == number // 1 and abs(number) < 2**64:
        keys += [("int", int(number)), ("uint", Uint(int(number)))]
    return keys


def numeric(value: Value) -> int | float | None:
    """The number that an int, uint or double is; None for everything else."""
    if isinstance(value, Uint):
        return value.value
    return value if type(value) in (int, float) else None  # type: ignore[return-value]


def equal(a: Value, b: Value, meter: Meter) -> bool:
    """`a == b`: numbers by value, everything else only with its own type, never an error.

    Raises OutOfBudget.
    """
    meter.charge()
    x, y = numeric(a), numeric(b)
    if x is not None and y is not None:
        return _sign(x, y) == 0
    match a, b:
        case tuple(), tuple():
            return len(a) == len(b) and all(equal(p, q, meter) for p, q in zip(a, b, strict=True))
        case Map(), Map():
            return len(a) == len(b) and all(
                _same_entry(key, value, b, meter) for key, value in a.entries.values()
            )
        case Message(), Message():
            return a.name == b.name and all(equal(v, b.fields[k], meter) for k, v in a.fields.items())
        case _:
            _charge_texts(a, b, meter)
            return type(a) is type(b) and a == b


def _charge_texts(a: Value, b: Value, meter: Meter) -> None:
    """Texts are compared to their ends where they are alike, and a step goes through some thousand characters."""
    if isinstance(a, str | bytes) and isinstance(b, str | bytes):
        meter.charge(min(len(a), len(b)) // _COMPARED)


def _same_entry(key: Value, value: Value, other: Map, meter: Meter) -> bool:
    found = other.find(key)
    return found is not None and equal(value, found[1], meter)


def compare(a: Value, b: Value, meter: Meter) -> int:
    """Negative, zero or positive. Raises CelEvaluationError for values that have no order, and OutOfBudget."""
    _charge_texts(a, b, meter)
    x, y = numeric(a), numeric(b)
    if x is not None and y is not None:
        sign = _sign(x, y)
        if sign is None:
            raise CelEvaluationError("NaN values cannot be ordered")
        return sign
    match a, b:
        case bool(), bool():
            return a - b
        case str(), str():
            return (a > b) - (a < b)
        case bytes(), bytes():
            return (a > b) - (a < b)
        case Duration(), Duration():
            return a.nanoseconds - b.nanoseconds
        case Timestamp(), Timestamp():
            return a.nanoseconds - b.nanoseconds
        case _:
            raise CelEvaluationError(f"no such overload: {type_name(a)} and {type_name(b)} have no order")


def _sign(x: int | float, y: int | float) -> int | None:  # noqa: PYI041 - mypy must not think that they are floats
    """The order of two numbers; None with NaN. cel-go rounds an int to a double before it compares them."""
    if isinstance(x, float) or isinstance(y, float):
        x, y = float(x), float(y)
    if math.isnan(x) or math.isnan(y):
        return None
    return (x > y) - (x < y)


def from_json(value: Any, depth: int = 0, *, whole: bool = False) -> Value:
    """A JSON value as KFP has it: every number is a double, unless `whole` ones shall be ints.

    Raises CelEvaluationError if it nests absurdly.
    """
    if depth > MAX_JSON_DEPTH:
        raise CelEvaluationError("the value is nested too deeply")
    match value:
        case None | bool():
            return value
        case str():
            return _text(value)
        case int() if whole and -(2**63) <= value < 2**63:
            return value
        case int() | float():
            return _double(value)
        case Mapping():
            entries = ((key, from_json(item, depth + 1, whole=whole)) for key, item in value.items())
            return Map.of((_text(str(key)), item) for key, item in entries)
        case list() | tuple():
            return tuple(from_json(item, depth + 1, whole=whole) for item in value)
        case _:
            raise CelEvaluationError(f"a {type(value).__name__} is no JSON value")


def _text(value: str) -> str:
    """Half a surrogate pair, which JSON escapes can make, is U+FFFD, as in Go."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise CelEvaluationError("the number is too large for a double") from None
