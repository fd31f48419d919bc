"""Markdown in which nothing of a stranger is markup, a link, a picture or a mention, as GitHub draws it."""

from __future__ import annotations

import re

import cmarkgfm
from cmarkgfm.cmark import Options

# What GitHub takes, less the mark of a comment.
LONGEST = 65_536 - 1_000
ELEMENTS = frozenset(
    "blockquote br code del details div em h1 h2 h3 h4 hr li ol p pre span strong sub summary sup table tbody td "
    "th thead tr ul".split()
)


def is_tame_markdown(text: str) -> None:
    assert len(text) <= LONGEST
    drawn = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    assert set(re.findall(r"<([a-z0-9]+)", drawn)) <= ELEMENTS
    assert drawn.count("<details") == drawn.count("</details>")
    plain = re.sub(r"<(pre|code)\b.*?</\1>", "", drawn, flags=re.DOTALL)
    assert "<!--" not in plain
    assert not re.search(r"@[a-z]|(^|\s)#\d|https?:|\$\$", plain), plain
