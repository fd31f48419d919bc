"""The profiles of a pipeline's tasks as targets keep them for the next plan: plain values, read with care."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kfgit.ir import Use

# What `LiveObject.detail` calls them.
USES = "uses"


def written(uses: Sequence[Use]) -> list[dict[str, Any]]:
    """What is kept; equal uses give equal values."""
    return [
        {
            "name": use.name,
            "profile": use.profile,
            "settings": dict(use.settings),
            "tasks": {digest: list(paths) for digest, paths in use.tasks.items()},
        }
        for use in uses
    ]


def read(kept: object) -> tuple[Use, ...]:
    """The uses in what was kept; none where nothing was, and without those that nobody can read."""
    return tuple(use for each in kept if (use := _use(each)) is not None) if isinstance(kept, list) else ()


def _use(kept: object) -> Use | None:
    match kept:
        case {"name": str(name), "profile": str(profile), "settings": dict(settings), "tasks": dict(tasks)}:
            paths = {str(key): tuple(map(str, each)) for key, each in tasks.items() if isinstance(each, list)}
            return Use(name, profile, _texts(settings), paths)
        case _:
            return None


def _texts(settings: Mapping[Any, Any]) -> dict[str, str]:
    return {str(path): text for path, text in settings.items() if isinstance(text, str)}
