"""What `apply -o json` printed, in one line for people who look at a deployment."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LARGEST = 64 << 20
_DONE = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "adopt": "adopted",
}


def in_short(path: Path) -> str:
    """`3 created, 1 failed; 2 runs SUCCEEDED`; nothing where nobody printed anything."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        try:
            found = json.loads(file.read(_LARGEST))
        except (ValueError, RecursionError):
            return ""
    match found:
        case {"kind": "Apply"}:
            return "; ".join(filter(None, (_changes(found), _runs(found)))) or "nothing to do"
        case {"kind": "Error", "message": str(message)}:
            return message
        case {"kind": "Diagnostics", "summary": {"errors": int(errors)}}:
            return f"{errors} {'error' if errors == 1 else 'errors'} in the source"
        case _:
            return ""


def _changes(found: Mapping[str, Any]) -> str:
    """Those that were done by what was done, and the others by how they ended."""
    words = Counter(
        _DONE.get(str(each.get("action")), str(each.get("action")))
        if each.get("state") == "done"
        else str(each.get("state"))
        for each in _list(found, "results")
    )
    return ", ".join(f"{count} {word}" for word, count in words.items())


def _runs(found: Mapping[str, Any]) -> str:
    states = Counter(str(each.get("state")) for each in _list(found, "runs"))
    return ", ".join(f"{count} {'run' if count == 1 else 'runs'} {state}" for state, count in states.items())


def _list(found: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    listed = found.get(key)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
