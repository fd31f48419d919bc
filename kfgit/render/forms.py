"""Which files are in the stable form, and what would change in the others."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kfgit.diagnostics import Diagnostic
from kfgit.render.diagnostics import as_json as diagnostics_as_json
from kfgit.render.envelope import envelope
from kfgit.render.style import Style, clean

# `pending`: would be formatted. `left`: its stable form is not certain, or it could not be written.
State = Literal["formatted", "pending", "unchanged", "foreign", "invalid", "left"]
_STATES: tuple[State, ...] = ("formatted", "pending", "unchanged", "foreign", "invalid", "left")


@dataclass(frozen=True, slots=True)
class Formed:
    """What became of a file."""

    file: str
    state: State
    reason: str | None = None


def as_json(found: Sequence[Formed], diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """Every file with its state."""
    told = diagnostics_as_json(diagnostics, len(found))["diagnostics"]
    counts = Counter(formed.state for formed in found)
    return envelope(
        "Format",
        files=[{"file": f.file, "state": f.state, "reason": f.reason} for f in found],
        diagnostics=told,
        summary={state: counts[state] for state in _STATES},
    )


def summary(found: Sequence[Formed]) -> str:
    """One line about all of it."""
    counts = Counter(formed.state for formed in found)
    words: Mapping[State, str] = {
        "formatted": "formatted",
        "pending": "would be formatted",
        "unchanged": "already in form",
        "invalid": "with mistakes, left alone",
        "left": "left as they are",
    }
    parts = [f"{_files(counts[state])} {text}" for state, text in words.items() if counts[state]]
    return ", ".join(parts) or "no documents of kfgit here"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def difference(file: str, before: bytes, after: bytes, style: Style) -> str:
    """What would change in a file, as a unified diff."""
    lines = difflib.unified_diff(
        before.decode("utf-8", "replace").splitlines(),
        after.decode("utf-8", "replace").splitlines(),
        f"a/{file}",
        f"b/{file}",
        lineterm="",
    )
    return "".join(f"{_painted(clean(line), style)}\n" for line in lines)


def _painted(line: str, style: Style) -> str:
    match line[:1]:
        case "+":
            return style.green(line)
        case "-":
            return style.red(line)
        case "@":
            return style.cyan(line)
        case _:
            return line
