"""Expressions mean what GitHub says they do, and what is not known is an error."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.expressions import Unknown, evaluate, expand

CONTEXTS = {
    "github": {"ref": "refs/heads/main", "event": {"deleted": False, "pull_request": {"title": "it's"}}},
    "vars": {"SET": "x"},
    "steps": {"plan": {"outputs": {"code": "2"}, "outcome": "success"}},
}
FUNCTIONS = {"upper": str.upper}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it''s'", "it's"),
        ("github.event.pull_request.title", "it's"),
        ("vars.UNSET", None),
        ("vars.UNSET == ''", True),
        ("vars.UNSET != ''", False),
        ("github.event.pull_request.head.repo.full_name", None),
        ("!github.event.deleted && (vars.SET == 'X' || false)", True),
        ("vars.UNSET || vars.SET", "x"),
        ("vars.SET && 'yes' || 'no'", "yes"),
        ("vars.UNSET && 'yes' || 'no'", "no"),
        ("steps.plan.outputs.code == '2'", True),
        ("upper('a')", "A"),
        ("3", 3),
        ("null", None),
    ],
)
def test_values(text: str, value: Any) -> None:
    if "head" in text:
        contexts = {**CONTEXTS, "github": {"event": {"pull_request": None}}}
        assert evaluate(text, contexts, FUNCTIONS) == value
    else:
        assert evaluate(text, CONTEXTS, FUNCTIONS) == value


@pytest.mark.parametrize(
    "text",
    [
        "nobody.x",
        "steps.nobody.outcome",
        "steps.plan.conclusion",
        "lower('a')",
        "'a",
        "a b",
        "vars.SET ==",
        "'1' == 1",
        "(true",
        "",
    ],
)
def test_what_is_not_known_is_an_error(text: str) -> None:
    with pytest.raises(Unknown):
        evaluate(text, CONTEXTS, FUNCTIONS)


def test_inside_of_text() -> None:
    assert expand("a ${{ vars.SET }} b ${{ vars.UNSET }}", CONTEXTS, {}) == "a x b "
    assert expand("${{ github.event.deleted }}", CONTEXTS, {}) is False
    assert expand(7, CONTEXTS, {}) == 7
    assert expand("number ${{ 12345678 }}", CONTEXTS, {}) == "number 12345678"
