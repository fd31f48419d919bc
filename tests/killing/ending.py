"""What must hold in the end of what clients were told and of what was executed."""

from __future__ import annotations

from collections.abc import Iterator

from tests.e2e.door import Project
from tests.killing.clients import Journal
from tests.killing.invariants import FINAL, Snapshot
from tests.killing.workshop import executed


def broken_promises(journal: Journal, snapshot: Snapshot) -> Iterator[str]:
    """What was acknowledged and is not so, and what nobody asked for."""
    yield from journal.faults
    there = {
        "run": {run["id"]: run["id"] for run in snapshot["runs"] if run["schedule"] is None},
        "experiment": {one["name"]: one["id"] for one in snapshot["experiments"]},
        "pipeline": {one["name"]: one["id"] for one in snapshot["pipelines"]},
        "version": {one["name"]: one["id"] for one in snapshot["versions"]},
        "schedule": {one["name"]: one["id"] for one in snapshot["schedules"]},
    }
    maybe_deleted = journal.asked.get("deleted", set())
    for kind, known in journal.known.items():
        for name, id_ in known.items():
            found = there[kind].get(name)
            if found != id_ and name not in maybe_deleted:
                yield f"the {kind} {name} was acknowledged as {id_} and is {found}"
    for kind in ("run", "schedule"):
        yield from (
            f"the {kind} {one} was deleted and is there" for one in journal.deleted & set(there[kind])
        )
    strangers = set(there["run"]) - journal.asked.get("run", set())
    yield from (f"nobody asked for the run {id_}" for id_ in strangers)
    with_version = {one["pipeline"] for one in snapshot["versions"]}
    for name in journal.asked.get("pipeline", set()) & set(there["pipeline"]):
        if there["pipeline"][name] not in with_version or name not in there["version"]:
            yield f"the uploaded pipeline {name} has no version"
    states = {run["id"]: run["state"] for run in snapshot["runs"]}
    for id_ in journal.terminated & set(states):
        if states[id_] not in FINAL:
            yield f"the run {id_} was terminated and is {states[id_]}"


def wrongly_executed(project: Project, snapshot: Snapshot) -> Iterator[str]:
    """Runs that were executed more often than anybody asked for, or are said to have succeeded without it."""
    times = executed(project)
    retries = {run["id"]: run["retries"] for run in snapshot["runs"]}
    for id_, count in times.items():
        if count > 1 + retries.get(id_, 0):
            yield f"the run {id_} was executed {count} times"
    for run in snapshot["runs"]:
        if run["state"] == "SUCCEEDED" and not times[run["id"]]:
            yield f"the run {run['id']} succeeded and was not executed"
        if run["state"] == "PENDING" and times[run["id"]] and not run["retries"]:
            yield f"the run {run['id']} is pending and was executed"
