"""Which fields differ: by path, told apart as YAML does it, and without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.diff.fields import fields, same
from kfgit.plan import HIDDEN, difference

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


_PLAIN, _SECRET = {"name": "A", "value": "1"}, {"name": "DB_PASSWORD", "value": "hunter2-x"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Two variables that change places, one with its name twice, one beside another that has no value.
        ({"env": [_PLAIN, _SECRET]}, {"env": [_SECRET, _PLAIN]}),
        ({"env": [_PLAIN, _PLAIN, _SECRET]}, {"env": [_PLAIN, _PLAIN, {**_SECRET, "value": "hunter2-y"}]}),
        ({"env": [_SECRET, {"name": "B", "valueFrom": {}}]}, {"env": [{**_SECRET, "value": "hunter2-y"}, {}]}),
        ({"env": [{"name": "B", "value": "plain"}]}, {"env": [{"name": "TOKEN", "value": "hunter2-y"}]}),
        ({"inputs": {"db_password": {"default": "hunter2-x"}}}, {"inputs": {"db_password": {"default": "hunter2-y"}}}),
        ({}, {"inputs": {"db_password": {"default": "hunter2-x"}}}),
        ({"inputs": {"db_password": {"enum": ["hunter2-x"]}}}, {"inputs": {"db_password": {"enum": ["hunter2-y"]}}}),
        ({"x": {"token": ["hunter2-x"]}}, {"x": {"token": ["hunter2-y"]}}),
        (
            {"parameters": {"api_key": {"runtimeValue": {"constant": "hunter2-x"}}}},
            {"parameters": {"api_key": {"runtimeValue": {"constant": "hunter2-y"}}}},
        ),
    ],
)  # fmt: skip
def test_a_secret_is_told_by_what_it_is_of(before: Any, after: Any) -> None:
    for compared in (fields, difference):
        for sides in ((before, after), (after, before)):
            told = str([(each.before, each.after) for each in compared(*sides)])
            assert "hunter2" not in told
            assert HIDDEN in told


def test_what_is_no_secret_is_shown_under_the_same_keys() -> None:
    one, other = ({"inputs": {"rate": {"default": value}}} for value in ("fast", "slow"))
    assert told(one, other) == {"inputs.rate.default": ("fast", "slow")}


def test_a_list_in_very_many_lists_is_told_whole() -> None:
    """In each list all that is below is compared, so that work would grow with size times depth."""

    def nested(leaf: int) -> Any:
        value: Any = {"leaf": leaf}
        for _ in range(90):
            value = [value]
        return {"x": value}

    [found] = fields(nested(1), nested(2))
    assert found.path == "x[0][0][0][0][0][0]"
    assert (str(found.before).count("["), str(found.after).count("[")) == (84, 84)


@pytest.mark.parametrize("compared", [fields, difference])
def test_paths_do_not_outgrow_what_they_lead_to(compared: Any) -> None:
    def nested(leaf: int) -> Any:
        value: Any = {f"k{number}": leaf for number in range(2000)}
        for _ in range(90):
            value = {"w" * 1001: value}
        return value

    [found] = compared(nested(1), nested(2))
    assert len(found.path) < 3000
    assert "k1999" in str(found.after)
