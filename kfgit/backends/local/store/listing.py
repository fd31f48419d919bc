"""Pages of objects: what KFP's list calls ask for, as SQL over one table.

A `Query` is plain data. The only texts of it that become SQL are those of the tables below: a field is looked up by
its name, and every value is bound. Pages go on after the last row that was shown (keyset paging), so that what is
made or deleted in between neither repeats nor hides anything else. The inner query of a page and the count are
answered by covering indexes; the wide rows are fetched for one page alone.

KFP's database takes texts that differ in case alone for equal (here for ASCII), LIKE for "is a substring", `%` and `_`
included, and seconds for times (backend/src/apiserver/filter/filter.go, list/list.go). Nothing is null there: what is
not set is empty, and a time that has not come is 1970.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

from kfgit.backends.local.store import codec

Operation: TypeAlias = Literal[
    "EQUALS",
    "NOT_EQUALS",
    "GREATER_THAN",
    "GREATER_THAN_EQUALS",
    "LESS_THAN",
    "LESS_THAN_EQUALS",
    "IN",
    "IS_SUBSTRING",
]
Value: TypeAlias = str | int | tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """What a name in a query stands for: an expression over the columns, and how its values compare.

    A `text` is compared without case, a `word` is one of a few names in capitals, an `id` is compared as it stands,
    a `time` by its seconds. `column` is for what is equal to something: there an index may know the answer.
    """

    sql: str
    kind: Literal["text", "word", "id", "time"]
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be listed; `label` is KFP's word for its objects."""

    name: str
    label: str
    fields: Mapping[str, Field]
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class Predicate:
    """One condition; `key` is a field of the table or `tags.` and the name of a tag."""

    key: str
    operation: Operation
    value: Value


@dataclass(frozen=True, slots=True)
class Query:
    """A page: at most `size` rows for which all predicates hold, sorted by a field and then by id.

    `scope` are columns that must have these values, said by the caller and not by the client; `after` is the place
    of the last row of the page before.
    """

    table: Table
    size: int
    sort: str = "created_at"
    descending: bool = False
    predicates: tuple[Predicate, ...] = ()
    after: tuple[str, str] | None = None
    scope: Mapping[str, str] = field(default_factory=dict)


class Page(NamedTuple):
    """The rows, the place of the last one where more follow, and how many there are without paging."""

    rows: tuple[sqlite3.Row, ...]
    next: tuple[str, str] | None
    total: int


def page(db: sqlite3.Connection, query: Query) -> Page:
    """One page of a table; the rows have all its columns."""
    conditions, values = _conditions(query)
    counted = f"SELECT count(*) FROM {query.table.name}{_where(conditions)}"
    total: int = db.execute(counted, values).fetchone()[0]
    if not total:
        return Page((), None, 0)
    sort = _sorted(query.table.fields[query.sort])
    order, sign = ("DESC", "<") if query.descending else ("ASC", ">")
    if query.after is not None:
        conditions.append(f"({sort}, id) {sign} (?, ?)")
        values.extend(query.after)
    inner = (
        f"SELECT id AS key, {sort} AS place FROM {query.table.name}{_where(conditions)} "
        f"ORDER BY {sort} {order}, id {order} LIMIT ?"
    )
    rows = db.execute(
        f"SELECT place, {query.table.name}.* FROM ({inner}) JOIN {query.table.name} ON id = key "
        f"ORDER BY {_collated('place', query.table.fields[query.sort])} {order}, key {order}",
        [*values, query.size + 1],
    ).fetchall()
    shown = rows[: query.size]
    follows = (str(shown[-1]["place"]), str(shown[-1]["id"])) if len(rows) > query.size else None
    return Page(tuple(shown), follows, total)


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

RUNS = Table(
    "runs",
    "Run",
    {
        "id": _ID,
        "run_id": _ID,
        "name": _NAME,
        "display_name": _NAME,
        "created_at": _CREATED,
        "finished_at": Field(f"coalesce(finished_at, '{_NEVER}')", "time"),
        "scheduled_at": Field("coalesce(scheduled_at, created_at)", "time"),
        "description": _DESCRIPTION,
        "storage_state": Field("storage_state", "word"),
        "status": Field(_CONDITIONS, "text"),
        # To KFP's clients a run that was terminated has failed.
        "state": Field("CASE state WHEN 'CANCELED' THEN 'FAILED' ELSE state END", "word"),
        "state_history": Field("history", "text"),
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


def _conditions(query: Query) -> tuple[list[str], list[Any]]:
    conditions = [f"{column} = ?" for column in query.scope]
    values: list[Any] = list(query.scope.values())
    for predicate in query.predicates:
        sql, bound = _condition(query.table, predicate)
        conditions.append(sql)
        values.extend(bound)
    return conditions, values


def _condition(table: Table, predicate: Predicate) -> tuple[str, tuple[Any, ...]]:
    if table.tagged and predicate.key.startswith("tags."):
        has = "SELECT 1 FROM json_each(tags) AS tag WHERE tag.key = ? COLLATE NOCASE AND tag.atom = ? COLLATE NOCASE"
        return f"EXISTS ({has})", (predicate.key.removeprefix("tags."), str(predicate.value))
    place = table.fields[predicate.key]
    return _in_time(place, predicate) if place.kind == "time" else _in_text(place, predicate)


_SIGNS: Mapping[str, str] = {
    "EQUALS": "=",
    "NOT_EQUALS": "<>",
    "GREATER_THAN": ">",
    "GREATER_THAN_EQUALS": ">=",
    "LESS_THAN": "<",
    "LESS_THAN_EQUALS": "<=",
}


def _in_text(place: Field, predicate: Predicate) -> tuple[str, tuple[str, ...]]:
    sql, operation, value = _sorted(place), predicate.operation, predicate.value
    texts = tuple(map(str, value)) if isinstance(value, tuple) else (str(value),)
    if operation == "IS_SUBSTRING":
        # MySQL's escape character is the backslash unless one is named; SQLite has none.
        return f"{place.sql} LIKE ? ESCAPE '\\'", (f"%{texts[0]}%",)
    if place.kind == "word":
        texts = tuple(text.upper() for text in texts)
    if place.column is not None and operation in ("EQUALS", "IN") and all(texts):
        sql = place.column
    if operation == "IN":
        return f"{sql} IN ({', '.join('?' * len(texts))})", texts
    return f"{sql} {_SIGNS[operation]} ?", texts


def _in_time(place: Field, predicate: Predicate) -> tuple[str, tuple[str, ...]]:
    sql, value = place.sql, predicate.value
    seconds = tuple(map(int, value)) if isinstance(value, tuple) else (int(value),)
    first, after = _stamp(seconds[0]) if seconds else "", _stamp(seconds[0] + 1) if seconds else ""
    match predicate.operation:
        case "EQUALS":
            return f"({sql} >= ? AND {sql} < ?)", (first, after)
        case "NOT_EQUALS":
            return f"({sql} < ? OR {sql} >= ?)", (first, after)
        case "GREATER_THAN":
            return f"{sql} >= ?", (after,)
        case "GREATER_THAN_EQUALS":
            return f"{sql} >= ?", (first,)
        case "LESS_THAN":
            return f"{sql} < ?", (first,)
        case "LESS_THAN_EQUALS":
            return f"{sql} < ?", (after,)
        case _:
            stems = tuple(_stamp(second)[:19] for second in seconds)
            return f"substr({sql}, 1, 19) IN ({', '.join('?' * len(stems))})", stems


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _stamp(seconds: int) -> str:
    try:
        return codec.stamp(_EPOCH + timedelta(seconds=seconds))
    except OverflowError:
        return "" if seconds < 0 else "~"  # before and after every time there is


def _sorted(place: Field) -> str:
    return _collated(place.sql, place)


def _collated(sql: str, place: Field) -> str:
    return f"{sql} COLLATE NOCASE" if place.kind == "text" else sql


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
