"""Past applies as the inventory keeps them: so many of them, and of their runs as many as there is room for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from kfgit.backends.cluster.records.inventory import Journal
from kfgit.events import AppliedRun, ApplyRecord, State

HISTORY = 50
# Of so many runs it is kept how they came out; those of older applies are only counted.
MAX_RUNS = 2000


def shortened(history: Sequence[ApplyRecord]) -> tuple[ApplyRecord, ...]:
    """The newest applies, with as many of their runs as there is room for: all of an apply's, or none."""
    left, kept = MAX_RUNS, list[ApplyRecord]()
    for record in history[:HISTORY]:
        left -= len(record.runs)
        if left >= 0:
            kept.append(record)
        else:
            kept.append(replace(record, runs=(), unlisted=len(record.runs) or record.unlisted))
    return tuple(kept)


def with_states(runs: Iterable[AppliedRun], states: Mapping[str, State]) -> tuple[AppliedRun, ...]:
    """Runs with what is known of how they ended, by their ids."""
    return tuple(replace(run, state=states.get(run.id) or run.state) for run in runs)


def known_states(history: Sequence[ApplyRecord]) -> Mapping[str, State]:
    """How runs ended, as far as past applies know it."""
    return {run.id: run.state for record in reversed(history) for run in record.runs if run.state is not None}


def ended(project: str, journal: Journal, at: datetime | None, result: Mapping[str, int]) -> ApplyRecord:
    """The record of the apply in a journal; `at` is when it came to its end."""
    return ApplyRecord(
        journal.number,
        project,
        journal.commit,
        journal.digest,
        journal.who,
        journal.started_at,
        at,
        result,
        journal.branch,
        verb=journal.verb,
    )


def cut_off(project: str, journal: Journal) -> ApplyRecord:
    """The record of an apply that never came to its end."""
    return ended(project, journal, None, {})


def encoded(record: ApplyRecord) -> dict[str, Any]:
    """A past apply as JSON."""
    finished = record.finished_at.isoformat() if record.finished_at else None
    return {**asdict(record), "started_at": record.started_at.isoformat(), "finished_at": finished}


def decoded(told: Mapping[str, Any]) -> ApplyRecord:
    """What `encoded` wrote, or an older kfgit. Raises `ValueError` and its like for what is none of it."""
    finished = told["finished_at"]
    return ApplyRecord(
        **{
            **told,
            "started_at": time(told["started_at"]),
            "finished_at": None if finished is None else time(finished),
            "result": dict(told["result"]),
            "changes": dict(told.get("changes", {})),
            "runs": tuple(AppliedRun(**run) for run in told.get("runs", ())),
        }
    )


def time(text: str) -> datetime:
    """A time that says which one it is."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at
