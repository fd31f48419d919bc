"""`kfgit run`: run a pipeline, a package or a Run document now."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from kfgit import document, driver
from kfgit.backend import RunRequest
from kfgit.cli import exits, options, subject as subjects
from kfgit.cli.follow import check_served, see_through
from kfgit.cli.names import Choice
from kfgit.cli.session import Session
from kfgit.cli.standing import about, standing, touching
from kfgit.cli.subject import Subject
from kfgit.diagnostics import did_you_mean
from kfgit.driver import Repository
from kfgit.model import ArtifactType, Input, ParameterType
from kfgit.render import as_json
from kfgit.resolve import literal_fault, show_type
from kfgit.source import SourceFile

if TYPE_CHECKING:
    from kfgit.backend import Backend

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@click.command("run")
@click.argument("subject", metavar="PIPELINE|PACKAGE.yaml|run/NAME", shell_complete=options.complete_runnable)
@options.environment
@click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="An input; JSON for what is no string.",
)
@click.option(
    "--params", "params_file", type=click.Path(path_type=Path), help="A YAML or JSON file with inputs."
)
@click.option("--no-cache", is_flag=True, help="Do everything anew.")
@click.option(
    "--executor",
    type=Choice("auto", "process", "docker", "podman"),
    default="auto",
    show_default=True,
    help="What runs container components; auto: what the environment says.",
)
@click.option("--detach", is_flag=True, help="Leave the run to the server (a cluster, or `kfgit up`).")
@options.output("human", "json")
@options.session
def command(session: Session, /, subject: str, env: str | None, output: str, **flags: Any) -> int:
    """Run a pipeline now and follow it to its end.

    VALUE is taken as it is for a string, as JSON for other types, and as a path or URI for an artifact.
    Exits with 7 when the run fails. Ctrl-C cancels it; its exit task still runs. A cluster executes the run, and so
    does `kfgit up` where it serves the environment.

    \b
    Examples:
      kfgit run first-steps -p dataset=wine
      kfgit run parameter-search -p 'depths=[1, 2]' --no-cache
      kfgit run compiled.yaml
      kfgit run run/train-deploy-smoke
    """
    repository = session.repository()
    environment = session.environment(repository, env)
    found = _find(session, repository, environment, subject)
    if found is None:
        return exits.INVALID
    request = _request(session, found, flags)
    with session.reached(repository, standing(repository, environment)) as backend:
        if flags["detach"]:
            return _leave(session, backend, request, output)
        backend.start(request)
        ended = see_through(session, backend, request.id, found.timeout)
    if output == "json":
        session.json(as_json.run(ended.run))
    return ended.code


def _leave(session: Session, backend: Backend, request: RunRequest, output: str) -> int:
    """Hands a run to the server, and does not wait for it."""
    check_served(backend)
    run = backend.start(request)
    if output == "json":
        session.json(as_json.run(run))
    else:
        session.print(run.id)
    return exits.DONE


def _find(session: Session, repository: Repository, environment: str, text: str) -> Subject | None:
    """What is named; None after telling what is wrong with it. A package needs nothing of the project to be right."""
    if subjects.is_package(text):
        return subjects.package(session.folder / text)
    checked = driver.check(repository, environment)
    found = subjects.find(checked.value, text)
    if found is None:
        faults = driver.mistakes(checked)
        session.invalid(repository, touching(checked.value.view.documents, [subjects.key(text)], faults))
        return None
    breaches = driver.violations(checked.value)
    told = about(checked.value.view.documents, [subjects.key(text)], breaches) if breaches else ()
    session.lawful(repository, checked.value, told)
    return found


def _request(session: Session, subject: Subject, flags: Mapping[str, Any]) -> RunRequest:
    parameters: dict[str, Any] = {}
    artifacts: dict[str, str] = {}
    for name, given in _inputs(session, subject, flags):
        port = _port(subject, name)
        if isinstance(port.type, ArtifactType):
            artifacts[name] = _uri(given, session)
            continue
        value = _checked(port, _value(port, given.text) if isinstance(given, _Text) else given)
        parameters.pop(name, None)
        if value is not None:  # KFP takes null for "not given"
            parameters[name] = value
    missing = [p for p in subject.inputs.values() if p.required and p.name not in {*parameters, *artifacts}]
    if missing:
        wanted = ", ".join(f"`{port.name}` ({show_type(port.type)})" for port in missing)
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


class _Text:
    """A value as it was typed."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


def _inputs(session: Session, subject: Subject, flags: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """From the weakest to the strongest: the Run document's, the file's, and what was typed."""
    yield from (subject.given or {}).items()
    yield from _from_file(session, flags["params_file"]).items()
    yield from _typed(flags["params"])


def _typed(texts: Sequence[str]) -> Iterator[tuple[str, _Text]]:
    for text in texts:
        name, equals, raw = text.partition("=")
        if not equals:
            raise click.UsageError(f"`-p {text}` is not NAME=VALUE")
        yield name, _Text(raw)


def _from_file(session: Session, path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    try:
        parsed = document.parse(SourceFile(str(path), (session.folder / path).read_bytes()))
    except OSError as fault:
        raise click.UsageError(f"{path} cannot be read: {(fault.strerror or 'bad path').lower()}") from fault
    if not parsed.ok:
        raise click.UsageError(
            f"{path}: {parsed.diagnostics[0].message} (line {parsed.diagnostics[0].span.line})"
        )
    values = document.plain(parsed.value[0].root) if len(parsed.value) == 1 else None
    if not isinstance(values, dict):
        raise click.UsageError(f"{path} is no map of inputs; write `name: value` lines")
    return values


def _port(subject: Subject, name: str) -> Input:
    port = subject.inputs.get(name)
    if port is None:
        known = did_you_mean(name, subject.inputs, what="its inputs")
        raise click.UsageError(f"`{subject.pipeline}` has no input `{name}`; {known}")
    return port


def _value(port: Input, raw: str) -> Any:
    if not isinstance(port.type, ParameterType) or port.type.name == "string":
        return raw
    try:
        return json.loads(raw, parse_constant=_no_number, parse_float=_number)
    except (ValueError, RecursionError) as fault:
        wanted = show_type(port.type)
        raise click.UsageError(
            f"`{port.name}` is of type {wanted}, and `{raw}` is no JSON of that type"
        ) from fault


def _no_number(word: str) -> float:
    raise ValueError(word)


def _number(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else _no_number(text)


def _checked(port: Input, value: Any) -> Any:
    fault = literal_fault(value, port)
    if fault is not None:
        raise click.UsageError(f"{fault.message}; {fault.help}")
    return value


def _uri(given: object, session: Session) -> str:
    """A URI as it is, a path made absolute."""
    text = str(given)
    return text if _URI.match(text) else str((session.folder / text).absolute())
