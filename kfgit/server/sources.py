"""What a run or a recurring run is to run, and with what: looked up, and checked as KFP's server checks it.

A version that is named beside a pipeline must be one of its versions. A package that no engine could run is refused
here, as KFP refuses what it cannot make a workflow of. Parameters are held to the types of the IR.
Facts: backend/src/apiserver, resource/resource_manager.go (fetchPipelineVersionFromPipelineSpec,
GetValidExperimentNamespacePair) and template/v2_template.go (validatePipelineJobInputs).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kfgit.backends.local import engine
from kfgit.backends.local.store import experiments, packages, pipelines
from kfgit.backends.local.store.experiments import Experiment
from kfgit.ir import DEFAULT_EXPERIMENT, Package
from kfgit.server import specs, validation
from kfgit.server.errors import invalid, missing
from kfgit.server.messages import Map, Shape

REFERENCE: Final = Shape({"pipeline_id": "string", "pipeline_version_id": "string"})
RUNTIME_CONFIG: Final = Shape({"parameters": Map("value"), "pipeline_root": "string"})
ONE_SOURCE: Final = frozenset({"pipeline_version_id", "pipeline_spec", "pipeline_version_reference"})
# What KFP's server runs pipelines as where nobody says otherwise.
SERVICE_ACCOUNT: Final = "pipeline-runner"


@dataclass(frozen=True, slots=True)
class Source:
    """A package, and the version that it is of; `key` is that of the stored document, None for an inline spec."""

    package: Package
    pipeline: str
    key: str | None = None
    pipeline_id: str | None = None
    version_id: str | None = None
    version: str | None = None


def source(db: sqlite3.Connection, message: Mapping[str, Any], doing: str) -> Source:
    """What a message asks to run; raises `ApiError`."""
    inline = message.get("pipeline_spec")
    if inline:
        package = specs.from_struct(inline)
        return Source(package, package.name)
    reference = message.get("pipeline_version_reference", {})
    version_id, pipeline_id = reference.get("pipeline_version_id"), reference.get("pipeline_id")
    if version_id:
        version = pipelines.get_version(db, version_id)
        if version is None:
            raise invalid(f"PipelineVersion {version_id} not found", doing)
        if pipeline_id and pipeline_id != version.pipeline_id:
            raise invalid(
                f"Pipeline version {version_id} belongs to pipeline {version.pipeline_id} (not {pipeline_id})",
                doing,
            )
    elif pipeline_id:
        version = pipelines.latest(db, pipeline_id)
        if version is None:
            raise invalid(f"Pipeline {pipeline_id} not found, or it has no version", doing)
    else:
        raise invalid("a pipeline version, a pipeline or a pipeline spec is required", doing)
    pipeline, content = pipelines.get(db, version.pipeline_id), packages.get(db, version.package)
    if pipeline is None or content is None:
        raise missing("PipelineVersion", version.id, doing)
    return Source(content, pipeline.name, version.package, pipeline.id, version.id, version.name)


def told(
    db: sqlite3.Connection,
    pipeline_id: str | None,
    version_id: str | None,
    package: str | None,
    written: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What is run, in the words of the API: by reference, or else as a spec, `package` being the key of it.

    `written` is the spec as the client wrote it, where that is known.
    """
    reference = {"pipeline_id": pipeline_id, "pipeline_version_id": version_id}
    given = {name: id_ for name, id_ in reference.items() if id_}
    if given:
        return {"pipeline_version_reference": given}
    if written:
        return {"pipeline_spec": written}
    return {"pipeline_spec": specs.told(package, lambda: _held(db, package))} if package else {}


def as_given(message: Mapping[str, Any], found: Source) -> Mapping[str, Any] | None:
    """An inline spec as the client wrote it, where that is not how its package is read back.

    KFP makes the packages of versions normal, and gives those of runs back as they came.
    """
    inline: Mapping[str, Any] = message["pipeline_spec"]
    spec, platform = found.package.spec, found.package.platform
    if "pipeline_spec" not in inline:
        return None if inline == spec else inline
    if platform is None:
        return None if inline["pipeline_spec"] == spec else inline["pipeline_spec"]
    both = {name: inline[name] for name in ("pipeline_spec", "platform_spec")}
    return None if both == {"pipeline_spec": spec, "platform_spec": platform} else both


def stored(db: sqlite3.Connection, found: Source) -> str:
    """The key of the package, which is stored where it is not; the version may be gone since it was looked up."""
    if found.key is not None and packages.known(db, found.key):
        return found.key
    return packages.save(db, found.package)


def experiment(db: sqlite3.Connection, id_: str, at: datetime, doing: str) -> Experiment:
    """The experiment of that id, or the default one, which is made where there is none; raises `ApiError`."""
    found = experiments.get(db, id_ or experiments.ensure(db, DEFAULT_EXPERIMENT, at))
    if found is None:
        raise missing("Experiment", id_, doing)
    return found


def check_texts(message: Mapping[str, Any], name: str, doing: str) -> None:
    """Raises `ApiError` for a text that KFP's database would not take; `name` is what must not be empty."""
    if not message.get("display_name"):
        raise invalid(f"{name} cannot be empty", doing)
    for field in ("display_name", "description", "service_account"):
        validation.check_text(field, message.get(field, ""), doing)


def check_sound(found: Source, doing: str) -> None:
    """Raises `ApiError` for a package that is a spec by its form, and yet none: its parts do not fit together."""
    root = found.package.spec.get("root") or {}
    if "dag" in root and not root["dag"].get("tasks"):
        raise invalid(
            f"invalid pipeline spec of {found.pipeline}: DAG root must contain one or more tasks", doing
        )
    try:
        engine.load(found.package)
    except engine.EngineError as fault:
        raise invalid(f"invalid pipeline spec of {found.pipeline}: {fault}", doing) from None


def check_parameters(package: Package, given: Mapping[str, Any], doing: str) -> None:
    """Raises `ApiError` for the first parameter that is missing, of another type or unknown."""
    declared = ((package.spec.get("root") or {}).get("inputDefinitions") or {}).get("parameters") or {}
    for name, parameter in sorted(declared.items()):
        problem = _problem(name, parameter, given)
        if problem is not None:
            raise invalid(problem, doing)
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise invalid(f"parameter(s) provided are not required by pipeline: {', '.join(unknown)}", doing)


def _held(db: sqlite3.Connection, key: str) -> Package:
    found = packages.get(db, key)
    assert found is not None, "a foreign key holds it"
    return found


_KINDS: Final[Mapping[str, tuple[str, tuple[type, ...]]]] = {
    "NUMBER_DOUBLE": ("double or integer", (int, float)),
    "NUMBER_INTEGER": ("double or integer", (int, float)),
    "STRING": ("string", (str,)),
    "BOOLEAN": ("bool", (bool,)),
    "LIST": ("list", (list,)),
    "STRUCT": ("struct", (dict,)),
}


def _problem(name: str, declared: Mapping[str, Any], given: Mapping[str, Any]) -> str | None:
    if name not in given:
        if declared.get("isOptional") or "defaultValue" in declared:
            return None
        return f"parameter {name} is not optional, yet has neither default value nor user provided value"
    kind = str(declared.get("parameterType"))
    if kind not in _KINDS:
        return f"input parameter {name} has no type that a pipeline's input can have: {kind}"
    wanted, types = _KINDS[kind]
    value = given[name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        return f"input parameter {name} requires type {wanted}, but the input parameter is not of {wanted} value type"
    allowed = declared.get("literals") or ()
    if allowed and not any(
        isinstance(value, bool) == isinstance(each, bool) and value == each for each in allowed
    ):
        shown = ", ".join(json.dumps(each, ensure_ascii=False) for each in allowed)
        return f"input parameter {name} is none of the values that it may have: {shown}"
    return None
