"""What a commit must have done in one environment before it may go to the next: applied, run green, for how long.

Pure: the records of past applies and how runs stand are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, get_args

from kfgit.events import FINAL, AppliedRun, ApplyRecord, State
from kfgit.render.style import every

Level = Literal["applied", "green", "all"]
LEVELS: tuple[Level, ...] = get_args(Level)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is required: a level, single pipelines beside it, and for how long the commit must have been green."""

    level: Level = "green"
    pipelines: tuple[str, ...] = ()
    soak: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that is required; `why` is a sentence about how it stands, also where it is `met`."""

    name: str
    met: bool
    why: str


@dataclass(frozen=True, slots=True)
class Stand:
    """How a run stands; None where nobody knows."""

    state: State | None
    finished_at: datetime | None = None


# How a run stands by now; asked for only where the record does not say.
Look: TypeAlias = Callable[[AppliedRun], Stand]


@dataclass(frozen=True, slots=True)
class Proof:
    """A pipeline that the next environment gets, and the run of the same package that succeeded; None for none.

    `digest` is what the commit compiles to in the environment where it ran, None where that has no such pipeline.
    """

    pipeline: str
    digest: str | None
    run: str | None


Proofs: TypeAlias = Callable[[], Sequence[Proof]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a commit in an environment: its applies, newest first, and the ways to know more.

    `applied` is the commit that the environment applied, which is another where it is pinned.
    """

    environment: str
    applied: str
    applies: tuple[ApplyRecord, ...]
    look: Look
    proofs: Proofs


def check(found: Evidence, wanted: Wanted, now: datetime) -> tuple[Requirement, ...]:
    """All that is required, each with how it stands. What builds on something unmet is not looked at."""
    applied, record = _applied(found)
    told = [applied]
    stands: Mapping[AppliedRun, Stand] = {}
    if record is not None and wanted.level != "applied":
        stands = {run: found.look(run) for run in record.runs}
        told.append(_green(found, record, stands))
    if record is not None and wanted.soak and all(each.met for each in told):
        stands = stands or {run: found.look(run) for run in record.runs}
        told.append(_soaked(record, stands, wanted.soak, now))
    if record is not None and (wanted.level == "all" or wanted.pipelines):
        told += _proven(found, wanted)
    return tuple(told)


def _applied(found: Evidence) -> tuple[Requirement, ApplyRecord | None]:
    """Whether it was applied without a failure, and the newest time that it was."""
    good = next((each for each in found.applies if each.applied is not None and not each.folder), None)
    if good is not None:
        return Requirement("applied", met=True, why=f"apply {good.id} in {found.environment}"), good
    again = f"kfgit apply -e {found.environment} --rev {found.applied[:10]}"
    return Requirement("applied", met=False, why=f"{_unapplied(found)}: {again}"), None


def _unapplied(found: Evidence) -> str:
    if not found.applies:
        return f"{found.environment} has not applied commit {found.applied[:10]}, as far as its history goes"
    last = found.applies[0]
    what = f"apply {last.id} of it in {found.environment}"
    if last.finished_at is None:
        return f"{what} is not over yet, or was cut off"
    if last.applied is not None:
        return f"{what} was of a folder, which may have differed from the commit"
    counts = [f"{last.result[state]} {state}" for state in ("failed", "skipped") if last.result.get(state)]
    return f"{what} ended with {', '.join(counts)}"


def _green(found: Evidence, record: ApplyRecord, stands: Mapping[AppliedRun, Stand]) -> Requirement:
    bad = [
        f"{_run(run)} {_word(found, run, stand)}"
        for run, stand in stands.items()
        if stand.state != "SUCCEEDED"
    ]
    if record.unlisted:
        bad.append(f"{record.unlisted} more runs are not in the history, so nobody knows how they ended")
    if bad:
        more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        return Requirement("green", met=False, why="; ".join(bad[:_SHOWN]) + more)
    names = ", ".join(_run(run) for run in list(stands)[:_SHOWN])
    more = f" and {len(stands) - _SHOWN} more" if len(stands) > _SHOWN else ""
    return Requirement("green", met=True, why=f"{names}{more} succeeded" if stands else "it wanted no runs")


def _run(run: AppliedRun) -> str:
    return f"run/{run.name} of {run.pipeline}"


def _word(found: Evidence, run: AppliedRun, stand: Stand) -> str:
    shown = f"kfgit runs show {run.id[:8]} -e {found.environment}"
    if not run.id:
        return f"was not started: kfgit apply -e {found.environment} --rev {found.applied[:10]}"
    if stand.state is None:
        return "is gone, and nobody knows how it ended"
    if stand.state not in FINAL:
        return f"is {stand.state}, so not yet: kfgit runs watch {run.id[:8]} -e {found.environment}"
    return f"{stand.state}: {shown}"


def _soaked(
    record: ApplyRecord, stands: Mapping[AppliedRun, Stand], soak: timedelta, now: datetime
) -> Requirement:
    """Since when it is green: the last of its runs ended, or the apply where none did."""
    assert record.finished_at is not None
    ends = [stand.finished_at for stand in stands.values() if stand.finished_at is not None]
    since = max(ends, default=record.finished_at)
    name, age = f"soak {spoken(soak)}", max(now - since, timedelta(0))
    if age >= soak:
        return Requirement(name, met=True, why=f"it stands since {_at(since)}")
    why = f"it stands since {_at(since)}, for {spoken(age)}: long enough at {_at(since + soak)}"
    return Requirement(name, met=False, why=why)


def _proven(found: Evidence, wanted: Wanted) -> Iterator[Requirement]:
    """Each pipeline that must have run; of all that the next environment gets, or of those asked for by name."""
    proofs = {each.pipeline: each for each in found.proofs()}
    asked = dict.fromkeys((*(proofs if wanted.level == "all" else ()), *wanted.pipelines))
    for name in asked:
        yield _ran(found, name, proofs.get(name))


def _ran(found: Evidence, name: str, proof: Proof | None) -> Requirement:
    if proof is not None and proof.run is not None:
        return Requirement(f"pipeline/{name}", met=True, why=f"run {proof.run[:8]} succeeded")
    if proof is None:
        why = f"the commit has no pipeline `{name}`"
    elif proof.digest is None:
        why = f"{found.environment} has no such pipeline, so it never ran there"
    else:
        why = f"no run of it as this commit has it succeeded: kfgit run {name} -e {found.environment}"
    return Requirement(f"pipeline/{name}", met=False, why=why)


def _at(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def spoken(length: timedelta) -> str:
    """A time as documents write it: `2h`, `1h30m`, `45s`."""
    return every(int(length.total_seconds()))
