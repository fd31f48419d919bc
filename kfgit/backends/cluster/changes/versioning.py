"""Pipelines of KFP and their versions, made, changed and deleted.

A version cannot be changed, and is called after its content. The tag that says what a pipeline is made of comes last:
whatever cut an apply off before it leaves something to do. A server without tags (before 2.17) has the digest in the
name of the version and in the inventory alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kfgit.backend import Refused
from kfgit.backends.cluster.changes.applying import CALLED, VERSION, Context
from kfgit.backends.cluster.kfp.api import KfpFault, KfpVersion
from kfgit.backends.cluster.records import marks
from kfgit.ir import Package, Resource
from kfgit.plan import LiveObject

_OURS = re.compile(r"[0-9a-f]{12}\Z")


def put_pipeline(context: Context, desired: Resource, live: LiveObject | None) -> tuple[str, dict[str, Any]]:
    """Makes a pipeline be what is desired; returns its id and what is to be remembered of it."""
    if desired.package is None:
        raise Refused(f"pipeline `{desired.name}` has no package")
    package = desired.package
    pipeline_id = live.id if live is not None else _made(context, desired)
    context.names.put("Pipeline", desired.name, pipeline_id)
    extra = _known_version(context, desired, live) or {VERSION: _uploaded(context, pipeline_id, package)}
    version_id = str(extra[VERSION])
    version = marks.version_name(package.digest)
    context.names.put("PipelineVersion", f"{desired.name}\0{version}", version_id)
    _tag(context, desired, live, pipeline_id)
    return pipeline_id, extra


def delete_pipeline(context: Context, live: LiveObject) -> None:
    """Removes a pipeline with the versions that are ours; refused where others are in it, or something runs it."""
    strangers = [each for each in _versions(context, live.id) if not _is_ours(context, each)]
    if strangers:
        names = ", ".join(f"`{each.name}`" for each in strangers[:3])
        raise Refused(
            f"pipeline `{live.name}` has versions that kfgit did not make ({names}"
            f"{', …' if len(strangers) > 3 else ''}): delete them in KFP, or keep the pipeline by a document or "
            "`protect`"
        )
    context.check_unused(live, lambda each: each.pipeline_id)
    context.again(lambda: context.kfp.delete_pipeline(live.id))


def _made(context: Context, desired: Resource) -> str:
    """A new pipeline, which says whose it is, and not yet of what: by a tag, or where there are none as others do."""
    spec, name = desired.spec, desired.name
    description = str(spec.get("description") or "")
    tags = {marks.SET_TAG: context.owner} if context.capabilities.tags else None
    if tags is None:
        description = marks.describe(description, context.mark("Pipeline", name, desired.digest))
    found = context.made(
        "pipeline",
        name,
        lambda: context.kfp.create_pipeline(name, spec.get("displayName") or "", description, tags),
        lambda: context.kfp.pipeline_named(name),
        lambda each: (
            marks.is_of(context.owner, each.tags, each.description)
            or context.entry("Pipeline", each.pipeline_id) is not None
        ),
    )
    return found.pipeline_id


def _known_version(context: Context, desired: Resource, live: LiveObject | None) -> dict[str, Any] | None:
    """What is remembered of the version, where the content is as it was and only something else changes."""
    digest = desired.spec.get("digest")
    if live is None or live.spec.get("digest") != digest:
        return None
    entry = context.entry("Pipeline", live.id)
    if entry is not None and entry.spec.get("digest") == digest and VERSION in entry.extra:
        return {key: entry.extra[key] for key in (VERSION, CALLED) if key in entry.extra}
    # An apply that was cut off has uploaded it, and not written that down.
    found = context.kfp.version_named(live.id, marks.version_name(str(digest)))
    return None if found is None else {VERSION: found.pipeline_version_id}


def _uploaded(context: Context, pipeline_id: str, package: Package) -> str:
    """The version with a content: a new one, or the one that an earlier apply uploaded."""
    name = marks.version_name(package.digest)
    text = package.to_yaml()
    tags = marks.tags(context.owner, package.digest) if context.capabilities.tags else None
    found = context.made(
        "version",
        name,
        lambda: context.kfp.upload_version(pipeline_id, name, text, tags),
        lambda: context.kfp.version_named(pipeline_id, name),
        lambda each: marks.tagged_digest(each.tags) in (package.digest, None),
    )
    return found.pipeline_version_id


def _tag(context: Context, desired: Resource, live: LiveObject | None, pipeline_id: str) -> None:
    if not context.capabilities.tags:
        return
    there = _tags(context, live) if live is not None else {}
    tags = {**there, **marks.tags(context.owner, str(desired.spec["digest"]))}
    shown = str(desired.spec.get("displayName") or desired.name)
    context.again(lambda: context.kfp.update_pipeline(pipeline_id, shown, tags))


def _tags(context: Context, live: LiveObject) -> Mapping[str, str]:
    """The tags that others put there: KFP replaces all of them at once."""
    found = context.kfp.pipeline(live.id)
    if found is None:
        raise Refused(f"pipeline `{live.name}` is not there any more: plan again")
    return found.tags


def _versions(context: Context, pipeline_id: str) -> tuple[KfpVersion, ...]:
    try:
        return context.kfp.versions(pipeline_id)
    except KfpFault as fault:
        if fault.missing:
            return ()
        raise


def _is_ours(context: Context, version: KfpVersion) -> bool:
    if version.tags.get(marks.SET_TAG) == context.owner:
        return True
    return not context.capabilities.tags and bool(_OURS.match(version.name))
