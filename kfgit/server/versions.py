"""Versions of pipelines: `/apis/v2beta1/pipelines/{pipeline_id}/versions`, and the endpoint that uploads one.

A version is found by its own id; which pipeline the path names is not looked at, as on KFP. A content is never changed:
what is new is a new version. Facts: backend/src/apiserver/server/pipeline_server.go and pipeline_upload_server.go.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from kfgit.backends.local.store import packages, pages, pipelines
from kfgit.backends.local.store.pipelines import NewVersion, Version
from kfgit.ir import Package
from kfgit.server import listing, messages, specs, times, uploads, validation
from kfgit.server.calls import Call, Context, Route, Upload
from kfgit.server.errors import ApiError, invalid, missing, taken
from kfgit.server.messages import STATUS, Map, Shape

VERSION: Final = Shape(
    {
        "pipeline_id": "string",
        "pipeline_version_id": "string",
        "display_name": "string",
        "name": "string",
        "description": "string",
        "created_at": "timestamp",
        "package_url": Shape({"pipeline_url": "string"}),
        "code_source_url": "string",
        "pipeline_spec": "struct",
        "error": STATUS,
        "tags": Map("string"),
    }
)


def create(_context: Context, call: Call) -> Mapping[str, Any]:
    """Would make a version of what is at a URL; nothing is fetched here."""
    doing = "Failed to create a pipeline version"
    raise check_url(messages.read(call.body, VERSION), doing)


def check_url(asked: Mapping[str, Any], doing: str) -> ApiError:
    """Why the URL of a version is not taken: KFP has a list of hosts that it fetches from, and here it is empty."""
    url = asked.get("package_url", {}).get("pipeline_url", "")
    if not url:
        return invalid("Package URL is empty", doing)
    return invalid(
        f"Pipeline URL validation failed: this server fetches nothing, and so not {url[:200]}; upload the file instead",
        doing,
    )


def upload(context: Context, call: Call) -> Mapping[str, Any]:
    """Makes a version from a file."""
    try:
        return _upload(context, call, call.upload or Upload("", b""))
    except ApiError as error:
        raise uploads.fault(error, "Failed to create a pipeline version") from None


def get(context: Context, call: Call) -> Mapping[str, Any]:
    """One version."""
    id_ = call.path["pipeline_version_id"]
    with context.backend.database.read() as db:
        return told(db, _found(db, id_, f"Failed to get a pipeline version {id_}"))


def list_(context: Context, call: Call) -> Mapping[str, Any]:
    """A page of the versions of a pipeline."""
    id_ = call.path["pipeline_id"]
    asked = listing.query(call.query, pages.VERSIONS, {"pipeline": id_})
    with context.backend.database.read() as db:
        if pipelines.get(db, id_) is None:
            raise missing("Pipeline", id_, f"Failed to list pipeline versions for pipeline {id_}")
        page = pages.page(db, asked)
        shown = [told(db, pipelines.version(row)) for row in page.rows]
    return listing.answer("pipeline_versions", shown, asked, page)


def update(context: Context, call: Call) -> Mapping[str, Any]:
    """Changes the name for people, and replaces the tags: absent leaves them, `{}` takes them away."""
    id_ = call.path["pipeline_version_id"]
    doing = f"Failed to update pipeline version {id_}"
    asked = messages.read(call.body, VERSION)
    validation.check_text("display_name", asked.get("display_name", ""), doing)
    validation.check_tags(asked.get("tags", {}), doing)
    with context.backend.database.write() as db:
        found = _found(db, id_, doing)
        changed = replace(
            found,
            display_name=asked.get("display_name") or found.display_name,
            tags=asked.get("tags", found.tags),
        )
        pipelines.describe_version(db, changed)
    with context.backend.database.read() as db:
        return told(db, changed)


def delete(context: Context, call: Call) -> Mapping[str, Any]:
    """Deletes a version; what runs it, or will, goes on with its content."""
    id_ = call.path["pipeline_version_id"]
    with context.backend.database.write() as db:
        pipelines.remove_version(db, _found(db, id_, f"Failed to delete a pipeline version id {id_}"))
    return {}


def told(db: sqlite3.Connection, version: Version) -> Mapping[str, Any]:
    """The version in the words of the API, with its spec."""
    body: dict[str, Any] = {
        "pipeline_id": version.pipeline_id,
        "pipeline_version_id": version.id,
        "name": version.name,
        "display_name": version.display_name or version.name,
        "description": version.description,
        "created_at": times.told(version.created_at),
        "pipeline_spec": specs.told(version.package, lambda: _package(db, version)),
        "tags": dict(version.tags),
    }
    return {key: value for key, value in body.items() if value}


def _upload(context: Context, call: Call, given: Upload) -> Mapping[str, Any]:
    content, query = uploads.content(given), call.query
    pipeline_id = query.get("pipelineid", "")
    if not pipeline_id:
        raise invalid("the parameter `pipelineid` is required")
    name = query.get("name") or query.get("display_name") or uploads.base(given)
    validation.check_name("PipelineVersion", name)
    validation.check_text("display_name", query.get("display_name", ""))
    new = NewVersion(
        id=str(uuid4()),
        pipeline_id=pipeline_id,
        name=name,
        content=specs.from_text(content),
        created_at=context.now(),
        display_name=query.get("display_name") or name,
        description=query.get("description") or None,
        tags=validation.tags_of(query.get("tags")),
    )
    with context.backend.database.write() as db:
        if pipelines.get(db, pipeline_id) is None:
            raise invalid(f"Pipeline {pipeline_id} not found")
        made = pipelines.add_version(db, new)
        if made is None:
            raise taken(f"the pipeline has a version of the name {name} already")
    with context.backend.database.read() as db:
        return told(db, made)


def _found(db: sqlite3.Connection, id_: str, doing: str) -> Version:
    found = pipelines.get_version(db, id_)
    if found is None:
        raise missing("PipelineVersion", id_, doing)
    return found


def _package(db: sqlite3.Connection, version: Version) -> Package:
    found = packages.get(db, version.package)
    if found is None:
        raise missing("PipelineVersion", version.id, "Failed to read a pipeline version")
    return found


_PATH: Final = "/apis/v2beta1/pipelines/{pipeline_id}/versions"
_ONE: Final = f"{_PATH}/{{pipeline_version_id}}"

ROUTES: Final = (
    Route("POST", "/apis/v2beta1/pipelines/upload_version", upload, upload=True),
    Route("POST", _PATH, create),
    Route("GET", _PATH, list_),
    Route("GET", _ONE, get),
    Route("PATCH", _ONE, update),
    Route("DELETE", _ONE, delete),
)
