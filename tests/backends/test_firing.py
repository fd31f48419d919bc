"""What becomes of ticks in the store: one run for each, none twice, whoever passes there and whatever breaks."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from kfgit.backends.local import firing, scheduled
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.store import (
    Database,
    experiments,
    packages,
    pipelines,
    runs,
    schedules,
    ticks,
    transitions,
)
from kfgit.backends.local.store.schedules import Links
from kfgit.events import RunRecord
from tests.backends import local_samples as samples

MADE = datetime(2026, 3, 1, 0, 0, 30, tzinfo=UTC)
HOURLY: Mapping[str, Any] = {"cron": "0 0 * * * *", "timezone": "UTC", "pipeline": "demo", "inputs": {}}
PACKAGE = samples.package({"a": ([], ())})
WITH_INPUT = samples.package({"a": ([], ())}, inputs={"x": "NUMBER_INTEGER"})


def at(text: str, day: int = 1) -> datetime:
    return datetime.fromisoformat(f"2026-03-{day:02}T{text}Z")


@pytest.fixture
def backend(tmp_path: Path) -> LocalBackend:
    return samples.backend(tmp_path)


def scheduled_as(backend: LocalBackend, id_: str = "s", /, package: Any = PACKAGE, **changed: Any) -> None:
    with backend.database.write() as db:
        spec = {**HOURLY, **changed}
        links = Links(package=packages.save(db, package)) if package else schedules.link(db, spec, MADE)
        schedules.save(db, id_, f"nightly-{id_}", spec, MADE, links)


def look(backend: LocalBackend, now: datetime) -> list[str]:
    """One look that ends when nothing is left: the ids of the runs that it started."""
    found = list[str]()
    for _ in range(200):
        done = firing.fire(backend.database, "test", now)
        found += done.fired
        if done.looked == 0:
            return found
    raise AssertionError("it never comes to an end")


def end(backend: LocalBackend, *ids: str) -> None:
    with backend.database.write() as db:
        for id_ in ids:
            transitions.claim(db, id_, "test", MADE)
            found = runs.get(db, id_)
            assert found is not None
            transitions.finish(db, replace(found, state="SUCCEEDED", finished_at=MADE))


def started(backend: LocalBackend) -> list[RunRecord]:
    return sorted(backend.runs.all(), key=lambda run: run.scheduled_at or MADE)


def times(backend: LocalBackend) -> list[str]:
    return [f"{run.scheduled_at:%H:%M:%S}" for run in started(backend)]


def history(backend: LocalBackend, id_: str = "s") -> list[tuple[str, str]]:
    with backend.database.read() as db:
        return [(f"{tick.at:%H:%M:%S}", tick.state) for tick in reversed(ticks.newest(db, id_))]


def reasons(backend: LocalBackend, id_: str = "s") -> dict[str, str]:
    with backend.database.read() as db:
        return {f"{tick.at:%H:%M}": tick.reason or "" for tick in ticks.newest(db, id_)}


def schedule(backend: LocalBackend, id_: str = "s") -> schedules.Schedule:
    with backend.database.read() as db:
        found = schedules.get(db, id_)
    assert found is not None
    return found


# --- one tick


def test_a_tick_becomes_a_run_that_can_be_executed(backend: LocalBackend) -> None:
    zone = {"timezone": "Asia/Kathmandu", "cron": "0 0 * * * *"}
    scheduled_as(backend, package=WITH_INPUT, inputs={"x": 3}, experiment="tries", **zone)
    look(backend, at("00:15:00"))
    end(backend, *[run.id for run in started(backend)])
    assert look(backend, at("01:14:59")) == []
    (run_id,) = look(backend, at("01:15:20"))
    _, run = started(backend)
    assert (run.id, run.name, run.state) == (run_id, "nightly-s-2026-03-01-0700", "PENDING")
    assert (run.scheduled_at, run.created_at) == (at("01:15:00"), at("01:15:20"))
    assert (run.experiment, run.pipeline, run.inputs) == ("tries", "demo", {"x": 3})
    assert history(backend) == [("00:15:00", "fired"), ("01:15:00", "fired")]
    assert list(backend.watch(run_id))[-1].run.state == "SUCCEEDED"  # type: ignore[union-attr]
    assert (schedule(backend).last_tick, schedule(backend).next_at) == (at("01:15:00"), None)
    assert look(backend, at("01:15:21")) == []
    assert schedule(backend).next_at == at("02:15:00")


def test_the_run_says_which_schedule_and_version_it_is_of(backend: LocalBackend) -> None:
    with backend.database.write() as db:
        pipeline = pipelines.ensure(db, "demo", MADE)
        version = pipelines.upload(db, pipeline, PACKAGE, MADE)
    scheduled_as(backend, package=None, version=version.name)
    look(backend, at("01:00:00"))
    with backend.database.read() as db:
        row = db.execute("SELECT * FROM runs").fetchone()
    assert (row["schedule"], row["pipeline_id"], row["version_id"], row["version"]) == (
        "s",
        pipeline,
        version.id,
        version.name,
    )
    assert row["experiment_id"] == schedule(backend).links.experiment_id


def test_seconds_are_in_the_name_where_there_are_any(backend: LocalBackend) -> None:
    scheduled_as(backend, cron="*/10 * * * * *")
    look(backend, at("00:00:40"))
    assert [run.name for run in started(backend)] == ["nightly-s-2026-03-01-000040"]


def test_a_disabled_one_is_left_alone_and_fires_its_newest_when_enabled(backend: LocalBackend) -> None:
    scheduled_as(backend, enabled=False)
    assert look(backend, at("05:10:00")) == []
    with backend.database.write() as db:
        schedules.enable(db, "s", at("05:20:00"), enabled=True)
    assert len(look(backend, at("05:20:00"))) == 1
    assert history(backend)[-2:] == [("04:00:00", "skipped"), ("05:00:00", "fired")]
    assert reasons(backend)["04:00"].startswith("it was due before the schedule was last enabled")


def test_what_no_server_saw_is_told(backend: LocalBackend) -> None:
    scheduled_as(backend)
    look(backend, at("01:00:00"))
    end(backend, *[run.id for run in started(backend)])
    look(backend, at("04:30:00"))
    assert history(backend) == [
        ("01:00:00", "fired"),
        ("02:00:00", "skipped"),
        ("03:00:00", "skipped"),
        ("04:00:00", "fired"),
    ]
    assert reasons(backend)["02:00"] == "no server ran at that time; without catchup the newest fires"


def test_of_many_missed_the_newest_are_told(backend: LocalBackend) -> None:
    scheduled_as(backend, cron="* * * * * *")
    look(backend, at("12:00:00", day=30))
    told = history(backend)
    assert (len(told), told[-1]) == (25, ("12:00:00", "fired"))
    assert reasons(backend)["11:59"].endswith("others before it were passed over too")


# --- concurrency


def test_without_catch_up_a_tick_waits_and_gives_way_to_newer_ones(backend: LocalBackend) -> None:
    scheduled_as(backend)
    (first,) = look(backend, at("01:00:00"))
    assert look(backend, at("02:00:00")) == []
    assert history(backend)[-1] == ("02:00:00", "waiting")
    assert reasons(backend)["02:00"] == "maxConcurrency is 1, and a run of it had not ended"
    assert look(backend, at("03:00:00")) == look(backend, at("04:00:00")) == []
    end(backend, first)
    assert len(look(backend, at("04:10:00"))) == 1
    assert history(backend) == [
        ("01:00:00", "fired"),
        ("02:00:00", "skipped"),
        ("03:00:00", "skipped"),
        ("04:00:00", "fired"),
    ]
    assert set(reasons(backend).values()) == {"", "maxConcurrency is 1, and a run of it had not ended"}


def test_a_tick_waits_no_more_when_its_schedule_is_turned_off_or_changed(backend: LocalBackend) -> None:
    scheduled_as(backend)
    look(backend, at("01:00:00"))
    look(backend, at("02:00:00"))
    with backend.database.write() as db:
        schedules.enable(db, "s", at("02:10:00"), enabled=False)
    assert history(backend) == [("01:00:00", "fired")]
    with backend.database.write() as db:
        schedules.enable(db, "s", at("02:20:00"), enabled=True)
    look(backend, at("02:20:00"))
    assert history(backend)[-1] == ("02:00:00", "waiting")
    with backend.database.write() as db:
        found = schedules.get(db, "s")
        assert found is not None
        spec = {**found.spec, "cron": "0 30 * * * *"}
        schedules.save(db, "s", found.name, spec, at("02:25:00"), found.links)
    assert history(backend) == [("01:00:00", "fired")]


def test_a_tick_waits_no_more_when_its_experiment_is_archived(backend: LocalBackend) -> None:
    with backend.database.write() as db:
        id_ = experiments.ensure(db, "lab", MADE)
        links = Links(package=packages.save(db, PACKAGE), experiment_id=id_)
        schedules.save(db, "s", "nightly", {**HOURLY, "experiment": "lab"}, MADE, links)
    look(backend, at("01:00:00"))
    look(backend, at("02:00:00"))
    assert history(backend)[-1] == ("02:00:00", "waiting")
    with backend.database.write() as db:
        experiments.archive(db, id_, at("02:10:00"))
    assert history(backend) == [("01:00:00", "fired")]


def test_a_wait_that_ends_in_time_is_no_skip(backend: LocalBackend) -> None:
    scheduled_as(backend)
    (first,) = look(backend, at("01:00:00"))
    look(backend, at("02:00:00"))
    end(backend, first)
    look(backend, at("02:05:00"))
    assert history(backend) == [("01:00:00", "fired"), ("02:00:00", "fired")]


@pytest.mark.parametrize("limit", [1, 3, 10, 99])
def test_a_backlog_drains_as_concurrency_allows(backend: LocalBackend, limit: int) -> None:
    scheduled_as(backend, catchup=True, maxConcurrency=limit)
    now, fired = at("14:30:00"), list[str]()
    while fresh := look(backend, now):
        assert len(fresh) <= min(limit, 10)
        fired += fresh
        end(backend, *fresh)
    assert times(backend) == [f"{hour:02}:00:00" for hour in range(1, 15)]
    assert len(fired) == len(set(fired)) == 14


def test_ends_of_every_kind_give_a_slot(backend: LocalBackend) -> None:
    scheduled_as(backend, catchup=True)
    now = at("09:30:00")
    (one,) = look(backend, now)
    with backend.database.write() as db:
        transitions.request_cancel(db, one, now)
    (two,) = look(backend, now)
    with backend.database.write() as db:
        transitions.claim(db, two, "nobody", now)
        transitions.abandon(db, two, "its process died", now)
    (three,) = look(backend, now)
    with backend.database.write() as db:
        db.execute("DELETE FROM runs WHERE id = ?", (three,))
    assert len(look(backend, now)) == 1


def test_a_run_that_is_retried_counts_again(backend: LocalBackend) -> None:
    scheduled_as(backend)
    (first,) = look(backend, at("01:00:00"))
    with backend.database.write() as db:
        transitions.claim(db, first, "nobody", MADE)
        transitions.abandon(db, first, "its process died", MADE)
        assert transitions.retry(db, first, MADE)
    assert look(backend, at("02:00:00")) == []
    end(backend, first)
    assert len(look(backend, at("02:10:00"))) == 1


# --- what cannot run


def test_a_pipeline_that_is_gone_skips_all_that_is_owed_and_stops_nobody(backend: LocalBackend) -> None:
    scheduled_as(backend, "gone", package=None, pipeline="nowhere", catchup=True)
    scheduled_as(backend, "well", pipeline="demo")
    done = firing.fire(backend.database, "test", at("03:30:00"))
    assert (len(done.fired), done.faults) == (
        1,
        ("schedule `nightly-gone` skips what is due: the pipeline `nowhere` does not exist",),
    )
    assert history(backend, "gone") == [(f"0{hour}:00:00", "skipped") for hour in (1, 2, 3)]
    assert reasons(backend, "gone")["03:00"] == "the pipeline `nowhere` does not exist"
    assert schedule(backend, "gone").next_at == at("04:00:00")
    assert look(backend, at("03:31:00")) == []


def test_a_backlog_of_years_that_cannot_run_is_skipped_at_once(backend: LocalBackend) -> None:
    scheduled_as(backend, package=None, pipeline="nowhere", catchup=True, cron="* * * * * *")
    now = MADE.replace(year=2036)
    assert look(backend, now) == []
    assert schedule(backend).next_at == now + timedelta(seconds=1)


def test_inputs_that_the_pipeline_does_not_take_skip_the_tick(backend: LocalBackend) -> None:
    scheduled_as(backend, package=WITH_INPUT, inputs={"x": "three", "y": 1})
    assert look(backend, at("01:00:00")) == []
    assert "y" in reasons(backend)["01:00"]
    assert history(backend) == [("01:00:00", "skipped")]
    with backend.database.write() as db:
        found = schedules.get(db, "s")
        assert found is not None
        schedules.save(db, "s", found.name, {**found.spec, "inputs": {"x": 3}}, at("01:10:00"), found.links)
    assert look(backend, at("01:20:00")) == []
    assert len(look(backend, at("02:00:00"))) == 1


def test_a_package_that_cannot_run_skips_the_tick(backend: LocalBackend) -> None:
    scheduled_as(backend, package=replace(PACKAGE, spec={"schemaVersion": "9"}))
    assert look(backend, at("01:00:00")) == []
    assert "cannot run" in reasons(backend)["01:00"]


def test_a_schedule_that_cannot_be_read_is_put_off(backend: LocalBackend) -> None:
    scheduled_as(backend, "odd", timezone="Mars/Olympus")
    scheduled_as(backend, "odder", maxConcurrency=["many"])
    scheduled_as(backend, "well")
    done = firing.fire(backend.database, "test", at("01:00:00"))
    assert (len(done.fired), len(done.faults)) == (1, 2)
    assert look(backend, at("01:00:01")) == []
    assert reasons(backend, "odd")["01:00"] == "it cannot be read: there is no time zone `Mars/Olympus`"
    assert schedule(backend, "odd").next_at == at("01:10:00")


def test_one_that_breaks_the_transaction_does_not_take_the_others_along(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = scheduled.record

    def breaking(db: Any, one: schedules.Schedule, *more: Any) -> bool:
        made = real(db, one, *more)
        if one.id == "bad":
            raise KeyError("broken")
        return made

    monkeypatch.setattr(scheduled, "record", breaking)
    for id_ in ("a", "bad", "c"):
        scheduled_as(backend, id_)
    done = firing.fire(backend.database, "test", at("01:00:00"))
    assert (len(done.fired), done.faults) == (2, ("schedule `nightly-bad` is put off: KeyError('broken')",))
    assert history(backend, "bad") == []
    monkeypatch.undo()
    assert look(backend, at("01:05:00")) == []
    assert len(look(backend, at("01:10:00"))) == 1


# --- versions


def test_without_a_pinned_version_each_tick_takes_the_newest(backend: LocalBackend) -> None:
    with backend.database.write() as db:
        pipeline = pipelines.ensure(db, "demo", MADE)
        pipelines.upload(db, pipeline, PACKAGE, MADE)
    scheduled_as(backend, package=None, version=None)
    look(backend, at("01:00:00"))
    with backend.database.write() as db:
        newer = pipelines.upload(db, pipeline, WITH_INPUT, at("01:30:00"))
    end(backend, started(backend)[0].id)
    look(backend, at("02:00:00"))
    assert history(backend)[-1] == ("02:00:00", "skipped")  # the newer one wants an input
    with backend.database.write() as db:
        db.execute("DELETE FROM versions WHERE id = ?", (newer.id,))
    assert len(look(backend, at("03:00:00"))) == 1


def test_a_pinned_one_goes_on_when_its_pipeline_is_deleted(backend: LocalBackend) -> None:
    with backend.database.write() as db:
        pipeline = pipelines.ensure(db, "demo", MADE)
        version = pipelines.upload(db, pipeline, PACKAGE, MADE)
    scheduled_as(backend, package=None, version=version.name)
    with backend.database.write() as db:
        pipelines.remove(db, pipeline)
    assert len(look(backend, at("01:00:00"))) == 1


def test_a_version_that_never_was_is_not_replaced_by_another(backend: LocalBackend) -> None:
    with backend.database.write() as db:
        pipelines.upload(db, pipelines.ensure(db, "demo", MADE), PACKAGE, MADE)
    scheduled_as(backend, package=None, version="v9")
    assert look(backend, at("01:00:00")) == []
    assert reasons(backend)["01:00"] == "the pipeline `demo` has no version `v9`"


# --- replaced and changed


def test_a_replacement_goes_on_counting(backend: LocalBackend) -> None:
    scheduled_as(backend)
    (first,) = look(backend, at("01:00:00"))
    with backend.database.write() as db:
        found = schedules.get(db, "s")
        assert found is not None
        fresh = schedules.renew(db, "s")
        schedules.save(db, fresh, found.name, {**found.spec, "inputs": {}}, at("01:30:00"), found.links)
    assert look(backend, at("01:40:00")) == []
    assert look(backend, at("02:00:00")) == []  # its run from before still goes on
    assert history(backend, fresh) == [("01:00:00", "fired"), ("02:00:00", "waiting")]
    end(backend, first)
    assert len(look(backend, at("02:10:00"))) == 1
    assert times(backend) == ["01:00:00", "02:00:00"]


def test_a_replacement_fires_no_tick_again_when_the_clock_is_set_back(backend: LocalBackend) -> None:
    scheduled_as(backend, maxConcurrency=10)
    for hour in (1, 2, 3, 4, 5):
        look(backend, at(f"{hour:02}:00:00"))
    with backend.database.write() as db:
        schedules.renew(db, "s")
    before = times(backend)
    assert look(backend, at("01:30:00")) == []
    firing.look_at_all(backend.database)
    for hour in (2, 3, 4, 5):
        assert look(backend, at(f"{hour:02}:00:00")) == []
    assert times(backend) == before
    assert len(look(backend, at("06:00:00"))) == 1


def test_a_changed_trigger_owes_nothing_of_before(backend: LocalBackend) -> None:
    scheduled_as(backend, catchup=True, start="2026-02-27T00:00:00Z")
    with backend.database.write() as db:
        found = schedules.get(db, "s")
        assert found is not None
        spec = {**found.spec, "cron": "0 30 * * * *"}
        schedules.save(db, "s", found.name, spec, at("04:10:00"), found.links)
    look(backend, at("05:10:00"))
    assert times(backend) == ["04:30:00"]


def test_a_changed_trigger_with_a_start_to_come_begins_as_a_new_one(backend: LocalBackend) -> None:
    scheduled_as(backend, cron=None, every=3600)
    with backend.database.write() as db:
        spec = {**schedule(backend).spec, "start": "2026-03-01T05:00:00+00:00"}
        schedules.save(db, "s", "nightly", spec, at("02:25:00"), schedule(backend).links)
    look(backend, at("05:59:59"))
    look(backend, at("06:00:00"))
    assert times(backend) == ["06:00:00"]


def test_a_clock_that_ran_ahead_does_not_silence_a_schedule(backend: LocalBackend) -> None:
    scheduled_as(backend, maxConcurrency=10)
    look(backend, datetime(2031, 1, 1, tzinfo=UTC))
    firing.look_at_all(backend.database)
    assert look(backend, at("01:30:00")) == []
    assert len(look(backend, at("02:00:00"))) == 1


# --- many at once


def passing(path: Path, now: datetime) -> None:
    database = Database(path)
    while firing.fire(database, "test", now).looked:
        pass


def test_two_processes_fire_each_tick_once(backend: LocalBackend) -> None:
    for number in range(150):
        scheduled_as(backend, f"s{number:03}", catchup=True, maxConcurrency=3)
    spawn = multiprocessing.get_context("fork")
    path = backend.database.path
    racers = [spawn.Process(target=passing, args=(path, at("05:30:00"))) for _ in range(3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(300)
        assert racer.exitcode == 0
    with backend.database.read() as db:
        counted = db.execute("SELECT schedule, count(*) FROM runs GROUP BY schedule").fetchall()
    assert sorted(tuple(row) for row in counted) == [(f"s{number:03}", 3) for number in range(150)]


def test_threads_and_ends_of_runs_keep_the_limit(backend: LocalBackend) -> None:
    for number in range(8):
        scheduled_as(backend, f"s{number}", catchup=True, maxConcurrency=2)
    over = list[int]()

    def racing() -> None:
        for _ in range(30):
            done = firing.fire(backend.database, "test", at("09:30:00"))
            with backend.database.read() as db:
                over.extend(n for number in range(8) if (n := runs.active_of(db, f"s{number}")) > 2)
            end(backend, *done.fired[:3])

    racers = [threading.Thread(target=racing) for _ in range(3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert over == []
    found = [(run.name, run.scheduled_at) for run in started(backend)]
    assert len(found) == len(set(found))


def test_a_thousand_due_at_once_are_written_in_short_transactions(backend: LocalBackend) -> None:
    with backend.database.write() as db:
        links = Links(package=packages.save(db, PACKAGE))
        for number in range(1000):
            schedules.save(db, f"s{number}", f"n{number}", HOURLY, MADE, links)
    passes = list[firing.Pass]()
    while not passes or passes[-1].looked:
        passes.append(firing.fire(backend.database, "test", at("01:00:00")))
    assert max(len(each.fired) for each in passes) == firing.BATCH
    assert sum(len(each.fired) for each in passes) == 1000
    with backend.database.read() as db:
        assert db.execute("SELECT count(*) FROM ticks WHERE state = 'fired'").fetchone()[0] == 1000
        assert schedules.wake(db) == (False, at("02:00:00"))


def dying(path: Path, now: datetime) -> None:
    """Fires and ends runs without end."""
    database = Database(path)
    while True:
        done = firing.fire(database, "test", now)
        with database.write() as db:
            for run_id in done.fired[::2]:
                transitions.request_cancel(db, run_id, now)


def test_a_process_that_is_killed_leaves_each_tick_owed_or_fired(backend: LocalBackend) -> None:
    for number in range(6):
        scheduled_as(backend, f"s{number}", catchup=True, maxConcurrency=4, cron="*/10 * * * * *")
    spawn, chance = multiprocessing.get_context("fork"), random.Random(5)
    now = at("00:30:00")
    for _ in range(12):
        victim = spawn.Process(target=dying, args=(backend.database.path, now))
        victim.start()
        time.sleep(chance.uniform(0.02, 0.15))
        victim.kill()
        victim.join()
        with backend.database.read() as db:
            assert max(runs.active_of(db, f"s{number}") for number in range(6)) <= 4
    while True:
        pending = backend.pending()
        end(backend, *pending)
        if not pending and not look(backend, now):
            break
    expected = [MADE.replace(second=0) + timedelta(seconds=10 * n) for n in range(4, 181)]
    for number in range(6):
        with backend.database.read() as db:
            rows = db.execute("SELECT scheduled_at FROM runs WHERE schedule = ?", (f"s{number}",)).fetchall()
        assert sorted(datetime.fromisoformat(row[0]) for row in rows) == expected


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=8),
    st.booleans(),
    st.integers(1, 3),
    st.sampled_from([{"cron": "0 */7 * * * *"}, {"cron": None, "every": 500}, {"cron": "@every 300s"}]),
)
def test_however_it_is_looked_at_the_books_balance(
    tmp_path_factory: pytest.TempPathFactory,
    looks: list[tuple[int, bool]],
    catchup: bool,  # noqa: FBT001
    limit: int,
    trigger: Mapping[str, Any],
) -> None:
    """Every run has its tick and every fired tick its run, in order, never more at once than may be."""
    backend = samples.backend(tmp_path_factory.mktemp("firing"))
    scheduled_as(backend, catchup=catchup, maxConcurrency=limit, **trigger)
    now = MADE
    for minutes, ends in looks:
        now += timedelta(minutes=minutes)
        look(backend, now)
        with backend.database.read() as db:
            assert runs.active_of(db, "s") <= limit
        if ends:
            end(backend, *[run.id for run in started(backend) if run.state == "PENDING"][:1])
    with backend.database.read() as db:
        told = ticks.newest(db, "s", 10_000)
    fired = {tick.run: tick.at for tick in told if tick.state == "fired"}
    assert fired == {run.id: run.scheduled_at for run in started(backend)}
    order = sorted(started(backend), key=lambda run: (run.created_at, run.scheduled_at))
    assert [run.scheduled_at for run in order] == sorted(fired.values())
    assert sum(tick.state == "waiting" for tick in told) <= 1
    backend.close()
