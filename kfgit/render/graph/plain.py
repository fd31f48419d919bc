"""Text from strangers, made harmless before any format sees it.

Names, conditions and descriptions come from pull requests that nobody has read yet. Control characters could drive a
terminal, bidirectional marks could make a diff read backwards (Unicode TR 36), and neither is legal everywhere in XML.
They are shown as visible escapes, so that a reviewer sees that they are there. Quoting is each format's own affair.
"""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_BLANKS = str.maketrans("\t\n\r", "   ")
_MARKS_IN_A_ROW = 2
# GitHub's runner obeys `##[error]` anywhere in a log (actions/runner, src/Runner.Common/ActionCommand.cs).
_COMMAND = "##["


def plain(text: str, limit: int = 400) -> str:
    """One line of visible characters, at most `limit` of them before escapes are written out."""
    kept = text if len(text) <= limit else text[: limit - 1] + "…"
    shown: list[str] = []
    marks = 0
    for character in kept.translate(_BLANKS):
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MARKS_IN_A_ROW:
            shown.append(_escape(character) if _is_hidden(character) else character)
    return "".join(shown).replace(_COMMAND, f"#{_escape('#')}[")


def _is_hidden(character: str) -> bool:
    code = ord(character)
    noncharacter = (code & 0xFFFE) == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return noncharacter or character in _INVISIBLE_LETTERS or unicodedata.category(character) in _HIDDEN


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
