"""Text of strangers within a line of Markdown.

Whatever is data stands in a code span. That is the one place where GitHub makes nothing of what it reads: no markup,
no HTML, no link, no reference (`#12`, a commit, a math formula, an emoji), and no mention that would ping a team. Data
is never put outside of code spans with escapes before its letters: mentions and references are looked for in what the
escapes have become.
"""

from __future__ import annotations

import html as markup
import re

from kfgit.render.graph.plain import plain

_TICKS = re.compile("`+")
_QUOTED = re.compile("`([^`]+)`")
# Words of ours, and of strangers what looks like them: letters, numbers and the marks around them.
_LETTERS = r"[^\W\d_]+(?:[-'’][^\W\d_]+)*"
_NUMBER = r"\d{1,5}(?::\d\d){0,2}|\d{4}-\d\d-\d\d"
_WORD = re.compile(rf"{_LETTERS}|{_NUMBER}")
_AROUND = re.compile(r"([(\"'“„]*)(.*?)([)\"'”“.,;:?!…]*)")
_JOINING = frozenset({"–", "→", "·", "…", "×"})
_MARKS = 4
_REFERENCE = re.compile(r"[0-9a-f]{7,}|gh-?|www", re.IGNORECASE)


def code(data: str, limit: int = 100) -> str:
    """Data as a code span on one line, at most so many characters of it; nothing is shown as `""`."""
    shown = plain(" ".join(data[: 4 * limit].split()), limit) or '""'
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    gap = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{fence}{gap}{shown}{gap}{fence}"


def html(data: str, limit: int = 100) -> str:
    """Data as code in a line of HTML, such as a summary, where Markdown is not read."""
    shown = plain(" ".join(data[: 4 * limit].split()), limit) or '""'
    return f"<code>{markup.escape(shown)}</code>"


def prose(sentence: str, limit: int = 700) -> str:
    """A sentence with data in it: what stands between backticks or is no plain word becomes code."""
    kept = plain(" ".join(sentence[: 4 * limit].split()), limit)
    # A sentence between its code spans: texts at even places, what was quoted at odd ones.
    parts = _QUOTED.split(kept)
    shown = ""
    for index, part in enumerate(parts):
        piece = code(part, limit) if index % 2 else _words(part, first=not index)
        # Two code spans that touch would be one.
        shown += f" {piece}" if shown.endswith("`") and piece.startswith("`") else piece
    return shown


def cell(inline: str) -> str:
    """Finished inline Markdown as a cell of a table, where a bar ends the cell also within code."""
    return inline.replace("|", "\\|")


def _words(text: str, *, first: bool) -> str:
    """Plain words as they are, others as code without the marks around them. The first one must not begin a list."""
    return " ".join(_word(word, leading=first and not index) for index, word in enumerate(text.split(" ")))


def _word(word: str, *, leading: bool) -> str:
    before, bare, after = _split(word)
    if not bare or bare in _JOINING:
        return word if len(word) <= _MARKS else code(word)
    plain_ = _WORD.fullmatch(bare) is not None and _REFERENCE.fullmatch(bare) is None
    return word if plain_ and (bare[0].isalpha() or not leading) else f"{before}{code(bare, 700)}{after}"


def _split(word: str) -> tuple[str, str, str]:
    """Marks, what stands between them, and marks."""
    found = _AROUND.fullmatch(word)
    return ("", word, "") if found is None else (found[1], found[2], found[3])
