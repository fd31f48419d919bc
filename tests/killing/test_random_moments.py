"""kill -9 at a hundred random moments, during ticks, posts and runs; after each one the store is whole.

Four projects are killed 25 times each. What the seeds decide is when, and what the clients do; what the machine makes
of it differs each time, so a failure tells what it found and is not always repeated.
"""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.door import Project, mentioning, until
from tests.killing import workshop
from tests.killing.clients import Busy, Client
from tests.killing.ending import broken_promises, wrongly_executed
from tests.killing.invariants import FINAL, crowded, lost_ticks, take, unsettled, violations
from tests.serving import begin, launch, state_of

KILLS = 25


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_whatever_is_killed_is_whole_again(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    project = workshop.build(tmp_path / "project")
    spec = workshop.package(project)
    server = begin(project)
    workshop.add_recurring_runs(Client(server.port), spec)
    clients, watch = Busy(seed, spec), Watch(server.state)
    try:
        for number in range(KILLS):
            if number % 4 == 3:  # in the midst of its beginning
                starting = launch(project)
                time.sleep(chance.uniform(0.1, 0.9))
                starting.kill()
                starting.wait()
            else:
                clients.meet(server.port)
                time.sleep(chance.choice((0.0, 0.0, 0.3)) + chance.uniform(0.0, 0.6))
                server.kill()
                clients.meet(None)
            assert violations(server.state) == []
            if chance.random() < 0.3:
                nothing_is_left_running(project)
            if number % 4 != 2:
                server = begin(project)
        clients.meet(server.port)
        clients.stop()
        everything_comes_to_its_end(project, Client(server.port))
    finally:
        clients.stop()
        seen = watch.stop()
        code = server.stop()
    assert seen == set()
    assert code == 0, server.told.read_text()
    nothing_is_left_running(project)
    project.kfgit("runs", "list")
    snapshot = take(server.state)
    assert unsettled(server.state) == []
    assert list(lost_ticks(server.state)) == []
    assert list(broken_promises(clients.journal, snapshot)) == []
    assert list(wrongly_executed(project, snapshot)) == []
    assert "mistake in kfgit" not in server.told.read_text()
    much_has_happened(project)


class Watch:
    """Looks all the time, for what a later moment does not show any more: too many runs of a schedule at once."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> set[str]:
        """What was seen."""
        self._over.set()
        self._thread.join()
        return self._seen

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self._seen.update(crowded(self._state))


def nothing_is_left_running(project: Project) -> None:
    """No task outlives the server that began it."""
    until(lambda: not mentioning(str(project.root)), "the tasks of a dead server to be gone")


def everything_comes_to_its_end(project: Project, client: Client) -> None:
    """What is owed up to this moment fires; then all schedules are disabled, and all runs end."""
    until(lambda: not behind(project, datetime.now(UTC)), "all ticks that are owed")
    for schedule in take(state_of(project))["schedules"]:
        status, answer = client.call("POST", f"recurringruns/{schedule['id']}:disable")
        assert status == 200, answer
    until(lambda: all(run["state"] in FINAL for run in take(state_of(project))["runs"]), "all runs to end")


def behind(project: Project, now: datetime) -> list[str]:
    """The schedules that have not fired of late, though they have time for it."""
    schedules = [
        one for one in take(state_of(project))["schedules"] if one["enabled"] and one["name"] != "slow"
    ]
    late = (now - timedelta(seconds=10)).isoformat()
    return [one["name"] for one in schedules if one["last_tick"] is None or one["last_tick"] < late]


def much_has_happened(project: Project) -> None:
    """Otherwise all of this says nothing."""
    runs = take(state_of(project))["runs"]
    ticks = [run for run in runs if run["schedule"] is not None]
    assert len({run["schedule"] for run in ticks}) > 7
    assert len(ticks) > 2 * KILLS
    assert len(runs) - len(ticks) > KILLS // 2
    assert {"SUCCEEDED", "FAILED", "CANCELED"} <= {run["state"] for run in runs}
