"""Recurring runs: `/apis/v2beta1/recurringruns`. They are the store's schedules, in KFP's words.

A schedule of `apply` and one that is made here are the same thing. What a client gave is kept beside kfgit's own form
of it, and given back as it was. Facts: backend/src/apiserver/server/job_server.go, api_converter.go (toModelJob,
toModelTrigger, toApiRecurringRun) and resource/resource_manager.go (CreateJob, ChangeJobMode, DeleteJob).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from kfgit.backends.local.store import experiments, pages, pipelines, schedules, transitions
from kfgit.backends.local.store.schedules import Links, Schedule
from kfgit.server import listing, messages, sources, triggers
from kfgit.server.calls import Call, Context, Route
from kfgit.server.errors import invalid, missing
from kfgit.server.messages import STATUS, Enum, Map, Shape
from kfgit.server.sources import SERVICE_ACCOUNT, Source
from kfgit.server.times import told

_MODES: Final = Enum({"MODE_UNSPECIFIED": 0, "ENABLE": 1, "DISABLE": 2})
# backend/api/v2beta1/recurring_run.proto
RECURRING_RUN: Final = Shape(
    {
        **dict.fromkeys(
            (
                "recurring_run_id",
                "display_name",
                "description",
                "service_account",
                "namespace",
                "experiment_id",
                "pipeline_version_id",
            ),
            "string",
        ),
        "pipeline_spec": "struct",
        "pipeline_version_reference": sources.REFERENCE,
        "runtime_config": sources.RUNTIME_CONFIG,
        "max_concurrency": "int64",
        "trigger": triggers.TRIGGER,
        "mode": _MODES,
        "created_at": "timestamp",
        "updated_at": "timestamp",
        "status": Enum({"STATUS_UNSPECIFIED": 0, "ENABLED": 1, "DISABLED": 3}),
        "error": STATUS,
        "no_catchup": "bool",
        "plugins_input": Map("struct"),
    },
    (sources.ONE_SOURCE,),
)
_POLICY: Final = Enum(
    {"DELETE_PROPAGATION_POLICY_UNSPECIFIED": 0, "FOREGROUND": 1, "BACKGROUND": 2, "ORPHAN": 3}
)
# The installation's, which every schedule of a single-user KFP is told to be in.
_NAMESPACE: Final = "kubeflow"


def create(context: Context, call: Call) -> Mapping[str, Any]:
    """Makes a schedule, which is off unless `mode` says otherwise; one without a trigger fires once, at once."""
    converting = "Failed to create a recurring run due to conversion error"
    message = messages.read(call.body, RECURRING_RUN)
    sources.check_texts(message, "Recurring run's name", converting)
    trigger = message.get("trigger", {})
    spec = triggers.read(trigger, converting)
    most = message.get("max_concurrency", 0)
    if not 1 <= most <= 10:
        raise invalid(
            f"Max concurrency of a recurring run must be at least 1 and at most 10. Received {most}",
            converting,
        )
    doing = "Failed to create a recurring run"
    with context.backend.database.read() as db:
        _check_namespace(db, message, doing)
        found = _source_of(db, message, doing)
    parameters = message.get("runtime_config", {}).get("parameters", {})
    sources.check_sound(found, doing)
    sources.check_parameters(found.package, parameters, doing)
    mode = message.get("mode", "MODE_UNSPECIFIED")
    if mode not in _MODES.names:
        raise invalid(f"Recurring run's mode is invalid: {mode}", converting)
    enabled = mode == "ENABLE"
    written: dict[str, Any] = {"trigger": triggers.written(trigger)}
    if message.get("plugins_input"):
        written["plugins_input"] = message["plugins_input"]
    with context.backend.database.write() as db:
        at = context.now()
        experiment = sources.experiment(db, message.get("experiment_id", ""), at, doing)
        given = sources.as_given(message, found) if found.key is None else None
        if given:
            written["pipeline_spec"] = given
        links = _links(db, message, found, experiment.id, written)
        spec = {
            "pipeline": found.pipeline,
            "version": found.version if links.package else "latest",
            "experiment": experiment.name,
            **spec,
            "catchup": not message.get("no_catchup", False),
            "maxConcurrency": most,
            "enabled": enabled,
            "inputs": parameters,
        }
        id_ = str(uuid4())
        schedules.save(db, id_, message["display_name"], spec, at, links)
        made = schedules.get(db, id_)
        assert made is not None
        answer = _told(db, made)
    context.nudge()
    return answer


def get(context: Context, call: Call) -> Mapping[str, Any]:
    """One schedule."""
    with context.backend.database.read() as db:
        return _told(db, _found(db, call, "Failed to fetch a recurring run"))


def list_(context: Context, call: Call) -> Mapping[str, Any]:
    """A page of schedules, of one experiment where it is given."""
    experiment_id = messages.parameter(call.query, "experiment_id")
    query = listing.query(
        call.query, pages.SCHEDULES, {"experiment_id": experiment_id} if experiment_id else None
    )
    with context.backend.database.read() as db:
        if experiment_id and experiments.get(db, experiment_id) is None:
            raise missing("Experiment", experiment_id, "Failed to list recurring runs")
        page = pages.page(db, query)
        found = [_told(db, schedules.schedule(row)) for row in page.rows]
    return listing.answer("recurringRuns", found, query, page)


def delete(context: Context, call: Call) -> Mapping[str, Any]:
    """Removes a schedule. Its runs that go on end with it, as Kubernetes ends them, unless the policy is ORPHAN."""
    policy = messages.choice(call.query, "propagation_policy", _POLICY)
    with context.backend.database.write() as db:
        schedule = _found(db, call, "Failed to delete a recurring run")
        if policy != "ORPHAN":
            transitions.terminate_of(db, schedule.id)
        schedules.remove(db, schedule.id)
    context.nudge()
    return {}


def enable(context: Context, call: Call) -> Mapping[str, Any]:
    """Turns a schedule on; with catch-up it owes the ticks since its last one."""
    return _switch(context, call, enabled=True)


def disable(context: Context, call: Call) -> Mapping[str, Any]:
    """Turns a schedule off; its runs go on."""
    return _switch(context, call, enabled=False)


ROUTES: Final = (
    Route("POST", "/apis/v2beta1/recurringruns", create),
    Route("GET", "/apis/v2beta1/recurringruns", list_),
    Route("GET", "/apis/v2beta1/recurringruns/{recurring_run_id}", get),
    Route("DELETE", "/apis/v2beta1/recurringruns/{recurring_run_id}", delete),
    Route("POST", "/apis/v2beta1/recurringruns/{recurring_run_id}:enable", enable),
    Route("POST", "/apis/v2beta1/recurringruns/{recurring_run_id}:disable", disable),
)


def _switch(context: Context, call: Call, *, enabled: bool) -> Mapping[str, Any]:
    with context.backend.database.write() as db:
        schedule = _found(db, call, f"Failed to {'enable' if enabled else 'disable'} a recurring run")
        if schedule.enabled != enabled:
            schedules.enable(db, schedule.id, context.now(), enabled=enabled)
    context.nudge()
    return {}


def _found(db: sqlite3.Connection, call: Call, doing: str) -> Schedule:
    found = schedules.get(db, call.path["recurring_run_id"])
    if found is None:
        raise missing("Job", call.path["recurring_run_id"], doing)
    return found


def _check_namespace(db: sqlite3.Connection, message: Mapping[str, Any], doing: str) -> None:
    id_, namespace = message.get("experiment_id"), message.get("namespace")
    if not id_:
        if namespace and namespace != _NAMESPACE:
            raise invalid(
                f"Namespace {namespace} does not exist; the one of this server is {_NAMESPACE}", doing
            )
        return
    if experiments.get(db, id_) is None:
        raise missing("Experiment", id_, doing)
    if namespace:
        raise invalid(f"Experiment {id_} belongs to namespace '' instead of '{namespace}'", doing)


def _source_of(db: sqlite3.Connection, message: Mapping[str, Any], doing: str) -> Source:
    """As for a run, but that KFP has another word for a pipeline alone that is not there, or has no version."""
    reference = message.get("pipeline_version_reference", {})
    pipeline_id = reference.get("pipeline_id")
    if pipeline_id and not reference.get("pipeline_version_id") and pipelines.latest(db, pipeline_id) is None:
        kind = "Pipeline" if pipelines.get(db, pipeline_id) is None else "PipelineVersion"
        raise missing(kind, pipeline_id, doing)
    return sources.source(db, message, doing)


def _links(
    db: sqlite3.Connection,
    message: Mapping[str, Any],
    found: Source,
    experiment_id: str,
    written: Mapping[str, Any],
) -> Links:
    # With a pipeline alone each tick takes the version that is the newest then.
    pinned = found.version_id is None or bool(
        message.get("pipeline_version_reference", {}).get("pipeline_version_id")
    )
    return Links(
        experiment_id=experiment_id,
        pipeline_id=found.pipeline_id,
        version_id=found.version_id if pinned else None,
        package=sources.stored(db, found) if pinned else None,
        description=message.get("description") or None,
        service_account=message.get("service_account") or (SERVICE_ACCOUNT if pinned else None),
        pipeline_root=message.get("runtime_config", {}).get("pipeline_root") or None,
        written=written,
    )


# --- as KFP tells it


def _told(db: sqlite3.Connection, schedule: Schedule) -> dict[str, Any]:
    spec, links = schedule.spec, schedule.links
    config = {"parameters": spec.get("inputs"), "pipeline_root": links.pipeline_root}
    written = links.written or {}
    body: dict[str, Any] = {
        "recurring_run_id": schedule.id,
        "display_name": schedule.name,
        "description": links.description,
        **sources.told(db, links.pipeline_id, links.version_id, links.package, written.get("pipeline_spec")),
        "runtime_config": {name: value for name, value in config.items() if value},
        "service_account": links.service_account or (SERVICE_ACCOUNT if links.package else None),
        "max_concurrency": str(spec.get("maxConcurrency") or 1),
        "mode": "ENABLE" if schedule.enabled else "DISABLE",
        "created_at": told(schedule.created_at),
        "updated_at": told(schedule.updated_at),
        "status": "ENABLED" if schedule.enabled else "DISABLED",
        "no_catchup": not spec.get("catchup"),
        "namespace": _NAMESPACE,
        "experiment_id": links.experiment_id,
        "plugins_input": written.get("plugins_input"),
    }
    found = {name: value for name, value in body.items() if value}
    return {**found, "trigger": written["trigger"] if "trigger" in written else triggers.told(spec)}
