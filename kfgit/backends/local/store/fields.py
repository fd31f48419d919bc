"""The tables that KFP's API lists: which names a query may use, and what they stand for.

These texts, and no others, become SQL. The names are KFP's (backend/src/apiserver/model, APIToModelFieldMap).
Nothing is null there: what is not set is empty, and a time that has not come is 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Field:
    """What a name in a query stands for: an expression over the columns, and how its values compare.

    A `text` is compared without case, a `word` is one of a few names in capitals, an `id` is compared as it stands,
    a `time` by its seconds. `column` is for what is equal to something, and `stored` for what a word of the API is
    called in it: there an index may know the answer. `index` has the rows in the order of the field.
    """

    sql: str
    kind: Literal["text", "word", "id", "time"]
    column: str | None = None
    stored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be listed; `label` is KFP's word for its objects."""

    name: str
    label: str
    fields: Mapping[str, Field]
    tagged: bool = False


_ID = Field("id", "id")
_NAME = Field("name", "text")
_CREATED = Field("created_at", "time")
_DESCRIPTION = Field("coalesce(description, '')", "text")
_NEVER = "1970-01-01T00:00:00.000000Z"

EXPERIMENTS = Table(
    "experiments",
    "Experiment",
    {
        "id": _ID,
        "experiment_id": _ID,
        "name": _NAME,
        "display_name": _NAME,
        "created_at": _CREATED,
        "last_run_created_at": Field(f"coalesce(last_run_at, '{_NEVER}')", "time"),
        "description": _DESCRIPTION,
        "namespace": Field("''", "text"),
        "storage_state": Field("storage_state", "word"),
    },
)

PIPELINES = Table(
    "pipelines",
    "Pipeline",
    {
        "id": _ID,
        "pipeline_id": _ID,
        "name": _NAME,
        "display_name": Field("coalesce(display_name, name)", "text"),
        "created_at": _CREATED,
        "description": _DESCRIPTION,
        "namespace": Field("''", "text"),
    },
    tagged=True,
)

VERSIONS = Table(
    "versions",
    "PipelineVersion",
    {
        "id": _ID,
        "pipeline_version_id": _ID,
        "name": _NAME,
        "display_name": Field("coalesce(display_name, name)", "text"),
        "created_at": _CREATED,
        "description": _DESCRIPTION,
        "status": Field("'READY'", "word"),
        "pipeline_spec": Field("(SELECT document FROM packages WHERE digest = package)", "text"),
    },
    tagged=True,
)

# `status` has the words of KFP's first API (model/run.go, ToV1).
_CONDITIONS = (
    "CASE state WHEN 'PENDING' THEN 'Pending' WHEN 'RUNNING' THEN 'Running' WHEN 'SUCCEEDED' THEN 'Succeeded' "
    "WHEN 'SKIPPED' THEN 'Skipped' WHEN 'CANCELING' THEN 'Terminating' ELSE 'Failed' END"
)

_RUN_NAME = Field("name", "text", index="runs_by_name")
# To KFP's clients a run that was terminated has failed.
_STATE = Field(
    "CASE state WHEN 'CANCELED' THEN 'FAILED' ELSE state END",
    "word",
    "state",
    {"FAILED": ("FAILED", "CANCELED"), "CANCELED": ()},
)

RUNS = Table(
    "runs",
    "Run",
    {
        "id": _ID,
        "run_id": _ID,
        "name": _RUN_NAME,
        "display_name": _RUN_NAME,
        "created_at": _CREATED,
        "finished_at": Field(f"coalesce(finished_at, '{_NEVER}')", "time", index="runs_by_finish"),
        "scheduled_at": Field("coalesce(scheduled_at, created_at)", "time"),
        "description": _DESCRIPTION,
        "storage_state": Field("storage_state", "word"),
        "status": Field(_CONDITIONS, "text"),
        "state": _STATE,
        "state_history": Field("history", "text"),
        # The engine's own account of the run, which is Argo's there.
        "runtime_details": Field("''", "text"),
        "namespace": Field("''", "text"),
        "experiment_id": Field("experiment_id", "id"),
        "recurring_run_id": Field("coalesce(schedule, '')", "id", "schedule"),
    },
)

SCHEDULES = Table(
    "schedules",
    "Job",
    {
        "id": _ID,
        "recurring_run_id": _ID,
        "name": _NAME,
        "display_name": _NAME,
        "created_at": _CREATED,
        "updated_at": Field("updated_at", "time"),
        "description": _DESCRIPTION,
    },
)
