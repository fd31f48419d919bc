"""Which commit is promoted: the one that was asked for, else what the environment applied last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kfgit.events import ApplyRecord

# Further back nobody looks for a commit that would do.
_MOST = 50


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit that may be promoted, and the applies of it, newest first.

    `applied` is the newest commit that the environment applied it as: another one where the environment is pinned, for
    then what ran there is what the pin names.
    """

    commit: str
    applied: str
    applies: tuple[ApplyRecord, ...] = ()


def candidates(records: Iterable[ApplyRecord], base: Callable[[str], str]) -> Iterator[Candidate]:
    """What an environment applied, newest first. `base` is the commit that documents come from at one of them."""
    found: dict[str, list[ApplyRecord]] = {}
    for record in records:
        if record.verb == "apply" and record.commit is not None:
            found.setdefault(record.commit, []).append(record)
    merged: dict[str, tuple[str, list[ApplyRecord]]] = {}
    for applied, applies in list(found.items())[:_MOST]:
        merged.setdefault(base(applied), (applied, []))[1].extend(applies)
    for commit, (applied, applies) in merged.items():
        newest = sorted(applies, key=lambda each: each.id, reverse=True)
        yield Candidate(commit, applied, tuple(newest))


def chosen(known: Iterable[Candidate], wanted: str | None) -> Candidate | None:
    """The commit that was asked for, be it known or not; without one the newest, None where there is none."""
    if wanted is None:
        return next(iter(known), None)
    for each in known:
        if wanted == each.commit or wanted in {record.commit for record in each.applies}:
            return each
    return Candidate(wanted, wanted)
