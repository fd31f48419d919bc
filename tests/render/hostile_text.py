"""Texts that try to become more than text in a comment on a pull request."""

from __future__ import annotations

import re

from hypothesis import strategies as st

HOSTILE = (
    "</details>",
    "</summary></details><h1>x</h1>",
    "@kubeflow/team",
    "cc @octocat",
    "#123",
    "fixes kubeflow/pipelines#1",
    "GH-12",
    "![beacon](https://example.com/p.png)",
    "<img src=x onerror=alert(1)>",
    "[link](https://example.com)",
    "https://example.com/?a=b",
    "www.example.com",
    "someone@example.com",
    "```",
    "````\n```diff\n+ x",
    "`a``b`c",
    "a | b \\| c \\\\| d",
    "| x |\n|---|\n| y |",
    "**bold** _it_ ~~gone~~",
    ":tada: $\\sqrt{x}$ $$x$$",
    "<!-- kfgit:diff -->",
    "- [ ] task",
    "1. one",
    "# head\n\n## head",
    "> [!CAUTION]\n> x",
    "[^1]: note",
    "&lt;b&gt; &#64;team &commat;team",
    "a\x1b[2Jb\x00c\x07",
    "\u202egpj.exe\u2066",
    "\u200b@\u200bteam",
    "0123456789abcdef0123456789abcdef01234567",
    "deadbeef",
    '%%{init: {}}%%\nclick a href "javascript:alert(1)"',
    "end\n---\n===",
    "    indented",
    "<details><summary>x</summary>",
    "<script>alert(1)</script>",
    "</code></pre>",
    "javascript:alert(1)",
    "mailto:a@b.co",
    "\\`x\\`",
    "",
    " ",
    "\n",
    "清洗数据 عربى 🙂",
    "\ud800",
)
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=4).map(" ".join),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=3).map("".join),
    st.text(max_size=40),
    st.text("`|\\<>@#*_[]()!~$&:/.-+= \nab1", max_size=30),
)

# What may stand outside of code: letters, numbers, blanks and marks that begin nothing.
QUIET = re.compile(r"[\w\s.,;:!?()'\"’“”„–→·…×⋮+-]*")
# What GitHub would turn into a mention, a reference, an emoji, a formula or a link, had it not been code.
LOUD = re.compile(r"@\w|#\d|\bGH-\d|:[\w+-]+:|\$|://|\bwww\.|\b[0-9a-f]{7,40}\b", re.IGNORECASE)
