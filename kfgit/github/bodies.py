"""What stands in a comment, an issue or a pull request: a mark that says whose it is, and a text that fits. Pure."""

from __future__ import annotations

import re

# GitHub counts characters (it answers "is too long (maximum is 65536 characters)").
LONGEST = 65_536
LONGEST_TITLE = 256
_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/]|-(?!-)){0,99}\Z")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LEFT_OUT = "\n\n*The rest is left out: it is longer than GitHub takes.*\n"


def is_key(key: str) -> bool:
    """Whether a mark can be made of it: letters, digits, `.`, `_`, `/` and single `-`, at most 100."""
    return _KEY.match(key) is not None


def marked(key: str, text: str) -> str:
    """A body with its mark, which nobody sees, cut where it is too long."""
    mark = _mark(key)
    return f"{mark}\n{fitted(text, LONGEST - len(mark) - 1)}"


def has_mark(body: object, key: str) -> bool:
    """Whether a body is the one with that key."""
    return isinstance(body, str) and body.startswith(f"{_mark(key)}")


def is_same(body: object, wanted: str) -> bool:
    """Whether GitHub has that body already; it may have changed line ends, and what stands at the end."""
    return isinstance(body, str) and body.replace("\r\n", "\n").rstrip() == wanted.rstrip()


def fitted(text: str, longest: int = LONGEST) -> str:
    """The text, or its first whole lines with a remark; fences and details that are open then are closed."""
    clean = text.replace("\r\n", "\n").replace("\0", "\ufffd")
    if len(clean) <= longest:
        return clean
    room = longest - len(_LEFT_OUT) - 200  # for what closes
    kept = clean[: max(room, 0)].rpartition("\n")[0]
    return (kept + _closing(kept) + _LEFT_OUT)[:longest]


def within(text: str, room: int) -> str:
    """The text in at most so many bytes of UTF-8; nothing where there is no room for a remark."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= room:
        return text
    return fitted(text, len(encoded[:room].decode(errors="ignore"))) if room > 4 * len(_LEFT_OUT) else ""


def title(text: str) -> str:
    """A title on one line that GitHub takes."""
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST_TITLE else flat[: LONGEST_TITLE - 1] + "…"


def _mark(key: str) -> str:
    return f"<!-- kfgit:{key} -->"


def _closing(text: str) -> str:
    """What closes the fence and the details that a text leaves open."""
    fence, details = "", 0
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if fence:
            closes = (
                found and found[1][0] == fence[0] and len(found[1]) >= len(fence) and line.strip() == found[1]
            )
            fence = "" if closes else fence
        elif found:
            fence = found[1]
        else:
            details += line.count("<details") - line.count("</details>")
    ends = "\n\n</details>" * min(max(details, 0), 8)
    return (f"\n{fence[:40]}" if fence else "") + ends
