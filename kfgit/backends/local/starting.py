"""Records runs: what is asked for is checked first, so a run that exists can be begun."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from kfgit import canonical
from kfgit.backend import Refused, RunRequest
from kfgit.backends.local import engine
from kfgit.backends.local.folders import local_path, run_folder
from kfgit.backends.local.store import experiments, objects, pipelines, runs
from kfgit.events import Artifact
from kfgit.ir import DEFAULT_EXPERIMENT, Package, Resource

# Beyond so many files a given folder is taken for a new thing each time instead of being listed.
_LISTED_FILES = 10_000


def checked(request: RunRequest, program: engine.Program | None = None) -> Mapping[str, Any]:
    """The inputs of the run that is asked for, artifacts as `Artifact`; raises `Refused` with every problem.

    `program` is that of the package, where the caller has it.
    """
    program = program or loaded(request.pipeline, request.package)
    slots = program.root.artifacts
    things = {
        name: _artifact(
            name,
            uri,
            (slots[name].type, slots[name].version) if name in slots else ("system.Artifact", "0.0.1"),
        )
        for name, uri in request.artifacts.items()
    }
    problems = engine.check_inputs(
        program, request.parameters, {name: (thing,) for name, thing in things.items()}
    )
    if problems:
        raise Refused("; ".join(problems))
    return {**request.parameters, **things}


def loaded(pipeline: str, package: Package) -> engine.Program:
    """The program of a package; raises `Refused` for one that cannot run."""
    try:
        return engine.load(package)
    except engine.EngineError as fault:
        raise Refused(f"the package of `{pipeline}` cannot run: {fault}") from fault


def record(
    db: sqlite3.Connection, request: RunRequest, inputs: Mapping[str, Any], environment: str, at: datetime
) -> bool:
    """Writes the run as PENDING, its experiment too if that is new; False when its id is known already."""
    pipeline_id = objects.named(db, "pipelines", request.pipeline)
    version = (
        pipelines.named_version(db, pipeline_id, request.version) if pipeline_id and request.version else None
    )
    return runs.add(
        db,
        runs.NewRun(
            id=request.id,
            name=request.name,
            pipeline=request.pipeline,
            package=request.package,
            environment=environment,
            folder=free_folder(db, request.pipeline, request.id, at),
            created_at=at,
            inputs=inputs,
            options={"cache": request.cache, "executor": request.executor},
            experiment=request.experiment,
            version=request.version,
            scheduled_at=request.scheduled_at,
            experiment_id=experiments.ensure(db, request.experiment, at),
            pipeline_id=pipeline_id if version else None,
            version_id=version.id if version else None,
        ),
    )


def free_folder(db: sqlite3.Connection, pipeline: str, run_id: str, at: datetime) -> str:
    """The folder of a run that begins its life now; no other run has it."""
    folder = run_folder(at, pipeline, run_id)
    return run_folder(at, pipeline, run_id, whole_id=True) if runs.folder_taken(db, folder) else folder


def given(package: Package, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What a document gives a pipeline: parameters, and the paths or URIs of artifacts."""
    declared = ((package.spec.get("root") or {}).get("inputDefinitions") or {}).get("artifacts") or {}
    return (
        {name: value for name, value in inputs.items() if name not in declared},
        {name: str(value) for name, value in inputs.items() if name in declared},
    )


def triggered(desired: Resource, project: str, environment: str) -> RunRequest:
    """The run that a Run document asks for: one for each trigger key, whoever asks and how often."""
    if desired.package is None:
        raise Refused(f"run `{desired.name}` has no package")
    spec = desired.spec
    identity = canonical.dumps([project, environment, desired.name, spec["key"]])
    parameters, artifacts = given(desired.package, spec.get("inputs") or {})
    return RunRequest(
        id=str(uuid5(NAMESPACE_URL, f"https://kfgit.dev/run/{identity}")),
        name=desired.name,
        pipeline=spec["pipeline"],
        package=desired.package,
        parameters=parameters,
        artifacts=artifacts,
        experiment=spec.get("experiment") or DEFAULT_EXPERIMENT,
        version=desired.package.digest[:12],
    )


def _artifact(name: str, uri: str, type_: tuple[str, str]) -> Artifact:
    path = local_path(uri) if "://" in uri else Path(uri).absolute()
    if path is None:
        return Artifact(
            str(uuid5(NAMESPACE_URL, canonical.dumps([uri, type_]))), name, type_[0], uri, version=type_[1]
        )
    if not path.exists():
        raise Refused(f"the input `{name}` names {path}, which does not exist")
    return Artifact(_identity(path, type_), name, type_[0], str(path), version=type_[1])


def _identity(path: Path, type_: tuple[str, str]) -> str:
    # The id is part of cache fingerprints, so a file that was edited must become another thing.
    marks: list[list[Any]] = []
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if len(marks) >= _LISTED_FILES:
            return str(uuid4())
        found = file.lstat()
        marks.append([str(file), found.st_size, found.st_mtime_ns])
    return str(uuid5(NAMESPACE_URL, canonical.dumps([str(path), type_, marks])))
