"""Requests as KFP's gateway reads them: proto3's JSON mapping, strictly, by tables of fields.

A `Shape` says which fields a message has; `read` gives the fields that are set, under their snake_case names. Both
spellings of a name are taken, a field that is not in the table is refused, null is absent, 64-bit numbers may be
texts, enums may be numbers (protobuf.dev/programming-guides/json, as Go's encoding/protojson reads it). Whatever else
comes in is the caller's mistake, an error of code 3.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, NoReturn, TypeAlias

from kfgit import normal
from kfgit.server.errors import Code, GatewayError

Scalar: TypeAlias = Literal["string", "bool", "int32", "int64", "timestamp", "struct", "value", "any"]


@dataclass(frozen=True, slots=True)
class Enum:
    """The names of an enum with their numbers."""

    names: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Repeated:
    """A list of things of one kind."""

    of: Kind


@dataclass(frozen=True, slots=True)
class Map:
    """From texts to things of one kind."""

    of: Kind


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A message: its fields by their snake_case names, and the groups of which at most one may be set."""

    fields: Mapping[str, Kind]
    oneofs: tuple[frozenset[str], ...] = ()


Kind: TypeAlias = Scalar | Enum | Repeated | Map | Shape

# google/rpc/status.proto: in every message that can tell of an error; output only.
STATUS = Shape({"code": "int32", "message": "string", "details": Repeated("any")})

# A pipeline spec of KFP's compiler nests about 20 levels deep; protojson goes on to 10,000, where Python's stack ends.
MAX_DEPTH = 100
# What fits into 32 MiB would be gigabytes of empty lists.
MAX_NODES = 1_000_000


def read(body: bytes, shape: Shape) -> dict[str, Any]:
    """The fields of a message that are set, by snake_case name; an empty body is an empty message."""
    return {} if not body else message(parse(body), shape)


def message(value: Any, shape: Shape) -> dict[str, Any]:
    """The same for JSON that is parsed already."""
    if not isinstance(value, dict):
        _refuse(f"unexpected token {_shown(value)}, a message is an object")
    return _message(value, shape, "")


def parse(body: bytes) -> Any:
    """A JSON document; what JSON has no word for (NaN, a name given twice, half a surrogate pair) is refused."""
    if body.count(b"[") + body.count(b"{") > MAX_NODES:
        _refuse(f"more than {MAX_NODES} lists and objects")
    try:
        document = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_float,
        )
        _check(document)
    except UnicodeError:
        _refuse("invalid UTF-8")
    except RecursionError:
        _refuse("exceeded max recursion depth")
    except ValueError as error:
        _refuse(f"syntax error: {error}" if body.strip() else "unexpected EOF")
    return document


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean of the query, as Go's strconv.ParseBool has it; absent is false."""
    text = parameter(query, name)
    if text in (None, *_FALSE):
        return False
    if text not in _TRUE:
        _refuse(f'parsing field "{name}": "{text}" is no boolean')
    return True


def choice(query: Mapping[str, str], name: str, among: Enum) -> str | None:
    """A value of an enum in the query, by its name or by its number."""
    text = parameter(query, name)
    if text is None or text in among.names:
        return text
    for known, number_ in among.names.items():
        if re.fullmatch(r"[+-]?[0-9]{1,11}", text, re.ASCII) and int(text) == number_:
            return known
    _refuse(f'parsing field "{name}": "{text}" is not a valid value')


def number(query: Mapping[str, str], name: str) -> int | None:
    """An int32 of the query."""
    text = parameter(query, name)
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?[0-9]{1,11}", text, re.ASCII) or not -(2**31) <= int(text) < 2**31:
        _refuse(f'parsing field "{name}": "{text}" is no 32-bit number')
    return int(text)


def parameter(query: Mapping[str, str], name: str) -> str | None:
    """A parameter of the query by either spelling of its name."""
    return query.get(name, query.get(_camel(name)))


_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


def _message(value: Mapping[str, Any], shape: Shape, path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    names = _spellings(shape)
    for key, item in value.items():
        name = names.get(key)
        if name is None:
            _refuse(f"unknown field {json.dumps(key)}{_place(path)}")
        kind = shape.fields[name]
        if item is None and kind != "value":
            continue
        if name in found:
            _refuse(f"duplicate field {json.dumps(key)}{_place(path)}")
        found[name] = _field(item, kind, f"{path}.{name}" if path else name)
    for group in shape.oneofs:
        if len(group & found.keys()) > 1:
            _refuse(
                f"error parsing {', '.join(sorted(group & found.keys()))}{_place(path)}: only one may be set"
            )
    return found


def _field(value: Any, kind: Kind, path: str) -> Any:
    match kind:
        case Shape():
            return _message(_expect(value, dict, path), kind, path)
        case Repeated(of):
            return [_item(item, of, path) for item in _expect(value, list, path)]
        case Map(of):
            return {key: _item(item, of, f"{path}.{key}") for key, item in _expect(value, dict, path).items()}
        case Enum(names):
            return _enum(value, names, path)
        case _:
            return _SCALARS[kind](value, path)


def _item(value: Any, kind: Kind, path: str) -> Any:
    if value is None and kind != "value":
        _refuse(f"unexpected token null in {path}")
    return _field(value, kind, path)


def _expect(value: Any, type_: type, path: str) -> Any:
    if not isinstance(value, type_):
        _refuse(f"invalid value for {path}: {_shown(value)}")
    return value


def _enum(value: Any, names: Mapping[str, int], path: str) -> str:
    if isinstance(value, str) and value in names:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31:
        # Enums of proto3 are open: a number without a name is a value as well.
        return next((name for name, number_ in names.items() if number_ == value), str(value))
    _refuse(f"invalid value for enum field {path}: {_shown(value)}")


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def _integer(value: Any, bits: int, path: str) -> int:
    exact = None
    if isinstance(value, str) and len(value) <= 40 and (found := _NUMBER.fullmatch(value)):
        value = int(value) if found[1] is found[2] is None else float(value)
    if isinstance(value, int) and not isinstance(value, bool):
        exact = value
    elif isinstance(value, float) and value.is_integer():
        exact = int(value)
    if exact is None or not -(2**bits) <= exact < 2**bits:
        _refuse(f"invalid value for int{bits + 1} field {path}: {_shown(value)}")
    return exact


_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII
)


def _timestamp(value: Any, path: str) -> datetime:
    found = _RFC3339.fullmatch(_expect(value, str, path))
    if found is None:
        _refuse(f"invalid google.protobuf.Timestamp value {_shown(value)} for {path}")
    stem, fraction, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    fine = timedelta(microseconds=int((fraction or "0").ljust(6, "0")[:6]))
    try:
        moment = datetime.fromisoformat(stem).replace(tzinfo=UTC) + fine
        return moment + offset if sign == "-" else moment - offset
    except (ValueError, OverflowError):
        _refuse(f"google.protobuf.Timestamp value {_shown(value)} for {path} is out of range")


def plain(value: Any) -> Any:
    """A google.protobuf.Value, as `normal.plain` has it."""
    try:
        return normal.plain(value)
    except normal.TooLarge as fault:
        _refuse(f"invalid number {_shown(fault.number)}")


_SCALARS: Mapping[Scalar, Callable[[Any, str], Any]] = {
    "string": lambda value, path: _expect(value, str, path),
    "bool": lambda value, path: _expect(value, bool, path),
    "int32": lambda value, path: _integer(value, 31, path),
    "int64": lambda value, path: _integer(value, 63, path),
    "timestamp": _timestamp,
    "struct": lambda value, path: plain(_expect(value, dict, path)),
    "value": lambda value, _: plain(value),
    "any": lambda value, path: _expect(value, dict, path),
}


@lru_cache(maxsize=256)
def _spellings(shape: Shape) -> Mapping[str, str]:
    return {_camel(name): name for name in shape.fields} | {name: name for name in shape.fields}


@lru_cache(maxsize=1024)
def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        _refuse(f"duplicate field {_shown(name)}")
    return found


def _no_constant(text: str) -> NoReturn:
    _refuse(f"invalid value {text}")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        _refuse(f"invalid number {text[:40]}: out of range")
    return value


def _check(value: Any, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        _refuse("exceeded max recursion depth")
    match value:
        case str():
            value.encode()
        case dict():
            for key, item in value.items():
                key.encode()
                _check(item, depth + 1)
        case list():
            for item in value:
                _check(item, depth + 1)
        case _:
            pass


def _shown(value: Any) -> str:
    text = (
        json.dumps(value, ensure_ascii=False) if not isinstance(value, (dict, list)) else type(value).__name__
    )
    return text if len(text) <= 80 else f"{text[:80]}…"


def _place(path: str) -> str:
    return f" in {path}" if path else ""


def _refuse(text: str) -> NoReturn:
    raise GatewayError(Code.INVALID_ARGUMENT, f"proto: {text}")
