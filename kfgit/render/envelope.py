"""What every JSON object of the command line begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

API_VERSION = "kfgit.dev/cli/v1"


def envelope(kind: str, **fields: Any) -> dict[str, Any]:
    """An object of the command line's API."""
    return {"apiVersion": API_VERSION, "kind": kind, **fields}


def items(kind: str, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A list."""
    return envelope(f"{kind}List", items=list(found))
