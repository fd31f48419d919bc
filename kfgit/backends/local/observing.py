"""What is live in a local environment, in the words of the documents.

What a client of KFP's API made says the same in other words, of a version its own name: what means what the document
says reads as the document says it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kfgit import canonical, normal
from kfgit.backends.local.store import Database, experiments, ledger, pipelines, runs, schedules
from kfgit.ir import Resource
from kfgit.plan import USES, Live, LiveObject

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose objects, where."""

    database: Database
    project: str
    environment: str


def observe(scope: Scope, desired: Sequence[Resource] = (), adopting: Sequence[LiveObject] = ()) -> Live:
    """All objects; a Run is live once its document has started one, as the last key that did.

    Those of `adopting` are seen as if they had been taken over.
    """
    wanted = {(each.kind, each.name): each for each in desired}
    with scope.database.read() as db:
        marks = {(mark.kind, mark.id): mark for mark in ledger.marks(db, scope.project)}
        for each in adopting:
            # As `changes` writes it for what is not applied yet.
            marks.setdefault((each.kind, each.id), ledger.Mark(each.kind, each.name, each.id, "", each.spec))
        others = ledger.others(db, scope.project)
        taken = {each.id: wanted.get((each.kind, each.name)) for each in adopting if each.kind == "Pipeline"}
        found = [*_experiments(db), *_pipelines(db, taken), *_schedules(db), *_runs(db, marks.values())]
        newest = ledger.applies(db, scope.project, 1)
    told = [_owned(_in_words(live, marks, wanted, found), marks, others) for live in found]
    there = {(live.kind, live.id) for live in found}
    # Names of schedules are not unique: who takes the last one of a name gets the project's own.
    return Live(
        tuple(sorted(told, key=lambda live: live.owned)),
        vanished=frozenset((mark.kind, mark.name) for key, mark in marks.items() if key not in there),
        last=newest[0].applied if newest else None,
    )


def _experiments(db: sqlite3.Connection) -> Iterator[LiveObject]:
    for found in experiments.every(db):
        yield _live("Experiment", found.name, found.id, {"description": found.description})


def _pipelines(db: sqlite3.Connection, taken: Mapping[str, Resource | None]) -> Iterator[LiveObject]:
    """Pipelines; of those that are `taken` over, one whose content is the wanted one has its digest."""
    for found in pipelines.every(db):
        versions = pipelines.versions(db, found.id)
        wanted = found.tags.get(pipelines.DIGEST_TAG)
        # The tag, not the newest upload, says what kfgit applied last: an older content may have come back.
        version = next(
            (each for each in versions if each.digest == wanted), versions[0] if versions else None
        )
        detail = _content(db, version)
        desired = taken.get(found.id)
        digest = version.digest if version else None
        if desired is not None and desired.package is not None and version is not None:
            held = pipelines.package(db, version.id)
            same = held is not None and normal.same(held, desired.package)
            digest = desired.package.digest if same else digest
        spec = {"displayName": found.display_name, "description": found.description, "digest": digest}
        yield replace(_live("Pipeline", found.name, found.id, spec), detail=detail)


def _content(db: sqlite3.Connection, version: pipelines.Version | None) -> dict[str, Any]:
    package = pipelines.package(db, version.id) if version else None
    if version is None or package is None:
        return {}
    return {
        "version": version.name,
        "versionId": version.id,
        "package": package.spec,
        "platform": package.platform,
    }


def _schedules(db: sqlite3.Connection) -> Iterator[LiveObject]:
    for found in schedules.every(db):
        spec = {**found.spec, "enabled": found.enabled}
        version = pipelines.get_version(db, found.links.version_id) if found.links.version_id else None
        yield replace(
            _live("Schedule", found.name, found.id, spec),
            detail={
                "updatedAt": found.updated_at.isoformat(),
                "lastTick": found.last_tick and found.last_tick.isoformat(),
                "versionId": found.links.version_id,
                "versions": [version.name, version.digest[:12]] if version else [],
            },
        )


def _runs(db: sqlite3.Connection, marks: Iterable[ledger.Mark]) -> Iterator[LiveObject]:
    for mark in marks:
        if mark.kind == "Run":
            detail = {"key": mark.spec.get("key"), "state": runs.state(db, mark.id)}
            yield replace(_live("Run", mark.name, mark.id, mark.spec), detail=detail)


def _live(kind: str, name: str, id_: str, spec: Mapping[str, Any]) -> LiveObject:
    return LiveObject(kind, name, id_, spec, canonical.digest(spec), owned=False)


def _in_words(
    live: LiveObject,
    marks: Mapping[Key, ledger.Mark],
    wanted: Mapping[Key, Resource],
    found: Sequence[LiveObject],
) -> LiveObject:
    """An object of ours in the words that were applied, or are wanted, wherever they mean what is there."""
    mark = marks.get((live.kind, live.id))
    if mark is None or live.kind == "Run":
        return live
    desired = wanted.get((live.kind, live.name))
    reference = mark.spec if mark.digest else desired.spec if desired is not None else {}
    spec = {
        key: reference[key] if key in reference and _means(live, key, reference[key], found) else value
        for key, value in live.spec.items()
    }
    return replace(live, spec=spec, digest=canonical.digest(spec))


def _means(live: LiveObject, key: str, word: Any, found: Sequence[LiveObject]) -> bool:
    """Whether a field of an object means what another word for it means."""
    value = live.spec[key]
    match live.kind, key:
        case "Pipeline", "displayName":
            # Without one the name is shown.
            return bool((value or live.name) == (word or live.name))
        case _, "description":
            return bool((value or "") == (word or ""))
        case "Schedule", "version":
            return word in _names_of_version(live, found)
        case "Schedule", "start" | "end":
            return bool(value and word) and _second(value) == _second(word)
        case _:
            return False


def _names_of_version(live: LiveObject, found: Sequence[LiveObject]) -> set[str]:
    """What a schedule's version goes by: of a pipeline that is being taken over, also the digest that is wanted."""
    names, version = set(live.detail["versions"]), live.detail["versionId"]
    for each in found:
        if each.kind == "Pipeline" and each.detail.get("versionId") == version is not None:
            names.add(str(each.spec["digest"])[:12])
    return names


def _second(written: Any) -> datetime:
    return datetime.fromisoformat(str(written)).replace(microsecond=0)


def _owned(live: LiveObject, marks: Mapping[Key, ledger.Mark], others: Mapping[Key, str]) -> LiveObject:
    mark = marks.get((live.kind, live.id))
    if mark is None:
        other = others.get((live.kind, live.id))
        return live if other is None else replace(live, detail={**live.detail, "owner": f"project `{other}`"})
    # An untouched object has the digest it was applied with, whatever went into that besides the spec.
    digest = mark.digest if mark.digest and live.spec == mark.spec else live.digest
    before = mark.spec if mark.digest else None
    detail = live.detail if mark.uses is None else {**live.detail, USES: mark.uses}
    return replace(live, owned=True, applied=mark.digest or None, digest=digest, before=before, detail=detail)
