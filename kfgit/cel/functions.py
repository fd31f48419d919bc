"""The functions and arithmetic of CEL on values.

Sources: cel-go `common/types/*.go` and `common/overflow.go`; `parseJson` is KFP's own
(`backend/src/v2/expression/expression.go`). Every function raises CelEvaluationError.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from kfgit.cel.patterns import matches
from kfgit.cel.syntax import CelEvaluationError, Uint
from kfgit.cel.values import Duration, Map, Meter, Timestamp, TypeName, Value, from_json, type_name

_SECOND = 10**9
_EARLIEST, _LATEST = -62135596800, 253402300799
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": _SECOND, "m": 60 * _SECOND}
_UNITS["h"] = 60 * _UNITS["m"]


def no_overload(name: str, *values: Value) -> NoReturn:
    """Raises CelEvaluationError: the operation does not exist for values of these types."""
    shown = ", ".join(type_name(value) for value in values)
    raise CelEvaluationError(f"no such overload: `{name}` for ({shown})")


def arithmetic(operator: str, a: Value, b: Value, meter: Meter) -> Value:
    """`a operator b` for `+ - * / %`; numbers of different types do not mix."""
    match a, b:
        case (bool(), _) | (_, bool()):
            no_overload(operator, a, b)
        case int(), int():
            return _int64(_whole(operator, a, b))
        case float(), float() if operator != "%":
            return _real(operator, a, b)
        case Uint(), Uint():
            return _uint64(_whole(operator, a.value, b.value))
        case _:
            return _concatenated(a, b, meter) if operator == "+" else _time(operator, a, b)


def _concatenated(a: Value, b: Value, meter: Meter) -> Value:
    if isinstance(a, str | bytes | tuple) and isinstance(b, str | bytes | tuple):
        meter.charge((len(a) + len(b)) // 8)
    match a, b:
        case str(), str():
            return a + b
        case bytes(), bytes():
            return a + b
        case tuple(), tuple():
            return a + b
        case _:
            return _time("+", a, b)


def _whole(operator: str, a: int, b: int) -> int:
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case _:
            return _divided(operator, a, b)


def _divided(operator: str, a: int, b: int) -> int:
    """Towards zero, as Go does it; the remainder has the sign of what is divided."""
    if b == 0:
        raise CelEvaluationError("division by zero" if operator == "/" else "modulus by zero")
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient if operator == "/" else a - quotient * b


def _real(operator: str, a: float, b: float) -> float:
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case _ if b == 0.0:
            return (
                math.nan if a == 0.0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
            )
        case _:
            return a / b


def _int64(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise CelEvaluationError("integer overflow")
    return value


def _uint64(value: int) -> Uint:
    if not 0 <= value < 2**64:
        raise CelEvaluationError("unsigned integer overflow")
    return Uint(value)


def _time(operator: str, a: Value, b: Value) -> Value:
    match operator, a, b:
        case "+", Duration(), Duration():
            return Duration(_int64(a.nanoseconds + b.nanoseconds))
        case "-", Duration(), Duration():
            return Duration(_int64(a.nanoseconds - b.nanoseconds))
        case "-", Timestamp(), Timestamp():
            return Duration(_int64(a.nanoseconds - b.nanoseconds))
        case ("+", Timestamp() as instant, Duration() as length) | (
            "+",
            Duration() as length,
            Timestamp() as instant,
        ):
            return _instant(instant.nanoseconds + length.nanoseconds, instant.offset)
        case "-", Timestamp(), Duration():
            return _instant(a.nanoseconds - b.nanoseconds, a.offset)
        case _:
            no_overload(operator, a, b)


def _instant(nanoseconds: int, offset: int = 0) -> Timestamp:
    if not _EARLIEST <= nanoseconds // _SECOND <= _LATEST:
        raise CelEvaluationError("timestamp overflow")
    return Timestamp(nanoseconds, offset)


def negated(value: Value) -> Value:
    """`-value`."""
    match value:
        case bool():
            no_overload("-", value)
        case int():
            return _int64(-value)
        case float():
            return -value
        case _:
            no_overload("-", value)


def call(name: str, target: Value, arguments: tuple[Value, ...], meter: Meter) -> Value:
    """A member function."""
    function = _MEMBERS.get((name, len(arguments)))
    if function is None:
        no_overload(name, target, *arguments)
    return function(meter, target, *arguments)


def call_global(name: str, arguments: tuple[Value, ...], meter: Meter) -> Value:
    """A function that stands alone."""
    function = _GLOBALS.get((name, len(arguments)))
    if function is None:
        no_overload(name, *arguments)
    return function(meter, *arguments)


def _size(_meter: Meter, value: Value) -> int:
    if isinstance(value, str | bytes | tuple | Map):
        return len(value)
    no_overload("size", value)


def _type(_meter: Meter, value: Value) -> TypeName:
    return TypeName(type_name(value))


def _converts(result: str) -> Callable[[Meter, Value], Value]:
    """A conversion by the table of `_CONVERSIONS`; a value of the wanted type stays as it is."""

    def convert(meter: Meter, value: Value) -> Value:
        if isinstance(value, str | bytes):
            meter.charge(len(value) // 64)
        given = type_name(value)
        if given == _FULL.get(result, result):
            return value
        conversion = _CONVERSIONS.get((given, result))
        if conversion is None:
            no_overload(result, value)
        converted = conversion(value)
        if converted is None:
            raise CelEvaluationError(f"type conversion error from '{given}' to '{result}'")
        return converted

    return convert


_FULL = {"duration": "google.protobuf.Duration", "timestamp": "google.protobuf.Timestamp"}


def _parse_int(text: str) -> int | None:
    return _int64_or_none(text, r"[+-]?[0-9]{1,30}", -(2**63), 2**63)


def _parse_uint(text: str) -> Uint | None:
    value = _int64_or_none(text, r"[0-9]{1,30}", 0, 2**64)
    return None if value is None else Uint(value)


def _int64_or_none(text: str, pattern: str, low: int, high: int) -> int | None:
    if re.fullmatch(pattern, text) is None or not low <= int(text) < high:
        return None
    return int(text)


_DECIMAL = re.compile(r"[+-]?(?:[0-9_]+\.?[0-9_]*|\.[0-9_]+)(?:[eE][+-]?[0-9_]+)?")
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?[0-9]+")


def _parse_double(text: str) -> float | None:
    """Go's `strconv.ParseFloat`: no blanks around, and a decimal that overflows is an error."""
    if re.fullmatch(r"[+-]?inf(?:inity)?|nan", text, re.IGNORECASE):
        return float(text)
    try:
        if _HEXADECIMAL.fullmatch(text):
            return float.fromhex(text)
        value = float(text) if _DECIMAL.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None
    return value if value is None or math.isfinite(value) else None


def _parse_bool(text: str) -> bool | None:
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    return False if text in ("0", "f", "F", "FALSE", "false", "False") else None


def _parse_duration(text: str) -> Duration | None:
    """Go's `time.ParseDuration`: `1h30m`, `-1.5s`, `0`."""
    parts = re.findall(r"([0-9]*\.?[0-9]*)(ns|us|µs|μs|ms|s|m|h)", text)
    unsigned = text.lstrip("+-") if text[:1] in ("+", "-") else text
    if text in ("0", "+0", "-0"):
        return Duration(0)
    if not parts or "".join(n + u for n, u in parts) != unsigned or len(text) - len(unsigned) > 1:
        return None
    if any(number in ("", ".") or len(number) > 40 for number, _ in parts):
        return None
    nanoseconds = sum(_scaled(number, _UNITS[unit]) for number, unit in parts)
    if nanoseconds >= 2**63:
        return None
    return Duration(-nanoseconds if text.startswith("-") else nanoseconds)


def _scaled(number: str, unit: int) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole or "0") * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)


_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]{1,30}))?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def _parse_timestamp(text: str) -> Timestamp | None:
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(found[1] + "+00:00")
    except ValueError:
        return None
    offset = 0 if found[3] == "Z" else _offset(found[3])
    if offset is None:
        return None
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    nanoseconds = int((found[2] or "0")[:9].ljust(9, "0"))
    return _instant((seconds - offset) * _SECOND + nanoseconds, offset)


def _offset(text: str) -> int | None:
    """`+02:00` in seconds; a missing sign is a plus."""
    found = re.fullmatch(r"([+-]?)([0-9]{1,2}):([0-9]{2})", text)
    if found is None or int(found[2]) > 23 or int(found[3]) > 59:
        return None
    seconds = int(found[2]) * 3600 + int(found[3]) * 60
    return -seconds if found[1] == "-" else seconds


def _double_to_int(value: float) -> int:
    if not -(2.0**63) < value < 2.0**63:
        raise CelEvaluationError("integer overflow")
    return int(value)


def _double_to_uint(value: float) -> Uint:
    if not 0 <= value < 2.0**64:
        raise CelEvaluationError("unsigned integer overflow")
    return Uint(int(value))


_EXPONENT_FROM = 6


def shown_double(value: float) -> str:
    """Go's `%g`: the shortest digits that read back, an exponent from 1e6 on and below 1e-4."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0.0:
        return "-0" if math.copysign(1.0, value) < 0 else "0"
    mantissa, _, exponent = f"{value!r}".lower().lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0").rstrip("0")
    leading = len(whole) if whole != "0" else -(len(fraction) - len(fraction.lstrip("0")))
    power = leading - 1 + int(exponent or "0")
    sign = "-" if value < 0 else ""
    if power < -4 or power >= _EXPONENT_FROM:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    padded = digits.ljust(power + 1, "0")
    rest = padded[power + 1 :]
    return f"{sign}{padded[: power + 1]}{'.' + rest if rest else ''}"


def _shown_duration(value: Duration) -> str:
    seconds = value.nanoseconds / _SECOND
    whole, _, fraction = f"{seconds:.9f}".partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}{'.' + fraction if fraction else ''}s"


def _shown_timestamp(value: Timestamp) -> str:
    fraction = f"{value.nanoseconds % _SECOND:09d}".rstrip("0")
    moment = _moment(value, value.offset)
    zone = "Z"
    if value.offset:
        minutes = abs(value.offset) // 60
        zone = f"{'-' if value.offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + (f".{fraction}" if fraction else "") + zone


def _moment(value: Timestamp, offset: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value.nanoseconds // _SECOND + offset)
    except OverflowError:
        raise CelEvaluationError("timestamp overflow") from None


def _from_utf8(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise CelEvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


def _to_utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


_CONVERSIONS: Mapping[tuple[str, str], Callable[[Any], Value]] = {
    ("string", "bool"): _parse_bool,
    ("string", "bytes"): _to_utf8,
    ("string", "double"): _parse_double,
    ("int", "double"): float,
    ("uint", "double"): lambda value: float(value.value),
    ("int", "duration"): lambda _value: None,
    ("string", "duration"): _parse_duration,
    ("double", "int"): _double_to_int,
    ("google.protobuf.Duration", "int"): lambda value: value.nanoseconds,
    ("string", "int"): _parse_int,
    ("google.protobuf.Timestamp", "int"): lambda value: value.nanoseconds // _SECOND,
    ("uint", "int"): lambda value: _int64(value.value),
    ("bool", "string"): lambda value: str(value).lower(),
    ("bytes", "string"): _from_utf8,
    ("double", "string"): shown_double,
    ("google.protobuf.Duration", "string"): _shown_duration,
    ("int", "string"): str,
    ("google.protobuf.Timestamp", "string"): _shown_timestamp,
    ("uint", "string"): lambda value: str(value.value),
    ("int", "timestamp"): lambda value: _instant(value * _SECOND),
    ("string", "timestamp"): _parse_timestamp,
    ("double", "uint"): _double_to_uint,
    ("int", "uint"): _uint64,
    ("string", "uint"): _parse_uint,
}


def parse_json(_meter: Meter, text: Value) -> Value:
    """KFP's `parseJson`: Go's `json.Unmarshal`, so no NaN, and no number above a double's range."""
    if not isinstance(text, str):
        no_overload("parseJson", text)
    _meter.charge(len(text) // 8)
    try:
        value = json.loads(
            text, parse_int=_json_number, parse_float=_json_number, parse_constant=_json_number
        )
    except (ValueError, RecursionError) as fault:
        raise CelEvaluationError(f"failed to unmarshal JSON: {fault}") from None
    return from_json(value)


def _json_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is no number")
    return value


def _on_strings(name: str, function: Callable[[str, str, Meter], bool]) -> Callable[..., Value]:
    def checked(meter: Meter, a: Value, b: Value) -> bool:
        if isinstance(a, str) and isinstance(b, str):
            meter.charge((len(a) + len(b)) // 64)
            return function(a, b, meter)
        no_overload(name, a, b)

    return checked


def _calendar(part: Callable[[datetime, Timestamp], int]) -> Callable[..., Value]:
    """A part of a timestamp, in UTC or with the offset that is given. Zones by name would need files."""

    def read(_meter: Meter, value: Value, zone: Value = None) -> int:
        if not isinstance(value, Timestamp) or not isinstance(zone, str | None):
            no_overload("get…", value)
        offset = 0 if zone in (None, "UTC") else _offset(zone)
        if offset is None:
            raise CelEvaluationError(
                f"the time zone `{zone}` is not supported, only offsets such as `+02:00`"
            )
        return part(_moment(value, offset), value)

    return read


def _clock(part: Callable[[datetime, Timestamp], int], unit: int) -> Callable[..., Value]:
    calendar = _calendar(part)

    def read(meter: Meter, value: Value, *zone: Value) -> Value:
        if isinstance(value, Duration) and not zone:
            return _whole("/", value.nanoseconds, unit)
        return calendar(meter, value, *zone)

    return read


_STRINGS = {
    "contains": _on_strings("contains", lambda a, b, _meter: b in a),
    "endsWith": _on_strings("endsWith", lambda a, b, _meter: a.endswith(b)),
    "startsWith": _on_strings("startsWith", lambda a, b, _meter: a.startswith(b)),
    "matches": _on_strings("matches", matches),
}
_DATES = {
    "getFullYear": _calendar(lambda moment, _: moment.year),
    "getMonth": _calendar(lambda moment, _: moment.month - 1),
    "getDayOfYear": _calendar(lambda moment, _: moment.timetuple().tm_yday - 1),
    "getDayOfMonth": _calendar(lambda moment, _: moment.day - 1),
    "getDate": _calendar(lambda moment, _: moment.day),
    "getDayOfWeek": _calendar(lambda moment, _: moment.isoweekday() % 7),
    "getHours": _clock(lambda moment, _: moment.hour, 3600 * _SECOND),
    "getMinutes": _clock(lambda moment, _: moment.minute, 60 * _SECOND),
    "getSeconds": _clock(lambda moment, _: moment.second, _SECOND),
    "getMilliseconds": _clock(lambda _, value: value.nanoseconds % _SECOND // 10**6, 10**6),
}

_MEMBERS: Mapping[tuple[str, int], Callable[..., Value]] = {
    ("size", 0): _size,
    **{(name, 1): function for name, function in _STRINGS.items()},
    **{(name, arity): function for name, function in _DATES.items() for arity in (0, 1)},
}
_GLOBALS: Mapping[tuple[str, int], Callable[..., Value]] = {
    ("size", 1): _size,
    ("type", 1): _type,
    ("dyn", 1): lambda _meter, value: value,
    ("parseJson", 1): parse_json,
    ("matches", 2): _STRINGS["matches"],
    **{
        (name, 1): _converts(name)
        for name in ("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint")
    },
}
