"""The executor: runs that wait are picked up, so many at once, and one run's trouble is its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.executor import Executor, usual_runs
from kfgit.backends.local.following import NEVER_BEGUN
from kfgit.backends.local.job import Job
from kfgit.backends.local.store import transitions
from tests.backends import local_samples as samples
from tests.e2e.door import until

# What hangs in these tests does so for ten minutes.
HANGS = 300
QUICK = samples.package({"a": ([], ())}, "quick")
HANG = samples.package({"a": (["hang"], ())}, "hang")


class Watched:
    """An executor and what it told."""

    def __init__(self, backend: LocalBackend, limit: int = 8) -> None:
        self.backend, self.troubles, self.ends = backend, list[str](), list[None]()
        self.executor = Executor(backend, limit, self.troubles.append, lambda: self.ends.append(None))
        self.executor.start()

    def begin(self, *ids: str, hang: bool = False) -> None:
        for id_ in ids:
            self.backend.start(samples.request(HANG if hang else QUICK, id_, cache=False))
        self.executor.nudge()

    def state(self, id_: str) -> str:
        return self.backend.runs.get(id_).state


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    made = samples.backend(tmp_path)
    yield made
    made.close()


@pytest.fixture
def watched(backend: LocalBackend) -> Iterator[Watched]:
    made = Watched(backend)
    yield made
    made.executor.stop(0)


def test_what_waits_is_executed_nudged_or_not(watched: Watched) -> None:
    watched.begin("one")
    watched.backend.start(samples.request(QUICK, "two", cache=False))
    until(lambda: {watched.state("one"), watched.state("two")} == {"SUCCEEDED"})
    until(lambda: len(watched.ends) == 2)
    until(lambda: watched.executor.active == 0)
    assert watched.troubles == []


def test_so_many_at_once_and_the_oldest_first(backend: LocalBackend) -> None:
    ids = [f"r{number}" for number in range(5)]
    for id_ in ids:
        backend.start(samples.request(HANG, id_, cache=False))
    watched = Watched(backend, limit=2)
    until(lambda: watched.executor.active == 2)
    for place, id_ in enumerate(ids):
        until(lambda id_=id_: watched.state(id_) == "RUNNING")  # type: ignore[misc]
        begun = [each for each in ids if watched.state(each) != "PENDING"]
        assert begun == ids[: max(2, place + 1)] or begun == ids[: place + 2]
        assert watched.executor.active <= 2
        backend.runs.cancel(id_)
    watched.executor.stop(10)
    assert {watched.state(id_) for id_ in ids} == {"CANCELED"}


def test_what_was_canceled_before_it_began_ends_at_once(backend: LocalBackend) -> None:
    backend.start(samples.request(HANG, "early", cache=False))
    with backend.database.write() as db:
        assert transitions.terminate(db, "early")
    watched = Watched(backend)
    until(lambda: watched.state("early") == "CANCELED")
    assert backend.runs.get("early").error == NEVER_BEGUN
    watched.executor.stop(0)


class Broken(LocalBackend):
    """A backend that cannot take some runs."""

    def claim(self, run_id: str) -> Job | None:
        if run_id.startswith("broken"):
            raise MachineFault("its folder cannot be made")
        return super().claim(run_id)


def test_a_run_that_cannot_be_begun_does_not_stop_the_others(tmp_path: Path) -> None:
    plain = samples.backend(tmp_path)
    broken = Broken(plain.settings, plain.database, plain.folders, plain.work, plain.pool)
    for number in range(3):
        broken.start(samples.request(QUICK, f"broken{number}", cache=False))
    broken.start(samples.request(QUICK, "whole", cache=False))
    watched = Watched(broken, limit=2)
    until(lambda: watched.state("whole") == "SUCCEEDED")
    watched.executor.stop(0)
    assert sorted(watched.troubles) == [
        f"run broken{number} cannot be begun: its folder cannot be made" for number in range(3)
    ]
    assert watched.state("broken0") == "PENDING"


class Deaf(LocalBackend):
    """A backend whose store cannot be read, for a while."""

    broken = threading.Event()

    def recover(self) -> tuple[str, ...]:
        if self.broken.is_set():
            raise MachineFault("the disk is full")
        return super().recover()


def test_a_store_that_cannot_be_read_is_told_once_and_tried_again(tmp_path: Path) -> None:
    plain = samples.backend(tmp_path)
    deaf = Deaf(plain.settings, plain.database, plain.folders, plain.work, plain.pool)
    deaf.broken.set()
    watched = Watched(deaf)
    until(lambda: watched.troubles)
    for _ in range(5):
        watched.executor.nudge()
        time.sleep(0.02)
    assert watched.troubles == ["the executor could not look for runs: the disk is full"]
    deaf.broken.clear()
    watched.begin("one")
    until(lambda: watched.state("one") == "SUCCEEDED")
    watched.executor.stop(0)


def test_a_stop_lets_exit_tasks_run(watched: Watched, tmp_path: Path) -> None:
    made = samples.with_exit({"a": (["hang"], ())}, ["note", str(tmp_path / "notes")])
    watched.backend.start(samples.request(made, "one", cache=False))
    until(lambda: any(t.state == "RUNNING" and t.path == "a" for t in watched.backend.runs.get("one").tasks))
    watched.executor.stop(30)
    assert watched.state("one") == "CANCELED"
    assert (tmp_path / "notes").read_text() == "bye\n"


def test_a_stop_does_not_wait_for_ever(watched: Watched) -> None:
    made = samples.with_exit({"a": (["hang"], ())}, ["hang"])
    watched.backend.start(samples.request(made, "one", cache=False))
    until(lambda: watched.executor.active == 1)
    began = time.monotonic()
    watched.executor.stop(0.2)
    assert time.monotonic() - began < HANGS
    assert watched.state("one") == "CANCELED"


def test_a_stop_leaves_what_waits_for_the_next(backend: LocalBackend) -> None:
    first = Watched(backend, limit=1)
    first.begin("one", "two", hang=True)
    until(lambda: first.state("one") == "RUNNING")
    first.executor.stop(0)
    assert (first.state("one"), first.state("two")) == ("CANCELED", "PENDING")
    second = Watched(backend)
    until(lambda: second.state("two") == "RUNNING")
    second.executor.stop(0)
    assert first.state("two") == "CANCELED"


def test_hurry_makes_a_stop_that_waits_stop_at_once(watched: Watched) -> None:
    made = samples.with_exit({"a": (["hang"], ())}, ["hang"])
    watched.backend.start(samples.request(made, "one", cache=False))
    until(lambda: watched.executor.active == 1)
    stopping = threading.Thread(target=watched.executor.stop, args=(1000,))
    stopping.start()
    until(lambda: watched.state("one") == "CANCELING")
    watched.executor.hurry()
    stopping.join(120)
    assert not stopping.is_alive()
    assert watched.state("one") == "CANCELED"


def test_two_executors_share_the_work(backend: LocalBackend) -> None:
    both = [Watched(backend), Watched(backend)]
    both[0].begin(*[f"r{number}" for number in range(30)])
    until(lambda: not backend.pending() and all(each.executor.active == 0 for each in both))
    assert {run.state for run in backend.runs.all()} == {"SUCCEEDED"}
    assert sum(len(each.ends) for each in both) == 30
    for each in both:
        each.executor.stop(0)
        assert each.troubles == []


def test_there_is_room_for_runs_that_only_wait() -> None:
    assert usual_runs() >= 16
