"""Which of all that was found is told: one mistake once, and not what merely follows from another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kfgit.diagnostics import Diagnostic, ordered
from kfgit.source import Span


def without_heads(form: Iterable[Diagnostic], before: Iterable[Diagnostic]) -> list[Diagnostic]:
    """What the schema says, but not again of names, kinds and versions that were told when documents were located."""
    told = {fault.span for fault in before if fault.code in _HEAD}
    return [fault for fault in form if fault.span not in told or not _is_about_head(fault)]


_HEAD = frozenset({"bad-name", "missing-name", "wrong-api-version", "unknown-key"})


def _is_about_head(fault: Diagnostic) -> bool:
    return fault.code != "missing-key" or fault.message.startswith(
        ("`apiVersion`", "`metadata`", "`name`", "`kind`")
    )


def first_of_all(
    viewed: tuple[Diagnostic, ...], form: tuple[Diagnostic, ...], meaning: tuple[Diagnostic, ...]
) -> Iterator[Diagnostic]:
    """A value that one stage finds faulty is judged no further; a patch is judged by its form first."""
    keys = {fault.span for fault in viewed if fault.code == "template-in-key"}
    formless = {fault.span for fault in form if fault.severity == "error"}
    yield from (fault for fault in viewed if fault.code != "patch-failed" or fault.span not in formless)
    yield from (fault for fault in form if fault.span not in keys)
    yield from (fault for fault in meaning if fault.span not in formless)


def without_cascades(faults: Iterable[Diagnostic]) -> list[Diagnostic]:
    """What an error is told of needs no hint that it may be misread as well."""
    found = list(faults)
    errors = {fault.span for fault in found if fault.severity == "error"}
    return [fault for fault in found if fault.code not in _HINTS or fault.span not in errors]


_HINTS = frozenset({"yaml-1.1", "addition-near-base"})


def and_violations(faults: Sequence[Diagnostic], violations: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """An amount that nobody can have meant is held against no quota, and as a quota against nothing."""
    misread = {fault.span for fault in faults if fault.code == "bad-quantity"}
    kept = (each for each in violations if misread.isdisjoint((each.span, *(r.span for r in each.related))))
    return (*faults, *kept)


def in_all(
    before: Iterable[Diagnostic], found: Mapping[str, Iterable[Diagnostic]], *, everywhere: bool
) -> tuple[Diagnostic, ...]:
    """What was found `before` any environment was looked at and in each of them, each told once, in order.

    With `everywhere`, `found` has all environments there are, and `environment` is None where all of them have a
    mistake. One that several environments share may read differently in each, since its values do.
    """
    before = tuple(before)
    known = frozenset(before)
    seen: dict[tuple[str, str, Span], list[tuple[Diagnostic, set[str]]]] = {}
    for environment, faults in found.items():
        for fault in faults:
            if fault in known:  # a package below the sources is read as YAML, too
                continue
            alike = seen.setdefault((fault.code, fault.severity, fault.span), [])
            same = next((where for known, where in alike if known.message == fault.message), None)
            other = next((where for _, where in alike if environment not in where), None)
            if same is not None:
                same.add(environment)
            elif other is not None:
                other.add(environment)
            else:
                alike.append((fault, {environment}))
    told = [
        _said_of(fault, () if everywhere and len(where) == len(found) else [e for e in found if e in where])
        for alike in seen.values()
        for fault, where in alike
    ]
    return ordered(without_cascades([*before, *told]))


def _said_of(fault: Diagnostic, environments: Sequence[str]) -> Diagnostic:
    return fault.in_environment(environments[0] if environments else None, tuple(environments[1:]))
