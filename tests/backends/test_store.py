from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.backend import MachineFault
from kfgit.backends.local.protocol import Outputs
from kfgit.backends.local.store import (
    Database,
    artifacts,
    codec,
    experiments,
    ledger,
    pipelines,
    removal,
    runs,
    schedules,
    schema,
    tasks,
    transitions,
)
from kfgit.events import Artifact, TaskRecord
from kfgit.ir import Package
from tests.counting import steps

AT = datetime(2026, 11, 22, 12, 0, 0, 5, tzinfo=UTC)
PACKAGE = Package("demo", {"root": {}}, {"platforms": {}}, {"root/a": "b"})

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARTIFACTS = st.builds(
    Artifact, st.text(), st.text(), st.text(), st.text(), st.dictionaries(st.text(), JSON, max_size=2)
)


def new_run(id_: str, at: datetime = AT, **changed: Any) -> runs.NewRun:
    values: dict[str, Any] = {
        "name": id_,
        "pipeline": "demo",
        "package": PACKAGE,
        "environment": "local",
        "folder": f"f-{id_}",
    }
    return runs.NewRun(id=id_, created_at=at, **(values | changed))


@pytest.fixture
def database(tmp_path: Path) -> Any:
    made = Database(tmp_path / "env" / "state.db")
    yield made
    made.close()


@given(st.dictionaries(st.text(), JSON | ARTIFACTS | st.lists(ARTIFACTS, max_size=2).map(tuple), max_size=4))
def test_values_come_back_as_they_went_in(values: dict[str, Any]) -> None:
    assert codec.decode(codec.encode(values)) == values


@given(
    st.dictionaries(st.text(), JSON, max_size=3),
    st.dictionaries(st.text(), st.lists(ARTIFACTS).map(tuple), max_size=3),
)
def test_outputs_come_back_from_the_cache(parameters: dict[str, Any], things: dict[str, Any]) -> None:
    assert codec.decode_outputs(codec.encode_outputs(Outputs(parameters, things))) == Outputs(
        parameters, things
    )


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_stamps_sort_as_times(one: datetime, other: datetime) -> None:
    assert (codec.stamp(one) < codec.stamp(other)) == (one < other)
    assert codec.moment(codec.stamp(one)) == one


def test_the_file_is_private(database: Database) -> None:
    with database.write() as db:
        runs.add(db, new_run("a"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in database.path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"state.db", "state.db-wal"} <= set(modes)
    assert stat.S_IMODE(database.path.parent.stat().st_mode) == 0o700


def test_a_damaged_file_is_told_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database at all, but long enough to have a header" * 40)
    with pytest.raises(MachineFault, match=r"state\.db is damaged.*move it away"):
        Database(tmp_path / "state.db")


def test_a_page_damaged_later_is_told_too(database: Database) -> None:
    with database.write() as db:
        for number in range(200):
            runs.add(db, new_run(f"run-{number}"))
    database.close()
    whole = bytearray(database.path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    database.path.write_bytes(whole)
    with pytest.raises(MachineFault, match="damaged"), Database(database.path).read() as db:
        runs.everything(db)


def test_a_file_that_was_taken_away_is_not_written_to(database: Database) -> None:
    database.path.rename(database.path.with_name("elsewhere"))
    for transaction in (database.read, database.write):
        with pytest.raises(MachineFault, match="removed or replaced"), transaction():
            pass
    assert not database.path.exists()
    Database(database.path).close()
    with pytest.raises(MachineFault, match="removed or replaced"), database.write():
        pass


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(MachineFault, match="another program"):
        Database(tmp_path / "state.db")
    assert (tmp_path / "state.db").read_bytes() == before


def test_a_newer_format_is_refused(database: Database) -> None:
    with database.write() as db:
        db.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(MachineFault, match="newer kfgit"):
        Database(database.path)


def test_a_folder_instead_of_a_file_is_a_machine_fault(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with pytest.raises(MachineFault, match=r"state\.db cannot be used"):
        Database(tmp_path / "state.db")


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as db:
        runs.add(db, new_run(f"a{runs.add(db, new_run('a')) / 0}"))
    with database.read() as db:
        assert runs.everything(db) == ()


def test_the_same_id_is_one_run(database: Database) -> None:
    with database.write() as db:
        assert runs.add(db, new_run("a", inputs={"x": 1}))
        assert not runs.add(db, new_run("a", inputs={"x": 2}))
        found = runs.get(db, "a")
    assert found is not None
    assert found.inputs == {"x": 1}


def test_a_run_is_claimed_once_and_a_finished_one_stays(database: Database) -> None:
    with database.write() as db:
        runs.add(db, new_run("a"))
        assert transitions.claim(db, "a", "me", AT)
        assert not transitions.claim(db, "a", "you", AT)
        transitions.abandon(db, "a", "lost", AT)
        transitions.request_cancel(db, "a", AT)
        assert runs.state(db, "a") == "FAILED"
        transitions.abandon(db, "a", "again", AT)
        found = runs.get(db, "a")
    assert found is not None
    assert found.error == "lost"


def test_tasks_keep_their_order_and_tell_what_is_new(database: Database) -> None:
    one, two = TaskRecord("b", "c", "RUNNING", key="b"), TaskRecord("a", "c", "PENDING", key="a")
    with database.write() as db:
        runs.add(db, new_run("r"))
        tasks.save(db, "r", 1, (tasks.TaskRow(one, 0, "b"), tasks.TaskRow(two, 1)))
        tasks.save(db, "r", 2, (tasks.TaskRow(two, 1, "a"),))
        assert [row.record.path for row in tasks.of_run(db, "r")] == ["b", "a"]
        assert tasks.of_run(db, "r", since=1) == (tasks.TaskRow(two, 1, "a"),)


def test_texts_that_are_no_unicode_are_kept_as_far_as_possible(database: Database) -> None:
    with database.write() as db:
        runs.add(db, new_run("r", inputs={"x": "\udcff"}))
        tasks.save(db, "r", 1, (tasks.TaskRow(TaskRecord("a", None, "FAILED", error="\udcff!", key="a"), 0),))
        found = runs.get(db, "r")
    assert found is not None
    assert found.tasks[0].error == "?!"
    assert found.inputs == {"x": "\udcff"}


def test_pages_walk_through_all_runs_once(database: Database) -> None:
    with database.write() as db:
        for number in range(25):
            runs.add(
                db, new_run(f"r{number:02}", AT + timedelta(seconds=number // 10), pipeline=f"p{number % 2}")
            )
    seen: list[str] = []
    before: str | None = None
    with database.read() as db:
        everything = [run.id for run in runs.everything(db)]
        while True:
            page = runs.page(db, 7, before)
            seen += [run.id for run in page.items]
            before = page.next
            if before is None:
                break
        assert len(runs.page(db, 50, only=runs.Filter(pipeline="p1", state="PENDING")).items) == 12
    assert seen == everything == sorted(seen, reverse=True)


def test_a_page_of_very_many_runs_is_no_more_work_than_one_of_a_few(database: Database) -> None:
    with database.write() as db:
        runs.add(db, new_run("first"))
        db.execute(
            """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
            INSERT INTO runs
            (id, name, pipeline, experiment, environment, package, inputs, options, state, created_at, folder)
            SELECT 'id-' || i, 'n', 'p' || (i % 50), 'Default', 'local', package, '{}', '{}', 'SUCCEEDED',
            '2026-11-22T12:00:' || printf('%09.6f', i % 60) || 'Z', 'f' || i
            FROM n, (SELECT package FROM runs LIMIT 1)"""
        )
    for only in (
        runs.Filter(),
        runs.Filter(pipeline="p7"),
        runs.Filter(state="SUCCEEDED"),
        runs.Filter(state="FAILED"),
    ):
        with database.read() as db, steps(db) as counted:
            page = runs.page(db, 50, only=only)
            runs.page(db, 50, page.next, only)
            runs.ids(db, "id-777", 5)
            runs.active(db)
        print(f"{only}: {counted[0]:,} steps")
        assert counted[0] < 10_000  # to look at each run once takes more than twice that


def test_a_write_is_no_more_work_than_the_first(database: Database) -> None:
    with database.write() as db:
        runs.add(db, new_run("r"))
    record = TaskRecord("sweep/0/train", "train", "SUCCEEDED", inputs={"lr": 0.1}, outputs={"n": 1}, key="k")
    taken = list[int]()
    for number in range(200):
        with database.write() as db, steps(db) as counted:
            tasks.save(db, "r", number, (tasks.TaskRow(record, 0, "a"),))
        taken.append(counted[0])
    print(f"{taken[0]:,} steps, then {taken[-1]:,}")
    assert taken[-1] <= 2 * taken[0] < 2_000


_WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from kfgit.backends.local.store import Database, runs
from kfgit.ir import Package
from tests.counting import steps
database = Database(Path(sys.argv[1]))
for number in range(50):
    id_ = f"{sys.argv[2]}-{number}"
    with database.write() as db:
        runs.everything(db)
        runs.add(db, runs.NewRun(id_, id_, "p", Package("p", {}), "local", id_, datetime.now(UTC)))
"""


def test_processes_writing_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.db"
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(path), str(number)], stderr=subprocess.PIPE)
        for number in range(4)
    ]
    errors = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0], errors
    database = Database(path)
    with database.read() as db:
        assert {run.id for run in runs.everything(db)} == {f"{w}-{n}" for w in range(4) for n in range(50)}
    database.close()


def test_what_a_run_left_goes_with_it(database: Database) -> None:
    thing = Artifact("id-1", "data", "system.Dataset", "/x", {"rows": 3})
    with database.write() as db:
        runs.add(db, new_run("r"))
        artifacts.add(db, "r", "make", Outputs({}, {"data": (thing,)}), AT)
        artifacts.add(db, "r", "make", Outputs({}, {"data": (thing,)}), AT)
        artifacts.remember(db, ("p", "f"), Outputs({"n": 1}, {"data": (thing,)}), ["/x"], ("r", AT))
        assert [each.artifact for each in artifacts.listing(db)] == [thing]
        assert artifacts.same(db, "/x", "system.Dataset", {"rows": 3}) == thing
        assert artifacts.same(db, "/x", "system.Dataset", {}) is None
        entry = artifacts.recall(db, ("p", "f"))
        assert entry is not None
        assert entry.outputs == Outputs({"n": 1}, {"data": (thing,)})
        assert removal.remove(db, ("r", "unknown")) == ()
        assert removal.remove(db, ("r", "unknown"), removal.EXECUTED) == ("r",)
        assert artifacts.listing(db) == ()
        assert artifacts.recall(db, ("p", "f")) is None
        assert db.execute("SELECT count(*) FROM packages").fetchone()[0] == 0


def test_equal_versions_are_one_and_take_new_labels(database: Database) -> None:
    relabeled = Package("demo", PACKAGE.spec, PACKAGE.platform, {"root/a": "c"})
    with database.write() as db:
        id_ = pipelines.ensure(db, "demo", AT)
        first = pipelines.upload(db, id_, PACKAGE, AT)
        assert pipelines.upload(db, id_, relabeled, AT).id == first.id
        assert pipelines.package(db, first.id) == relabeled
        assert first.name == PACKAGE.digest[:12]
        other = pipelines.upload(db, id_, Package("demo", {"root": {"dag": {}}}), AT)
        assert [each.id for each in pipelines.versions(db, id_)] == [other.id, first.id]


def test_a_changed_trigger_owes_nothing_of_the_past(database: Database) -> None:
    later = AT + timedelta(hours=1)
    with database.write() as db:
        schedules.save(db, "s", "nightly", {"cron": "0 0 * * * *", "inputs": {}}, AT)
        schedules.advance(db, "s", AT, later, AT)
        schedules.save(db, "s", "nightly", {"cron": "0 0 * * * *", "inputs": {"x": 1}}, later)
        (kept,) = schedules.every(db)
        assert (kept.since, kept.last_tick, kept.updated_at) == (AT, AT, later)
        schedules.save(db, "s", "nightly", {"cron": "0 5 * * * *"}, later)
        (moved,) = schedules.every(db)
        assert (moved.since, moved.last_tick, moved.created_at) == (later, None, AT)


def test_a_trigger_key_fires_once_for_each_project(database: Database) -> None:
    with database.write() as db:
        assert ledger.fire(db, ("p", "n", "k"), "run", AT)
        assert not ledger.fire(db, ("p", "n", "k"), "run", AT)
        assert ledger.fire(db, ("q", "n", "k"), "run", AT)


def test_a_store_of_the_first_release_is_brought_up_to_date(tmp_path: Path) -> None:
    """What was written then is linked by id, as what is written now."""
    path = tmp_path / "state.db"
    old = sqlite3.connect(path)
    for statement in schema.MIGRATIONS[0]:
        old.execute(statement)
    old.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    old.execute("PRAGMA user_version = 1")
    key, document = codec.encode_package(PACKAGE)
    old.execute("INSERT INTO packages VALUES (?, 'demo', ?)", (key, document))
    old.execute("INSERT INTO experiments VALUES ('e', 'nightly', NULL, '2026-01-01T00:00:00.000000Z')")
    old.execute("INSERT INTO pipelines VALUES ('p', 'demo', NULL, NULL, '2026-01-01T00:00:00.000000Z', '{}')")
    old.execute(
        "INSERT INTO versions VALUES ('v', 'p', 'abc', 'd', ?, '2026-01-01T00:00:00.000000Z')", (key,)
    )
    old.execute(
        """INSERT INTO runs (id, name, pipeline, version, experiment, environment, package, inputs, options, state,
            created_at, folder) VALUES ('r', 'r', 'demo', 'abc', 'nightly', 'local', ?, '{}', '{}', 'SUCCEEDED',
            '2026-01-02T00:00:00.000000Z', 'r')""",
        (key,),
    )
    # Another run was given what this one made.
    thing = Artifact("a", "data", "system.Dataset", "/runs/r/data")
    old.execute(
        """INSERT INTO runs (id, name, pipeline, experiment, environment, package, inputs, options, state, created_at,
            folder) SELECT 'later', 'later', pipeline, experiment, environment, package, inputs, options, state,
            created_at, 'later' FROM runs"""
    )
    old.execute(
        """INSERT INTO artifacts VALUES ('a', 'r', 't', 'data', 'data', 'system.Dataset', '/runs/r/data', '{}',
            '0.0.1', '', '2026-01-01T00:00:00.000000Z')"""
    )
    for run, cached in (("r", 0), ("later", 1)):
        old.execute(
            """INSERT INTO tasks (run, key, ord, seq, path, state, cached, attempts, inputs, outputs)
                VALUES (?, 't', 0, 0, 't', 'SUCCEEDED', ?, 1, '{}', ?)""",
            (run, cached, codec.encode({"data": thing, "several": (thing,)})),
        )
    spec = '{"pipeline": "demo", "version": "abc", "experiment": "nightly", "cron": "0 0 * * * *"}'
    old.execute(
        """INSERT INTO schedules VALUES ('s', 'hourly', ?, 1, '2026-01-01T00:00:00.000000Z',
            '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', NULL)""",
        (spec,),
    )
    old.commit()
    old.close()
    database = Database(path)
    with database.read() as db:
        (found,) = schedules.every(db)
        assert found.links == schedules.Links("e", "p", "v", key)
        (experiment,) = experiments.every(db)
        assert experiment.last_run_at == datetime(2026, 1, 2, tzinfo=UTC)
        row = db.execute(
            "SELECT experiment_id, pipeline_id, version_id, storage_state FROM runs WHERE id = 'r'"
        ).fetchone()
        assert tuple(row) == ("e", "p", "v", "AVAILABLE")
        assert [tuple(row) for row in db.execute("SELECT run, artifact, folder FROM loans")] == [
            ("later", "a", "r")
        ]
    database.close()
