"""Whatever the text, the body fits, has its mark first, and closes what it opens."""

from __future__ import annotations

from hypothesis import given, strategies as st

from kfgit.github.bodies import LONGEST, fitted, has_mark, is_key, is_same, marked, title, within

PARTS = st.sampled_from(
    ["text\n", "```yaml\n", "```\n", "````\n", "~~~\n", "<details>\n", "</details>\n", "é😀\n", "x" * 900]
)
TEXTS = st.lists(PARTS, max_size=30).map("".join)


@given(TEXTS, st.integers(400, 9_000))
def test_a_text_fits_and_what_is_cut_is_said(text: str, longest: int) -> None:
    told = fitted(text, longest)
    assert len(told) <= longest
    assert told == text if len(text) <= longest else "The rest is left out" in told


@given(TEXTS, st.integers(0, 9_000))
def test_bytes_are_counted_where_bytes_count(text: str, room: int) -> None:
    told = within(text, room)
    assert len(told.encode()) <= room
    assert told == text or len(text.encode()) > room


@given(TEXTS, st.integers(400, 9_000))
def test_no_fence_stays_open_at_the_remark(text: str, longest: int) -> None:
    told = fitted(text, longest)
    if told != text:
        before = told.split("\n").index("*The rest is left out: it is longer than GitHub takes.*")
        assert _fence(told.split("\n")[:before]) == ""


def _fence(lines: list[str]) -> str:
    """What a fence was opened with that is not closed (CommonMark, 4.5)."""
    open_ = ""
    for line in lines:
        marks = line[: len(line) - len(line.lstrip("`~"))]
        if not open_ and len(marks) >= 3 and len(set(marks)) == 1:
            open_ = marks
        elif open_ and marks == line and marks[:1] == open_[0] and len(marks) >= len(open_):
            open_ = ""
    return open_


@given(st.text(), st.text("ab.", min_size=1, max_size=20))
def test_a_body_is_found_by_its_mark_alone(text: str, key: str) -> None:
    body = marked(key, text) if is_key(key) else ""
    assert not body or (has_mark(body, key) and not has_mark(body, key + "x") and len(body) <= LONGEST)
    assert is_same(body.replace("\n", "\r\n"), body)


def test_no_key_ends_its_mark() -> None:
    assert all(map(is_key, ["diff", "plan-prod", "plan/eu.1_a", "a" * 100]))
    assert not any(map(is_key, ["", "-a", "a--b", "a-->", "a b", "a\n", "é", "a" * 101, "<"]))


def test_a_title_is_one_short_line() -> None:
    assert title(" a\nb\t c ") == "a b c"
    assert len(title("x" * 999)) == 256
