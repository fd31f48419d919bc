"""How GitHub reads Markdown: its own parser, and what it then looks for in the text that is no code."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

VOID = {"br", "hr", "img", "input"}
# What our pages are made of. Nothing of it loads, links or runs anything.
OURS = set(
    "h3 h4 p ul li table thead tbody tr th td code pre strong sub br details summary blockquote".split()
)


@dataclass
class Page:
    """What a page has become: its elements in order, its text within code and without, and what stands open."""

    elements: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str | None]] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    words: str = ""
    opened: list[str] = field(default_factory=list)

    @property
    def skeleton(self) -> list[str]:
        """The elements without the code spans, of which prose has as many as its words want."""
        return [name for name in self.elements if name != "code"]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.elements.append(tag)
        self.page.attributes += attrs
        if tag == "code":
            self.page.codes.append("")
        if tag not in VOID:
            self.page.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.page.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        if "code" in self.page.opened:
            self.page.codes[-1] += data
        else:
            self.page.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")


def read(markdown: str) -> Page:
    """The page, with HTML left as it is: GitHub lets much of it through."""
    reader = _Reader()
    reader.feed(html(markdown))
    reader.close()
    assert reader.page.opened == []
    return reader.page


def html(markdown: str) -> str:
    """What GitHub's parser makes of it."""
    written = markdown.encode("utf-8", "replace").decode()
    return str(cmarkgfm.github_flavored_markdown_to_html(written, Options.CMARK_OPT_UNSAFE))
