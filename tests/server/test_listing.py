"""Lists: what a query means, and the law of paging: all pages together are the list, whatever sorts and filters it."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings, strategies as st

from kfgit.backends.local.store import Database, experiments, pages, pipelines
from kfgit.backends.local.store.pages import EXPERIMENTS, PIPELINES, RUNS, SCHEDULES, VERSIONS, Table
from kfgit.backends.local.store.pipelines import Pipeline
from kfgit.backends.local.store.schema import MIGRATIONS
from kfgit.server import listing
from kfgit.server.errors import ApiError

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_NAMES = ("alpha", "Beta", "beta-2", "GAMMA", "gamma_x", "50% off", "zz", "Äther")


def _filter(*predicates: Mapping[str, Any]) -> str:
    return json.dumps({"predicates": list(predicates)})


def _is(operation: str, key: str, **value: Any) -> dict[str, Any]:
    return {"operation": operation, "key": key, **value}


def _ask(db: sqlite3.Connection, table: Table = EXPERIMENTS, **asked: str) -> dict[str, Any]:
    query = listing.query(asked, table)
    page = pages.page(db, query)
    return listing.answer("items", ({"name": row["name"]} for row in page.rows), query, page)


def _names(db: sqlite3.Connection, table: Table = EXPERIMENTS, **asked: str) -> list[str]:
    return [item["name"] for item in _ask(db, table, **asked).get("items", [])]


def _walk(db: sqlite3.Connection, table: Table = EXPERIMENTS, **asked: str) -> Iterator[list[str]]:
    answer = _ask(db, table, **asked)
    while True:
        yield [item["name"] for item in answer.get("items", [])]
        if "next_page_token" not in answer:
            return
        size = {"page_size": asked["page_size"]} if "page_size" in asked else {}
        answer = _ask(db, table, page_token=answer["next_page_token"], **size)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    database = Database(tmp_path_factory.mktemp("store") / "state.db")
    with database.write() as db:
        for number, name in enumerate(_NAMES):
            at = _BEGIN + timedelta(seconds=number // 2, microseconds=number)
            made = experiments.add(db, name, "odd" if number % 2 else None, at)
            assert made is not None
            if number == 2:
                experiments.archive(db, made.id, at)
            tags = {"team": "Ads", "Number": str(number)} if number % 2 else {}
            assert pipelines.add(db, Pipeline(f"id-{number}", name, None, None, at, tags))
    with database.read() as db:
        yield db
    database.close()


@pytest.mark.parametrize(
    ("sort_by", "names"),
    [
        ("", list(_NAMES)),
        ("created_at", list(_NAMES)),
        ("created_at desc", list(reversed(_NAMES))),
        ("name", sorted(_NAMES, key=str.lower)),
        ("NAME  ASC", sorted(_NAMES, key=str.lower)),
        ("display_name desc", sorted(_NAMES, key=str.lower, reverse=True)),
    ],
)
def test_sorting(db: sqlite3.Connection, sort_by: str, names: list[str]) -> None:
    assert _names(db, sort_by=sort_by) == names


@pytest.mark.parametrize(
    ("predicate", "names"),
    [
        (_is("EQUALS", "name", string_value="BETA"), ["Beta"]),
        (_is("EQUALS", "display_name", stringValue="beta"), ["Beta"]),
        (_is("NOT_EQUALS", "name", string_value="beta"), [name for name in _NAMES if name != "Beta"]),
        (_is("GREATER_THAN", "name", string_value="gamma"), ["gamma_x", "zz", "Äther"]),
        (_is("GREATER_THAN_EQUALS", "name", string_value="gamma"), ["GAMMA", "gamma_x", "zz", "Äther"]),
        (_is("LESS_THAN", "name", string_value="beta"), ["alpha", "50% off"]),
        (_is("LESS_THAN_EQUALS", "name", string_value="BETA"), ["alpha", "Beta", "50% off"]),
        (_is("IN", "name", string_values={"values": ["ALPHA", "zz", "nobody"]}), ["alpha", "zz"]),
        (_is("IN", "name", string_values={"values": []}), []),
        (_is("IN", "name", stringValues={}), []),
        (_is("IS_SUBSTRING", "name", string_value="MM"), ["GAMMA", "gamma_x"]),
        (_is("IS_SUBSTRING", "name", string_value="a_"), ["alpha", "beta-2", "GAMMA", "gamma_x"]),
        (_is("IS_SUBSTRING", "name", string_value="a\\_"), ["gamma_x"]),
        (_is("IS_SUBSTRING", "name", string_value="g%a"), ["GAMMA", "gamma_x"]),
        (_is("IS_SUBSTRING", "name", string_value="\\"), []),
        (_is("EQUALS", "description", string_value=""), list(_NAMES[::2])),
        (_is("NOT_EQUALS", "description", string_value="even"), list(_NAMES)),
        (_is("EQUALS", "storage_state", string_value="archived"), ["beta-2"]),
        (_is("NOT_EQUALS", "storage_state", string_value="AVAILABLE"), ["beta-2"]),
        (_is("IN", "storage_state", string_values={"values": ["ARCHIVED", "?"]}), ["beta-2"]),
        (_is("EQUALS", "namespace", string_value=""), list(_NAMES)),
        (_is("EQUALS", "created_at", timestamp_value="2026-01-01T00:00:01Z"), list(_NAMES[2:4])),
        (_is("EQUALS", "created_at", timestamp_value="2026-01-01T01:00:01.9+01:00"), list(_NAMES[2:4])),
        (_is("NOT_EQUALS", "created_at", timestamp_value="2026-01-01T00:00:00Z"), list(_NAMES[2:])),
        (_is("GREATER_THAN", "created_at", timestamp_value="2026-01-01T00:00:01Z"), list(_NAMES[4:])),
        (_is("GREATER_THAN_EQUALS", "created_at", timestamp_value="2026-01-01T00:00:01Z"), list(_NAMES[2:])),
        (_is("LESS_THAN", "created_at", timestamp_value="2026-01-01T00:00:01Z"), list(_NAMES[:2])),
        (_is("LESS_THAN_EQUALS", "created_at", timestamp_value="2026-01-01T00:00:01Z"), list(_NAMES[:4])),
        (_is("EQUALS", "created_at", long_value="1767225601"), list(_NAMES[2:4])),
        (_is("IN", "created_at", long_values={"values": [1767225600, "1767225602"]}), [*_NAMES[:2], *_NAMES[4:6]]),
        (_is("LESS_THAN", "created_at", int_value=2147483647), list(_NAMES)),
        (_is("LESS_THAN", "created_at", long_value=2**62), list(_NAMES)),
        (_is("GREATER_THAN", "created_at", long_value=-(2**62)), list(_NAMES)),
        (_is("IN", "created_at", long_values={"values": [2**62]}), []),
        (_is("EQUALS", "last_run_created_at", timestamp_value="1970-01-01T00:00:00Z"), list(_NAMES)),
        (_is("EQUALS", "name", int_value=50), []),
        ({"operation": 1, "key": "name", "string_value": "zz"}, ["zz"]),
    ],
)  # fmt: skip
def test_filters(db: sqlite3.Connection, predicate: Mapping[str, Any], names: list[str]) -> None:
    assert _names(db, filter=quote_plus(_filter(predicate))) == names
    assert _ask(db, filter=quote_plus(_filter(predicate)), page_size="1").get("total_size", 0) == len(names)


def test_predicates_must_all_hold(db: sqlite3.Connection) -> None:
    both = _filter(
        _is("IS_SUBSTRING", "name", string_value="a"), _is("EQUALS", "description", string_value="odd")
    )
    assert _names(db, filter=both) == ["Beta", "GAMMA"]


def test_tags(db: sqlite3.Connection) -> None:
    team = _is("EQUALS", "tags.TEAM", string_value="ads")
    assert _names(db, PIPELINES, filter=_filter(team)) == list(_NAMES[1::2])
    third = _is("EQUALS", "tags.number", string_value="3")
    assert _names(db, PIPELINES, filter=_filter(team, third)) == ["GAMMA"]
    assert _names(db, PIPELINES, filter=_filter(_is("EQUALS", "tags.o'er", string_value="x"))) == []
    pieces = list(_walk(db, PIPELINES, filter=_filter(team), page_size="3"))
    assert pieces == [list(_NAMES[1:7:2]), [_NAMES[7]]]


def test_a_filter_is_unescaped_once_more(db: sqlite3.Connection) -> None:
    percent = _is("EQUALS", "name", string_value="50% off")
    assert _names(db, filter=quote_plus(_filter(percent))) == ["50% off"]
    with pytest.raises(ApiError, match="failed to parse valid filter"):
        _ask(db, filter=_filter(percent))


@pytest.mark.parametrize(
    "table", [EXPERIMENTS, PIPELINES, VERSIONS, RUNS, SCHEDULES], ids=lambda table: table.name
)
def test_every_field_sorts_filters_and_pages(db: sqlite3.Connection, table: Table) -> None:
    for name, field in table.fields.items():
        value = {"timestamp_value": "2026-01-01T00:00:00Z"} if field.kind == "time" else {"string_value": "a"}
        for operation in ("EQUALS", "NOT_EQUALS", "GREATER_THAN", "LESS_THAN_EQUALS"):
            _ask(db, table, filter=_filter(_is(operation, name, **value)), sort_by=f"{name} desc")
        assert [name for page in _walk(db, table, sort_by=name, page_size="3") for name in page] == _names(
            db, table, sort_by=name
        )


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"page_size": "-1"}, "page size"),
        ({"page_size": "many"}, "page_size"),
        ({"sort_by": "colour"}, "colour"),
        ({"sort_by": "name sideways"}, "sideways"),
        ({"sort_by": "name asc desc"}, "sort by"),
        ({"sort_by": "name; DROP TABLE experiments"}, "sort by"),
        ({"filter": "{"}, "filter"),
        ({"filter": "[]"}, "filter"),
        ({"filter": "%7"}, "filter"),
        ({"filter": "%FF"}, "filter"),
        ({"filter": '{"predicate": []}'}, "predicate"),
        ({"filter": "[" * 5000}, "filter"),
        ({"filter": " " * 40_000}, "32000"),
        ({"filter": _filter(*[_is("EQUALS", "name", string_value="x")] * 101)}, "100"),
        ({"filter": _filter(_is("EQUALS", "colour", string_value="red"))}, "colour"),
        ({"filter": _filter(_is("EQUALS", "tags.team", string_value="red"))}, "tags.team"),
        ({"filter": _filter(_is("EQUALS", "", string_value="red"))}, "key"),
        ({"filter": _filter({"operation": "EQUALS", "string_value": "red"})}, "key"),
        ({"filter": _filter({"key": "name", "string_value": "red"})}, "operation"),
        ({"filter": _filter(_is("LIKE", "name", string_value="red"))}, "LIKE"),
        ({"filter": _filter({"operation": 99, "key": "name", "string_value": "red"})}, "99"),
        ({"filter": _filter({"operation": 4, "key": "tags.team", "string_value": "red"})}, "4"),
        ({"filter": _filter(_is("EQUALS", "name"))}, "value"),
        ({"filter": _filter(_is("EQUALS", "name", string_value="x", int_value=3))}, "filter"),
        ({"filter": _filter(_is("EQUALS", "name", string_values={"values": ["x"]}))}, "EQUALS"),
        ({"filter": _filter(_is("IN", "name", string_value="x"))}, "IN"),
        ({"filter": _filter(_is("IS_SUBSTRING", "name", int_value=3))}, "IS_SUBSTRING"),
        ({"filter": _filter(_is("EQUALS", "created_at", string_value="yesterday"))}, "created_at"),
        ({"filter": _filter(_is("IS_SUBSTRING", "created_at", string_value="2026"))}, "created_at"),
        ({"filter": _filter(_is("EQUALS", "created_at", timestamp_value="yesterday"))}, "filter"),
        ({"page_token": "nonsense"}, "page token"),
        ({"page_token": "Ä"}, "page token"),
        ({"page_token": "e30="}, "page token"),
        ({"page_token": base64.b64encode(b"[" * 3000).decode()}, "page token"),
    ],
)  # fmt: skip
def test_what_is_refused(db: sqlite3.Connection, asked: dict[str, str], named: str) -> None:
    with pytest.raises(ApiError, match=named) as caught:
        _ask(db, EXPERIMENTS, **asked)
    assert caught.value.status == 400


def test_tags_have_one_operation(db: sqlite3.Connection) -> None:
    for predicate in (_is("IN", "tags.team", string_values={}), _is("EQUALS", "tags.team", int_value=3)):
        with pytest.raises(ApiError, match="tag"):
            _ask(db, PIPELINES, filter=_filter(predicate))


def test_sizes_of_pages(db: sqlite3.Connection) -> None:
    for asked, size in (("0", 20), ("1", 1), ("200", 200), ("100000", 200)):
        assert listing.query({"page_size": asked}, EXPERIMENTS).size == size
    assert listing.query({}, EXPERIMENTS).size == 20
    assert _ask(db, filter=_filter(_is("EQUALS", "name", string_value="nobody"))) == {}


def _token(db: sqlite3.Connection, table: Table = EXPERIMENTS, **asked: str) -> str:
    token: str = _ask(db, table, page_size="2", **asked)["next_page_token"]
    return token


def test_a_token_with_its_own_criteria(db: sqlite3.Connection) -> None:
    wanted = _filter(_is("IN", "created_at", long_values={"values": [1767225600, 1767225602, 1767225603]}))
    token = _token(db, sort_by="name desc", filter=wanted)
    alone = _ask(db, page_token=token)
    assert _ask(db, page_token=token, sort_by="NAME  DESC", filter=wanted) == alone
    for other in (
        {"sort_by": "name desc"},
        {"sort_by": "name", "filter": wanted},
        {"sort_by": "created_at desc", "filter": wanted},
        {"filter": wanted},
        {"sort_by": "name desc", "filter": _filter(_is("EQUALS", "name", string_value="zz"))},
    ):
        with pytest.raises(ApiError, match="does not match"):
            _ask(db, EXPERIMENTS, page_token=token, **other)


def test_two_names_of_one_field_agree_with_a_token(db: sqlite3.Connection) -> None:
    named, shown = (_filter(_is("IS_SUBSTRING", key, string_value="a")) for key in ("name", "display_name"))
    token = _token(db, sort_by="name", filter=named)
    alone = _ask(db, page_token=token)
    assert _ask(db, page_token=token, sort_by="display_name asc", filter=shown) == alone


def test_an_empty_filter_beside_a_token_is_one(db: sqlite3.Connection) -> None:
    assert _ask(db, page_token=_token(db), filter="{}")
    with pytest.raises(ApiError, match="does not match"):
        _ask(db, page_token=_token(db, sort_by="name"), filter="{}")


def test_of_two_values_for_a_tag_the_last_counts(db: sqlite3.Connection) -> None:
    numbers = [_is("EQUALS", "tags.Number", string_value=value) for value in ("1", "3")]
    assert _names(db, PIPELINES, filter=_filter(*numbers)) == [_NAMES[3]]


def test_tags_beside_a_token(db: sqlite3.Connection) -> None:
    team, other = (_filter(_is("EQUALS", "tags.team", string_value=value)) for value in ("ads", "ops"))
    token = _token(db, PIPELINES, filter=team)
    assert _names(db, PIPELINES, page_token=token) == _names(db, PIPELINES, page_token=token, filter=team)
    with pytest.raises(ApiError, match="does not match"):
        _ask(db, PIPELINES, page_token=token, filter=other)


@pytest.mark.parametrize(
    "change",
    [
        {"sort": "colour"},
        {"sort": "name) --"},
        {"sort": 3},
        {"sort": None},
        {"filter": "{"},
        {"filter": _filter(_is("EQUALS", "1=1 OR name", string_value="x"))},
        {"descending": "yes"},
        {"more": 1},
        {"id": None},
        {"value": None},
        {"value": ["x"]},
    ],
    ids=json.dumps,
)
def test_a_token_that_was_changed_is_refused(db: sqlite3.Connection, change: dict[str, Any]) -> None:
    token = json.loads(base64.urlsafe_b64decode(_token(db, sort_by="name")))
    changed = base64.b64encode(json.dumps(token | change).encode()).decode()
    with pytest.raises(ApiError, match="Invalid page token"):
        _ask(db, page_token=changed)


@given(value=st.text(max_size=20), id_=st.text(max_size=20), descending=st.booleans())
def test_a_place_of_somebody_elses_making_is_data(
    db: sqlite3.Connection, value: str, id_: str, *, descending: bool
) -> None:
    token = {"sort": "name", "descending": descending, "value": value, "id": id_}
    text = base64.b64encode(json.dumps(token).encode()).decode()
    assert set(_names(db, page_token=text)) <= set(_NAMES)


_LETTERS = st.text("aAbBé%_'\\", max_size=3)
_PREDICATE = st.builds(
    _is,
    st.sampled_from(["EQUALS", "NOT_EQUALS", "GREATER_THAN", "LESS_THAN", "IS_SUBSTRING"]),
    st.sampled_from(["name", "description", "storage_state", "id"]),
    string_value=_LETTERS,
) | st.builds(
    _is,
    st.sampled_from(["EQUALS", "GREATER_THAN_EQUALS", "LESS_THAN", "NOT_EQUALS"]),
    st.sampled_from(["created_at", "last_run_created_at"]),
    timestamp_value=st.integers(0, 3).map(lambda second: f"2026-01-01T00:00:0{second}Z"),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.text("aAbBé%_' ", min_size=1, max_size=3), st.integers(0, 3)), max_size=12),
    sort=st.sampled_from([*EXPERIMENTS.fields]),
    order=st.sampled_from(["", " asc", " desc"]),
    predicates=st.lists(_PREDICATE, max_size=2),
    size=st.integers(1, 5),
)
def test_all_pages_together_are_the_list(
    rows: list[tuple[str, int]], sort: str, order: str, predicates: list[dict[str, Any]], size: int
) -> None:
    with sqlite3.connect(":memory:") as db:
        db.row_factory = sqlite3.Row
        for statement in chain.from_iterable(MIGRATIONS):
            db.execute(statement)
        for name, second in rows:
            experiments.add(db, name, name[:2], _BEGIN + timedelta(seconds=second))
        asked = {"sort_by": sort + order, "filter": quote_plus(_filter(*predicates))}
        whole = _names(db, EXPERIMENTS, page_size="200", **asked)
        walked = list(_walk(db, EXPERIMENTS, page_size=str(size), **asked))
        total = _ask(db, EXPERIMENTS, page_size="1", **asked).get("total_size", 0)
    db.close()
    assert [name for page in walked for name in page] == whole
    assert all(len(page) == size for page in walked[:-1])
    assert total == len(whole)


def test_what_is_made_between_pages_repeats_and_hides_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    with database.write() as db:
        for name in ("b", "d", "f", "h"):
            experiments.add(db, name, None, _BEGIN)
        first = _ask(db, sort_by="name", page_size="2")
        for name in ("a", "c", "e"):
            experiments.add(db, name, None, _BEGIN)
        db.execute("DELETE FROM experiments WHERE name = 'd'")
        assert _names(db, page_token=first["next_page_token"]) == ["e", "f", "h"]
    database.close()


_RUNS = 1200
_STATES = ("SUCCEEDED", "FAILED", "CANCELED", "PENDING", "RUNNING", "CANCELING")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """So many runs that pages are found in more than one way."""
    database = Database(tmp_path_factory.mktemp("many") / "state.db")
    columns = (
        "pipeline, experiment, environment, package, inputs, options, "
        "id, name, state, created_at, finished_at, folder, schedule, experiment_id, storage_state, description"
    )
    with database.write() as db:
        db.execute("INSERT INTO packages VALUES ('p', 'p', '{}')")
        db.executemany(
            f"INSERT INTO runs ({columns}) VALUES ('p', 'e', 'local', 'p', '{{}}', '{{}}'{', ?' * 10})",
            [
                (
                    f"{number * 7919 % _RUNS:04}",
                    f"{'Rr'[number % 2]}un-{number % 300}",
                    _STATES[number % 6] if number % 3 else "SUCCEEDED",
                    f"2026-01-01T00:{number // 60:02}:{number % 60:02}.000000Z",
                    None if number % 5 else f"2026-01-02T00:00:{number % 60:02}.000000Z",
                    str(number),
                    None if number % 4 else f"s{number % 8}",
                    f"e{number % 20 // 19}",
                    "ARCHIVED" if number % 10 == 0 else "AVAILABLE",
                    None if number % 7 else "seventh",
                )
                for number in range(_RUNS)
            ],
        )
    with database.read() as db:
        yield db
    database.close()


_WANTED: tuple[tuple[dict[str, Any], str], ...] = (
    (_is("EQUALS", "storage_state", string_value="AVAILABLE"), "storage_state = 'AVAILABLE'"),
    (_is("NOT_EQUALS", "storage_state", string_value="available"), "storage_state <> 'AVAILABLE'"),
    (_is("EQUALS", "state", string_value="FAILED"), "state IN ('FAILED', 'CANCELED')"),
    (_is("EQUALS", "state", string_value="CANCELED"), "0"),
    (_is("NOT_EQUALS", "state", string_value="FAILED"), "state NOT IN ('FAILED', 'CANCELED')"),
    (_is("IN", "state", string_values={"values": ["failed", "RUNNING"]}), "state IN ('FAILED', 'CANCELED', 'RUNNING')"),
    (_is("EQUALS", "status", string_value="failed"), "state IN ('FAILED', 'CANCELED')"),
    (_is("IS_SUBSTRING", "name", string_value="RUN-7"), "name LIKE '%run-7%'"),
    (_is("IS_SUBSTRING", "display_name", string_value="run"), "1"),
    (_is("GREATER_THAN", "name", string_value="run-5"), "lower(name) > 'run-5'"),
    (_is("EQUALS", "name", string_value="RUN-77"), "lower(name) = 'run-77'"),
    (_is("EQUALS", "recurring_run_id", string_value="s4"), "schedule = 's4'"),
    (_is("EQUALS", "recurring_run_id", string_value=""), "schedule IS NULL"),
    (_is("NOT_EQUALS", "recurring_run_id", string_value="s4"), "schedule IS NOT 's4'"),
    (_is("EQUALS", "experiment_id", string_value="e1"), "experiment_id = 'e1'"),
    (_is("EQUALS", "finished_at", timestamp_value="1970-01-01T00:00:00Z"), "finished_at IS NULL"),
    (_is("EQUALS", "description", string_value="SEVENTH"), "description = 'seventh'"),
)  # fmt: skip


@pytest.mark.parametrize(("predicate", "condition"), _WANTED, ids=range(len(_WANTED)))
def test_however_a_page_of_runs_is_found_it_is_the_same(
    many: sqlite3.Connection, predicate: dict[str, Any], condition: str
) -> None:
    orders = {
        "created_at": "created_at", "name": "lower(name)", "finished_at": "coalesce(finished_at, '')",
        "run_id": "id", "storage_state": "storage_state",
    }  # fmt: skip
    available = _is("EQUALS", "storage_state", string_value="AVAILABLE")
    for predicates, where in (
        ([predicate], condition),
        ([predicate, available], f"{condition} AND storage_state = 'AVAILABLE'"),
    ):
        for sort, order in orders.items():
            for way in ("asc", "desc"):
                found = many.execute(f"SELECT id FROM runs WHERE {where} ORDER BY {order} {way}, id {way}")
                asked = {"filter": _filter(*predicates), "sort_by": f"{sort} {way}"}
                assert _ids(many, asked) == [row["id"] for row in found], (where, sort, way)


def _ids(db: sqlite3.Connection, asked: dict[str, str]) -> list[str]:
    """The ids on all pages."""
    found: list[str] = []
    while True:
        query = listing.query({**asked, "page_size": "150"}, RUNS)
        page = pages.page(db, query)
        found += [row["id"] for row in page.rows]
        if page.next is None:
            assert page.total == len(found)
            return found
        asked = {"page_token": listing.answer("runs", [], query, page)["next_page_token"]}
