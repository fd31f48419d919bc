"""Pipeline specs as KFP's own schema gives them: one form for whatever is the same to KFP.

Every field has its camelCase name, and nothing is there that says no more than the default. KFP's server keeps specs so
(backend/src/apiserver/template/v2_template.go), while compilers write them as they like: whether two are the same can
only be asked of this form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from kfgit.ir import Package

# Every whole number up to here is exactly a double, which is what a JSON number is to protobuf.
_EXACT = 2**53
# From here on Go writes doubles with an exponent.
_POSITIONAL = 1e21
# What a document says of its pipeline's name and purpose; nothing that runs depends on it.
_OF_THE_DOCUMENT = ("pipelineInfo", "sdkVersion")


class Odd(ValueError):
    """What is no spec of KFP's; the text says why."""


class TooLarge(OverflowError):
    """A number that is no double."""

    def __init__(self, number: int) -> None:
        super().__init__(f"{number} is too large")
        self.number = number


def pipeline_spec(value: Mapping[str, Any]) -> dict[str, Any]:
    """A pipeline spec in the normal form; raises `Odd`."""
    from kfp.pipeline_spec import pipeline_spec_pb2  # noqa: PLC0415 - only who meets a server pays for protobuf

    return _normal(value, pipeline_spec_pb2.PipelineSpec(), "pipeline spec")


def platform_spec(value: Mapping[str, Any]) -> dict[str, Any]:
    """A platform spec in the normal form; raises `Odd`."""
    from kfp.pipeline_spec import pipeline_spec_pb2  # noqa: PLC0415 - as above

    return _normal(value, pipeline_spec_pb2.PlatformSpec(), "platform spec")


def same(one: Package, other: Package) -> bool:
    """Whether two packages run the same; what they are called and which SDK wrote them does not matter."""
    try:
        return _content(one) == _content(other)
    except Odd:
        return one.digest == other.digest


def plain(value: Any) -> Any:
    """A google.protobuf.Value: its numbers are doubles, and whole ones are written without a point.

    As Go does it, large ones have the shortest digits that mean this double, and zeros. Raises `TooLarge`.
    """
    match value:
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case bool():
            return value
        case int() if not -_EXACT <= value <= _EXACT:
            try:
                return plain(float(value))
            except OverflowError:
                raise TooLarge(value) from None
        case float() if value.is_integer() and abs(value) < _POSITIONAL:
            return int(Decimal(repr(value)))
        case _:
            return value


def _content(package: Package) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    spec = {key: value for key, value in package.spec.items() if key not in _OF_THE_DOCUMENT}
    return pipeline_spec(spec), platform_spec(package.platform or {})


def _normal(value: Mapping[str, Any], message: Any, what: str) -> dict[str, Any]:
    from google.protobuf import json_format  # noqa: PLC0415 - as above

    try:
        _check_objects(value, message.DESCRIPTOR, what)
        json_format.ParseDict(dict(value), message)
        normal = json_format.MessageToDict(message)
    except OverflowError:  # numbers of a Struct are doubles
        raise Odd(f"invalid {what}: a number in it is too large") from None
    except (json_format.Error, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Odd(f"invalid {what}: {_short(_told(error))}") from None
    found: dict[str, Any] = plain(normal)
    return found


def _told(error: BaseException) -> str:
    """The words of protobuf; where it met a value of another type those are Python's, which say nothing to anybody."""
    from google.protobuf import json_format  # noqa: PLC0415 - as above

    told, cause = str(error).rstrip("."), error.__context__
    while cause is not None:
        if not isinstance(cause, json_format.Error):
            told = told.replace(str(cause).rstrip("."), "its value is of another type")
        cause = cause.__context__
    return told


_KINDS = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "a list"}


def _check_objects(value: Any, message: Any, place: str) -> None:
    """Raises where a message is no object: protobuf's reader takes an empty list for an empty message."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} must be an object, not {_KINDS.get(type(value), 'text')}")  # noqa: TRY004 - told as one
    fields = _message_fields(message)
    for key in value.keys() & fields.keys():
        item, (held, many) = value[key], fields[key]
        inner: Iterable[Any]
        if many:
            inner = item.values() if isinstance(item, Mapping) else item if isinstance(item, list) else ()
        else:
            inner = () if item is None else (item,)
        for each in inner:
            _check_objects(each, held, key)


@lru_cache(maxsize=256)
def _message_fields(message: Any) -> Mapping[str, tuple[Any, bool]]:
    """The fields of a message that hold messages, one or many, by both names."""
    found: dict[str, tuple[Any, bool]] = {}
    for field in message.fields:
        held, many = field.message_type, field.is_repeated
        if held is not None and held.GetOptions().map_entry:
            held = held.fields_by_name["value"].message_type
        # Those of protobuf itself have forms of their own in JSON.
        if held is not None and not held.full_name.startswith("google.protobuf."):
            found |= dict.fromkeys((field.name, field.json_name), (held, many))
    return found


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:300]}…"
