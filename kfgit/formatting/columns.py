"""Comments at the ends of lines: two blanks before them, and neighbours of one depth have theirs in one column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from kfgit.formatting.brackets import WIDTH
from kfgit.formatting.writing import Line

_GAP = "  "
# Beyond so many blanks nobody sees what a comment belongs to.
_WIDEST_GAP = 40
_MARGIN = re.compile(r" *(?:- +)*")


def aligned(lines: Iterable[Line]) -> Iterator[str]:
    """The lines as text."""
    for depth, run in groupby(lines, key=_depth):
        if depth >= 0:
            for neighbours in _alike(run):
                yield from _aligned(neighbours)
        else:
            yield from (line.text for line in run)


def _alike(run: Iterable[Line]) -> Iterator[list[Line]]:
    """Neighbours, as long as none of them is much longer than another."""
    found: list[Line] = []
    shortest = longest = 0
    for line in run:
        length = len(line.text)
        shortest, longest = (min(shortest, length), max(longest, length)) if found else (length, length)
        if longest - shortest > _WIDEST_GAP:
            yield found
            found, shortest, longest = [], length, length
        found.append(line)
    yield found


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
