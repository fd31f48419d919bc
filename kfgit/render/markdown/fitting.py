"""The fullest page that fits into a comment.

GitHub takes 65,536 characters of Markdown. A page is written at one level of detail after the other, the fullest first,
and given up where it grows too long, so that the largest change costs little more than a few pages of text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kfgit.render.markdown.blocks import alert
from kfgit.render.markdown.inline import code

# Room for a hidden mark in front, and for what another program writes around the page.
LIMIT: Final = 64_000


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of everything is told. `left_out` says what is not.

    `rows` of a table, or names where there is no `table`; `folds`, with `fields` of an object in them, each of at most
    `lines` of `width` characters; `pictures` in the whole page. Without fields a row has only their number.
    """

    left_out: str
    rows: int
    folds: int = 0
    fields: int = 0
    lines: int = 0
    width: int = 0
    pictures: int = 0
    table: bool = True

    def bounded(self, most: int) -> int:
        """How many of something that takes more room than a row."""
        return min(self.rows, most)


LEVELS: Final = (
    Detail("", rows=1000, folds=1000, fields=100, lines=80, width=300, pictures=8),
    Detail("long values", rows=500, folds=500, fields=20, lines=12, width=120, pictures=4),
    Detail("pictures and most values", rows=150, folds=50, fields=10, lines=6, width=100),
    Detail("pictures and all but short values", rows=200, fields=10),
    Detail("what changes in each resource", rows=400),
    Detail("all but the names", rows=500, table=False),
    Detail("all but some of the names", rows=40, table=False),
    Detail("all but the numbers", rows=0, table=False),
)


def fitted(
    write: Callable[[Detail], Iterable[str] | None], levels: Sequence[Detail] = LEVELS, limit: int = LIMIT
) -> str:
    """The first of the levels whose blocks fit; of the last one as many blocks as fit, if even that does not.

    `write` may give None where it sees by itself that a level is too long.
    """
    for level in levels:
        blocks = write(level)
        text = None if blocks is None else within(blocks, limit)
        if text is not None:
            return f"{text}\n"
    return f"{_beginning(write(levels[-1]) or (), limit)}\n"


def shortened(detail: Detail, command: str) -> list[str]:
    """The box that says what is not on the page, and how to see it; none where nothing is missing."""
    if not detail.left_out:
        return []
    told = f"To fit into a comment this leaves out {detail.left_out}. All of it: {code(command, 300)}"
    return [alert("NOTE", [told])]


def within(blocks: Iterable[str], limit: int = LIMIT) -> str | None:
    """The blocks with blank lines between them; None as soon as they are too long."""
    kept: list[str] = []
    size = 1
    for block in blocks:
        size += units(block) + 2
        if size > limit:
            return None
        kept.append(block)
    return "\n\n".join(kept)


def units(text: str) -> int:
    """Its length in UTF-16, which is what the strictest reader may count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _beginning(blocks: Iterable[str], limit: int) -> str:
    kept: list[str] = []
    size = 1
    for block in blocks:
        size += units(block) + 2
        if size > limit:
            break
        kept.append(block)
    return "\n\n".join(kept)
