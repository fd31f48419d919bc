"""The scheduler's loop, with a clock that the test moves: what is due fires, whatever the clock and the store do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.local import firing, scheduled
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.store import packages, schedules, transitions
from kfgit.backends.local.store.schedules import Links
from kfgit.scheduler import BREATH_SECONDS, POLL_SECONDS, Scheduler
from tests.backends import local_samples as samples

MADE = datetime(2026, 3, 1, 0, 0, 30, tzinfo=UTC)


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = MADE) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(f"2026-03-01T{text}Z")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    backend = samples.backend(tmp_path)
    yield backend
    backend.close()


def hourly(backend: LocalBackend, id_: str = "s", *, limit: int = 10) -> None:
    spec = {"cron": "0 0 * * * *", "timezone": "UTC", "pipeline": "demo", "maxConcurrency": limit}
    with backend.database.write() as db:
        links = Links(package=packages.save(db, samples.package({"a": ([], ())})))
        schedules.save(db, id_, id_, spec, MADE, links)


def until(met: threading.Event) -> None:
    assert met.wait(120), "waited in vain"


def test_it_sleeps_until_the_next_tick_but_never_long(backend: LocalBackend) -> None:
    hourly(backend)
    clock = Clock()
    scheduler = Scheduler(backend, clock, pytest.fail)
    assert scheduler.look() == POLL_SECONDS
    clock.now = datetime(2026, 3, 1, 0, 59, 59, 700_000, tzinfo=UTC)
    assert scheduler.look() == pytest.approx(0.3)
    clock.set("01:00:00")
    assert scheduler.look() == POLL_SECONDS
    assert [run.name for run in backend.runs.all()] == ["s-2026-03-01-0100"]


def test_an_empty_store_is_looked_at_now_and_then(backend: LocalBackend) -> None:
    assert Scheduler(backend, Clock(), pytest.fail).look() == POLL_SECONDS


def test_it_says_that_runs_wait(backend: LocalBackend) -> None:
    hourly(backend)
    clock, heard = Clock(), list[int]()
    scheduler = Scheduler(backend, clock, pytest.fail, fired=lambda: heard.append(len(backend.pending())))
    scheduler.look()
    assert heard == []
    clock.set("01:00:00")
    scheduler.look()
    assert heard == [1]


def test_a_thousand_that_are_due_fire_in_one_look(backend: LocalBackend) -> None:
    for number in range(firing.BATCH * 2 + 5):
        hourly(backend, f"s{number}")
    clock = Clock()
    clock.set("01:00:00")
    Scheduler(backend, clock, pytest.fail).look()
    assert len(backend.pending()) == firing.BATCH * 2 + 5


def test_a_laptop_that_slept_fires_the_newest_and_goes_on(backend: LocalBackend) -> None:
    hourly(backend)
    clock = Clock()
    scheduler = Scheduler(backend, clock, pytest.fail)
    for text in ("01:00:00", "07:20:00", "08:00:00"):
        clock.set(text)
        scheduler.look()
    assert sorted(run.name[-4:] for run in backend.runs.all()) == ["0100", "0700", "0800"]


def test_a_clock_that_is_set_back_fires_nothing_twice(backend: LocalBackend) -> None:
    hourly(backend)
    clock = Clock()
    scheduler = Scheduler(backend, clock, pytest.fail)
    for text in ("01:00:00", "02:00:00", "00:59:00", "01:00:00", "02:00:00", "02:59:59"):
        clock.set(text)
        scheduler.look()
    assert sorted(run.name[-4:] for run in backend.runs.all()) == ["0100", "0200"]
    clock.set("03:00:00")
    scheduler.look()
    assert len(backend.runs.all()) == 3


@pytest.mark.parametrize("restarted", [True, False])
def test_a_clock_that_ran_ahead_by_years_is_forgiven(backend: LocalBackend, *, restarted: bool) -> None:
    hourly(backend)
    clock = Clock(MADE.replace(year=2031))
    scheduler = Scheduler(backend, clock, pytest.fail)
    scheduler.look()
    clock.set("01:30:00")
    if restarted:
        scheduler = Scheduler(backend, clock, pytest.fail)
    scheduler.look()
    assert len(backend.runs.all()) == 1
    clock.set("02:00:00")
    scheduler.look()
    assert min(run.name for run in backend.runs.all()) == "s-2026-03-01-0200"


def test_a_change_by_another_process_is_seen_at_the_next_look(backend: LocalBackend) -> None:
    clock = Clock()
    scheduler = Scheduler(backend, clock, pytest.fail)
    scheduler.look()
    hourly(backend)
    clock.set("01:10:00")
    scheduler.look()
    assert len(backend.pending()) == 1


def test_what_changes_under_the_look_is_looked_at_again_at_once(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly(backend)
    clock = Clock()
    clock.set("01:00:00")
    real = scheduled.source_of
    changed = list[int]()

    def interrupted(*args: object) -> object:
        if not changed:
            changed.append(1)
            with backend.database.write() as db:
                schedules.enable(db, "s", clock.now, enabled=True)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(scheduled, "source_of", interrupted)
    scheduler = Scheduler(backend, clock, pytest.fail)
    assert scheduler.look() == BREATH_SECONDS
    assert backend.pending() == ()
    scheduler.look()
    assert len(backend.pending()) == 1


# --- the thread


def test_a_nudge_wakes_it_and_stop_ends_it(backend: LocalBackend) -> None:
    hourly(backend)
    clock, fired = Clock(), threading.Event()
    scheduler = Scheduler(backend, clock, pytest.fail, fired=fired.set)
    scheduler.start()
    clock.set("01:00:00")
    scheduler.nudge()
    until(fired)
    scheduler.stop()
    assert len(backend.runs.all()) == 1
    clock.set("02:00:00")
    scheduler.nudge()
    assert len(backend.runs.all()) == 1


def test_one_that_never_began_can_be_stopped(backend: LocalBackend) -> None:
    Scheduler(backend, Clock(), pytest.fail).stop()


def test_the_end_of_a_run_lets_the_next_tick_go(backend: LocalBackend) -> None:
    hourly(backend, limit=1)
    clock, fired = Clock(), threading.Event()
    clock.set("01:00:00")
    scheduler = Scheduler(backend, clock, pytest.fail, fired=fired.set)
    scheduler.look()
    clock.set("02:00:00")
    fired.clear()
    scheduler.start()
    (first,) = backend.pending()
    with backend.database.write() as db:
        transitions.request_cancel(db, first, clock.now)
    scheduler.nudge()
    until(fired)
    scheduler.stop()
    assert sorted(run.name[-4:] for run in backend.runs.all()) == ["0100", "0200"]


def test_a_fault_is_told_once_and_survived(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    hourly(backend)
    clock, fired, told = Clock(), threading.Event(), list[str]()
    looks = list[int]()
    real = firing.fire

    def failing(*args: object) -> firing.Pass:
        looks.append(1)
        if len(looks) < 3:
            raise MachineFault("the disk is full")
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(firing, "fire", failing)
    monkeypatch.setattr("kfgit.scheduler._AFTER_A_FAULT", 0.01)
    clock.set("01:00:00")
    scheduler = Scheduler(backend, clock, told.append, fired=fired.set)
    scheduler.start()
    until(fired)
    scheduler.stop()
    assert told == ["the scheduler could not look at the schedules: the disk is full"]
    assert len(backend.runs.all()) == 1


def test_why_ticks_are_skipped_is_told_once_an_hour(backend: LocalBackend) -> None:
    with backend.database.write() as db:
        spec = {"cron": "* * * * * *", "timezone": "UTC", "pipeline": "nobody"}
        schedules.save(db, "s", "fast", spec, MADE)
    clock, told = Clock(), list[str]()
    scheduler = Scheduler(backend, clock, told.append)
    for _ in range(5):
        clock.now += timedelta(seconds=1)
        scheduler.look()
    assert (scheduler.skipped_ticks, len(told)) == (5, 1)
    clock.now += timedelta(hours=1)
    scheduler.look()
    assert told == ["schedule `fast` skips what is due: the pipeline `nobody` does not exist"] * 2


def test_nudges_without_end_do_not_make_it_spin(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = list[float]()
    real = firing.fire

    def counted(*args: object) -> firing.Pass:
        looks.append(time.monotonic())
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(firing, "fire", counted)
    scheduler = Scheduler(backend, Clock(), pytest.fail)
    scheduler.start()
    begun = time.monotonic()
    while len(looks) < 20 and time.monotonic() - begun < 120:
        scheduler.nudge()
    scheduler.stop()
    assert len(looks) >= 20
    # A look is followed by a breath, which no machine makes shorter.
    assert looks[-1] - looks[0] > (len(looks) - 1) * BREATH_SECONDS * 0.9


def test_a_killed_server_owes_its_ticks_to_the_next_one(backend: LocalBackend) -> None:
    """Between two looks nothing is remembered but the store."""
    hourly(backend)
    clock = Clock()
    for hours in range(1, 6):
        clock.now = MADE + timedelta(hours=hours)
        Scheduler(backend, clock, pytest.fail).look()
    assert sorted(run.name[-4:] for run in backend.runs.all()) == ["0100", "0200", "0300", "0400", "0500"]
