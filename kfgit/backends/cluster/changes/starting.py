"""Runs: those that documents start, each at most once under its trigger key, and those that people start.

KFP takes the id of a run from its client, and makes a second workflow where it is sent the same id again
(backend/src/apiserver/resource/resource_manager.go, CreateRun, 2.17). So the run of a document has an id that is made
of its name and key, is looked for before it is asked for, and is asked for once in an apply. Where nobody knows whether
that happened, the apply fails, and the next one looks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfgit.backend import Refused, RunRequest
from kfgit.backends.cluster.changes.applying import Calls, Context, experiment_id, pipeline_id, version_id
from kfgit.backends.cluster.kfp import translate
from kfgit.backends.cluster.kfp.api import KfpFault, KfpRun
from kfgit.backends.cluster.kfp.translate import Ids
from kfgit.backends.cluster.records import marks
from kfgit.ir import Package, Resource

# After an apply that was cut off a run may be about to land: so many of the looks are waited for it.
_LATE = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """What an environment says of all its runs; None leaves it to the server."""

    pipeline_root: str | None = None
    service_account: str | None = None


def fire(context: Context, desired: Resource) -> str:
    """Starts the run of a document, unless its key has started one; returns its id."""
    spec, name = desired.spec, desired.name
    if desired.package is None:
        raise Refused(f"run `{name}` has no package")
    key = str(spec["key"])
    run_id = context.inventory.fired.get(f"{name} {key}") or marks.run_id(context.owner, name, key)
    if f"{name} {key}" not in context.inventory.fired and not _there(context, name, run_id):
        _check_parameters_only(name, desired.package, spec.get("inputs") or {})
        pipeline, version = str(spec["pipeline"]), marks.version_name(desired.package.digest)
        ids = Ids(
            pipeline_id(context, pipeline),
            version_id(context, pipeline, version),
            experiment_id(context, str(spec["experiment"])),
        )
        message = translate.run_message(name, spec, ids, run_id)
        _started(context, message)
    context.ledger.fire(name, key, run_id)
    return run_id


def start(calls: Calls, request: RunRequest, standing: Standing) -> KfpRun:
    """Starts the run that somebody asks for now: by a version whose content is live, else with its own spec."""
    if request.artifacts:
        raise Refused(
            f"a run on a cluster takes no artifacts for the inputs of its pipeline ({', '.join(request.artifacts)}): "
            "KFP has no way to give them; import them by a task, or run the pipeline locally"
        )
    known = calls.kfp.run(request.id)
    if known is not None:
        return known
    config = {"parameters": dict(request.parameters), "pipeline_root": standing.pipeline_root}
    message: dict[str, Any] = {
        "run_id": request.id,
        "display_name": request.name,
        "experiment_id": experiment_id(calls, request.experiment),
        **_source(calls, request),
        "runtime_config": {key: value for key, value in config.items() if value},
    }
    if standing.service_account:
        message["service_account"] = standing.service_account
    return _started(calls, message)


def _started(calls: Calls, message: Mapping[str, Any]) -> KfpRun:
    """The run of a message, asked for once. One of its id is that run, whoever's request it was that made it."""

    def look() -> KfpRun | None:
        return calls.kfp.run(str(message["run_id"]))

    try:
        return calls.written(lambda: calls.kfp.create_run(message), look)
    except KfpFault as fault:
        found = look() if fault.status == 409 else None
        if found is None:
            raise
        return found


def inline(package: Package, *, cache: bool = True) -> dict[str, Any]:
    """A package as a run carries it itself (backend/src/apiserver/server/api_util.go)."""
    spec = dict(package.spec) if cache else _uncached(package.spec)
    if package.platform is None:
        return spec
    return {"pipeline_spec": spec, "platform_spec": dict(package.platform)}


def _there(context: Context, name: str, run_id: str) -> bool:
    late = context.looks[:_LATE] if ("Run", name) in context.unsettled else ()
    return context.settled(lambda: context.kfp.run(run_id), late) is not None


def _source(calls: Calls, request: RunRequest) -> dict[str, Any]:
    """What is run. Without the cache the tasks say so, which no uploaded version does."""
    reference = _live_version(calls, request) if request.cache else None
    if reference is None:
        return {"pipeline_spec": inline(request.package, cache=request.cache)}
    return {"pipeline_version_reference": reference}


def _live_version(calls: Calls, request: RunRequest) -> dict[str, str] | None:
    pipeline = calls.kfp.pipeline_named(request.pipeline)
    if pipeline is None:
        return None
    digest = request.package.digest
    version = calls.kfp.version_named(pipeline.pipeline_id, marks.version_name(digest))
    if version is None or marks.tagged_digest(version.tags) not in (digest, None):
        return None
    return {
        "pipeline_id": pipeline.pipeline_id,
        "pipeline_version_id": version.pipeline_version_id,
    }


def _uncached(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with each task of each DAG told not to look for earlier results, as KFP's SDK does it for the root."""

    def off(component: Mapping[str, Any]) -> dict[str, Any]:
        if "dag" not in component:
            return dict(component)
        tasks = component["dag"].get("tasks") or {}
        switched = {name: {**task, "cachingOptions": {"enableCache": False}} for name, task in tasks.items()}
        return {**component, "dag": {**component["dag"], "tasks": switched}}

    components = {name: off(component) for name, component in (spec.get("components") or {}).items()}
    changed = {**spec, "root": off(spec.get("root") or {})}
    return {**changed, "components": components} if components else changed


def _check_parameters_only(name: str, package: Package, inputs: Mapping[str, Any]) -> None:
    declared = ((package.spec.get("root") or {}).get("inputDefinitions") or {}).get("artifacts") or {}
    given = sorted(inputs.keys() & declared.keys())
    if given:
        raise Refused(
            f"run `{name}` gives artifacts to its pipeline ({', '.join(given)}), for which KFP has no way: import them "
            "by a task"
        )
