"""What must hold of a local environment's store at every instant, whatever was killed: read with SQL of its own.

`violations` may be asked at any time, also between a kill and the next start. `unsettled` is for a store that nobody
works on after an orderly end.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from kfgit import cron

Row = Mapping[str, Any]

FINAL = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}
NEXT = {
    "PENDING": {"RUNNING", "CANCELED", "FAILED"},
    "RUNNING": {"SUCCEEDED", "FAILED", "CANCELED"},
    "FAILED": {"PENDING", "RUNNING"},  # a retry
    "CANCELED": {"PENDING", "RUNNING"},
    "SUCCEEDED": set(),
}
TICK_STATES = {"fired", "skipped", "waiting"}
# So many ticks of a schedule are remembered (store/ticks.py).
TICKS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All rows of all tables at one instant, and where the runs' folders are."""

    tables: Mapping[str, tuple[Row, ...]]
    faults: tuple[str, ...]
    folders: Path

    def __getitem__(self, table: str) -> tuple[Row, ...]:
        return self.tables.get(table, ())  # none before the first transaction


def take(state: Path) -> Snapshot:
    """The store as it is now; `state` is `.kfgit/ENV`."""
    with closing(sqlite3.connect(state / "state.db", timeout=60, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        db.execute("BEGIN")
        checks = [row[0] for row in db.execute("PRAGMA integrity_check")]
        faults = [f"integrity: {told}" for told in checks if told != "ok"]
        faults += [
            f"a reference leads nowhere: {tuple(row)}" for row in db.execute("PRAGMA foreign_key_check")
        ]
        names = [
            row[0]
            for row in db.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        tables = {name: tuple(map(dict, db.execute(f"SELECT * FROM {name}"))) for name in names}
    return Snapshot(tables, tuple(faults), state / "runs")


def violations(state: Path) -> list[str]:
    """What does not hold."""
    snapshot = take(state)
    told = [*snapshot.faults, *(fault for check in _CHECKS for fault in check(snapshot))]
    return [*told, *crowded(state)] if snapshot["schedules"] else told


def crowded(state: Path) -> list[str]:
    """The schedules with too many runs at this instant; their times, taken before transactions, prove nothing."""
    with closing(sqlite3.connect(state / "state.db", timeout=60)) as db:
        found = db.execute(
            """SELECT schedules.name, count(*), ifnull(spec ->> 'maxConcurrency', 1)
                FROM schedules JOIN runs ON runs.schedule = schedules.id
                WHERE runs.state IN ('PENDING', 'RUNNING', 'CANCELING') GROUP BY schedules.id"""
        )
        return [
            f"the schedule {name} has {now} runs, of {most}" for name, now, most in found if now > int(most)
        ]


def left_over(state: Path) -> Iterator[str]:
    """Folders that belong to no run, once somebody has opened the store again."""
    snapshot = take(state)
    known = {row["folder"] for row in (*snapshot["runs"], *snapshot["loans"])}
    there = {entry.name for entry in snapshot.folders.iterdir()} if snapshot.folders.exists() else set()
    yield from (
        f"the folder {name} belongs to no run" for name in sorted(there - known - {"latest", ".latest"})
    )
    yield from (f"the folder {row['folder']} was to be removed" for row in snapshot["leavings"])


def unsettled(state: Path) -> list[str]:
    """What does not hold of a store at rest, whose server executed what there was."""
    active = [run["id"] for run in take(state)["runs"] if run["state"] in {"RUNNING", "CANCELING"}]
    told = (f"run {id_} is active, and nobody executes it" for id_ in active)
    return [*violations(state), *left_over(state), *told]


def lost_ticks(state: Path) -> Iterator[str]:
    """With catch-up every tick up to the last has fired, and has its run where nobody deletes runs."""
    snapshot = take(state)
    fired = defaultdict(set)
    for run in snapshot["runs"]:
        if run["schedule"] and run["scheduled_at"]:
            fired[run["schedule"]].add(_moment(run["scheduled_at"]))
    for schedule in snapshot["schedules"]:
        spec = json.loads(schedule["spec"])
        if not spec.get("catchup"):
            continue
        last = schedule["last_tick"]
        owed = set(_ticks(spec, _moment(schedule["since"]), _moment(last))) if last else set()
        if owed != fired[schedule["id"]]:
            lost, more = sorted(owed - fired[schedule["id"]]), sorted(fired[schedule["id"]] - owed)
            yield f"the schedule {schedule['name']} up to {last} lost {lost} and fired {more} besides"


def _ticks(spec: Mapping[str, Any], since: datetime, last: datetime) -> Iterator[datetime]:
    base = since.replace(microsecond=0)
    while base < last:
        if spec.get("cron"):
            found = cron.next_times(cron.parse(spec["cron"]), base, spec.get("timezone") or "UTC", 1)
        else:
            found = (base + timedelta(seconds=spec["every"]),)
        if not found or found[0] > last:
            return
        base = found[0]
        yield base


def _runs_have_lived_as_runs_do(snapshot: Snapshot) -> Iterator[str]:
    for run in snapshot["runs"]:
        history = json.loads(run["history"])
        states, times = [state for state, _ in history], [at for _, at in history]
        told = f"run {run['id']} ({run['state']}, {states})"
        # As on KFP the history does not tell that a run was asked to end.
        last = {"PENDING", "RUNNING"} if run["state"] == "CANCELING" else {run["state"]}
        if not states or states[0] != "PENDING" or states[-1] not in last:
            yield f"{told} has another history"
        for before, after in pairwise(states):
            if after not in NEXT.get(before, set()):
                yield f"{told} went from {before} to {after}"
        if times != sorted(times):
            yield f"{told} has a history out of order: {times}"
        if (run["state"] in FINAL) != (run["finished_at"] is not None):
            yield f"{told} finished at {run['finished_at']}"
        if run["state"] == "RUNNING" and run["started_at"] is None:
            yield f"{told} never started"
        known = [at for at in (run["created_at"], run["started_at"], run["finished_at"]) if at is not None]
        if known != sorted(known):
            yield f"{told} was created, started and finished at {known}"
        if run["started_at"] is not None and not (snapshot.folders / run["folder"]).is_dir():
            yield f"{told} began and has no folder"


def _tasks_end_with_their_run(snapshot: Snapshot) -> Iterator[str]:
    states = {run["id"]: run["state"] for run in snapshot["runs"]}
    for task in snapshot["tasks"]:
        state = states.get(task["run"])
        if state in FINAL and task["state"] not in FINAL:
            yield f"task {task['path']} of run {task['run']} is {task['state']}, the run {state}"
        if state == "SUCCEEDED" and task["state"] in {"FAILED", "CANCELED"} and "/" not in task["path"]:
            yield f"run {task['run']} succeeded, its task {task['path']} {task['state']}"


def _a_tick_has_one_run(snapshot: Snapshot) -> Iterator[str]:
    known = {schedule["id"]: schedule for schedule in snapshot["schedules"]}
    runs = {run["id"]: run for run in snapshot["runs"]}
    fired = Counter(
        (r["schedule"], r["scheduled_at"]) for r in runs.values() if r["schedule"] and r["scheduled_at"]
    )
    yield from (f"the tick {tick} has {count} runs" for tick, count in fired.items() if count > 1)
    ticks = {(tick["schedule"], tick["at"]): tick for tick in snapshot["ticks"]}
    for (schedule, at), tick in ticks.items():
        last = known[schedule]["last_tick"]
        if (tick["state"] == "fired") != (tick["run"] is not None) or tick["state"] not in TICK_STATES:
            yield f"the tick {schedule} {at} is {tick['state']} with the run {tick['run']}"
        run = runs.get(tick["run"] or "")
        if run is not None and (run["schedule"], run["scheduled_at"]) != (schedule, at):
            yield f"the tick {schedule} {at} has the run of {run['schedule']} {run['scheduled_at']}"
        if tick["state"] == "fired" and (last is None or at > last):
            yield f"the schedule {schedule} fired at {at}, its last tick is {last}"
    for schedule, at in fired:
        remembered = sorted((at for owner, at in ticks if owner == schedule), reverse=True)[:TICKS_KEPT]
        if schedule in known and (schedule, at) not in ticks and (not remembered or at >= remembered[-1]):
            yield f"the run of {schedule} {at} has no tick"


def _packages_are_needed(snapshot: Snapshot) -> Iterator[str]:
    users = (*snapshot["runs"], *snapshot["versions"], *snapshot["schedules"])
    needed = {user["package"] for user in users if user["package"]}
    kept = {package["digest"] for package in snapshot["packages"]}
    yield from (f"the package {digest} is missing" for digest in needed - kept)
    yield from (f"nothing needs the package {digest}" for digest in kept - needed)


def _objects_hang_together(snapshot: Snapshot) -> Iterator[str]:
    runs = {run["id"] for run in snapshot["runs"]}
    experiments = {one["id"]: one for one in snapshot["experiments"]}
    for table in ("artifacts", "cache", "tasks", "kept", "loans"):
        lost = {row["run"] for row in snapshot[table]} - runs
        yield from (f"{table} of run {id_}, which is not there" for id_ in lost)
    newest: dict[str, str] = {}
    for run in snapshot["runs"]:
        if run["experiment_id"] in experiments:
            newest[run["experiment_id"]] = max(run["created_at"], newest.get(run["experiment_id"], ""))
    for id_, at in newest.items():
        if (experiments[id_]["last_run_at"] or "") < at:
            yield f"the experiment {id_} forgets its run of {at}"
    for table in ("experiments", "pipelines"):
        names = Counter(row["name"].encode().lower() for row in snapshot[table])
        yield from (f"{count} {table} are named {name!r}" for name, count in names.items() if count > 1)


_CHECKS: tuple[Callable[[Snapshot], Iterator[str]], ...] = (
    _runs_have_lived_as_runs_do,
    _tasks_end_with_their_run,
    _a_tick_has_one_run,
    _packages_are_needed,
    _objects_hang_together,
)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
