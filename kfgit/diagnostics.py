"""What is wrong with a user's files, as values.

A stage never raises for a mistake of the user: it returns `Checked`, its result together with everything
it found. Machine faults are exceptions (`MachineFault` and its like); printing is `render`'s business.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Generic, Literal, TypeVar

from kfgit.source import Span

T = TypeVar("T")

Severity = Literal["error", "warning"]

# Nobody reads further: of a file with more mistakes, or a longer sentence, only the beginning is told.
MAX_PER_FILE = 500
_MAX_TEXT = 600
_MAX_NAME = 100
_MAX_KNOWN = 400
_COMPARED = 50


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that explains a diagnostic."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: a stable code, one lower-case sentence, the smallest span, and the way out in `help`.

    `environment` is None when the mistake shows in every environment that was checked; `also` are the others that have
    it, where some have not.
    """

    code: str
    message: str
    span: Span
    help: str | None = None
    severity: Severity = "error"
    related: tuple[Related, ...] = ()
    environment: str | None = None
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.message) > _MAX_TEXT:
            object.__setattr__(self, "message", f"{self.message[: _MAX_TEXT - 1]}…")
        if self.help is not None and len(self.help) > _MAX_TEXT:
            object.__setattr__(self, "help", f"{self.help[: _MAX_TEXT - 1]}…")

    @property
    def environments(self) -> tuple[str, ...]:
        """Where it shows; nothing where that is everywhere."""
        return (self.environment, *self.also) if self.environment is not None else ()

    def in_environment(self, name: str | None, also: tuple[str, ...] = ()) -> Diagnostic:
        """The same mistake, said of one environment, or of several."""
        return replace(self, environment=name, also=also)


@dataclass(frozen=True, slots=True)
class Checked(Generic[T]):
    """The result of a stage and all that it found wrong."""

    value: T
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def ok(self) -> bool:
        """No errors; warnings do not count."""
        return not has_errors(self.diagnostics)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of the diagnostics is an error."""
    return any(d.severity == "error" for d in diagnostics)


def ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """By file and place, equal ones once, and not more of one file than anybody reads."""
    found = sorted(dict.fromkeys(diagnostics), key=_place)
    if len(found) <= MAX_PER_FILE:
        return tuple(found)
    files = [list(group) for _, group in groupby(found, key=lambda d: d.span.file)]
    return tuple(d for group in files for d in _readable(group))


def _place(diagnostic: Diagnostic) -> tuple[Span, str, str, str]:
    return diagnostic.span, diagnostic.code, diagnostic.message, diagnostic.environment or ""


def _readable(found: list[Diagnostic]) -> list[Diagnostic]:
    """The mistakes of one file, in order: errors before warnings where they are too many to tell."""
    kept = sorted((d for d in found if d.code != _MORE), key=lambda d: d.severity != "error")
    if len(kept) <= MAX_PER_FILE:
        return sorted([*kept, *[d for d in found if d.code == _MORE][:1]], key=_place)
    left = kept[MAX_PER_FILE]
    is_error = any(d.severity == "error" for d in found if d.code == _MORE)
    return sorted(
        [*kept[:MAX_PER_FILE], untold(left.span, "error" if is_error else left.severity)], key=_place
    )


def untold(span: Span, severity: Severity = "error") -> Diagnostic:
    """Stands for mistakes of a file that has more than anybody reads."""
    message = f"more than {MAX_PER_FILE} mistakes in this file; the others are not told"
    return Diagnostic(_MORE, message, span, "mend the ones that are told first", severity)


_MORE = "too-many-mistakes"


# What is left for looking up what was meant; None is no bound.
_LEFT: ContextVar[list[int] | None] = ContextVar("names left to look at", default=None)


@contextmanager
def bounded_help(names: int = 4_000_000) -> Iterator[None]:
    """Within it, names are looked at so often and no more: then mistakes are told without what was meant."""
    token = _LEFT.set([names])
    try:
        yield
    finally:
        _LEFT.reset(token)


def _affordable(cost: int) -> bool:
    left = _LEFT.get()
    if left is not None:
        left[0] -= cost
    return left is None or left[0] >= 0


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be.

    Among very many only those that begin alike are looked at, and nobody mistypes a name that is a page long.
    """
    if len(name) > _MAX_NAME or not _affordable(0):
        return None
    candidates = [k for k in known if len(k) <= _MAX_NAME]
    if len(candidates) > _MAX_KNOWN:
        _affordable(2 * len(candidates))
        start = name[:2].lower()
        candidates = [k for k in candidates if k[:2].lower() == start]
    candidates = sorted(candidates)[:_MAX_KNOWN]
    if not _affordable(_COMPARED * len(candidates)):
        return None
    folded = {c.lower().replace("_", "-"): c for c in candidates}
    exact = folded.get(name.lower().replace("_", "-"))
    if exact is not None and exact != name:
        return exact
    import difflib  # noqa: PLC0415 - needed only where something is wrong

    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    return close[0] if close else None


def is_typo(one: str, other: str) -> bool:
    """At most one letter added, dropped, changed or swapped with the next."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def did_you_mean(name: str, known: Iterable[str], *, what: str = "known names") -> str:
    """The help for an unknown name: the nearest known one, else the list of them."""
    if not _affordable(0):
        return "look for its name where it is defined"
    candidates = list(known)
    close = nearest(name, candidates)
    if close is not None:
        return f"did you mean `{close}`?"
    if not candidates:
        return (
            f"it has no {what.removeprefix('its ')}"
            if what.startswith("its ")
            else f"there are no {what} here"
        )
    shown = ", ".join(f"`{c}`" for c in heapq.nsmallest(8, candidates))
    more = f" and {len(candidates) - 8} more" if len(candidates) > 8 else ""
    return f"{what}: {shown}{more}"
