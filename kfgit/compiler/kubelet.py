"""What kubelet expands in commands, arguments and environment values, and how a text survives that.

kubelet reads `$$` as `$`, and `$(NAME)` as a variable of the container where there is one (kubernetes
third_party/forked/golang/expansion/expand.go). It takes everything up to the next `)` for a name and leaves what it
does not know as it was, also a `$$` in there; so `$(mktemp -d)` needs no escape, and `$(echo $$)` must not get one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# In the order of kubelet's reader: `$$`; a `$(` that may name a variable; any other `$( … )`; what begins nothing.
_READ = re.compile(
    r"(?P<pair>\$\$)|(?P<name>\$(?=\([-._a-zA-Z0-9]+\)))|\$\([^)]*\)|(?P<last>\$\Z)|\$.", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value that KFP puts in, some of them before kubelet reads the text (backend/src/v2/driver/util.go)."""

    text: str


def escape(text: str) -> str:
    """The text that kubelet turns into `text`, whatever variables there are."""
    return written((text,))


def written(pieces: Iterable[str | Placeholder]) -> str:
    """Literal pieces and placeholders as one text, of which kubelet leaves the literals as they are."""
    result, literal = "", ""
    for piece in pieces:
        if isinstance(piece, str):
            literal += piece
        else:
            result += _escaped(literal, "$$") + piece.text
            literal = ""
    return result + _escaped(literal, "$")


def _escaped(text: str, last: str) -> str:
    """`last` is what a final `$` becomes: before a value it might begin a reference."""

    def one(match: re.Match[str]) -> str:
        return {"pair": "$$$$", "name": "$$", "last": last}.get(match.lastgroup or "", match.group())

    return _READ.sub(one, text)
