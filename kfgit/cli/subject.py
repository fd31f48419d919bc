"""What `kfgit run` can run: a pipeline, a Run document, or a KFP package as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kfgit import compiler, desired
from kfgit.backend import NotFound
from kfgit.driver import Checkout, Repository
from kfgit.graph import CheckedProject
from kfgit.ir import DEFAULT_EXPERIMENT, Package
from kfgit.model import Input
from kfgit.packages import compiled
from kfgit.resolve.packaged import inputs_of
from kfgit.source import SourceFile

_FILES = (".yaml", ".yml", ".json")
# So many mistakes of a package are told.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """What is run, and the inputs it takes; `given` are those that a Run document gives."""

    pipeline: str
    package: Package
    inputs: Mapping[str, Input]
    experiment: str = DEFAULT_EXPERIMENT
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


def find(checkout: Checkout, text: str) -> Subject | None:
    """The pipeline or Run document that is named; None where it is there but has mistakes."""
    kind, name = key(text)
    if kind == "Run":
        return _run(checkout.source, checkout.project, name)
    return _pipeline(checkout.source, checkout.project, name)


def _pipeline(repository: Repository, checked: CheckedProject, name: str) -> Subject | None:
    source = checked.project.pipelines.get(name)
    if source is None:
        _sought(repository, "Pipeline", name, checked.project.pipelines)
        return None
    found = checked.pipelines.get(name)
    if found is None:
        return None
    if source.for_exit:
        raise click.UsageError(f"`{name}` asks for the final status; run a pipeline that has it as `onExit`")
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
        found.pipeline, found.package, found.inputs, experiment, run.given.values, name, run.wait_timeout
    )


def _sought(repository: Repository, kind: str, name: str, known: Mapping[str, Any]) -> None:
    """Raises `NotFound`, unless the document may stand in a file that cannot be read."""
    written = any((d.kind, d.name) == (kind, name) for d in repository.documents)
    if not written and ("*", name) not in repository.broken:
        raise NotFound(kind.lower(), name, list(known))


def package(path: Path) -> Subject:
    """A KFP package as it stands: a file with the pipeline's spec, and perhaps the platform's as a second document."""
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise click.UsageError(f"{path} cannot be read: {(fault.strerror or 'bad path').lower()}") from fault
    read = compiled.read(SourceFile(path.name, content))
    errors = [d for d in read.diagnostics if d.severity == "error"]
    if errors or read.value is None:
        told = [f"{d.message} (line {d.span.line})" for d in errors]
        more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        raise click.UsageError(f"{path} is no KFP package: {'; '.join(told[:_SHOWN])}{more}")
    found = read.value
    name = str((found.spec.get("pipelineInfo") or {}).get("name") or path.stem)
    return Subject(name, Package(name, found.spec, found.platform), inputs_of(found))
