"""`kfgit run`: run a pipeline, a package or a Run document now."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from kfgit import compiler, desired, document, driver
from kfgit.backend import NotFound, RunRequest
from kfgit.cli import exits, options
from kfgit.cli.follow import code, follow
from kfgit.cli.session import Session
from kfgit.diagnostics import did_you_mean
from kfgit.driver import Checkout, Repository
from kfgit.graph import CheckedProject
from kfgit.ir import Package
from kfgit.model import ArtifactType, Input, ParameterType
from kfgit.render import as_json
from kfgit.resolve import literal_fault, parse_type, show_type
from kfgit.source import SourceFile, whole_file

_EXECUTORS = ("auto", "process", "docker", "podman")


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is run, and the inputs it takes."""

    pipeline: str
    package: Package
    inputs: Mapping[str, Input]
    experiment: str = desired.DEFAULT_EXPERIMENT
    given: Mapping[str, Any] | None = None
    name: str | None = None
    timeout: float | None = None


@click.command("run")
@click.argument("subject", metavar="PIPELINE|PACKAGE.yaml|run/NAME", shell_complete=options.complete_pipeline)
@options.environment
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="An input; JSON for what is no string.")
@click.option("--params", "params_file", type=click.Path(path_type=Path), help="A YAML or JSON file with inputs.")
@click.option("--no-cache", is_flag=True, help="Do everything anew.")
@click.option("--executor", type=click.Choice(_EXECUTORS), default="auto", show_default=True, help="What runs container components.")
@options.output("human", "json")
@options.session
def command(session: Session, subject: str, env: str | None, output: str, **flags: Any) -> int:
    """Run a pipeline now and follow it to its end.

    VALUE is taken as it is for a string, as JSON for other types, and as a path or URI for an artifact.

    \b
    Examples:
      kfgit run first-steps -p dataset=wine
      kfgit run parameter-search -p 'depths=[1, 2]' --no-cache
      kfgit run compiled.yaml
      kfgit run run/train-deploy-smoke
    """
    repository = session.repository()
    environment = session.environment(repository, env)
    checked = driver.check(repository, environment)
    found = _find(session, repository, checked.value, subject)
    if found is None:
        session.diagnose((*repository.diagnostics, *checked.diagnostics), repository)
        return exits.INVALID
    request = _request(session, found, flags)
    with session.backend(repository, checked.value) as backend:
        backend.start(request)
        run = follow(session, backend, request.id, found.timeout)
    if output == "json":
        session.json(as_json.run(run))
    return code(run)


def _find(session: Session, repository: Repository, checkout: Checkout, subject: str) -> _Subject | None:
    """What is named; None where it is there but has mistakes."""
    path = session.folder / subject
    if subject.endswith((".yaml", ".yml", ".json")):
        return _package(path)
    project = checkout.project
    if subject.startswith("run/"):
        return _run(project, subject.removeprefix("run/"), repository)
    return _pipeline(project, subject.removeprefix("pipeline/"))


def _pipeline(project: CheckedProject, name: str) -> _Subject | None:
    source = project.project.pipelines.get(name)
    if source is None:
        raise NotFound("pipeline", name, list(project.project.pipelines))
    checked = project.pipelines.get(name)
    if checked is None:
        return None
    server = desired.server_name(project, name, source.external_name)
    return _Subject(server, compiler.compile_pipeline(checked), source.inputs)


def _run(project: CheckedProject, name: str, _repository: Repository) -> _Subject | None:
    run = project.project.runs.get(name)
    if run is None:
        raise NotFound("run", name, list(project.project.runs))
    found = _pipeline(project, run.pipeline.text)
    if found is None:
        return None
    experiment = run.experiment or desired.DEFAULT_EXPERIMENT
    return _Subject(found.pipeline, found.package, found.inputs, experiment, run.inputs, name, run.wait_timeout)


def _package(path: Path) -> _Subject:
    """A KFP package as it stands."""
    try:
        parsed = document.parse(SourceFile(path.name, path.read_bytes()))
    except OSError as fault:
        raise click.UsageError(f"{path} cannot be read: {(fault.strerror or 'bad path').lower()}") from fault
    documents = [document.plain(found.root) for found in parsed.value]
    if not parsed.ok:
        raise click.UsageError(f"{path}: {parsed.diagnostics[0].message} (line {parsed.diagnostics[0].span.line})")
    specs = [d for d in documents if isinstance(d, dict) and "pipelineInfo" in d and "root" in d]
    platforms = [d for d in documents if isinstance(d, dict) and "platforms" in d]
    if len(specs) != 1 or not isinstance(specs[0]["pipelineInfo"], dict):
        raise click.UsageError(f"{path} is no KFP package: it needs one document with `pipelineInfo` and `root`")
    spec = specs[0]
    name = str(spec["pipelineInfo"].get("name") or path.stem)
    return _Subject(name, Package(name, spec, platforms[0] if platforms else None), _inputs_of(spec))


_TYPES = {"STRING": "string", "NUMBER_INTEGER": "int", "NUMBER_DOUBLE": "float", "BOOLEAN": "bool", "LIST": "list", "STRUCT": "dict"}


def _inputs_of(spec: Mapping[str, Any]) -> dict[str, Input]:
    root = spec["root"] if isinstance(spec["root"], dict) else {}
    definitions = root.get("inputDefinitions") or {}
    where = whole_file("package")
    found: dict[str, Input] = {}
    for name, given in (definitions.get("parameters") or {}).items():
        optional = bool(given.get("isOptional")) or "defaultValue" in given
        found[name] = Input(name, parse_type(_TYPES.get(given.get("parameterType"), "string")), where, optional=optional)
    for name, given in (definitions.get("artifacts") or {}).items():
        title = (given.get("artifactType") or {}).get("schemaTitle", "system.Artifact")
        found[name] = Input(name, ArtifactType(title), where, optional=bool(given.get("isOptional")))
    return found


def _request(session: Session, subject: _Subject, flags: Mapping[str, Any]) -> RunRequest:
    given = {**(subject.given or {}), **_from_file(session, flags["params_file"])}
    parameters, artifacts = _split(subject, given, flags["params"], session)
    missing = [p for p in subject.inputs.values() if p.required and p.name not in parameters and p.name not in artifacts]
    if missing:
        wanted = ", ".join(f"{port.name} ({show_type(port.type)})" for port in missing)
        raise click.UsageError(f"`{subject.pipeline}` needs {wanted}; give it with -p {missing[0].name}=…")
    id_ = str(uuid4())
    return RunRequest(
        id_,
        subject.name or f"{subject.pipeline}-{id_[:6]}",
        subject.pipeline,
        subject.package,
        parameters,
        artifacts,
        subject.experiment,
        subject.package.digest[:12],
        cache=not flags["no_cache"],
        executor=flags["executor"],
    )


def _from_file(session: Session, path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        parsed = document.parse(SourceFile(str(path), (session.folder / path).read_bytes()))
    except OSError as fault:
        raise click.UsageError(f"{path} cannot be read: {(fault.strerror or 'bad path').lower()}") from fault
    values = document.plain(parsed.value[0].root) if parsed.value else None
    if not parsed.ok or not isinstance(values, dict):
        raise click.UsageError(f"{path} is no map of inputs")
    return values


def _split(subject: _Subject, given: Mapping[str, Any], texts: Sequence[str], session: Session) -> tuple[dict[str, Any], dict[str, str]]:
    parameters: dict[str, Any] = {}
    artifacts: dict[str, str] = {}
    for name, value in given.items():
        port = _port(subject, name)
        if isinstance(port.type, ArtifactType):
            artifacts[name] = _uri(str(value), session)
        else:
            parameters[name] = _checked(port, value)
    for text in texts:
        name, equals, raw = text.partition("=")
        if not equals:
            raise click.UsageError(f"`-p {text}` is not NAME=VALUE")
        port = _port(subject, name)
        if isinstance(port.type, ArtifactType):
            artifacts[name] = _uri(raw, session)
        else:
            parameters[name] = _checked(port, _value(port, raw))
    return parameters, artifacts


def _port(subject: _Subject, name: str) -> Input:
    port = subject.inputs.get(name)
    if port is None:
        known = did_you_mean(name, subject.inputs, what="its inputs")
        raise click.UsageError(f"`{subject.pipeline}` has no input `{name}`; {known}")
    return port


def _value(port: Input, raw: str) -> Any:
    if not isinstance(port.type, ParameterType) or port.type.name == "string":
        return raw
    try:
        return json.loads(raw, parse_constant=lambda word: word)
    except ValueError as fault:
        raise click.UsageError(f"`{port.name}` is {show_type(port.type)}, and `{raw}` is no JSON of that type") from fault


def _checked(port: Input, value: Any) -> Any:
    fault = literal_fault(value, port)
    if fault is not None:
        raise click.UsageError(fault[1] + (f"; {fault[2]}" if fault[2] else ""))
    return value


def _uri(text: str, session: Session) -> str:
    """A URI as it is, a path made absolute."""
    return text if re.match(r"[a-z][a-z0-9+.-]*://", text) else str((session.folder / text).absolute())
