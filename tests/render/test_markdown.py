"""Laws of Markdown for pull requests: data stays data, and a page has a bound."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html import escape
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.plan import Difference
from kfgit.render.graph.plain import plain
from kfgit.render.markdown import fields, fitting
from kfgit.render.markdown.blocks import alert, fenced, folded, listed, table
from kfgit.render.markdown.inline import code, html, prose
from tests.render.github import OURS, html as github_html, read
from tests.render.hostile_text import HOSTILE, LOUD, QUIET, TEXTS

FULL = fitting.LEVELS[0]
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


def shown(text: str, limit: int = 100) -> str:
    """The text as a code span has it."""
    return plain(" ".join(text[: 4 * limit].split()), limit) or '""'


@given(TEXTS)
def test_a_code_span_is_its_text_and_nothing_else(text: str) -> None:
    page = read(f"before {code(text)} after\n")
    assert (page.elements, page.codes, page.words) == (["p", "code"], [shown(text)], "before  after\n")


@given(TEXTS, TEXTS)
def test_a_code_span_in_a_cell_is_its_text_and_ends_no_cell(one: str, other: str) -> None:
    page = read(table(("a", "b"), [(code(one), code(other))]))
    assert page.elements.count("td") == 2
    assert page.codes == [shown(one), shown(other)]
    assert page.words.split() == ["a", "b"]


@given(TEXTS)
def test_a_summary_is_its_text_and_ends_nothing(text: str) -> None:
    page = read(folded(html(text), ["inside"]))
    assert page.elements == ["details", "summary", "code", "p"]
    assert page.codes == [shown(text)]


@given(st.lists(TEXTS, max_size=6))
def test_nothing_leaves_a_fence(texts: list[str]) -> None:
    lines = [plain(text) for text in texts]
    page = read(folded("x", [fenced(lines, "diff"), "inside"]))
    assert page.elements == ["details", "summary", "pre", "code", "p"]
    assert page.codes[0].rstrip("\n") == "\n".join(lines).rstrip("\n")


@given(TEXTS, TEXTS)
def test_a_sentence_has_its_data_in_code(one: str, other: str) -> None:
    """Whatever a message quotes, or forgets to quote."""
    for sentence in (f"there is no `{one}` in {other}", one, f"{one} `{other}", f"`{one}``{other}`"):
        for page in (read(f"- {prose(sentence)}\n"), read(table(("x",), [(prose(sentence),)]))):
            assert set(page.elements) <= OURS
            assert QUIET.fullmatch(page.words)
            assert not LOUD.search(page.words)


def test_a_sentence_reads_as_it_was_written() -> None:
    sentence = "the input `min_rows` is int, but `$(inputs.name)` is string (at 02:00 UTC, from 2026-11-23)"
    assert prose(sentence) == sentence
    assert prose("see https://example.com/x, @team.") == "see `https://example.com/x`, `@team`."
    assert prose("commit 9f8e7d6c5b (main)") == "commit `9f8e7d6c5b` (main)"
    assert prose("1. one") == "`1`. one"


def test_a_sentence_has_an_end() -> None:
    assert len(prose("word " * 10_000, 300)) <= 300
    assert len(code("x" * 10_000)) == 102


@given(st.lists(st.builds(Difference, TEXTS, VALUES, VALUES), min_size=1, max_size=5))
def test_fields_stay_in_their_block(found: list[Difference]) -> None:
    for detail in fitting.LEVELS[:3]:
        page = read(folded("x", [fields.changes([(each.path, each) for each in found], detail), "inside"]))
        assert page.elements == ["details", "summary", "pre", "code", "p"]
        lines = page.codes[0].splitlines()
        assert all(line[:2] in {"@@", "+ ", "- ", "  "} or line in {"+", "-", ""} for line in lines)


@given(TEXTS, VALUES, VALUES)
def test_a_field_in_a_row_is_short_and_stays_there(path: str, before: Any, after: Any) -> None:
    told = fields.inline(Difference(path, before, after))
    if told is None:
        return
    page = read(table(("x",), [(told,)]))
    assert page.elements.count("td") == 1
    assert set(page.elements) <= OURS
    assert QUIET.fullmatch(page.words)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (1, 2, ["- 1", "+ 2"]),
        (None, "x", ["+ x"]),
        ("", "x", ['- ""', "+ x"]),
        (1, "1", ["- 1", '+ "1"']),
        ("a\n", "a", ['- "a\\n"', '+ "a"']),
        ("a\nb\nc\n", "a\nB\nc\n", ["  a", "- b", "+ B", "  c"]),
        ("(hidden)", "(hidden)", ["- (hidden)", "+ (hidden)"]),
        (["a"], ["a", "b"], ['- ["a"]', '+ ["a", "b"]']),
    ],
)
def test_values_before_and_after(before: Any, after: Any, lines: list[str]) -> None:
    told = fields.changes([("spec.x", Difference("spec.x", before, after))], FULL)
    assert told.splitlines() == ["```diff", "@@ spec.x @@", *lines, "```"]


def test_nested_values_are_compared_line_by_line() -> None:
    one = {"resources": {"cpu": 1, "memory": "4Gi", "accelerator": "nvidia.com/gpu"}, "labels": ["a" * 30]}
    other = json.loads(json.dumps(one).replace("4Gi", "8Gi"))
    told = fields.changes([("spec", Difference("spec", one, other))], FULL).splitlines()
    assert "-   memory: 4Gi" in told
    assert "+   memory: 8Gi" in told
    assert "    cpu: 1" in told


def test_no_line_is_a_command_of_a_workflow() -> None:
    """GitHub's runner obeys `::error::` at the beginning of a line, behind blanks too, and `##[error]` anywhere."""
    texts = ("::error::x\n##[error]x\na", "::error::x\n##[error]x\nb")
    told = fields.changes([("x", Difference("x", *texts))], FULL)
    assert not re.search(r"^\s*::\w|##\[", told, re.MULTILINE)


def test_what_is_far_apart_in_a_text_is_shown_without_what_lies_between() -> None:
    one = [f"line {number}" for number in range(50)]
    other = [*one[:10], "new", *one[10:40], "newer", *one[40:]]
    told = fields.changes([("x", Difference("x", "\n".join(one), "\n".join(other)))], FULL).splitlines()
    near = ["  line 8", "  line 9", "+ new", "  line 10", "  line 11"]
    far = ["  line 38", "  line 39", "+ newer", "  line 40", "  line 41"]
    assert told[2:-1] == ["  ⋮", *near, "  ⋮", *far, "  ⋮"]


def test_a_small_change_of_a_long_text_is_found() -> None:
    one = [f"line {number}" for number in range(5000)]
    other = [*one[:4000], "new", *one[4001:]]
    told = fields.changes([("x", Difference("x", "\n".join(one), "\n".join(other)))], FULL).splitlines()
    around = ["  line 3998", "  line 3999", "- line 4000", "+ new", "  line 4001", "  line 4002"]
    assert told[2:-1] == ["  ⋮", *around, "  ⋮"]


@given(st.lists(st.sampled_from("abc"), min_size=2), st.lists(st.sampled_from("abc"), min_size=2))
def test_a_comparison_of_lines_has_each_line_that_came_or_went(one: list[str], other: list[str]) -> None:
    told = fields.changes(
        [("x", Difference("x", "\n".join(one), "\n".join(other)))], replace(FULL, lines=10_000)
    )
    lines = told.splitlines()[2:-1]
    went = Counter(line[2:] for line in lines if line.startswith("- "))
    came = Counter(line[2:] for line in lines if line.startswith("+ "))
    if one != other:
        assert Counter(one) - went + came == Counter(other)
        assert sum(went.values()) - sum(came.values()) == len(one) - len(other)


def test_very_long_texts_are_not_taken_apart() -> None:
    told = fields.changes([("x", Difference("x", "y\n" * 500_000, "z"))], FULL).splitlines()
    assert told[-3:-1] == ["- … 1000000 characters", "+ z"]


def test_long_values_are_cut_and_say_so() -> None:
    detail = replace(FULL, fields=1, lines=3, width=10)
    values = Difference("x", None, "\n".join(["y" * 50] * 9))
    told = fields.changes([("x", values), ("z", values)], detail).splitlines()
    assert told[2:-1] == [*["+ yyyyyyy…"] * 3, "  … 6 more lines", "@@ 1 more field, not shown here @@"]


@given(st.lists(st.integers(0, 400), max_size=30), st.integers(50, 2000))
def test_a_page_is_the_fullest_that_fits(sizes: list[int], limit: int) -> None:
    def write(detail: fitting.Detail) -> list[str]:
        return ["🙂" * (size * detail.width // 300) for size in sizes]

    text = fitting.fitted(write, limit=limit)
    assert fitting.units(text) <= limit
    fitting_levels = [level for level in fitting.LEVELS if fitting.within(write(level), limit) is not None]
    if fitting_levels:
        assert text == "\n\n".join(write(fitting_levels[0])) + "\n"


def test_blocks() -> None:
    assert listed(["a", "b"]) == "- a\n- b"
    assert alert("NOTE", ["a", "", "b"]) == "> [!NOTE]\n> a\n>\n> b"
    assert fenced(["```"]) == "````\n```\n````"


def test_the_hostile_texts_are_hostile() -> None:
    """As they stand, most of them become something."""
    loud = [text for text in HOSTILE if LOUD.search(text) or github_html(text) != f"<p>{escape(text)}</p>\n"]
    assert len(loud) > len(HOSTILE) * 3 // 4
