"""Requests are read as Go's protojson reads them: what it takes is taken, what it refuses is a 400."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.server import messages
from kfgit.server.errors import ApiError
from kfgit.server.messages import Enum, Map, Repeated, Shape

_INNER = Shape({"inner_name": "string", "other": "string"}, (frozenset({"inner_name", "other"}),))
_SHAPE = Shape(
    {
        "display_name": "string",
        "no_catchup": "bool",
        "page_size": "int32",
        "max_concurrency": "int64",
        "start_time": "timestamp",
        "mode": Enum({"UNSPECIFIED": 0, "ENABLE": 1, "DISABLE": 2}),
        "pipeline_spec": "struct",
        "parameters": Map("value"),
        "tags": Map("string"),
        "values": Repeated("int64"),
        "inner": _INNER,
        "inners": Repeated(_INNER),
        "anything": "value",
    }
)


def _read(text: str | bytes) -> dict[str, Any]:
    return messages.read(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, _SHAPE)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("{}", {}),
        (' {"display_name": "x"} ', {"display_name": "x"}),
        ('{"displayName": "x"}', {"display_name": "x"}),
        ('{"display_name": null, "inner": null, "tags": null, "values": null}', {}),
        ('{"page_size": 3}', {"page_size": 3}),
        ('{"page_size": "3"}', {"page_size": 3}),
        ('{"page_size": 3.0}', {"page_size": 3}),
        ('{"page_size": 1e2}', {"page_size": 100}),
        ('{"page_size": "1e2"}', {"page_size": 100}),
        ('{"page_size": -2147483648}', {"page_size": -(2**31)}),
        ('{"max_concurrency": "9223372036854775807"}', {"max_concurrency": 2**63 - 1}),
        ('{"max_concurrency": "-9223372036854775807"}', {"max_concurrency": 1 - 2**63}),
        ('{"mode": "ENABLE"}', {"mode": "ENABLE"}),
        ('{"mode": 2}', {"mode": "DISABLE"}),
        ('{"mode": 9}', {"mode": "9"}),
        ('{"no_catchup": true}', {"no_catchup": True}),
        ('{"start_time": "2030-01-01T00:00:00Z"}', {"start_time": datetime(2030, 1, 1, tzinfo=UTC)}),
        ('{"start_time": "2030-01-01T02:00:00+02:00"}', {"start_time": datetime(2030, 1, 1, tzinfo=UTC)}),
        (
            '{"start_time": "2029-12-31T23:00:00.123456789-01:00"}',
            {"start_time": datetime(2030, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)},
        ),
        ('{"parameters": {"a": null, "b": [1, {"c": 2.0}]}}', {"parameters": {"a": None, "b": [1, {"c": 2}]}}),
        ('{"anything": null}', {"anything": None}),
        ('{"values": [1, "2"]}', {"values": [1, 2]}),
        ('{"inner": {"innerName": "x", "other": null}}', {"inner": {"inner_name": "x"}}),
        ('{"inners": [{}, {"other": "y"}]}', {"inners": [{}, {"other": "y"}]}),
        ('{"display_name": "\\ud83d\\ude00"}', {"display_name": "😀"}),
        ('{"tags": {"innerName": "x", "inner_name": "y"}}', {"tags": {"innerName": "x", "inner_name": "y"}}),
    ],
)  # fmt: skip
def test_what_is_taken(text: str, found: dict[str, Any]) -> None:
    assert _read(text) == found


@pytest.mark.parametrize(
    "text",
    [
        " ", "{", "null", "[]", "3", '"x"', "{} {}", "{},", "\ufeff{}", "{'display_name': 'x'}",
        '{"colour": "red"}', '{"Display_Name": "x"}', '{"display_name": "x", "displayName": "y"}',
        '{"display_name": "x", "display_name": "x"}', '{"tags": {"a": "x", "a": "y"}}',
        '{"parameters": {"a": {"b": 1, "b": 1}}}',
        '{"display_name": 3}', '{"display_name": ["x"]}', '{"display_name": "\\ud800"}', '{"\\udc00": 1}',
        '{"no_catchup": "true"}', '{"no_catchup": 1}',
        '{"page_size": 2147483648}', '{"page_size": 1.5}', '{"page_size": true}', '{"page_size": ""}',
        '{"page_size": " 3"}', '{"page_size": "0x3"}', '{"page_size": "03"}', '{"page_size": "1e999"}',
        '{"page_size": 1e999}', '{"page_size": "٣"}', '{"page_size": "' + "9" * 5000 + '"}',
        '{"page_size": ' + "9" * 5000 + "}",
        '{"max_concurrency": "9223372036854775808"}', '{"max_concurrency": {}}',
        '{"mode": "ON"}', '{"mode": 2147483648}', '{"mode": true}', '{"mode": "enable"}',
        '{"start_time": "2030-01-01"}', '{"start_time": "2030-01-01 00:00:00Z"}', '{"start_time": 3}',
        '{"start_time": "2030-02-30T00:00:00Z"}', '{"start_time": "2030-01-01T00:00:00"}',
        '{"start_time": "0000-01-01T00:00:00Z"}', '{"start_time": "0001-01-01T00:00:00+01:00"}',
        '{"start_time": "2030-01-01T00:00:60Z"}', '{"start_time": "2030-01-01T00:00:00.1234567890Z"}',
        '{"start_time": "2030-01-01T00:00:00+24:00"}', '{"start_time": "9999-12-31T23:59:59-00:01"}',
        '{"pipeline_spec": []}', '{"pipeline_spec": {"a": NaN}}', '{"pipeline_spec": {"a": Infinity}}',
        '{"pipeline_spec": {"a": 1e999}}', '{"parameters": []}', '{"parameters": {"a": 1' + "0" * 400 + "}}",
        '{"tags": {"a": null}}', '{"tags": {"a": 1}}', '{"values": {}}', '{"values": [null]}',
        '{"inner": []}', '{"inner": {"inner_name": "x", "other": "y"}}', '{"inners": {}}', '{"inners": [null]}',
        '{"inner": {"colour": "red"}}',
        '{"anything": ' + "[" * 101 + "]" * 101 + "}", "[" * 100_000, '{"a":' * 100_000,
        b"\xff", b'{"display_name": "\xff"}',
    ],
)  # fmt: skip
def test_what_is_refused(text: str | bytes) -> None:
    with pytest.raises(ApiError) as caught:
        _read(text)
    assert caught.value.status == 400
    assert set(caught.value.body()) == {"code", "message"}


def test_a_refusal_names_the_field() -> None:
    for text, named in (
        ('{"display_name": "x", "colour": "red"}', '"colour"'),
        ('{"inners": [{"other": 3}]}', "inners.other"),
        ('{"mode": "ON"}', "mode"),
    ):
        with pytest.raises(ApiError, match=named):
            _read(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*_SHAPE.fields, "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def _read_or_refused(text: str | bytes) -> dict[str, Any] | None:
    try:
        return _read(text)
    except ApiError as error:
        if error.status != 400:
            raise
        return None


@given(_JSON)
def test_whatever_comes_is_read_or_refused(value: Any) -> None:
    found = _read_or_refused(json.dumps(value))
    assert found is None or found.keys() <= _SHAPE.fields.keys()


@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_read_or_refused(body: bytes) -> None:
    _read_or_refused(body)


@given(st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_of_a_value_are_doubles(number: float) -> None:
    found = _read(json.dumps({"anything": number}))["anything"]
    assert float(found) == float(number)
    assert isinstance(found, int) == (float(number).is_integer() and abs(float(number)) < 1e21)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("12345678901234567890", "12345678901234567000"),
        ("-1e20", "-100000000000000000000"),
        ("1e21", "1e+21"),
        ("9007199254740993", "9007199254740992"),
    ],
)
def test_large_numbers_are_written_as_go_writes_them(text: str, shown: str) -> None:
    assert json.dumps(_read(f'{{"anything": {text}}}')["anything"]) == shown


@given(st.floats())
def test_no_number_beyond_json_comes_in(number: float) -> None:
    if math.isfinite(number):
        return
    with pytest.raises(ApiError):
        _read(json.dumps({"anything": number}))


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_flags(text: str) -> None:
    assert messages.flag({"cascade": text}, "cascade")
    assert not messages.flag({}, "cascade")
    assert not messages.flag({"cascade": "F"}, "cascade")
    for wrong in ("", "yes", f"{text} "):
        with pytest.raises(ApiError, match="cascade"):
            messages.flag({"cascade": wrong}, "cascade")


def test_parameters_have_two_spellings() -> None:
    assert messages.number({"pageSize": "+7"}, "page_size") == 7
    assert messages.parameter({"sort_by": "name"}, "sort_by") == "name"
    for wrong in ("", "x", "1.0", "2147483648", "9" * 30, "٣"):
        with pytest.raises(ApiError, match="page_size"):
            messages.number({"page_size": wrong}, "page_size")
