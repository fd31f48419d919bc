"""Writes that may have happened, names that many threads look for, ticks whose runs show late."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.cluster.changes import switching
from kfgit.backends.cluster.changes.applying import LOOKS, Calls, Names
from kfgit.backends.cluster.connection.wire import Ambiguous, Answer
from kfgit.backends.cluster.kfp.answers import understood
from kfgit.backends.cluster.kfp.api import KfpApi, KfpFault, KfpRun, KfpSchedule, RunQuery

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
INTERNAL = KfpFault("do it", 500, 13, "Internal Server Error")
DEADLOCK = KfpFault("do it", 500, 13, "Deadlock", undone=True)
INVALID = KfpFault("do it", 400, 3, "no")


@dataclass
class Server:
    """Answers writes with what is in `answers`, one after the other; looks find `there` from the `shows`th on."""

    answers: list[str | Exception]
    shows: int = 10_000
    writes: int = 0
    looks: int = 0
    naps: list[float] = field(default_factory=list)

    def write(self) -> str:
        """One more write."""
        self.writes += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def look(self) -> str | None:
        """One more look."""
        self.looks += 1
        return "there" if self.looks >= self.shows else None

    @property
    def calls(self) -> Calls:
        """What asks it."""
        return Calls(cast("KfpApi", None), sleep=self.naps.append)


def test_an_answer_is_an_answer() -> None:
    server = Server(["made"])
    assert server.calls.written(server.write, server.look) == "made"
    assert (server.looks, server.naps) == (0, [])


def test_what_is_wrong_is_told_at_once() -> None:
    server = Server([INVALID])
    with pytest.raises(KfpFault):
        server.calls.written(server.write, server.look, times=3)
    assert (server.writes, server.looks) == (1, 0)


@pytest.mark.parametrize("shows", range(1, len(LOOKS) + 2))
def test_a_lost_answer_is_looked_for(shows: int) -> None:
    server = Server([Ambiguous("cut")], shows)
    assert server.calls.written(server.write, server.look) == "there"
    assert (server.writes, server.naps) == (1, list(LOOKS[: shows - 1]))


def test_what_never_shows_is_a_fault_and_is_written_again_only_where_that_is_said() -> None:
    server = Server([Ambiguous("cut")])
    with pytest.raises(Ambiguous):
        server.calls.written(server.write, server.look)
    assert (server.writes, server.naps) == (1, list(LOOKS))
    server = Server([Ambiguous("cut"), "made"])
    assert server.calls.written(server.write, server.look, times=2) == "made"


def test_a_fault_of_the_server_is_never_written_again_blindly() -> None:
    server = Server([INTERNAL])
    with pytest.raises(KfpFault):
        server.calls.written(server.write, server.look, times=3)
    assert server.writes == 1
    assert server.looks > 1
    server = Server([INTERNAL], shows=2)
    assert server.calls.written(server.write, server.look, times=3) == "there"


def test_what_the_database_took_back_is_written_again_unless_it_is_a_run() -> None:
    server = Server([DEADLOCK, DEADLOCK, "made"])
    assert server.calls.written(server.write, server.look, times=2) == "made"
    server = Server([DEADLOCK], shows=2)
    assert server.calls.written(server.write, server.look, times=2) == "there"
    assert server.writes == 1
    server = Server([DEADLOCK] * 9)
    with pytest.raises(KfpFault):
        server.calls.written(server.write, server.look, times=2)
    assert server.writes == 4
    server = Server([DEADLOCK])
    with pytest.raises(KfpFault):
        server.calls.written(server.write, server.look)


@pytest.mark.parametrize(
    ("status", "told", "undone"),
    [
        (500, "Failed to add: Error 1213 (40001): Deadlock found when trying to get lock", True),
        (500, "Error 1205 (HY000): Lock wait timeout exceeded", True),
        (500, "Error 12130: other", False),
        (400, "the name is Error 1213", False),
    ],
)
def test_a_deadlock_is_told_from_other_faults(status: int, told: str, undone: bool) -> None:  # noqa: FBT001
    body = json.dumps({"code": 13, "message": "x" * 500 + told, "details": []}).encode()
    with pytest.raises(KfpFault) as caught:
        understood("do it", Answer(status, {}, body), lambda message: message)
    assert caught.value.undone is undone


def test_what_may_be_written_twice_is() -> None:
    server = Server([Ambiguous("cut"), INTERNAL, "done"])
    assert server.calls.again(server.write) == "done"
    server = Server([Ambiguous("cut")] * 20)
    with pytest.raises(Ambiguous):
        server.calls.again(server.write)
    assert server.writes == len(LOOKS) + 1


def test_the_lock_is_asked_for_before_each_write() -> None:
    asked: list[int] = []
    server = Server([Ambiguous("cut"), INTERNAL, "done", Ambiguous("cut"), "made"])

    def held() -> None:
        asked.append(server.writes)
        if len(asked) == 6:
            raise MachineFault("the lock was lost")

    calls = Calls(cast("KfpApi", None), held, sleep=server.naps.append)
    calls.again(server.write)
    calls.written(server.write, server.look, times=2)
    assert asked == [0, 1, 2, 3, 4]
    with pytest.raises(MachineFault, match="the lock was lost"):
        calls.again(server.write)


def test_a_name_is_looked_for_by_one_thread() -> None:
    names, found = Names(), []
    begun = threading.Barrier(8)

    def find() -> str:
        found.append("x")
        return f"id {len(found)}"

    def ask(_: int) -> str:
        begun.wait()
        return names.get("Experiment", "shared", find)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"id 1"}
    names.forget("Experiment", "shared")
    assert names.get("Experiment", "shared", find) == "id 2"


def test_a_name_that_is_not_found_is_looked_for_again() -> None:
    names = Names()

    def fail() -> str:
        raise MachineFault("no")

    with pytest.raises(MachineFault):
        names.get("Pipeline", "p", fail)
    assert names.get("Pipeline", "p", lambda: "id") == "id"


# --- runs of ticks that show late


class _Reporting:
    """A server whose persistence agent reports a run after some looks; before, it shows an older one."""

    def __init__(self, after: int, newest: datetime, older: datetime | None) -> None:
        self.after, self.newest, self.older, self.asked = after, newest, older, 0

    def runs(self, query: RunQuery, limit: int) -> Sequence[KfpRun]:
        assert (query.recurring_run_id, query.sort_by, limit) == ("old", "scheduled_at desc", 1)
        self.asked += 1
        at = self.newest if self.asked > self.after else self.older
        return [] if at is None else [_run(at)]


def _run(at: datetime) -> KfpRun:
    return KfpRun("r", "r", "", "", False, "", None, None, "old", {}, at, at, None, None, {})  # noqa: FBT003 - KFP's field


def _schedule(stopped: datetime, **trigger: Any) -> KfpSchedule:
    raw = {"trigger": trigger, "no_catchup": True}
    made = NOON - timedelta(days=1)
    return KfpSchedule("old", "s", "", False, "", None, None, made, stopped, raw)  # noqa: FBT003 - KFP's field


HOURLY = {"cron_schedule": {"cron": "0 0 * * * *"}}
EACH_MINUTE = {"periodic_schedule": {"interval_second": "60"}}


def newest(server: _Reporting, found: KfpSchedule, nap: Callable[[float], None]) -> datetime | None:
    calls = Calls(cast("KfpApi", server), sleep=nap)
    return switching.newest_tick(calls, found, "UTC")


@pytest.mark.parametrize(
    ("trigger", "older"),
    [(HOURLY, NOON - timedelta(hours=1)), (HOURLY, None), (EACH_MINUTE, NOON - timedelta(minutes=1))],
)
def test_a_tick_right_before_the_switching_off_is_waited_for(
    trigger: dict[str, Any], older: datetime | None
) -> None:
    naps: list[float] = []
    server = _Reporting(3, NOON, older)
    assert newest(server, _schedule(NOON + timedelta(seconds=2), **trigger), naps.append) == NOON
    assert naps == list(LOOKS[:3])


def test_a_tick_that_never_fired_is_given_up_after_a_while() -> None:
    naps: list[float] = []
    earlier = NOON - timedelta(hours=1)
    server = _Reporting(1000, NOON, earlier)
    assert newest(server, _schedule(NOON + timedelta(seconds=2), **HOURLY), naps.append) == earlier
    assert naps == list(LOOKS)


@pytest.mark.parametrize("later", [timedelta(minutes=30), timedelta(seconds=-2)])
def test_without_a_tick_shortly_before_nobody_waits(later: timedelta) -> None:
    server = _Reporting(1000, NOON, NOON if later > timedelta() else NOON - timedelta(hours=1))
    assert (
        newest(server, _schedule(NOON + later, **HOURLY), lambda _: pytest.fail("it waits")) == server.older
    )
    assert server.asked == 1
