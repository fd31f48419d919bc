"""What is wrong with a user's files, as values.

A stage never raises for a mistake of the user: it returns `Checked`, its result together with everything
it found. Machine faults are exceptions (`MachineFault` and its like); printing is `render`'s business.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from kfgit.source import Span

T = TypeVar("T")

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that explains a diagnostic."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: a stable code, one lower-case sentence, the smallest span, and the way out in `help`.

    `environment` is None when the mistake shows in every environment that was checked.
    """

    code: str
    message: str
    span: Span
    help: str | None = None
    severity: Severity = "error"
    related: tuple[Related, ...] = ()
    environment: str | None = None

    def in_environment(self, name: str | None) -> Diagnostic:
        """The same mistake, said of one environment."""
        return replace(self, environment=name)


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
    """By file and place, equal ones once."""
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda d: (d.span, d.code, d.message, d.environment or "")))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    candidates = sorted(known)
    folded = {c.lower().replace("_", "-"): c for c in candidates}
    exact = folded.get(name.lower().replace("_", "-"))
    if exact is not None and exact != name:
        return exact
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
    candidates = sorted(known)
    close = nearest(name, candidates)
    if close is not None:
        return f"did you mean `{close}`?"
    if not candidates:
        return (
            f"it has no {what.removeprefix('its ')}"
            if what.startswith("its ")
            else f"there are no {what} here"
        )
    shown = ", ".join(f"`{c}`" for c in candidates[:8])
    more = f" and {len(candidates) - 8} more" if len(candidates) > 8 else ""
    return f"{what}: {shown}{more}"
