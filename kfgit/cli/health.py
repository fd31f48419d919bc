"""Whether what is live is well: the newest run of each pipeline, and the last one of each schedule."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kfgit.events import RunRecord
from kfgit.plan import LOCAL_TARGET, LiveObject

if TYPE_CHECKING:
    from kfgit.backend import Backend, ScheduleStatus

_LOOKED_AT = 200
_SAYS_NOTHING = frozenset({"PENDING", "CANCELED", "SKIPPED"})


class Failure(NamedTuple):
    """A run that failed and was the last of its pipeline, or of `schedule`."""

    run: str
    pipeline: str
    error: str | None
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """`runs` are the newest of all, `schedules` those that failed last first."""

    failures: tuple[Failure, ...]
    runs: tuple[RunRecord, ...]
    schedules: tuple[ScheduleStatus, ...]


def health(backend: Backend, objects: Sequence[LiveObject]) -> Health:
    """Of a cluster, which belongs to many, only what is ours is looked at."""
    runs = backend.runs.newest(_LOOKED_AT)
    schedules = backend.schedules.ours()
    ours = runs
    if backend.identity != LOCAL_TARGET:
        pipelines = {thing.name for thing in objects if thing.kind == "Pipeline" and thing.owned}
        ours = tuple(run for run in runs if run.pipeline in pipelines)
    failures = list(_of_pipelines(ours))
    known = {run.id: run for run in runs}
    for told in schedules:
        if is_failing(told):
            _blame(failures, told, known.get(told.fired.run or "") if told.fired else None)
    return Health(tuple(failures), runs, tuple(sorted(schedules, key=lambda told: not is_failing(told))))


def is_failing(told: ScheduleStatus) -> bool:
    """Whether a schedule goes on although its last run failed."""
    return told.enabled and told.state == "FAILED"


def _of_pipelines(runs: Sequence[RunRecord]) -> Collection[Failure]:
    latest: dict[str, RunRecord] = {}
    for run in runs:
        if run.state not in _SAYS_NOTHING:
            latest.setdefault(run.pipeline, run)
    return [Failure(run.id, run.pipeline, run.error) for run in latest.values() if run.state == "FAILED"]


def _blame(failures: list[Failure], told: ScheduleStatus, run: RunRecord | None) -> None:
    """Notes whose run it was, once."""
    id_ = (told.fired.run if told.fired else None) or ""
    for index, each in enumerate(failures):
        if each.run == id_:
            failures[index] = each._replace(schedule=told.name)
            return
    failures.append(Failure(id_, str(told.spec.get("pipeline") or ""), run.error if run else None, told.name))
