"""Names of documents for objects whose own names are none: made up, and always the same ones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z", re.ASCII)
_OTHER = re.compile(r"[^a-z0-9]+", re.ASCII)
_LONGEST = 63


def is_name(text: str) -> bool:
    """Whether a document can be called so."""
    return _NAME.match(text) is not None


def made_up(text: str, kind: str) -> str:
    """A name as near to a text as names can be."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _OTHER.sub("-", plain).strip("-")[:_LONGEST].strip("-") or kind.lower()


class Names:
    """The names of one kind of documents, each given away once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def free(self, text: str, kind: str) -> str:
        """The name for a text: with a number where another has it."""
        name = stem = text if is_name(text) else made_up(text, kind)
        number = 2
        while name in self._taken:
            tail = f"-{number}"
            name = stem[: _LONGEST - len(tail)].rstrip("-") + tail
            number += 1
        self._taken.add(name)
        return name
