"""The tasks of a run as KFP tells them (`run_details.task_details`), read strictly; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kfgit.backends.cluster.kfp.messages import Odd, part, text, time

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One task as KFP tells it."""

    id: str
    name: str
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    parent: str
    below: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a place. `logs` are what its attempts' logs are asked by, oldest first."""

    state: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    logs: tuple[str, ...] = ()
    cached: bool = False


def rows(raw: Message) -> tuple[Row, ...]:
    """The tasks in a run's message."""
    told = part(raw, "run_details").get("task_details") or ()
    if not isinstance(told, Sequence) or not all(isinstance(each, Mapping) for each in told):
        raise Odd("its `task_details` are no list of tasks")
    return tuple(_row(each) for each in told)


def _row(told: Message) -> Row:
    below = told.get("child_tasks") or ()
    if not isinstance(below, Sequence):
        raise Odd("its `child_tasks` are no list")
    return Row(
        text(told, "task_id"),
        text(told, "display_name"),
        text(told, "state"),
        time(told, "start_time"),
        time(told, "end_time"),
        text(part(told, "error"), "message") or None,
        text(told, "parent_task_id"),
        tuple(text(each, "pod_name") or text(each, "task_id") for each in below if isinstance(each, Mapping)),
    )
