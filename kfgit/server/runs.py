"""Runs: `/apis/v2beta1/runs`. A run that is made here is a run of the store: whoever holds the environment executes it.

An id that the client chooses is the run's id, as on KFP, and the second call with it makes nothing. Facts:
backend/src/apiserver/server/run_server.go, api_converter.go (toModelRun, toApiRun) and storage/run_store.go.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid4, uuid5

from kfgit.backend import Refused
from kfgit.backends.local import starting
from kfgit.backends.local.store import (
    details,
    experiments,
    pages,
    runs,
    schedules,
    transitions,
)
from kfgit.backends.local.store.details import RunDetail, TaskDetail
from kfgit.backends.local.store.experiments import Experiment
from kfgit.server import listing, messages, sources
from kfgit.server.calls import Call, Context, Route
from kfgit.server.errors import ApiError, Code, invalid, missing, refused, taken
from kfgit.server.messages import STATUS, Enum, Map, Repeated, Shape
from kfgit.server.sources import SERVICE_ACCOUNT, Source
from kfgit.server.tasks import HISTORY, STATE, TASK, state_told, task_details
from kfgit.server.times import told

# backend/api/v2beta1/run.proto; what is output only is read, for a client may send back what it got, and counts for
# nothing.
RUN: Final = Shape(
    {
        **dict.fromkeys(
            ("experiment_id", "run_id", "display_name", "description", "service_account", "recurring_run_id"),
            "string",
        ),
        **dict.fromkeys(("created_at", "scheduled_at", "finished_at"), "timestamp"),
        "storage_state": Enum({"STORAGE_STATE_UNSPECIFIED": 0, "AVAILABLE": 1, "ARCHIVED": 2}),
        "pipeline_version_id": "string",
        "pipeline_spec": "struct",
        "pipeline_version_reference": sources.REFERENCE,
        "runtime_config": sources.RUNTIME_CONFIG,
        "state": STATE,
        "error": STATUS,
        "run_details": Shape(
            {
                "pipeline_context_id": "int64",
                "pipeline_run_context_id": "int64",
                "task_details": Repeated(TASK),
            }
        ),
        "state_history": HISTORY,
        "plugins_input": Map("struct"),
        "plugins_output": Map("any"),
    },
    (sources.ONE_SOURCE,),
)
# A chosen id becomes a label of the workflow on KFP, so this is what it can be there.
_ID: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def create(context: Context, call: Call) -> Mapping[str, Any]:
    """Makes a run. The controller's call for a tick of a schedule finds the run that there is already."""
    doing = "Failed to create a new run"
    message = messages.read(call.body, RUN)
    if message.get("plugins_output"):
        raise refused("plugins_output is the server's to write, and must not be set by the client", doing)
    sources.check_texts(message, "Run name", doing)
    run_id = message.get("run_id", "")
    if run_id and not _ID.fullmatch(run_id):
        raise invalid(
            f"the run_id {run_id[:80]!r} is no id: letters, digits, `-`, `_` and `.`, at most 63", doing
        )
    config = message.get("runtime_config", {})
    with context.backend.database.read() as db:
        if message.get("experiment_id"):
            _experiment(db, message["experiment_id"], doing)
        schedule = message.get("recurring_run_id")
        if schedule:
            _check_schedule(db, schedule, doing)
            known = details.named(db, schedule, message["display_name"])
            if known is not None:
                return _told(db, known)
        found = sources.source(db, message, doing)
    sources.check_sound(found, doing)
    sources.check_parameters(found.package, config.get("parameters", {}), doing)
    if not run_id:
        run_id = str(
            uuid5(NAMESPACE_URL, f"https://kfgit.dev/run/{schedule}/{message['display_name']}")
            if schedule
            else uuid4()
        )
    with context.backend.database.write() as db:
        if not runs.add(db, _new(db, context, message, found, run_id)):
            raise taken(f"a run with the id {run_id} exists already", doing)
        if message.get("storage_state") == "ARCHIVED":
            runs.archive(db, run_id, archived=True)
        made = details.get(db, run_id)
        assert made is not None
        answer = _told(db, made)
    context.nudge()
    return answer


def get(context: Context, call: Call) -> Mapping[str, Any]:
    """One run."""
    with context.backend.database.read() as db:
        return _told(db, _found(db, call, "Failed to get a run: Failed to fetch run"))


def list_(context: Context, call: Call) -> Mapping[str, Any]:
    """A page of runs, of one experiment where it is given."""
    experiment_id = messages.parameter(call.query, "experiment_id")
    scope = {"experiment_id": experiment_id} if experiment_id else None
    query = listing.query(call.query, pages.RUNS, scope)
    with context.backend.database.read() as db:
        if experiment_id:
            _experiment(db, experiment_id, "Failed to list runs")
        page = pages.page(db, query)
        found = [details.run(row) for row in page.rows]
        tasks = details.tasks(db, [run.id for run in found])
        return listing.answer("runs", [_run(db, run, tasks[run.id]) for run in found], query, page)


def delete(context: Context, call: Call) -> Mapping[str, Any]:
    """Removes a run; one that goes on ends at once, without its exit task, as a workflow that is deleted does."""
    doing = "Failed to delete a run"
    with context.backend.database.read() as db:
        _experiment_of(db, _found(db, call, doing), doing)
    if not context.backend.runs.discard(call.path["run_id"]):
        raise _no_run(call, doing)
    context.nudge()
    return {}


def archive(context: Context, call: Call) -> Mapping[str, Any]:
    """Puts a run into the archive, where it goes on if it does."""
    with context.backend.database.write() as db:
        if not runs.archive(db, call.path["run_id"], archived=True):
            raise _no_run(call, "Failed to archive a run")
    return {}


def unarchive(context: Context, call: Call) -> Mapping[str, Any]:
    """Takes a run out of the archive, unless its experiment is in there."""
    doing = "Failed to unarchive a run"
    with context.backend.database.write() as db:
        run = _found(db, call, doing)
        experiment = _experiment_of(db, run, doing)
        if experiment.storage_state == "ARCHIVED":
            raise ApiError(
                Code.FAILED_PRECONDITION,
                f"Failed to unarchive run {run.id} as experiment {experiment.id} must be un-archived first",
                doing,
            )
        runs.archive(db, run.id, archived=False)
    return {}


def terminate(context: Context, call: Call) -> Mapping[str, Any]:
    """Asks a run to end; whoever executes it lets its exit task run."""
    doing = "Failed to terminate a run"
    with context.backend.database.write() as db:
        run = _found(db, call, doing)
        _experiment_of(db, run, doing)
        if not transitions.terminate(db, run.id):
            raise invalid(f"Failed to terminate a run {run.id}. Row not found: it is {run.state}", doing)
    context.nudge()
    return {}


def retry(context: Context, call: Call) -> Mapping[str, Any]:
    """Lets a run that ended badly go on; what succeeded is kept."""
    doing = "Failed to retry a run"
    with context.backend.database.read() as db:
        run = _found(db, call, doing)
        _experiment_of(db, run, doing)
    if run.state in ("PENDING", "CANCELING"):
        raise refused(f"Failed to retry run {run.id}: it is {run.state}", doing)
    try:
        context.backend.runs.retry(run.id)
    except Refused as refusal:
        raise refused(f"Failed to retry run {run.id}: {refusal}", doing) from None
    context.nudge()
    return {}


ROUTES: Final = (
    Route("POST", "/apis/v2beta1/runs", create),
    Route("GET", "/apis/v2beta1/runs", list_),
    Route("GET", "/apis/v2beta1/runs/{run_id}", get),
    Route("DELETE", "/apis/v2beta1/runs/{run_id}", delete),
    Route("POST", "/apis/v2beta1/runs/{run_id}:archive", archive),
    Route("POST", "/apis/v2beta1/runs/{run_id}:unarchive", unarchive),
    Route("POST", "/apis/v2beta1/runs/{run_id}:terminate", terminate),
    Route("POST", "/apis/v2beta1/runs/{run_id}:retry", retry),
)


def _new(
    db: sqlite3.Connection, context: Context, message: Mapping[str, Any], found: Source, run_id: str
) -> runs.NewRun:
    at = context.now()
    experiment = sources.experiment(db, message.get("experiment_id", ""), at, "Failed to create a new run")
    config = message.get("runtime_config", {})
    kept = {
        "plugins_input": message.get("plugins_input"),
        "pipeline_spec": sources.as_given(message, found) if found.key is None else None,
    }
    return runs.NewRun(
        id=run_id,
        name=message["display_name"],
        pipeline=found.pipeline,
        package=sources.stored(db, found),
        environment=context.backend.settings.environment,
        folder=starting.free_folder(db, found.pipeline, run_id, at),
        created_at=at,
        inputs=config.get("parameters", {}),
        options={"cache": True, "executor": "auto"} | {name: value for name, value in kept.items() if value},
        experiment=experiment.name,
        version=found.version,
        scheduled_at=_unless_never(message.get("scheduled_at")),
        schedule=message.get("recurring_run_id") or None,
        experiment_id=experiment.id,
        pipeline_id=found.pipeline_id,
        version_id=found.version_id,
        description=message.get("description") or None,
        service_account=message.get("service_account") or SERVICE_ACCOUNT,
        pipeline_root=config.get("pipeline_root") or None,
    )


def _unless_never(at: datetime | None) -> datetime | None:
    """KFP counts seconds, and 0 is no time."""
    return None if at is None or int(at.timestamp()) == 0 else at


def _found(db: sqlite3.Connection, call: Call, doing: str) -> RunDetail:
    run = details.get(db, call.path["run_id"])
    if run is None:
        raise _no_run(call, doing)
    return run


def _no_run(call: Call, doing: str) -> ApiError:
    return missing("Run", call.path["run_id"], doing)


def _experiment(db: sqlite3.Connection, id_: str, doing: str) -> Experiment:
    found = experiments.get(db, id_)
    if found is None:
        raise missing("Experiment", id_, doing)
    return found


def _experiment_of(db: sqlite3.Connection, run: RunDetail, doing: str) -> Experiment:
    """The experiment of a run. Where it was deleted KFP lets its runs be read and archived, and nothing else."""
    return _experiment(db, run.experiment_id or "", doing)


def _check_schedule(db: sqlite3.Connection, id_: str, doing: str) -> None:
    if schedules.get(db, id_) is None:
        raise invalid(f"RecurringRunId doesn't exist: {id_}", doing)


# --- as KFP tells it


def _told(db: sqlite3.Connection, run: RunDetail) -> dict[str, Any]:
    return _run(db, run, details.tasks(db, [run.id])[run.id])


def _run(db: sqlite3.Connection, run: RunDetail, tasks: Sequence[TaskDetail]) -> dict[str, Any]:
    config = {"parameters": run.parameters, "pipeline_root": run.pipeline_root}
    body: dict[str, Any] = {
        "experiment_id": run.experiment_id,
        "run_id": run.id,
        "display_name": run.name,
        "storage_state": run.storage_state,
        "description": run.description,
        **sources.told(
            db,
            run.version_id and run.pipeline_id,
            run.version_id,
            run.package,
            run.options.get("pipeline_spec"),
        ),
        "runtime_config": {name: value for name, value in config.items() if value},
        "service_account": run.service_account or SERVICE_ACCOUNT,
        "created_at": told(run.created_at),
        "scheduled_at": told(run.scheduled_at or run.created_at),
        "finished_at": told(run.finished_at),
        "state": state_told(run.state),
        "run_details": {"task_details": task_details(run, tasks)} if tasks else None,
        "recurring_run_id": run.schedule,
        "state_history": [{"update_time": told(at), "state": state_told(state)} for state, at in run.history],
        "plugins_input": run.options.get("plugins_input"),
    }
    return {name: value for name, value in body.items() if value}
