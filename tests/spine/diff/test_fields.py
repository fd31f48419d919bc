"""Which fields differ: by path, told apart as YAML does it, and without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.diff.fields import fields, same

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)


def told(before: Any, after: Any) -> dict[str, tuple[Any, Any]]:
    return {each.path: (each.before, each.after) for each in fields(before, after)}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, {"a.b": (1, 2)}),
        ({"a": 1}, {"a": 1, "b": {"c": 2}}, {"b": (None, {"c": 2})}),
        ({"labels": {"a.b/c": "x"}}, {"labels": {"a.b/c": "y"}}, {'labels["a.b/c"]': ("x", "y")}),
        ({"after": ["a", "b"]}, {"after": ["b"]}, {"after": (["a", "b"], ["b"])}),
        ({"x": 1}, {"x": True}, {"x": (1, True)}),
        ({"x": 1}, {"x": 1.0}, {"x": (1, 1.0)}),
        ({"x": float("nan")}, {"x": float("nan")}, {}),
        ({"x": None}, {}, {"x": ("null", None)}),
        ({"x": None}, {"x": 0}, {"x": (None, 0)}),
        ({"x": [{"n": 1}, {"n": 2}]}, {"x": [{"n": 1}, {"n": 3}]}, {"x[1].n": (2, 3)}),
        ({"x": [{"n": 1}, {"n": 2}]}, {"x": [{"n": 0}, {"n": 1}, {"n": 2}]}, {"x[0]": (None, {"n": 0})}),
        ({"x": [{"n": 1}, {"n": 2}, {"n": 3}]}, {"x": [{"n": 1}, {"n": 3}]}, {"x[1]": ({"n": 2}, None)}),
    ],
)
def test_paths_and_values(before: Any, after: Any, expected: dict[str, tuple[Any, Any]]) -> None:
    assert told(before, after) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"env": {"DB_PASSWORD": "hunter2hunter2"}}, {"env": {"DB_PASSWORD": "correct horse"}}),
        (
            {"env": [{"name": "API_KEY", "value": "one-two"}]},
            {"env": [{"name": "API_KEY", "value": "three-four"}]},
        ),
        ({"args": ["ghp_" + "a" * 36] * 20}, {"args": ["ghp_" + "b" * 36] * 21}),
        ({}, {"env": {"deep": {"TOKEN": "abc def"}}}),
    ],
)
def test_secrets_stay_untold(before: Any, after: Any) -> None:
    text = repr(told(before, after))
    assert "hidden" in text
    for secret in ("hunter2", "horse", "one-two", "three-four", "ghp_", "abc def"):
        assert secret not in text


@given(VALUES)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert list(fields(value, value)) == []


@given(VALUES, VALUES)
def test_both_ways_tell_the_same(one: Any, other: Any) -> None:
    there, back = list(fields(one, other)), list(fields(other, one))
    assert [(d.path, repr(d.before), repr(d.after)) for d in there] == [
        (d.path, repr(d.after), repr(d.before)) for d in back
    ]
    assert bool(there) is not same(one, other)
