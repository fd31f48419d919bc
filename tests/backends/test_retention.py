"""What is kept of runs, what goes with them, and what other runs were given of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from kfgit.backends.local import removing
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.folders import run_folder
from kfgit.backends.local.locks import take
from kfgit.backends.local.protocol import Outputs
from kfgit.backends.local.retention import batches, sweep
from kfgit.backends.local.store import artifacts, loans, removal, runs, transitions
from kfgit.events import Artifact, RunFinished, RunRecord, State
from kfgit.model import Retention
from tests.backends import local_samples as samples

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PACKAGE = samples.package({"a": ([], ())})
DAY = 24 * 3600


def stored(
    backend: LocalBackend, number: int, state: State = "SUCCEEDED", days: float = 0, **settings: Any
) -> str:
    """A run that was begun `days` ago and took an hour, with a folder and a file in it."""
    id_, created = f"r{number:04}", NOW - timedelta(days=days, seconds=-number)
    folder = run_folder(created, "demo", id_)
    with backend.database.write() as db:
        runs.add(db, runs.NewRun(id_, id_, "demo", PACKAGE, "local", folder, created, **settings))
        if state != "PENDING":
            transitions.claim(db, id_, "somebody", created)
        record = runs.get(db, id_)
        assert record is not None
        if state not in {"PENDING", "RUNNING"}:
            transitions.finish(db, replace(record, state=state, finished_at=created + timedelta(hours=1)))
    backend.folders.run(folder).mkdir()
    (backend.folders.run(folder) / "file").write_text("x")
    return id_


def kept(backend: LocalBackend) -> set[str]:
    """The ids of the runs that are there, each with its folder and no folder beside theirs."""
    records = backend.runs.all()
    assert {backend.runs.folder(run.id).name for run in records} == {
        each.name for each in backend.folders.runs.iterdir() if not each.is_symlink()
    }
    return {run.id for run in records}


def run(backend: LocalBackend, **settings: Any) -> RunRecord:
    record = backend.start(samples.request(PACKAGE, **settings))
    (end,) = (event for event in backend.watch(record.id) if isinstance(event, RunFinished))
    assert end.run.state == "SUCCEEDED"
    return end.run


def artifact(record: RunRecord) -> Artifact:
    found = record.tasks[0].outputs["data"]
    assert isinstance(found, Artifact)
    return found


def test_the_newest_so_many_are_kept(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    ids = [stored(backend, number) for number in range(150)]
    assert sweep(backend, Retention(count=7), NOW) == 143
    assert kept(backend) == set(ids[-7:])
    assert sweep(backend, Retention(count=7), NOW) == 0


def test_the_older_ones_go_by_the_time_they_ended(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    old, ended_later, new = (
        stored(backend, number, days=days) for number, days in enumerate((31, 30.02, 2), start=1)
    )
    assert sweep(backend, Retention(age=30 * DAY), NOW) == 1
    assert kept(backend) == {ended_later, new}
    assert old not in kept(backend)


def test_count_and_age_both_remove(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    ids = [stored(backend, number, days=10 - number) for number in range(10)]
    sweep(backend, Retention(count=5, age=8 * DAY), NOW)
    assert kept(backend) == set(ids[5:])
    sweep(backend, Retention(count=5, age=3 * DAY), NOW)
    assert kept(backend) == set(ids[7:])


@pytest.mark.parametrize("retention", [Retention(count=1), Retention(age=0), Retention(1, 0)])
def test_what_has_not_ended_stays_whatever_its_age(tmp_path: Path, retention: Retention) -> None:
    backend = samples.backend(tmp_path)
    states: Sequence[State] = (
        "PENDING",
        "RUNNING",
        "SUCCEEDED",
        "FAILED",
        "CANCELED",
        "SKIPPED",
        "SUCCEEDED",
    )
    ids = [stored(backend, number, state, days=100) for number, state in enumerate(states)]
    sweep(backend, retention, NOW)
    assert kept(backend) == {*ids[:2], *([] if retention.age == 0 else ids[-1:])}


def test_without_a_policy_everything_stays(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    stored(backend, 1, days=10_000)
    assert sweep(backend, Retention(), NOW) == 0
    assert sweep(backend, Retention(age=10**30), NOW) == 0
    assert kept(backend)


def test_a_run_whose_folder_is_held_waits_for_the_next_sweep(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    held, free = stored(backend, 1), stored(backend, 2)
    lock = take(backend.folders.lock(backend.runs.folder(held).name))
    assert lock is not None
    assert list(batches(backend, Retention(age=0), NOW + timedelta(days=1))) == [(free,)]
    lock.release()
    assert list(batches(backend, Retention(age=0), NOW + timedelta(days=1))) == [(held,)]


def test_a_run_that_begins_again_in_this_moment_is_spared(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    failed = stored(backend, 1, "FAILED")
    backend.runs.retry(failed)
    assert removing.remove(backend.database, backend.folders, (failed, "unknown")) == ()
    assert kept(backend) == {failed}


def test_what_a_crash_left_goes_when_the_store_is_opened(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    stays, goes = stored(backend, 1), stored(backend, 2)
    with backend.database.write() as db:
        assert removal.remove(db, (goes,)) == (goes,)
    assert len(list(backend.folders.runs.iterdir())) == 2
    backend.close()
    again = samples.backend(tmp_path)
    assert kept(again) == {stays}
    with again.database.read() as db:
        assert removal.left(db) == ()


def test_packages_that_nobody_needs_go_and_the_others_stay(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    other = samples.package({"b": ([], ())})
    first = backend.start(samples.request(other))
    backend.runs.cancel(first.id)
    stored(backend, 1)
    stored(backend, 2)
    sweep(backend, Retention(count=1), NOW)
    with backend.database.read() as db:
        assert db.execute("SELECT count(*) FROM packages").fetchone()[0] == 1


def test_a_kept_run_keeps_what_it_was_given_from_the_cache(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    maker, first, second = (run(backend) for _ in range(3))
    assert artifact(second) == artifact(first) == artifact(maker)
    assert Path(artifact(maker).uri).is_relative_to(backend.runs.folder(maker.id))

    assert sweep(backend, Retention(count=2), NOW + timedelta(days=400)) == 1
    assert {each.id for each in backend.runs.all()} == {first.id, second.id}
    assert Path(artifact(second).uri).read_text() == "42"
    assert [each.artifact for each in backend.runs.artifacts(first.id)] == [artifact(maker)]
    assert backend.runs.artifact(artifact(maker).id).run_id == second.id
    assert run(backend).tasks[0].cached

    backend.runs.delete(second.id)
    assert Path(artifact(first).uri).exists()
    assert backend.runs.artifact(artifact(maker).id).run_id != second.id
    for each in backend.runs.all():
        backend.runs.delete(each.id)
    assert [each.name for each in backend.folders.runs.iterdir() if not each.is_symlink()] == []
    with backend.database.read() as db:
        assert artifacts.listing(db) == ()
        assert not run(backend).tasks[0].cached


def test_an_input_from_another_run_stays_with_the_run_that_was_given_it(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    maker = run(backend)
    thing = artifact(maker)
    user = stored(backend, 1, inputs={"model": thing}, days=-400)
    backend.runs.delete(maker.id)
    assert Path(thing.uri).exists()
    backend.runs.delete(user)
    assert not Path(thing.uri).exists()


def test_nothing_is_taken_from_a_run_that_is_being_removed(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    maker = run(backend)
    later = stored(backend, 1)
    with backend.database.write() as db:
        removal.remove(db, (maker.id,))
        assert not loans.take(db, later, (artifact(maker),))
    removing.clear(backend.database, backend.folders)
    assert not run(backend).tasks[0].cached


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_no_kept_run_misses_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Runs make things, are given things of others, and are removed in any order and company."""
    backend = samples.backend(tmp_path_factory.mktemp("loans"))
    things: list[Artifact] = []
    held: dict[str, set[str]] = {}
    for number in range(data.draw(st.integers(1, 8))):
        id_ = stored(backend, number)
        made = Artifact(f"a{number}", "data", "system.Dataset", str(backend.runs.folder(id_) / "file"))
        takes = data.draw(st.lists(st.sampled_from(things), max_size=3, unique_by=id)) if things else []
        with backend.database.write() as db:
            artifacts.add(db, id_, "a", Outputs({}, {"data": (made,)}), NOW)
            assert loans.take(db, id_, takes)
        held[id_] = {made.uri, *(thing.uri for thing in takes)}
        things.append(made)
        for gone in data.draw(st.lists(st.sampled_from(sorted(held)), max_size=2, unique=True)):
            removing.remove(backend.database, backend.folders, (gone,))
            del held[gone]
            things = [thing for thing in things if any(thing.uri in uris for uris in held.values())]
        needed = set().union(*held.values())
        assert {str(file) for file in backend.folders.runs.glob("*/file")} == needed
        with backend.database.read() as db:
            assert {each.artifact.uri for each in artifacts.listing(db)} == needed
            assert {each.run_id for each in artifacts.listing(db)} <= held.keys()
    removing.remove(backend.database, backend.folders, tuple(held))
    assert list(backend.folders.runs.iterdir()) == []
    backend.close()
