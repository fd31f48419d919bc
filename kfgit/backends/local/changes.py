"""One change of a plan, carried out in a local environment.

A change and the mark of ownership that goes with it are one transaction, so that a crash leaves either neither or
both, and doing a change again finds it done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, assert_never
from uuid import uuid4

from kfgit.backend import Refused
from kfgit.backends.local import starting
from kfgit.backends.local.observing import Scope
from kfgit.backends.local.store import experiments, ledger, objects, pipelines, schedules
from kfgit.ir import Resource
from kfgit.plan import Adopt, Change, Create, Delete, LiveObject, Replace, Unchanged, Update, fits, written

_TABLES: Mapping[str, objects.Table] = {
    "Experiment": "experiments",
    "Pipeline": "pipelines",
    "Schedule": "schedules",
    "Run": "runs",
}


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
        mark = ledger.Mark(desired.kind, desired.name, id_, desired.digest, desired.spec, _uses(desired))
        ledger.put(db, scope.project, mark)
    return id_


def _uses(desired: Resource) -> list[dict[str, Any]] | None:
    return written(desired.uses) if desired.kind == "Pipeline" else None


def _adopt(scope: Scope, change: Adopt) -> str:
    """Takes an object over as it is: what its document says otherwise is the next apply's."""
    live, desired = change.live, change.desired
    with scope.database.write() as db:
        if not objects.exists(db, _TABLES[live.kind], live.id):
            raise Refused(f"{live.kind} `{live.name}` is not there any more")
        ledger.release(db, live.kind, live.id)
        version = live.detail.get("versionId")
        if live.kind == "Pipeline" and version and live.spec["digest"] == desired.spec["digest"]:
            # What the document compiles to means what is there, and may be written otherwise.
            pipelines.renumber(db, version, str(desired.spec["digest"]))
        mark = ledger.Mark(live.kind, live.name, live.id, "", live.spec)
        if fits(live, desired):
            mark = replace(mark, digest=desired.digest, spec=desired.spec, uses=_uses(desired))
        ledger.put(db, scope.project, mark)
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
