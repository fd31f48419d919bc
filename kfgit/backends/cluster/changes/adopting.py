"""What others made becomes ours, as it is: nothing is made, and nothing that runs is changed.

KFP lets nothing be written on an experiment or a schedule, so that the inventory alone says that they are ours. A
pipeline gets our tags, and so does the version in it that means what the document compiles to: its id is remembered
under the wanted digest, and a schedule that is pinned to it is pinned to what its document asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from kfgit import normal
from kfgit.backend import Refused
from kfgit.backends.cluster.changes.applying import CALLED, VERSION, Context, applied, noted
from kfgit.backends.cluster.kfp.api import KfpApi, KfpFault, KfpVersion
from kfgit.backends.cluster.kubernetes import manifests, placing
from kfgit.backends.cluster.records import marks
from kfgit.backends.cluster.records.inventory import Entry, Inventory, Key
from kfgit.ir import Package, Resource
from kfgit.plan import Adopt, Live, LiveObject, fits

# So many pipelines are asked about at once.
_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest version of a pipeline; `package` is None where it is none of KFP 2's, and `odd` says why."""

    version: KfpVersion
    package: Package | None
    odd: str | None = None

    @property
    def detail(self) -> dict[str, Any]:
        """As `LiveObject.detail` has it."""
        told: dict[str, Any] = {"version": self.version.name, "versionId": self.version.pipeline_version_id}
        if self.package is None:
            return {**told, "odd": self.odd}
        return {**told, "package": self.package.spec, "platform": self.package.platform}


def newest(kfp: KfpApi, chosen: Iterable[LiveObject]) -> Mapping[str, Newest]:
    """The newest version of each pipeline among some objects, by the pipeline's id."""
    ids = [each.id for each in chosen if each.kind == "Pipeline"]
    with ThreadPoolExecutor(_WIDTH) as pool:
        found = pool.map(lambda id_: _versions(kfp, id_), ids)
        return {id_: _read(versions[0]) for id_, versions in zip(ids, found, strict=True) if versions}


def as_ours(
    inventory: Inventory,
    desired: Sequence[Resource],
    chosen: Sequence[LiveObject],
    versions: Mapping[str, Newest],
) -> Inventory:
    """The inventory as it would be if some objects had been taken over."""
    wanted = {(each.kind, each.name): each for each in desired}
    known = inventory.by_id()
    more = (_entry(each, wanted, versions) for each in chosen if (each.kind, each.id) not in known)
    return replace(inventory, entries=(*inventory.entries, *more))


def detailed(live: Live, versions: Mapping[str, Newest]) -> Live:
    """What is live, where each pipeline that was asked about shows its newest version."""
    objects = (
        replace(each, detail={**each.detail, **versions[each.id].detail})
        if each.kind == "Pipeline" and each.id in versions
        else each
        for each in live.objects
    )
    return replace(live, objects=tuple(objects))


def adopt(context: Context, change: Adopt) -> str:
    """Takes an object over as it is: what its document says otherwise is the next apply's."""
    live, desired = change.live, change.desired
    match live.kind:
        case "Experiment":
            found: object = context.kfp.experiment(live.id)
            extra: dict[str, Any] = {}
        case "Pipeline":
            found, extra = _adopt_pipeline(context, live, desired)
        case "Schedule":
            found = schedule = context.kfp.schedule(live.id)
            version = schedule.pipeline_version_id if schedule is not None else None
            extra = {VERSION: version} if version and fits(live, desired) else {}
        case _:
            return _adopt_object(context, live, desired)
    if found is None:
        raise Refused(f"{live.kind} `{live.name}` is not there any more")
    _put(context, live, desired, extra)
    return live.id


def _put(context: Context, live: LiveObject, desired: Resource, extra: Mapping[str, Any]) -> None:
    digest, spec, kept = "", live.spec, noted(extra, desired)
    if fits(live, desired):
        digest, spec, kept = desired.digest, desired.spec, applied(extra, desired)
    context.ledger.put(Entry(live.kind, live.name, live.id, digest, spec, kept))


# --- pipelines


def _versions(kfp: KfpApi, pipeline_id: str) -> tuple[KfpVersion, ...]:
    try:
        return kfp.versions(pipeline_id, 1)
    except KfpFault as fault:
        if fault.missing:
            return ()
        raise


def _read(version: KfpVersion) -> Newest:
    spec, platform = version.spec, None
    if "pipeline_spec" in spec:
        spec, platform = spec["pipeline_spec"], spec.get("platform_spec") or None
    try:
        content = normal.pipeline_spec(spec)
        beside = normal.platform_spec(platform) if platform else None
    except normal.Odd as odd:
        return Newest(version, None, str(odd))
    name = str((content.get("pipelineInfo") or {}).get("name") or "")
    if not name or "root" not in content:
        return Newest(version, None, "it is no pipeline of KFP 2")
    return Newest(version, Package(name, content, beside))


def _entry(each: LiveObject, wanted: Mapping[Key, Resource], versions: Mapping[str, Newest]) -> Entry:
    found, desired = versions.get(each.id), wanted.get((each.kind, each.name))
    spec, extra = dict(each.spec), {}
    if each.kind == "Pipeline":
        fitting = found is not None and desired is not None and _means(found, desired)
        spec["digest"] = desired.spec["digest"] if fitting and desired is not None else None
        if fitting and found is not None:
            extra = {VERSION: found.version.pipeline_version_id, CALLED: found.version.name}
    return Entry(each.kind, each.name, each.id, "", spec, extra)


def _means(found: Newest, desired: Resource) -> bool:
    return (
        found.package is not None
        and desired.package is not None
        and normal.same(found.package, desired.package)
    )


def _adopt_pipeline(context: Context, live: LiveObject, desired: Resource) -> tuple[object, dict[str, Any]]:
    found = context.kfp.pipeline(live.id)
    if found is None:
        return None, {}
    wanted = desired.spec["digest"]
    fitting = live.spec.get("digest") == wanted is not None
    extra: dict[str, Any] = {}
    version_id = live.detail.get("versionId") if fitting else None
    if version_id:
        version = context.kfp.version(live.id, str(version_id))
        if version is None:
            raise Refused(f"version `{live.detail.get('version')}` is not there any more: try again")
        extra = {VERSION: version.pipeline_version_id, CALLED: version.name}
        if context.capabilities.tags:
            tags = {**version.tags, **marks.tags(context.owner, str(wanted))}
            context.again(lambda: context.kfp.tag_version(live.id, version.pipeline_version_id, tags))
    if context.capabilities.tags:
        # Of another set of kfgit's both are there, and its digest says nothing about our document.
        kept = {key: text for key, text in found.tags.items() if key != marks.DIGEST_TAG}
        ours = marks.tags(context.owner, str(wanted)) if fitting else {marks.SET_TAG: context.owner}
        context.again(lambda: context.kfp.update_pipeline(live.id, "", {**kept, **ours}))
    return found, extra


# --- Kubernetes objects


def _adopt_object(context: Context, live: LiveObject, desired: Resource) -> str:
    """Writes on an object whose it is. A label that somebody else keeps is a conflict, which is told.

    What another set of kfgit's has applied is said again: an apply takes away what its manager says no more.
    """
    found = placing.find_object(context, live)
    if found is None:
        raise Refused(f"{live.kind} `{live.name}` is not there any more")
    bare = Resource(live.kind, live.name, manifests.spec_of(found), desired.digest)
    context.held()
    answer = context.kube.apply(manifests.manifest(bare, context.owner, live.id))
    _put(context, live, desired, manifests.remembered(answer, desired) if fits(live, desired) else {})
    return live.id
