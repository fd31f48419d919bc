"""All of KFP's objects, seen with few requests: lists, and single objects only where a list is no proof.

What the inventory knows and no list shows is asked for by its id before it counts as gone: pages of a list are no
snapshot, and what is missing is made anew. A list that fails raises, and nothing is concluded from the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from kfgit.backends.cluster.changes.applying import CALLED, DOCUMENTS, VERSION
from kfgit.backends.cluster.kfp.api import KfpApi, KfpVersion
from kfgit.backends.cluster.kfp.capabilities import Capabilities
from kfgit.backends.cluster.kfp.limits import unfit_resource
from kfgit.backends.cluster.live import recognising
from kfgit.backends.cluster.live.recognising import Knowledge, Seen
from kfgit.backends.cluster.records import marks
from kfgit.backends.cluster.records.inventory import Entry, Inventory, Key
from kfgit.ir import Resource
from kfgit.plan import Live, LiveObject

A = TypeVar("A")
B = TypeVar("B")

# So many requests at once.
_WIDTH = 8
# So many of a pipeline's newest versions are looked at, and of so many pipelines the whole of what changes.
_VERSIONS = 10
_KINDS = ("Experiment", "Pipeline", "Schedule", "Run")
# Names of Kubernetes objects (RFC 1123, as apimachinery's IsDNS1123Subdomain has it).
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_SPECS = 20


@dataclass(frozen=True, slots=True)
class Scene:
    """What is looked at, and what is known of it. `owner` is the set of our marks, `zone` that of KFP's controller."""

    kfp: KfpApi
    capabilities: Capabilities
    inventory: Inventory
    owner: str
    zone: str = "UTC"
    refresh: bool = False


def observe(scene: Scene, desired: Sequence[Resource]) -> Live:
    """What is live of KFP's objects; raises `MachineFault` where anything could not be seen."""
    with ThreadPoolExecutor(_WIDTH) as pool:
        seen = _with_unlisted(scene, _lists(scene, pool), pool)
        known = Knowledge(scene.owner, scene.inventory, desired, scene.zone, _tags(scene, seen, desired))
        seen = _with_versions(scene, seen, known, pool)
        seen = _with_specs(scene, seen, known, pool)
        late = _started_already(scene, desired, pool)
    return Live(
        (*recognising.objects(seen, known), *_runs(scene, desired)),
        vanished=frozenset((entry.kind, entry.name) for entry in _missing(scene.inventory, seen)),
        notes=_joined((*_notes(seen, known), *_unfit(scene, desired), *late)),
        remarks=_unfinished(scene.inventory),
    )


def _tags(scene: Scene, seen: Seen, desired: Sequence[Resource]) -> bool:
    """Whether pipelines have tags there; asked only where there is a pipeline, and none shows any."""
    if any(each.tags for each in seen.pipelines):
        scene.capabilities.seen("tags")
    concerned = seen.pipelines or any(each.kind == "Pipeline" for each in desired)
    return not concerned or scene.capabilities.tags


# --- what KFP has


def _lists(scene: Scene, pool: ThreadPoolExecutor) -> Seen:
    """All three lists; the first one that fails is told."""
    experiments = pool.submit(scene.kfp.experiments)
    pipelines = pool.submit(scene.kfp.pipelines)
    schedules = pool.submit(scene.kfp.schedules)
    return Seen(experiments.result(), pipelines.result(), schedules.result())


def _with_unlisted(scene: Scene, seen: Seen, pool: ThreadPoolExecutor) -> Seen:
    """What the inventory knows and the lists left out, asked for one by one: what is still there was only skipped."""
    kfp = scene.kfp
    missing = _missing(scene.inventory, seen)
    experiments = _each(pool, kfp.experiment, [each.id for each in missing if each.kind == "Experiment"])
    pipelines = _each(pool, kfp.pipeline, [each.id for each in missing if each.kind == "Pipeline"])
    schedules = _each(pool, kfp.schedule, [each.id for each in missing if each.kind == "Schedule"])
    return replace(
        seen,
        experiments=(*seen.experiments, *_there(experiments)),
        pipelines=(*seen.pipelines, *_there(pipelines)),
        schedules=(*seen.schedules, *_there(schedules)),
    )


def _missing(inventory: Inventory, seen: Seen) -> tuple[Entry, ...]:
    ids = {
        "Experiment": {each.experiment_id for each in seen.experiments},
        "Pipeline": {each.pipeline_id for each in seen.pipelines},
        "Schedule": {each.recurring_run_id for each in seen.schedules},
    }
    return tuple(each for each in inventory.entries if each.kind in ids and each.id not in ids[each.kind])


def _there(answers: Iterable[tuple[str, A | None]]) -> tuple[A, ...]:
    return tuple(found for _, found in answers if found is not None)


def _with_versions(scene: Scene, seen: Seen, known: Knowledge, pool: ThreadPoolExecutor) -> Seen:
    """The names of versions that schedules of ours are pinned to, where the inventory does not tell them."""
    if scene.refresh:
        seen = _refreshed(scene, seen, known, pool)
    # What the inventory tells may have been deleted since.
    told = seen.versions if scene.refresh else recognising.pinned(known)
    asked = {
        (each.pipeline_id, each.pipeline_version_id)
        for each in seen.schedules
        if each.pipeline_id and each.pipeline_version_id and recognising.is_ours(each, known)
    }
    asked = {pair for pair in asked if pair[1] not in told}
    found = dict(_each(pool, lambda pair: scene.kfp.version(*pair), sorted(asked)))
    names = {id_: _word(scene, version) for (_, id_), version in found.items() if version is not None}
    gone = {id_ for (_, id_), version in found.items() if version is None}
    return replace(seen, versions={**seen.versions, **names}, gone=seen.gone | gone)


def _refreshed(scene: Scene, seen: Seen, known: Knowledge, pool: ThreadPoolExecutor) -> Seen:
    """The newest versions of our pipelines: whether ours is among them, and whether somebody else's is newer."""
    ours = [live for live in recognising.pipelines(seen, known) if live.owned]
    lists = dict(_each(pool, lambda id_: scene.kfp.versions(id_, _VERSIONS), [live.id for live in ours]))
    names = {each.pipeline_version_id: _word(scene, each) for versions in lists.values() for each in versions}
    lacking, newer = set(), {}
    for live in ours:
        wanted = _called(live, known)
        versions = lists[live.id]
        if wanted and all(each.name != wanted for each in versions):
            full = len(versions) == _VERSIONS
            if not full or scene.kfp.version_named(live.id, wanted) is None:
                lacking.add(live.id)
        if versions and versions[0].name != wanted and versions[0].tags.get(marks.SET_TAG) != scene.owner:
            newer[live.id] = versions[0].name
    return replace(seen, versions=names, lacking=frozenset(lacking), newer=newer)


def _word(scene: Scene, version: KfpVersion) -> str:
    """What a version is called in documents; one that was taken over has a name of its own, and says what it is."""
    digest = marks.tagged_digest(version.tags) if version.tags.get(marks.SET_TAG) == scene.owner else None
    return marks.version_name(digest) if digest else version.name


def _called(live: LiveObject, known: Knowledge) -> str:
    """The name of the version that a pipeline is made of; one that was taken over has kept its own."""
    entry = known.entries.get((live.kind, live.id))
    digest = live.spec.get("digest")
    if entry is not None and entry.extra.get(CALLED) and entry.spec.get("digest") == digest:
        return str(entry.extra[CALLED])
    return marks.version_name(str(digest or ""))


def _each(pool: ThreadPoolExecutor, ask: Callable[[A], B], about: Iterable[A]) -> list[tuple[A, B]]:
    waiting = [(each, pool.submit(ask, each)) for each in about]
    return [(each, answer.result()) for each, answer in waiting]


def _with_specs(scene: Scene, seen: Seen, known: Knowledge, pool: ThreadPoolExecutor) -> Seen:
    """What the pipelines that change were made of, so that a plan can show what changes inside; of some, if many."""
    asked = []
    for live in recognising.pipelines(seen, known):
        entry, desired = known.entries.get((live.kind, live.id)), known.wanted.get((live.kind, live.name))
        version = entry.extra.get(VERSION) if entry is not None else None
        if version and desired is not None and desired.spec.get("digest") != live.spec["digest"] is not None:
            asked.append((live.id, str(version)))
    found = _each(pool, lambda pair: scene.kfp.version(*pair), asked[:_SPECS])
    return replace(
        seen, specs={id_: _parts(version.spec) for (id_, _), version in found if version is not None}
    )


def _parts(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a version is made of, as `LiveObject.detail` has it; only with a platform's spec it has two parts."""
    inner = spec.get("pipeline_spec", spec)
    platform = spec.get("platform_spec") if inner is not spec else None
    return {
        "package": inner if isinstance(inner, Mapping) else {},
        "platform": platform if isinstance(platform, Mapping) else None,
    }


# --- runs


def _runs(scene: Scene, desired: Sequence[Resource]) -> Iterator[LiveObject]:
    """The wishes for runs that were granted: those whose key has fired, and those that nobody has any more."""
    wanted = {each.name: each for each in desired if each.kind == "Run"}
    for run in wanted.values():
        id_ = scene.inventory.fired.get(f"{run.name} {run.spec['key']}")
        if id_ is not None:
            yield LiveObject("Run", run.name, id_, run.spec, run.digest, owned=True, applied=run.digest)
    for entry in scene.inventory.entries:
        if entry.kind == "Run" and entry.name not in wanted:
            yield LiveObject(
                "Run", entry.name, entry.id, entry.spec, entry.digest, owned=True, applied=entry.digest
            )


def _started_already(
    scene: Scene, desired: Sequence[Resource], pool: ThreadPoolExecutor
) -> Iterable[tuple[Key, str]]:
    """What to say of runs that an apply which was cut off may have started without writing it down."""
    journal = scene.inventory.journal
    meant = {each.name for each in journal.intents if each.kind == "Run"} if journal is not None else set()
    ids = {
        marks.run_id(scene.owner, each.name, str(each.spec["key"])): each.name
        for each in desired
        if each.kind == "Run" and each.name in meant
        if f"{each.name} {each.spec['key']}" not in scene.inventory.fired
    }
    found = _each(pool, scene.kfp.run, ids)
    return [(("Run", ids[id_]), _STARTED.format(id_)) for id_, run in found if run is not None]


# --- what people should know


_STARTED = "an apply that was cut off has started it, as {}: it is written down, and not started again"
_SAME_BUT_CASE = (
    "the server has `{}`, and its database does not tell names by upper and lower case: rename one of them"
)
_ARCHIVED = "it is archived in KFP, which also switched its schedules off: take it out of the archive there"
_NEWER = "somebody uploaded a newer version, `{}`: schedules of kfgit stay with theirs"
_LACKING = "its version was deleted in KFP, and is uploaded again"
_NATIVE = (
    "KFP there keeps pipelines as Kubernetes objects, which cannot have this name: lower-case letters, digits, `-` and "
    "`.` alone; give it another `externalName`"
)
_BESIDE = "others have made {} of this name as well: left alone"


def _notes(seen: Seen, known: Knowledge) -> Iterator[tuple[Key, str]]:
    names = {
        "Experiment": {each.display_name.casefold(): each.display_name for each in seen.experiments},
        "Pipeline": {each.name.casefold(): each.name for each in seen.pipelines},
    }
    for kind, name in known.wanted:
        other = names.get(kind, {}).get(name.casefold(), name)
        if other != name:
            yield (kind, name), _SAME_BUT_CASE.format(other)
    for each in seen.experiments:
        if each.archived and ("Experiment", each.display_name) in known.wanted:
            yield ("Experiment", each.display_name), _ARCHIVED
    for pipeline in seen.pipelines:
        if pipeline.pipeline_id in seen.newer:
            yield ("Pipeline", pipeline.name), _NEWER.format(seen.newer[pipeline.pipeline_id])
        if pipeline.pipeline_id in seen.lacking:
            yield ("Pipeline", pipeline.name), _LACKING
    ours = {each.display_name for each in seen.schedules if recognising.is_ours(each, known)}
    others = Counter(each.display_name for each in seen.schedules if not recognising.is_ours(each, known))
    for name in sorted(ours & others.keys()):
        count = others[name]
        yield ("Schedule", name), _BESIDE.format(f"{count} schedule{'s' if count > 1 else ''}")


def _unfit(scene: Scene, desired: Sequence[Resource]) -> Iterator[tuple[Key, str]]:
    for each in desired:
        problem = unfit_resource(each) if each.kind in _KINDS else None
        if problem is not None:
            yield (each.kind, each.name), problem
        if each.kind == "Pipeline" and scene.capabilities.native and not _SUBDOMAIN.fullmatch(each.name):
            yield ("Pipeline", each.name), _NATIVE


def documented(objects: Iterable[LiveObject], inventory: Inventory) -> tuple[LiveObject, ...]:
    """Objects with the names of their documents, as the inventory knows them."""
    names = {key: tuple(entry.extra.get(DOCUMENTS, ())) for key, entry in inventory.by_id().items()}
    return tuple(replace(each, documents=names.get((each.kind, each.id), ())) for each in objects)


def _joined(notes: Iterable[tuple[Key, str]]) -> Mapping[Key, tuple[str, ...]]:
    found: dict[Key, tuple[str, ...]] = {}
    for key, note in notes:
        found[key] = (*found.get(key, ()), note)
    return found


_LOST = (
    "the inventory of this environment is gone (ConfigMap `{}`), and an apply writes it anew: what carries kfgit's "
    "marks is still known as this project's, runs are looked up before they are started, and nothing tells whether a "
    "newer commit was applied before"
)
_MOVED = (
    "the last apply went to {}: what it made there stays there, and its schedules go on firing; to take it away "
    "go back to that address, run `kfgit destroy`, and change the address then"
)


def lost(inventory: Inventory, objects: Iterable[LiveObject], name: str) -> tuple[str, ...]:
    """What to say where objects are ours by their marks, and no inventory is there that could know them."""
    known = inventory.by_id()
    marked = any(each.owned and (each.kind, each.id) not in known for each in objects)
    return (_LOST.format(name),) if inventory.version is None and marked else ()


def moved(inventory: Inventory, vanished: frozenset[Key], kfp: str) -> tuple[str, ...]:
    """What to say where the last apply went to another KFP: one of another address, that lacks all that is known."""
    kept = {
        (each.kind, each.name) for each in inventory.entries if each.kind in _KINDS and each.kind != "Run"
    }
    elsewhere = inventory.kfp not in (None, kfp) and bool(kept) and kept <= vanished
    return (_MOVED.format(inventory.kfp),) if elsewhere else ()


def _unfinished(inventory: Inventory) -> tuple[str, ...]:
    journal = inventory.journal
    if journal is None:
        return ()
    return (
        f"apply {journal.number} by {journal.who} did not finish: an apply goes on from where it stopped",
    )
