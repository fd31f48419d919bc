"""What is live in a local environment, and one change of a plan carried out there.

A change and the mark of ownership that goes with it are one transaction, so that a crash leaves either neither or
both, and doing a change again finds it done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never
from uuid import uuid4

from kfgit import canonical
from kfgit.backend import Refused
from kfgit.backends.local import starting
from kfgit.backends.local.store import Database, experiments, ledger, objects, pipelines, runs, schedules
from kfgit.ir import Resource
from kfgit.plan import Adopt, Change, Create, Delete, Live, LiveObject, Replace, Unchanged, Update

_TABLES: Mapping[str, objects.Table] = {
    "Experiment": "experiments",
    "Pipeline": "pipelines",
    "Schedule": "schedules",
    "Run": "runs",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose objects, where."""

    database: Database
    project: str
    environment: str


def observe(scope: Scope) -> Live:
    """All objects; a Run is live once its document has started one, as the last key that did."""
    with scope.database.read() as db:
        marks = {(mark.kind, mark.id): mark for mark in ledger.marks(db, scope.project)}
        found = [*_experiments(db), *_pipelines(db), *_schedules(db), *_runs(db, marks.values())]
    told = [_owned(live, marks.get((live.kind, live.id))) for live in found]
    there = {(live.kind, live.id) for live in found}
    # Names of schedules are not unique: who takes the last one of a name gets the project's own.
    return Live(
        tuple(sorted(told, key=lambda live: live.owned)),
        vanished=frozenset((mark.kind, mark.name) for key, mark in marks.items() if key not in there),
    )


def perform(scope: Scope, change: Change, at: datetime) -> str:
    """Carries a change out and returns the object's id; raises `Refused` where the object is not this project's."""
    match change:
        case Create():
            return _put(scope, change.desired, None, at)
        case Update() | Replace():
            return _put(scope, change.desired, change, at)
        case Adopt():
            return _adopt(scope, change)
        case Delete():
            return _delete(scope, change.live)
        case Unchanged():
            with scope.database.read() as db:
                mark = ledger.mark(db, scope.project, change.kind, change.name)
            return mark.id if mark else ""
        case _:
            assert_never(change)


# --- what is live


def _experiments(db: sqlite3.Connection) -> Iterator[LiveObject]:
    for found in experiments.every(db):
        yield _live("Experiment", found.name, found.id, {"description": found.description})


def _pipelines(db: sqlite3.Connection) -> Iterator[LiveObject]:
    for found in pipelines.every(db):
        versions = pipelines.versions(db, found.id)
        wanted = found.tags.get(pipelines.DIGEST_TAG)
        # The tag, not the newest upload, says what kfgit applied last: an older content may have come back.
        version = next(
            (each for each in versions if each.digest == wanted), versions[0] if versions else None
        )
        spec = {
            "displayName": found.display_name,
            "description": found.description,
            "digest": version.digest if version else None,
        }
        yield replace(_live("Pipeline", found.name, found.id, spec), detail=_content(db, version))


def _content(db: sqlite3.Connection, version: pipelines.Version | None) -> dict[str, Any]:
    package = pipelines.package(db, version.id) if version else None
    if version is None or package is None:
        return {}
    return {"version": version.name, "versionId": version.id, "package": package.spec}


def _schedules(db: sqlite3.Connection) -> Iterator[LiveObject]:
    for found in schedules.every(db):
        spec = {**found.spec, "enabled": found.enabled}
        yield replace(
            _live("Schedule", found.name, found.id, spec),
            detail={
                "updatedAt": found.updated_at.isoformat(),
                "lastTick": found.last_tick and found.last_tick.isoformat(),
            },
        )


def _runs(db: sqlite3.Connection, marks: Any) -> Iterator[LiveObject]:
    for mark in marks:
        if mark.kind == "Run":
            detail = {"key": mark.spec.get("key"), "state": runs.state(db, mark.id)}
            yield replace(_live("Run", mark.name, mark.id, mark.spec), detail=detail)


def _live(kind: str, name: str, id_: str, spec: Mapping[str, Any]) -> LiveObject:
    return LiveObject(kind, name, id_, spec, canonical.digest(spec), owned=False)


def _owned(live: LiveObject, mark: ledger.Mark | None) -> LiveObject:
    if mark is None:
        return live
    # An untouched object has the digest it was applied with, whatever went into that besides the spec.
    digest = mark.digest if mark.digest and live.spec == mark.spec else live.digest
    return replace(live, owned=True, applied=mark.digest or None, digest=digest, before=mark.spec)


# --- changes


def _put(scope: Scope, desired: Resource, change: Update | Replace | None, at: datetime) -> str:
    if desired.kind not in _TABLES:
        raise Refused(f"a local environment has no {desired.kind} objects")
    if desired.kind == "Run":
        return _start(scope, desired, at)
    with scope.database.write() as db:
        mark = ledger.mark(db, scope.project, desired.kind, desired.name)
        current = _current(db, desired, mark)
        renewed = isinstance(change, Replace) and current == change.live.id
        id_ = _write(db, desired, current, at, renewed=renewed)
        ledger.put(
            db, scope.project, ledger.Mark(desired.kind, desired.name, id_, desired.digest, desired.spec)
        )
    return id_


def _adopt(scope: Scope, change: Adopt) -> str:
    """Takes an object over as it is: what its document says otherwise is the next apply's."""
    live = change.live
    with scope.database.write() as db:
        if not objects.exists(db, _TABLES[live.kind], live.id):
            raise Refused(f"{live.kind} `{live.name}` is not there any more")
        ledger.put(db, scope.project, ledger.Mark(live.kind, live.name, live.id, "", live.spec))
    return live.id


def _current(db: sqlite3.Connection, desired: Resource, mark: ledger.Mark | None) -> str | None:
    """The id of the object to write to, None where it must be made."""
    table = _TABLES[desired.kind]
    if mark is not None and objects.exists(db, table, mark.id):
        return mark.id
    foreign = objects.named(db, table, desired.name)
    if foreign is not None:
        raise Refused(
            f"{desired.kind} `{desired.name}` is there already, and this project did not make it; "
            f"rename one of the two, or take it over: kfgit adopt {desired.kind.lower()}/{desired.name}"
        )
    return None


def _write(
    db: sqlite3.Connection, desired: Resource, current: str | None, at: datetime, *, renewed: bool
) -> str:
    match desired.kind:
        case "Experiment":
            id_ = current or experiments.ensure(db, desired.name, at)
            experiments.describe(db, id_, desired.spec.get("description"))
            return id_
        case "Pipeline":
            return _write_pipeline(db, desired, current, at)
        case _:
            id_ = current or str(uuid4())
            if renewed:
                id_ = schedules.renew(db, id_)
            schedules.save(db, id_, desired.name, desired.spec, at, schedules.link(db, desired.spec, at))
            return id_


def _write_pipeline(db: sqlite3.Connection, desired: Resource, current: str | None, at: datetime) -> str:
    if desired.package is None:
        raise Refused(f"pipeline `{desired.name}` has no package")
    id_ = current or pipelines.ensure(db, desired.name, at)
    version = pipelines.upload(db, id_, desired.package, at)
    found = pipelines.get(db, id_)
    tags = {**(found.tags if found else {}), pipelines.DIGEST_TAG: version.digest}
    spec = desired.spec
    pipelines.describe(
        db, pipelines.Pipeline(id_, desired.name, spec.get("displayName"), spec.get("description"), at, tags)
    )
    return id_


def _start(scope: Scope, desired: Resource, at: datetime) -> str:
    request = starting.triggered(desired, scope.project, scope.environment)
    inputs = starting.checked(request)
    with scope.database.write() as db:
        if ledger.fire(db, (scope.project, desired.name, str(desired.spec["key"])), request.id, at):
            starting.record(db, request, inputs, scope.environment, at)
        ledger.put(
            db, scope.project, ledger.Mark("Run", desired.name, request.id, desired.digest, desired.spec)
        )
    return request.id


def _delete(scope: Scope, live: LiveObject) -> str:
    table = _TABLES.get(live.kind)
    if table is None:
        raise Refused(f"a local environment has no {live.kind} objects")
    with scope.database.write() as db:
        mark = ledger.mark(db, scope.project, live.kind, live.name)
        owned = mark is not None and mark.id == live.id
        # A run itself is history and stays: what goes is the wish for it, and its trigger keys stay used.
        if live.kind != "Run":
            if not owned and objects.exists(db, table, live.id):
                raise Refused(f"{live.kind} `{live.name}` was not made by this project, and is left alone")
            objects.remove(db, table, live.id)
        ledger.forget(db, scope.project, live.kind, live.id)
    return live.id
