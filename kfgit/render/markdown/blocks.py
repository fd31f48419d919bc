"""What a page is built of. Each block is text without a line break at its end; blank lines stand between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from kfgit.render.markdown.inline import cell

_TICKS = re.compile("`+")


def page(blocks: Iterable[str]) -> str:
    """Blocks as one text."""
    return "\n\n".join(blocks) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of finished inline Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(cell, row))} |" for row in lines)


def listed(items: Iterable[str]) -> str:
    """A list with dots, of finished inline Markdown."""
    return "\n".join(f"- {item}" for item in items)


def fenced(lines: Iterable[str], language: str = "") -> str:
    """Lines as they are; the fence is longer than whatever stands in them."""
    text = "\n".join(lines)
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def folded(summary: str, blocks: Iterable[str], *, unfolded: bool = False) -> str:
    """Blocks behind a line that opens them; `summary` is finished HTML. Inner folds are closed within."""
    start = "<details open>" if unfolded else "<details>"
    return "\n\n".join([f"{start}<summary>{summary}</summary>", *blocks, "</details>"])


def alert(kind: Literal["NOTE", "WARNING", "CAUTION"], lines: Iterable[str]) -> str:
    """A box in GitHub's and GitLab's colours for notes and dangers; elsewhere a quotation."""
    return "\n".join([f"> [!{kind}]", *(f"> {line}".rstrip() for line in lines)])
