"""Values and names as messages show them."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from kfgit.diagnostics import nearest
from kfgit.document import core_value
from kfgit.schema.bundles import Schema

SHORT = 40
_PLAIN = re.compile(r"(?!- )[A-Za-z0-9_./$(<-]([A-Za-z0-9_./$()<>=@+ -]|:(?! ))*(?<![: ])\Z")


def close(word: str, known: Iterable[str]) -> str | None:
    """The known word that was meant: the one that this begins, else the nearest."""
    begun = [name for name in known if len(word) > 1 and name.lower().startswith(word.lower())]
    return begun[0] if len(begun) == 1 else nearest(word, known)


def found(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "null"
    for type_, name in ((bool, "a boolean"), (str, "a string"), (dict, "a map"), (list, "a list")):
        if isinstance(value, type_):
            return name
    if isinstance(value, int):
        return "a number"
    return f"the number {value}" if math.isfinite(value) else "infinity or NaN"


def mended(name: str, schema: Schema) -> str | None:
    """A name made legal, where the schema says how."""
    name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    match schema.get("x-kfgit-fix"):
        case "name":
            mended = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-")
        case "identifier":
            mended = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
            mended = f"_{mended}" if mended[:1].isdigit() else mended
        case "bytes":
            mended = _in_bytes(name)
        case _:
            return None
    return f"write `{mended}`" if mended else None


def _in_bytes(text: str) -> str:
    """An amount as people write it, `32gb`, as Kubernetes does; nothing where it is none."""
    match = re.fullmatch(r"\s*(\d+)\s*([kmgtpe])i?(b|bytes?)?\s*", text, re.IGNORECASE | re.ASCII)
    return f"{match.group(1)}{match.group(2).upper()}i" if match is not None else ""


def joined(names: Iterable[str], word: str) -> str:
    """Names as a list in a sentence."""
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} {word} {last}" if first else last


def short(text: str) -> str:
    """A text cut to fit into a sentence."""
    line = text.partition("\n")[0]
    return line if line == text and len(line) <= SHORT else f"{line[: SHORT - 1]}…"


def flow(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, str) and _PLAIN.match(value) and core_value(value) is value:
        return value
    return json.dumps(value, ensure_ascii=False)
