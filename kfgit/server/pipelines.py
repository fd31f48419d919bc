"""Pipelines: `/apis/v2beta1/pipelines`. Their content is in their versions; an upload makes both, of one name.

Only the name for people and the tags of a pipeline ever change. Names are unique without regard to case, for such is
the order of KFP's database. Facts: backend/src/apiserver/server/pipeline_server.go and pipeline_upload_server.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from kfgit.backends.local.store import pages, pipelines
from kfgit.backends.local.store.pipelines import NewVersion, Pipeline
from kfgit.server import listing, messages, specs, times, uploads, validation
from kfgit.server.calls import Call, Context, Route, Upload
from kfgit.server.errors import ApiError, UploadError, invalid, missing, taken
from kfgit.server.messages import STATUS, Map, Shape
from kfgit.server.versions import VERSION, check_url

PIPELINE: Final = Shape(
    {
        "pipeline_id": "string",
        "display_name": "string",
        "name": "string",
        "description": "string",
        "created_at": "timestamp",
        "namespace": "string",
        "error": STATUS,
        "tags": Map("string"),
    }
)


def create(context: Context, call: Call) -> Mapping[str, Any]:
    """Makes a pipeline without a version."""
    doing = "Failed to create a pipeline"
    asked = messages.read(call.body, PIPELINE)
    new = _new(context, asked, asked.get("name") or asked.get("display_name", ""), doing)
    with context.backend.database.write() as db:
        if not pipelines.add(db, new):
            raise _taken(new.name, doing)
    return told(new)


def create_with_version(_context: Context, call: Call) -> Mapping[str, Any]:
    """Would make a pipeline and the version at a URL; nothing is fetched here."""
    doing = "Failed to create a pipeline"
    asked = messages.read(call.body, Shape({"pipeline": PIPELINE, "pipeline_version": VERSION}))
    raise check_url(asked.get("pipeline_version", {}), doing)


def upload(context: Context, call: Call) -> Mapping[str, Any]:
    """Makes a pipeline and, of the same name, its first version from a file."""
    given, summary = call.upload or Upload("", b""), "Failed to create a pipeline and a pipeline version"
    try:
        content = uploads.content(given)
    except ApiError as error:
        raise UploadError(error.code, "Failed to read a pipeline spec file", error.detail) from None
    try:
        package = specs.from_text(content)
        asked = {**call.query, "tags": validation.tags_of(call.query.get("tags"))}
        named = call.query.get("name") or call.query.get("display_name") or uploads.base(given)
        new = _new(context, asked, named, "")
        validation.check_name("PipelineVersion", new.name)
        version = NewVersion(
            id=str(uuid4()),
            pipeline_id=new.id,
            name=new.name,
            content=package,
            created_at=new.created_at,
            display_name=new.display_name,
            description=new.description,
        )
        with context.backend.database.write() as db:
            if not pipelines.add(db, new):
                raise _taken(new.name, "")
            pipelines.add_version(db, version)
    except ApiError as error:
        raise uploads.fault(error, summary) from None
    return told(new)


def get(context: Context, call: Call) -> Mapping[str, Any]:
    """One pipeline."""
    id_ = call.path["pipeline_id"]
    with context.backend.database.read() as db:
        found = pipelines.get(db, id_)
    if found is None:
        raise missing("Pipeline", id_, f"Failed to get a pipeline {id_}")
    return told(found)


def get_by_name(context: Context, call: Call) -> Mapping[str, Any]:
    """The pipeline of a name."""
    name = call.path["name"]
    with context.backend.database.read() as db:
        found = pipelines.by_name(db, name)
    if found is None:
        raise missing("Namespace/Pipeline", f"/{name}", f"Failed to get a pipeline with name {name}")
    return told(found)


def list_(context: Context, call: Call) -> Mapping[str, Any]:
    """A page of pipelines."""
    asked = listing.query(call.query, pages.PIPELINES)
    with context.backend.database.read() as db:
        page = pages.page(db, asked)
    return listing.answer("pipelines", (told(pipelines.pipeline(row)) for row in page.rows), asked, page)


def update(context: Context, call: Call) -> Mapping[str, Any]:
    """Changes the name for people, and replaces the tags: absent leaves them, `{}` takes them away."""
    id_ = call.path["pipeline_id"]
    doing = f"Failed to update pipeline {id_}"
    asked = messages.read(call.body, PIPELINE)
    validation.check_text("display_name", asked.get("display_name", ""), doing)
    validation.check_tags(asked.get("tags", {}), doing)
    with context.backend.database.write() as db:
        found = pipelines.get(db, id_)
        if found is None:
            raise missing("Pipeline", id_, doing)
        changed = replace(
            found,
            display_name=asked.get("display_name") or found.display_name,
            tags=asked.get("tags", found.tags),
        )
        pipelines.describe(db, changed)
    return told(changed)


def delete(context: Context, call: Call) -> Mapping[str, Any]:
    """Deletes a pipeline, with `cascade` also one that has versions; runs and recurring runs stay."""
    id_, cascade = call.path["pipeline_id"], messages.flag(call.query, "cascade")
    doing = f"Failed to delete pipeline {id_}"
    with context.backend.database.write() as db:
        if pipelines.get(db, id_) is None:
            raise missing("Pipeline", id_, doing)
        newest = pipelines.latest(db, id_)
        if newest is not None and not cascade:
            raise invalid(
                f"Failed to delete pipeline with id {id_} as it has existing pipeline versions (e.g. {newest.id}). "
                "Set cascade=true to delete all versions",
                doing,
            )
        pipelines.remove(db, id_)
    return {}


def told(pipeline: Pipeline) -> Mapping[str, Any]:
    """The pipeline in the words of the API."""
    body: dict[str, Any] = {
        "pipeline_id": pipeline.id,
        "name": pipeline.name,
        "display_name": pipeline.display_name or pipeline.name,
        "created_at": times.told(pipeline.created_at),
        "description": pipeline.description,
        "tags": dict(pipeline.tags),
    }
    return {key: value for key, value in body.items() if value}


def _new(context: Context, asked: Mapping[str, Any], name: str, doing: str) -> Pipeline:
    validation.check_name("Pipeline", name, doing)
    validation.check_namespace(asked.get("namespace", ""), doing)
    validation.check_text("display_name", asked.get("display_name", ""), doing)
    validation.check_tags(asked.get("tags", {}), doing)
    return Pipeline(
        id=str(uuid4()),
        name=name,
        display_name=asked.get("display_name") or name,
        description=asked.get("description") or None,
        created_at=context.now(),
        tags=asked.get("tags", {}),
    )


def _taken(name: str, doing: str) -> ApiError:
    problem = f"The name {name} already exist. Please specify a new name"
    return taken(f"Failed to create a new pipeline. {problem}", doing)


_PATH: Final = "/apis/v2beta1/pipelines"
_ONE: Final = f"{_PATH}/{{pipeline_id}}"

ROUTES: Final = (
    Route("POST", _PATH, create),
    Route("GET", _PATH, list_),
    Route("POST", f"{_PATH}/create", create_with_version),
    Route("POST", f"{_PATH}/upload", upload, upload=True),
    Route("GET", f"{_PATH}/names/{{name}}", get_by_name),
    Route("GET", _ONE, get),
    Route("PATCH", _ONE, update),
    Route("DELETE", _ONE, delete),
)
