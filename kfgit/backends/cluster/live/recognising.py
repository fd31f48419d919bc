"""Which of the objects that KFP has are ours, and what they are in the documents' words; pure.

Ours is what carries the mark of our set, or has its id in the inventory; what neither says so of is foreign. Where the
inventory was lost, the marks and the documents are all there is to go by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from kfgit import canonical
from kfgit.backends.cluster.changes.applying import CALLED, VERSION
from kfgit.backends.cluster.kfp import translate
from kfgit.backends.cluster.kfp.api import KfpExperiment, KfpPipeline, KfpSchedule
from kfgit.backends.cluster.kfp.limits import kept
from kfgit.backends.cluster.kfp.messages import Message
from kfgit.backends.cluster.kfp.translate import Ids, Names, Spec
from kfgit.backends.cluster.records import marks
from kfgit.backends.cluster.records.inventory import Entry, Inventory, Key
from kfgit.cron import CronError
from kfgit.ir import Resource
from kfgit.plan import USES, LiveObject

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
# No version has this id, and none is also what a schedule says that takes the newest one.
_ANOTHER = "another"
_DESCRIPTION = "KFP cannot change the description of {}: it stays until the object is made anew"
_DISPLAY_NAME = "this KFP cannot change display names (it is older than 2.17)"


@dataclass(frozen=True, slots=True)
class Seen:
    """All that KFP has, whoever made it.

    Of versions what was asked for: `versions` are names by id, `gone` the ids of those that are not there. `lacking`
    are pipelines without the version that they were made of last, `newer` names the newer version that somebody else
    uploaded. `specs` are what pipelines that change were made of.
    """

    experiments: Sequence[KfpExperiment] = ()
    pipelines: Sequence[KfpPipeline] = ()
    schedules: Sequence[KfpSchedule] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()
    newer: Mapping[str, str] = field(default_factory=dict)
    specs: Mapping[str, Spec] = field(default_factory=dict)


@dataclass(frozen=True)
class Knowledge:
    """What the objects are held against. `zone` is the controller's; `tags`: whether pipelines have any there."""

    owner: str
    inventory: Inventory
    desired: Sequence[Resource] = ()
    zone: str = "UTC"
    tags: bool = True

    @cached_property
    def entries(self) -> Mapping[Key, Entry]:
        """What the inventory knows, by kind and id."""
        return self.inventory.by_id()

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """Which of the schedules that the inventory knows it learned of later."""
        return {each.id: rank for rank, each in enumerate(self.inventory.entries) if each.kind == "Schedule"}

    @cached_property
    def wanted(self) -> Mapping[Key, Resource]:
        """What the documents want, by kind and name."""
        return {(each.kind, each.name): each for each in self.desired}

    def mark(self, description: str) -> marks.Mark | None:
        """Our mark in a description."""
        found = marks.mark_of(description)
        return found if found is not None and found.set == self.owner else None


def objects(seen: Seen, known: Knowledge) -> tuple[LiveObject, ...]:
    """Everything that KFP has, as a plan looks at it."""
    return (*_experiments(seen, known), *pipelines(seen, known), *_schedules(seen, known))


def _other(live: LiveObject, tag: str | None, description: str) -> dict[str, str]:
    """Who else keeps an object by kfgit, for people."""
    mark = marks.mark_of(description)
    other = tag or (mark.set if mark is not None else None)
    if live.owned or other is None:
        return {}
    said = " ".join(marks.without_mark(description).split())
    return {"owner": f"another set of kfgit, {other}" + (f" ({said})" if said else "")}


def pinned(known: Knowledge) -> Mapping[str, str]:
    """The names by id of the versions that the inventory knows of."""
    found = {}
    for entry in known.inventory.entries:
        name = entry.spec.get("version") or marks.version_name(str(entry.spec.get("digest") or ""))
        if entry.extra.get(VERSION) and name:
            found[str(entry.extra[VERSION])] = str(name)
    return found


def _words_for(known: Knowledge) -> Mapping[str, frozenset[str]]:
    """All that versions go by in documents: what each of them was pinned as, and its own name where that is another."""
    found: dict[str, set[str]] = defaultdict(set)
    for entry in known.inventory.entries:
        id_ = entry.extra.get(VERSION)
        if id_:
            name = entry.spec.get("version") or marks.version_name(str(entry.spec.get("digest") or ""))
            found[str(id_)] |= {str(name), str(entry.extra.get(CALLED) or name)}
    return {id_: frozenset(names) for id_, names in found.items()}


def is_ours(found: KfpSchedule, known: Knowledge) -> bool:
    """Whether a schedule is ours."""
    return ("Schedule", found.recurring_run_id) in known.entries or known.mark(found.description) is not None


def _experiments(seen: Seen, known: Knowledge) -> Iterator[LiveObject]:
    for found in seen.experiments:
        live = LiveObject("Experiment", found.display_name, found.experiment_id, {}, "", owned=False)
        entry, desired = _said(live, known)
        mark = known.mark(found.description)
        spec = {"description": _description(found.description, mark, _specs(entry, desired))}
        fixed = {"description": _DESCRIPTION.format("an experiment")}
        applied = _digest_of(mark, desired) if mark else None
        told = _owned(live, spec, entry, applied)
        yield replace(told, fixed=fixed, detail=_other(told, None, found.description))


def pipelines(seen: Seen, known: Knowledge) -> Iterator[LiveObject]:
    """Pipelines; a tag says what one was made of last, the inventory where there are no tags."""
    for found in seen.pipelines:
        live = LiveObject("Pipeline", found.name, found.pipeline_id, {}, "", owned=False)
        entry, desired = _said(live, known)
        digest = marks.tagged_digest(found.tags)
        # What was taken over and is not marked yet is what the inventory says.
        unmarked = entry is not None and not entry.digest and found.tags.get(marks.SET_TAG) != known.owner
        if entry is not None and (unmarked or not known.tags):
            digest = entry.spec.get("digest")
        mark = known.mark(found.description)
        lacks = found.pipeline_id in seen.lacking
        spec = {
            "displayName": _display_name(found, _specs(entry, desired)),
            "description": _description(found.description, mark, _specs(entry, desired)),
            "digest": None if lacks else digest,
        }
        fixed = {"description": _DESCRIPTION.format("a pipeline")}
        if not known.tags:
            fixed["displayName"] = _DISPLAY_NAME
        applied = None
        if marks.is_of(known.owner, found.tags, found.description):
            applied = (
                desired.digest if desired and desired.spec.get("digest") == digest else digest or "nothing"
            )
        used = {USES: entry.extra[USES]} if entry is not None and USES in entry.extra else {}
        detail: dict[str, Any] = {**seen.specs.get(found.pipeline_id, {}), **used}
        told = _owned(live, spec, entry, applied)
        other = found.tags.get(marks.SET_TAG)
        yield replace(told, fixed=fixed, detail={**detail, **_other(told, other, found.description)})


def _schedules(seen: Seen, known: Knowledge) -> Iterator[LiveObject]:
    ours: dict[str, list[KfpSchedule]] = defaultdict(list)
    for found in seen.schedules:
        if is_ours(found, known):
            ours[found.display_name].append(found)
    kept = {max(each, key=lambda found: _rank(found, known)).recurring_run_id for each in ours.values()}
    words = _Words(seen, known)
    for found in seen.schedules:
        live = LiveObject("Schedule", found.display_name, found.recurring_run_id, {}, "", owned=False)
        entry, desired = _said(live, known)
        mark = known.mark(found.description)
        spec = words.spec(found, entry, desired, mark)
        told = _owned(live, spec, entry, _digest_of(mark, desired) if mark else None)
        detail = _other(told, None, found.description)
        yield replace(told, leftover=told.owned and live.id not in kept, detail=detail)


def _rank(found: KfpSchedule, known: Knowledge) -> tuple[int, datetime, str]:
    """Of several of ours under one name the one that the inventory knew last counts, else the newest."""
    id_ = found.recurring_run_id
    return known.ranks.get(id_, -1), found.created_at or _NEVER, id_


@dataclass(frozen=True)
class _Words:
    """Schedules in the documents' words."""

    seen: Seen
    known: Knowledge

    @cached_property
    def names(self) -> Names:
        versions = {**pinned(self.known), **self.seen.versions}
        return Names(
            {each.pipeline_id: each.name for each in self.seen.pipelines},
            {id_: name for id_, name in versions.items() if id_ not in self.seen.gone},
            {each.experiment_id: each.display_name for each in self.seen.experiments},
        )

    @cached_property
    def words(self) -> Mapping[str, frozenset[str]]:
        return _words_for(self.known)

    def _words_for(self, version: str) -> frozenset[str]:
        named = self.names.versions.get(version)
        if named is None:
            return frozenset()
        return self.words.get(version, frozenset()) | {named}

    @cached_property
    def ids(self) -> Mapping[Key, str]:
        """The other way round."""
        found = {("Pipeline", name): id_ for id_, name in self.names.pipelines.items()}
        return found | {("Experiment", name): id_ for id_, name in self.names.experiments.items()}

    def spec(
        self, found: KfpSchedule, entry: Entry | None, desired: Resource | None, mark: marks.Mark | None
    ) -> dict[str, Any]:
        reference: Spec = next(_specs(entry, desired), {})
        sent = self._sent(found, reference, mark) if entry or mark else None
        return translate.schedule_spec(found, self.names, self.known.zone, reference, sent)

    def _sent(self, found: KfpSchedule, reference: Spec, mark: marks.Mark | None) -> Message | None:
        """The message that the reference stands for. A start that only continues another schedule is part of it."""
        if not reference.get("cron") and not reference.get("every"):
            return None
        start = translate.start_of(found.raw)
        goes_on = mark is not None and start is not None and start <= (found.created_at or _NEVER)
        # What is pinned to a version of the wanted name is pinned to the wanted version.
        version = found.pipeline_version_id or ""
        ids = Ids(
            self.ids.get(("Pipeline", str(reference.get("pipeline"))), ""),
            version if reference.get("version") in self._words_for(version) else _ANOTHER,
            self.ids.get(("Experiment", str(reference.get("experiment"))), ""),
        )
        try:
            message = translate.schedule_message(
                found.display_name, reference, ids, zone=self.known.zone, start=start if goes_on else None
            )
        except CronError:
            return None
        return translate.switched(message, enabled=bool(reference.get("enabled", True)))


def _said(live: LiveObject, known: Knowledge) -> tuple[Entry | None, Resource | None]:
    """What the inventory and the documents say of an object."""
    return known.entries.get((live.kind, live.id)), known.wanted.get((live.kind, live.name))


def _specs(entry: Entry | None, desired: Resource | None) -> Iterator[Spec]:
    """The words that may be kept: those that were applied, else those that are wanted."""
    if entry is not None and entry.digest:
        yield entry.spec
    if desired is not None:
        yield desired.spec


def _description(written: str, mark: marks.Mark | None, specs: Iterable[Spec]) -> str:
    """What a person wrote, which was sent as KFP can keep it, and gave way to our mark where it was too long."""
    texts = (str(spec.get("description") or "") for spec in specs)
    if mark is None:
        told = marks.without_mark(written)
        return next((each for each in texts if kept(each) == told), told)
    return next(
        (each for each in texts if marks.describe(each, mark) == written), marks.without_mark(written)
    )


def _display_name(found: KfpPipeline, specs: Iterable[Spec]) -> str:
    """Without one KFP shows the name."""
    words = (str(spec.get("displayName") or "") for spec in (*specs, {}))
    return next(
        (each for each in words if kept(each or found.name) == found.display_name), found.display_name
    )


def _digest_of(mark: marks.Mark, desired: Resource | None) -> str:
    """The digest that a mark says the beginning of."""
    return desired.digest if desired is not None and desired.digest.startswith(mark.digest) else mark.digest


def _owned(live: LiveObject, spec: Spec, entry: Entry | None, marked: str | None) -> LiveObject:
    """The object as ours or not; `marked` is the digest that our mark on it speaks of, None where there is none."""
    live = replace(live, spec=spec, digest=canonical.digest(spec))
    if entry is None:
        ours = marked is not None
        return replace(live, owned=ours, applied=marked, unrecorded=ours)
    applied = entry.digest or None
    # An untouched object has the digest that it was applied with.
    digest = entry.digest if applied and dict(spec) == dict(entry.spec) else live.digest
    return replace(live, owned=True, applied=applied, digest=digest, before=entry.spec if applied else None)
