"""Pages of objects: what KFP's list calls ask for, as SQL over one table.

A `Query` is plain data. The only texts of it that become SQL are those of `fields`: a field is looked up by its
name, and every value is bound. Pages go on after the last row that was shown (keyset paging), so that what is
made or deleted in between neither repeats nor hides anything else. The inner query of a page and the count are
answered by covering indexes; the wide rows are fetched for one page alone.

KFP's database takes texts that differ in case alone for equal (here for ASCII), LIKE for "is a substring", `%` and `_`
included, and seconds for times (backend/src/apiserver/filter/filter.go, list/list.go).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

from kfgit.backends.local.store import codec
from kfgit.backends.local.store.fields import (
    EXPERIMENTS,
    PIPELINES,
    RUNS,
    SCHEDULES,
    VERSIONS,
    Field,
    Table,
)

__all__ = [
    "EXPERIMENTS",
    "PIPELINES",
    "RUNS",
    "SCHEDULES",
    "VERSIONS",
    "Field",
    "Operation",
    "Page",
    "Predicate",
    "Query",
    "Table",
    "Value",
    "page",
]

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


# Below, rows are sorted; from here on, walking them in their order finds a page sooner. Without statistics, which a
# growing table makes wrong, SQLite would always sort what it finds by a state.
_FEW = 1000


def page(db: sqlite3.Connection, query: Query) -> Page:
    """One page of a table; the rows have all its columns."""
    conditions, values = _conditions(query)
    searched = _searched(query)
    counted = f"SELECT count(*) FROM {_by(query.table, searched)}{_where(conditions)}"
    total: int = db.execute(counted, values).fetchone()[0]
    if not total:
        return Page((), None, 0)
    place = query.table.fields[query.sort]
    source = _by(query.table, searched if total < _FEW else place.index)
    sort = _sorted(place)
    order, sign = ("DESC", "<") if query.descending else ("ASC", ">")
    if query.after is not None:
        conditions.append(f"({sort}, id) {sign} (?, ?)")
        values.extend(query.after)
    inner = (
        f"SELECT id AS key, {sort} AS place FROM {source}{_where(conditions)} "
        f"ORDER BY {sort} {order}, id {order} LIMIT ?"
    )
    rows = db.execute(
        f"SELECT place, {query.table.name}.* FROM ({inner}) JOIN {query.table.name} ON id = key "
        f"ORDER BY {_collated('place', place)} {order}, key {order}",
        [*values, query.size + 1],
    ).fetchall()
    shown = rows[: query.size]
    follows = (str(shown[-1]["place"]), str(shown[-1]["id"])) if len(rows) > query.size else None
    return Page(tuple(shown), follows, total)


def _searched(query: Query) -> str | None:
    """The index that knows the texts in which something is looked for."""
    places = (
        query.table.fields[predicate.key]
        for predicate in query.predicates
        if predicate.key in query.table.fields and predicate.operation not in ("EQUALS", "IN")
    )
    return next((place.index for place in places if place.kind == "text" and place.index), None)


def _by(table: Table, index: str | None) -> str:
    return table.name if index is None else f"{table.name} INDEXED BY {index}"


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
        sql, operation = place.column, "IN"
        texts = tuple(word for text in texts for word in place.stored.get(text, (text,)))
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
