"""Descriptions in docstrings: what docstring_parser 0.18 reads, which KFP's SDK asks, is read here too."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kfgit.docstrings import descriptions

CASES = [
    ("", {}, {}),
    ("One line.", {}, {}),
    ("Says.\n\nArgs:\n  a: First.\n  b: Second: more.\n", {"a": "First.", "b": "Second: more."}, {}),
    ("Says.\n\n    Args:\n        a (str, optional): First.\n", {"a": "First."}, {}),
    (
        "Says.\n\nArgs:\n  a: One,\n    two,\n      three.\n  b:\n    Below.\n",
        {"a": "One,\ntwo,\nthree.", "b": "Below."},
        {},
    ),
    ("Says.\n\nArguments:\n  a: x\n\nRaises:\n  ValueError: never\n", {"a": "x"}, {}),
    ("Says.\n\nParameters:\n  a: x\n\nAttributes:\n  c: y\n", {"a": "x", "c": "y"}, {}),
    (
        "Says.\n\nArgs:\n  a: x\n\nReturns:\n  score: Good.\n  rows: Many.\n",
        {"a": "x"},
        {"score": "Good.", "rows": "Many."},
    ),
    ("Says.\n\nArgs:\n  a: x\n\nReturns:\n  A number without a name.\n", {"a": "x"}, {}),
    ("Says.\n\nArgs:\n  a: x\n  no colon here\n", {}, {}),
    ("Says.\n\nArgs:\n  a: x\nNot indented: y\n", {"a": "x"}, {}),
    ("Says.\n\nargs:\n  a: x\n", {}, {}),
    ("Says.\n\nArgs: a: x\n", {}, {}),
    ("Says.\n\nArgs:\n\n  a: x\n\n  b: y\n\nExample:\n  f(1)\n", {"a": "x", "b": "y"}, {}),
]


@pytest.mark.parametrize(("text", "inputs", "outputs"), CASES)
def test_sections_describe(text: str, inputs: dict[str, str], outputs: dict[str, str]) -> None:
    assert descriptions(text) == (inputs, outputs)


@given(st.text(st.sampled_from("Args:\n Returns()ab")) | st.text())
def test_any_text_is_read(text: str) -> None:
    descriptions(text)
