"""What a list call asks for: `page_size`, `page_token`, `sort_by` and `filter`, as one `Query`.

A page token is KFP's: base64 of JSON that holds sort, filter and the place where the next page begins. It comes back
from the client, so it is read as strictly as the rest: its filter goes through the same reader, its sort is looked
up among the fields. A token may come alone; a sort or a filter beside it must be its own. Tags are the exception,
which KFP keeps out of the token: they may be repeated, and need not be.
Facts: backend/src/apiserver/list/list.go, filter/filter.go and server/list_request_util.go.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from kfgit.backends.local.store.pages import Operation, Page, Predicate, Query, Table, Value
from kfgit.server import messages
from kfgit.server.errors import ApiError, GatewayError, invalid
from kfgit.server.messages import Enum, Repeated, Shape

DEFAULT_SIZE, MAX_SIZE = 20, 200
MAX_PREDICATES = 100
# SQLite refuses longer patterns of LIKE (50,000 bytes) and more bound values (32,766); both are beyond any use.
MAX_FILTER = 32_000


class _Order(NamedTuple):
    """What must be the same from page to page."""

    sort: str
    descending: bool
    predicates: tuple[Predicate, ...]


def query(asked: Mapping[str, str], table: Table, scope: Mapping[str, str] | None = None) -> Query:
    """What the parameters of a list call ask for; `scope` are the columns that the call itself fixes."""
    doing = "Failed to create list options"
    try:
        size = _size(messages.number(asked, "page_size"))
        sort_by = messages.parameter(asked, "sort_by") or ""
        written = messages.parameter(asked, "filter") or ""
        token = messages.parameter(asked, "page_token") or ""
        order = _Order(*_sort(sort_by, table), _filter(_unescaped(written), table))
        after = None
        if token:
            kept, after = _token(token, table)
            if not _agree(order, kept, table, sorts=bool(sort_by), filters=bool(written)):
                raise invalid(
                    "page token does not match the supplied sort by and/or filtering criteria. Either specify "
                    "the same criteria or leave the latter empty if page token is specified"
                )
            order = kept
    except GatewayError:
        raise
    except ApiError as error:
        raise ApiError(error.code, error.detail, doing) from None
    return Query(table, size, *order, after, scope or {})


def answer(key: str, objects: Iterable[Mapping[str, Any]], asked: Query, page: Page) -> dict[str, Any]:
    """What a list call answers; as everywhere in KFP's JSON, what is empty or 0 is left out."""
    body: dict[str, Any] = {key: list(objects), "total_size": page.total}
    if page.next is not None:
        body["next_page_token"] = _marked(asked, page.next)
    return {name: value for name, value in body.items() if value}


def _size(asked: int | None) -> int:
    if asked is not None and asked < 0:
        raise invalid(f"The page size should be greater than 0. Got {asked}")
    return min(asked or DEFAULT_SIZE, MAX_SIZE)


def _sort(text: str, table: Table) -> tuple[str, bool]:
    words = text.lower().split()
    if len(words) > 2 or words[1:] not in ([], ["asc"], ["desc"]):
        raise invalid(
            f'Received invalid sort by format {json.dumps(text)}. Supported format: "field_name", '
            '"field_name desc", or "field_name asc"'
        )
    name = words[0] if words else "created_at"
    if name not in table.fields:
        raise invalid(f"Invalid sorting field: {json.dumps(name)} on listable type {table.label}")
    return name, words[1:] == ["desc"]


_OPERATIONS = Enum(
    {
        "OPERATION_UNSPECIFIED": 0,
        "EQUALS": 1,
        "NOT_EQUALS": 2,
        "GREATER_THAN": 3,
        "GREATER_THAN_EQUALS": 5,
        "LESS_THAN": 6,
        "LESS_THAN_EQUALS": 7,
        "IN": 8,
        "IS_SUBSTRING": 9,
    }
)
_VALUES: Mapping[str, messages.Kind] = {
    "int_value": "int32",
    "long_value": "int64",
    "string_value": "string",
    "timestamp_value": "timestamp",
    "int_values": Shape({"values": Repeated("int32")}),
    "long_values": Shape({"values": Repeated("int64")}),
    "string_values": Shape({"values": Repeated("string")}),
}
_FILTER = Shape(
    {
        "predicates": Repeated(
            Shape({"operation": _OPERATIONS, "key": "string", **_VALUES}, (frozenset(_VALUES),))
        )
    }
)


def _filter(text: str, table: Table) -> tuple[Predicate, ...]:
    if not text:
        return ()
    if len(text) > MAX_FILTER:
        raise invalid(f"the filter has more than {MAX_FILTER} characters")
    try:
        found = messages.message(messages.parse(text.encode()), _FILTER).get("predicates", [])
    except (GatewayError, UnicodeEncodeError) as error:
        raise invalid(f"failed to parse valid filter from {json.dumps(text[:200])}: {error}") from None
    if len(found) > MAX_PREDICATES:
        raise invalid(f"the filter has more than {MAX_PREDICATES} predicates")
    predicates = [_predicate(item, table) for item in found]
    # Of two values for one tag KFP takes the last.
    tags = {item.key: item for item in predicates if item.key.startswith("tags.")}
    return tuple(item for item in predicates if tags.get(item.key, item) is item)


def _predicate(found: Mapping[str, Any], table: Table) -> Predicate:
    key, operation = found.get("key", ""), found.get("operation", "OPERATION_UNSPECIFIED")
    if not key:
        raise invalid(f"Predicate key cannot be empty for operation {operation}")
    kind = next(iter(_VALUES.keys() & found.keys()), None)
    if operation == "OPERATION_UNSPECIFIED" or kind is None:
        raise invalid(f"the predicate on {json.dumps(key)} has no {'operation' if kind else 'value'}")
    if operation not in _OPERATIONS.names:  # proto3 takes any number
        raise invalid(f"the predicate on {json.dumps(key)} has an unknown operation {operation}")
    if table.tagged and key.startswith("tags."):
        if operation != "EQUALS" or kind != "string_value":
            raise invalid(
                f"only EQUALS with a string_value is supported for tag filtering, on {json.dumps(key)}"
            )
    elif key not in table.fields:
        raise invalid(f"no support for filtering on unrecognized field {json.dumps(key)}")
    _check_operator(operation, kind)
    value = _value(found[kind])
    if key in table.fields and table.fields[key].kind == "time":
        _check_times(key, operation, kind, value)
    return Predicate(key, operation, value)


def _check_operator(operation: Operation, kind: str) -> None:
    if operation == "IN" and not kind.endswith("_values"):
        raise invalid(f"cannot use IN operator with scalar type {kind}")
    if operation == "IS_SUBSTRING" and kind != "string_value":
        raise invalid(f"cannot use non string value type {kind} with operator IS_SUBSTRING")
    if operation != "IN" and kind.endswith("_values"):
        raise invalid(f"cannot use scalar operator {operation} on array type {kind}")


def _value(found: Any) -> Value:
    match found:
        case datetime():
            return int(found.timestamp() // 1)
        case dict():
            return tuple(found.get("values", ()))
        case _:
            value: str | int = found
            return value


def _check_times(key: str, operation: str, kind: str, value: Value) -> None:
    # KFP's column is a number of seconds; texts of digits compare with it there.
    texts = [item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, str)]
    wrong = any(not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) for text in texts)
    if wrong or operation == "IS_SUBSTRING":
        raise invalid(f"{json.dumps(key)} is a time: compare it with a timestamp_value, not with a {kind}")


_TOKEN = Shape(
    {"sort": "string", "descending": "bool", "filter": "string", "value": "string", "id": "string"},
)


def _token(text: str, table: Table) -> tuple[_Order, tuple[str, str]]:
    try:
        content = base64.b64decode(text.encode("ascii", "replace"), altchars=b"-_", validate=True)
        found = messages.message(messages.parse(content), _TOKEN)
        sort = found["sort"]
        if sort not in table.fields:
            raise invalid(f"no field {json.dumps(sort)}")
        order = _Order(sort, found.get("descending", False), _filter(found.get("filter", ""), table))
        return order, (found["value"], found["id"])
    except (ApiError, binascii.Error, KeyError) as error:
        raise invalid(f"Invalid page token: {error}") from None


def _marked(asked: Query, place: tuple[str, str]) -> str:
    token = {"sort": asked.sort, "descending": asked.descending, "value": place[0], "id": place[1]}
    if asked.predicates:
        token["filter"] = json.dumps({"predicates": [_written(item) for item in asked.predicates]})
    return base64.urlsafe_b64encode(json.dumps(token, separators=(",", ":")).encode()).decode()


def _written(predicate: Predicate) -> dict[str, Any]:
    written: dict[str, Any] = {"operation": predicate.operation, "key": predicate.key}
    match predicate.value:
        case str(text):
            written["string_value"] = text
        case int(number):
            written["long_value"] = number
        case several if all(isinstance(item, str) for item in several):
            written["string_values"] = {"values": several}
        case several:
            written["long_values"] = {"values": several}
    return written


def _agree(asked: _Order, kept: _Order, table: Table, *, sorts: bool, filters: bool) -> bool:
    (tags, others), (kept_tags, kept_others) = _parts(asked, table), _parts(kept, table)
    # What is left of a filter when its tags are taken out is no filter where nothing is left.
    if sorts or others or (filters and not tags):
        place, kept_place = table.fields[asked.sort].sql, table.fields[kept.sort].sql
        if (place, asked.descending, others) != (kept_place, kept.descending, kept_others):
            return False
    return not tags or tags == kept_tags


def _parts(order: _Order, table: Table) -> tuple[list[Predicate], list[Predicate]]:
    """The predicates on tags and the others, in one order, by what their names stand for: two may stand for one."""
    tags = [item for item in order.predicates if item.key.startswith("tags.")]
    others = [
        replace(item, key=table.fields[item.key].sql)
        for item in order.predicates
        if not item.key.startswith("tags.")
    ]
    return sorted(tags, key=repr), sorted(others, key=repr)


def _unescaped(text: str) -> str:
    # KFP's server takes the escapes of a URL out once more, of a value from which they were taken already.
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise invalid(f"failed to parse valid filter from {json.dumps(text[:200])}: invalid URL escape")
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeError:
        raise invalid(f"failed to parse valid filter from {json.dumps(text[:200])}: invalid UTF-8") from None
