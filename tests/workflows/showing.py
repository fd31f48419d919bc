"""What docs/gitops.md shows as comments and issues is what the stories wrote; `--accept` writes it anew."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.apart import ROOT
from tests.workflows.team import Site

PAGE = ROOT / "docs" / "gitops.md"
_SHOWN = re.compile(r"(?<=<!-- shown: )(\w+)( -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
_VARYING = re.compile(r"\b[0-9a-f]{8,12}\b|\w{3} \d{4}-\d\d-\d\d|\d+ API requests")


def check(texts: Mapping[str, str], sites: Mapping[str, Site], *, accept: bool) -> None:
    """Holds the page to what was really said."""
    page = PAGE.read_text()
    told = {found[1]: found[3] for found in _SHOWN.finditer(page)}
    wanted = {name: _quoted(text, sites) for name, text in texts.items()}
    assert told.keys() == wanted.keys()
    if accept:
        PAGE.write_text(_SHOWN.sub(lambda found: f"{found[1]}{found[2]}{wanted[found[1]]}", page))
        return
    for name, text in wanted.items():
        assert _VARYING.sub("…", told[name]) == _VARYING.sub("…", text), "pytest tests/workflows --accept"


def _quoted(text: str, sites: Mapping[str, Site]) -> str:
    """As a quotation, with addresses that mean something to people, and without the mark that nobody sees."""
    for site in sites.values():
        text = text.replace(site.namespace, f"ml-{site.name}")
        text = text.replace(site.server.url, f"https://kfp.{site.name}.example.com")
    text = re.sub(r"https?://127\.0\.0\.1:\d+", "https://10.0.0.1:6443", text)
    lines = re.sub(r"<!-- .*? -->\n", "", text).strip("\n").splitlines()
    return "".join(f"> {line}".rstrip() + "\n" for line in lines)
