"""What `kfgit run` can run: a pipeline, a Run document, or a KFP package as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kfgit import compiler, desired, document
from kfgit.backend import NotFound
from kfgit.driver import Checkout, Repository
from kfgit.graph import CheckedProject
from kfgit.ir import Package
from kfgit.model import ArtifactType, Input
from kfgit.resolve import parse_type
from kfgit.source import SourceFile, whole_file

_FILES = (".yaml", ".yml", ".json")
_TYPES = {
    "STRING": "string",
    "NUMBER_INTEGER": "int",
    "NUMBER_DOUBLE": "float",
    "BOOLEAN": "bool",
    "LIST": "list",
    "STRUCT": "dict",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is run, and the inputs it takes; `given` are those that a Run document gives."""

    pipeline: str
    package: Package
    inputs: Mapping[str, Input]
    experiment: str = desired.DEFAULT_EXPERIMENT
    given: Mapping[str, Any] | None = None
    name: str | None = None
    timeout: float | None = None


def is_package(text: str) -> bool:
    """Whether this names a file."""
    return text.endswith(_FILES)


def key(text: str) -> tuple[str, str]:
    """The kind and name of the document that is named."""
    kind, slash, name = text.partition("/")
    return ("Run", name) if slash and kind.lower() == "run" else ("Pipeline", text.removeprefix("pipeline/"))


def find(repository: Repository, checkout: Checkout, text: str) -> Subject | None:
    """The pipeline or Run document that is named; None where it is there but has mistakes."""
    kind, name = key(text)
    if kind == "Run":
        return _run(repository, checkout.project, name)
    return _pipeline(repository, checkout.project, name)


def _pipeline(repository: Repository, checked: CheckedProject, name: str) -> Subject | None:
    source = checked.project.pipelines.get(name)
    if source is None:
        _sought(repository, "Pipeline", name, checked.project.pipelines)
        return None
    found = checked.pipelines.get(name)
    if found is None:
        return None
    server = desired.server_name(checked, name, source.external_name)
    return Subject(server, compiler.compile_pipeline(found), source.inputs)


def _run(repository: Repository, checked: CheckedProject, name: str) -> Subject | None:
    run = checked.project.runs.get(name)
    if run is None:
        _sought(repository, "Run", name, checked.project.runs)
        return None
    found = _pipeline(repository, checked, run.pipeline.text)
    if found is None:
        return None
    experiment = desired.experiment_name(checked, run.experiment)
    return Subject(
        found.pipeline, found.package, found.inputs, experiment, run.inputs, name, run.wait_timeout
    )


def _sought(repository: Repository, kind: str, name: str, known: Mapping[str, Any]) -> None:
    """Raises `NotFound`, unless the document may stand in a file that cannot be read."""
    written = any((d.kind, d.name) == (kind, name) for d in repository.documents)
    if not written and ("*", name) not in repository.broken:
        raise NotFound(kind.lower(), name, list(known))


def package(path: Path) -> Subject:
    """A KFP package as it stands: a file with the pipeline's spec, and perhaps the platform's as a second document."""
    try:
        parsed = document.parse(SourceFile(path.name, path.read_bytes()))
    except OSError as fault:
        raise click.UsageError(f"{path} cannot be read: {(fault.strerror or 'bad path').lower()}") from fault
    if not parsed.ok:
        raise click.UsageError(
            f"{path}: {parsed.diagnostics[0].message} (line {parsed.diagnostics[0].span.line})"
        )
    documents = [document.plain(found.root) for found in parsed.value]
    specs = [d for d in documents if isinstance(d, dict) and {"pipelineInfo", "root"} <= set(d)]
    platforms = [d for d in documents if isinstance(d, dict) and "platforms" in d]
    if len(specs) != 1 or not all(isinstance(specs[0][part], dict) for part in ("pipelineInfo", "root")):
        raise click.UsageError(
            f"{path} is no KFP package: it needs one document with `pipelineInfo` and `root`"
        )
    if len(specs) + len(platforms) != len(documents) or len(platforms) > 1:
        raise click.UsageError(
            f"{path} is no KFP package: only one document with `platforms` may stand beside it"
        )
    spec = specs[0]
    name = str(spec["pipelineInfo"].get("name") or path.stem)
    return Subject(
        name, Package(name, spec, platforms[0] if platforms else None), _inputs(path, spec["root"])
    )


def _inputs(path: Path, root: Mapping[str, Any]) -> dict[str, Input]:
    definitions = root.get("inputDefinitions") or {}
    where = whole_file(path.name)
    found: dict[str, Input] = {}
    try:
        for name, given in (definitions.get("parameters") or {}).items():
            optional = bool(given.get("isOptional")) or "defaultValue" in given
            type_ = parse_type(_TYPES.get(str(given.get("parameterType")), "string"))
            found[name] = Input(name, type_, where, optional=optional)
        for name, given in (definitions.get("artifacts") or {}).items():
            title = (given.get("artifactType") or {}).get("schemaTitle") or "system.Artifact"
            found[name] = Input(name, ArtifactType(str(title)), where, optional=bool(given.get("isOptional")))
    except (AttributeError, TypeError) as fault:
        raise click.UsageError(
            f"{path} is no KFP package: its inputs are not described as KFP does it"
        ) from fault
    return found
