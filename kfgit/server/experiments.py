"""Experiments: `/apis/v2beta1/experiments`. Those that `apply` made are the same rows.

Facts: backend/src/apiserver/server/experiment_server.go and, for what archiving does, resource_manager.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kfgit.backends.local.store import experiments, pages
from kfgit.backends.local.store.experiments import Experiment
from kfgit.ir import DEFAULT_EXPERIMENT
from kfgit.server import listing, messages, times, validation
from kfgit.server.calls import Call, Context, Route
from kfgit.server.errors import missing, refused, taken
from kfgit.server.messages import Enum, Shape

STORAGE_STATE: Final = Enum({"STORAGE_STATE_UNSPECIFIED": 0, "AVAILABLE": 1, "ARCHIVED": 2})
EXPERIMENT: Final = Shape(
    {
        "experiment_id": "string",
        "display_name": "string",
        "description": "string",
        "created_at": "timestamp",
        "namespace": "string",
        "storage_state": STORAGE_STATE,
        "last_run_created_at": "timestamp",
    }
)


def create(context: Context, call: Call) -> Mapping[str, Any]:
    """Makes an experiment."""
    doing = "Failed to create an experiment"
    asked = messages.read(call.body, EXPERIMENT)
    name, description = asked.get("display_name", ""), asked.get("description", "")
    validation.check_name("Experiment", name, doing)
    validation.check_text("description", description, doing)
    validation.check_namespace(asked.get("namespace", ""), doing)
    with context.backend.database.write() as db:
        made = experiments.add(db, name, description or None, context.now())
    if made is None:
        problem = f"The name {name} already exists. Please specify a new name"
        raise taken(f"Failed to create a new experiment. {problem}", doing)
    return told(made)


def get(context: Context, call: Call) -> Mapping[str, Any]:
    """One experiment."""
    id_ = call.path["experiment_id"]
    with context.backend.database.read() as db:
        found = experiments.get(db, id_)
    if found is None:
        raise missing("Experiment", id_, "Failed to fetch experiment")
    return told(found)


def list_(context: Context, call: Call) -> Mapping[str, Any]:
    """A page of experiments."""
    asked = listing.query(call.query, pages.EXPERIMENTS)
    with context.backend.database.read() as db:
        page = pages.page(db, asked)
    return listing.answer(
        "experiments", (told(experiments.experiment(row)) for row in page.rows), asked, page
    )


def delete(context: Context, call: Call) -> Mapping[str, Any]:
    """Forgets an experiment; its runs and recurring runs stay."""
    id_, doing = call.path["experiment_id"], "Failed to delete experiment"
    with context.backend.database.write() as db:
        found = experiments.get(db, id_)
        if found is None:
            raise missing("Experiment", id_, doing)
        if found.name == DEFAULT_EXPERIMENT:
            raise refused(f"Cannot delete the default experiment {id_}", doing)
        experiments.remove(db, id_)
    return {}


def archive(context: Context, call: Call) -> Mapping[str, Any]:
    """Puts an experiment away with its runs and disables its recurring runs; of an unknown one KFP says nothing."""
    with context.backend.database.write() as db:
        experiments.archive(db, call.path["experiment_id"], context.now())
    context.nudge()
    return {}


def unarchive(context: Context, call: Call) -> Mapping[str, Any]:
    """Brings back the experiment alone."""
    with context.backend.database.write() as db:
        experiments.unarchive(db, call.path["experiment_id"])
    return {}


def told(experiment: Experiment) -> Mapping[str, Any]:
    """The experiment in the words of the API."""
    body = {
        "experiment_id": experiment.id,
        "display_name": experiment.name,
        "created_at": times.told(experiment.created_at),
        "storage_state": experiment.storage_state,
        "last_run_created_at": times.told(experiment.last_run_at),
    }
    return body | ({"description": experiment.description} if experiment.description else {})


_PATH: Final = "/apis/v2beta1/experiments"
_ONE: Final = f"{_PATH}/{{experiment_id}}"

ROUTES: Final = (
    Route("POST", _PATH, create),
    Route("GET", _PATH, list_),
    Route("GET", _ONE, get),
    Route("DELETE", _ONE, delete),
    Route("POST", f"{_ONE}:archive", archive),
    Route("POST", f"{_ONE}:unarchive", unarchive),
)
