"""What the tests of the documentation read out of Markdown: fences, links, headings and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Written by hand; `docs/diagnostics.md` is made from the program and has its own test.
PAGES = (
    ROOT / "README.md",
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "diagnostics.md"),
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code; `section` is the heading of level two (or one) that it stands under."""

    page: Path
    line: int
    language: str
    text: str
    section: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def fences(page: Path) -> Iterator[Fence]:
    text = page.read_text()
    for found in _FENCE.finditer(text):
        yield Fence(
            page, text.count("\n", 0, found.start()) + 2, found[1], found[2], _section(text, found.start())
        )


def prose(page: Path) -> str:
    """The page without its fences, the lines kept."""
    return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), page.read_text())


def headings(page: Path) -> list[tuple[int, str]]:
    return [(len(found[1]), found[2]) for found in _HEADING.finditer(prose(page))]


def slug(heading: str) -> str:
    """The anchor that a forge makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections(page: Path, level: int) -> dict[str, str]:
    """The text below each heading of a level, up to the next heading of that level or above."""
    text = page.read_text()
    found: dict[str, str] = {}
    plain = _FENCE.sub(lambda fence: re.sub(r"[^\n]", "x", fence[0]), text)
    marks = [m for m in _HEADING.finditer(plain) if len(m[1]) <= level]
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        if len(mark[1]) == level:
            found[mark[2]] = text[mark.end() : after.start() if after else len(text)]
    return found


def _section(text: str, position: int) -> str:
    plain = _FENCE.sub(lambda fence: re.sub(r"[^\n]", "x", fence[0]), text)
    before = [m[2] for m in _HEADING.finditer(plain) if len(m[1]) <= 2 and m.start() < position]
    return before[-1] if before else ""
