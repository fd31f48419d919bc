"""How wide a line of text will be, without asking a font.

An SVG is drawn with whatever sans-serif the reader has. The widths below follow DejaVu Sans, the widest of the usual
ones, so that text that fits here fits with Segoe UI, Roboto, Helvetica and Arial too.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_EM: Final = {
    **dict.fromkeys("iljI.,:;'|!", 0.34),
    **dict.fromkeys('ftr()[]/\\- "`', 0.40),
    **dict.fromkeys("csvxyzkJ_*?°", 0.57),
    **dict.fromkeys("mMW%@", 1.0),
    **dict.fromkeys("w=<>+~#&Q", 0.84),
    **dict.fromkeys("ABCDGHKNOPRUVXY", 0.74),
}
_USUAL: Final = 0.64
_BOLD: Final = 1.09


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width in pixels of one line at `size` pixels."""
    em = sum(_em(character) for character in text)
    return em * size * (_BOLD if bold else 1.0)


def fit(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """The text, or as much of it as `width` holds: prose loses its end, a name or path its middle."""
    if text_width(text, size, bold=bold) <= width:
        return text
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(_shortened(text, middle), size, bold=bold) <= width:
            low = middle
        else:
            high = middle - 1
    return _shortened(text, low)


def cells(text: str) -> int:
    """The columns a terminal gives to a line."""
    return sum(_cells(character) for character in text)


def _shortened(text: str, keep: int) -> str:
    """`keep` characters of the text and an ellipsis."""
    if " " in text or keep < 4:
        return text[:keep].rstrip() + "…"
    tail = keep // 2
    return text[: keep - tail] + "…" + text[len(text) - tail :]


def _em(character: str) -> float:
    known = _EM.get(character)
    if known is not None:
        return known
    return (0.0, _USUAL, 1.05)[_cells(character)] if ord(character) < 0x1F000 else 1.4


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
