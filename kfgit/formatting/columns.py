"""Comments at the ends of lines: two blanks before them, and neighbours of one depth have theirs in one column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from kfgit.formatting.brackets import WIDTH
from kfgit.formatting.writing import Line

_GAP = "  "
_MARGIN = re.compile(r" *(?:- +)*")


def aligned(lines: Iterable[Line]) -> Iterator[str]:
    """The lines as text."""
    for depth, run in groupby(lines, key=_depth):
        if depth >= 0:
            yield from _aligned(list(run))
        else:
            yield from (line.text for line in run)


def _depth(line: Line) -> int:
    """Where a line with a comment begins, after its dashes; -1 for one without."""
    margin = _MARGIN.match(line.text)
    return margin.end() if line.comment and margin else -1


def _aligned(run: list[Line]) -> Iterator[str]:
    """Unless a line would be too long so that is short enough by itself."""
    widest = max(len(line.text) for line in run)
    pushes = any(
        len(line.text) + len(_GAP) + len(line.comment) <= WIDTH < widest + len(_GAP) + len(line.comment)
        for line in run
    )
    for line in run:
        yield line.text + " " * (0 if pushes else widest - len(line.text)) + _GAP + line.comment
