"""A compiled package as a pipeline: its own inputs and outputs become those of the pipeline, which callers must meet.

The document may name it, describe it and say where its artifacts go; everything else is what the package says.
"""

from __future__ import annotations

from dataclasses import replace

from kfgit import cel
from kfgit.diagnostics import has_errors
from kfgit.document import Mapping
from kfgit.model import (
    CLEAR,
    Allowed,
    ArtifactType,
    Input,
    ParameterType,
    Pipeline,
    PipelineOutput,
    RunPolicy,
    StatusType,
    Type,
)
from kfgit.packages import compiled
from kfgit.packages.compiled import Artifact, Compiled, Port
from kfgit.resolve.files import Files, named_file
from kfgit.resolve.reader import Reader
from kfgit.resolve.types import parse_type

# What KFP's `pipelineConfig` calls what kfgit's documents say of a whole run.
_RUN_POLICY = {
    "workspace": "workspace", "activeDeadlineSeconds": "activeDeadline", "resourceTtlOnCompletion": "ttl",
    "resourceTtlOnSuccess": "ttl", "resourceTtlOnFailure": "ttl",
}  # fmt: skip


def packaged(reader: Reader, pipeline: Pipeline, spec: Mapping, files: Files) -> Pipeline:
    """The pipeline with what its package says; as it is where the package cannot be read, which is told."""
    source = named_file(reader, spec.get("package"), files)
    if source is None:
        reader.broken = True
        return replace(pipeline, whole=False)
    read = compiled.read(source)
    reader.faults += read.diagnostics
    reader.broken = reader.broken or has_errors(read.diagnostics)
    found = read.value
    if found is None:
        return replace(pipeline, whole=False)
    _check_conditions(reader, found)
    return replace(
        pipeline,
        inputs=inputs_of(found),
        outputs={port.name: _output(port) for port in found.outputs},
        display_name=pipeline.display_name or found.display_name,
        description=pipeline.description or found.description,
        run_policy=replace(pipeline.run_policy, spans={**pipeline.run_policy.spans, **_policy(found).spans}),
        package=found,
        whole=not reader.broken,
        unclear=CLEAR,
    )


def inputs_of(found: Compiled) -> dict[str, Input]:
    """The inputs that a package takes."""
    return {port.name: _input(port) for port in found.inputs}


def _policy(found: Compiled) -> RunPolicy:
    """What the package says of a whole run, which it cannot say where it is nested."""
    kubernetes = ((found.platform or {}).get("platforms") or {}).get("kubernetes") or {}
    config = kubernetes.get("pipelineConfig") or {} if isinstance(kubernetes, dict) else {}
    return RunPolicy(spans={word: found.span for key, word in _RUN_POLICY.items() if key in config})


def _check_conditions(reader: Reader, found: Compiled) -> None:
    """KFP's driver refuses a condition only when its task is due."""
    for condition in found.conditions:
        try:
            cel.check(cel.parse(condition.text))
        except (cel.CelSyntaxError, cel.CelTypeError) as fault:
            message = f"this condition cannot be evaluated: {fault}"
            reader.fault("bad-condition", message, condition.span, "correct it where the pipeline is written")


def _input(port: Port) -> Input:
    return Input(
        port.name,
        _type(port),
        port.span,
        default=port.default,
        has_default=port.has_default,
        optional=port.optional,
        description=port.description,
        enum=Allowed(port.enum),
    )


def _output(port: Port) -> PipelineOutput:
    return PipelineOutput(port.name, _type(port), None, port.span, port.description)


def _type(port: Port) -> Type | None:
    match port.type:
        case None:
            return None
        case Artifact(title, version, many):
            return ArtifactType(title, version, many)
        case word:
            found = parse_type(word)
            assert isinstance(found, ParameterType | StatusType)
            return found
