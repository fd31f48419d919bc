"""Documents to model: the last stage that knows YAML.

One environment's nodes become a `Project` of frozen values with spans. What is broken is left out and its name
kept in `Project.faulty`, so that later stages do not complain about what is missing because of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kfgit.diagnostics import Checked, Diagnostic
from kfgit.document import Mapping, Scalar, at
from kfgit.model import Project
from kfgit.overlay import Located, View
from kfgit.resolve import objects
from kfgit.resolve.components import component
from kfgit.resolve.pipelines import PipelineReader
from kfgit.resolve.places import check_places
from kfgit.resolve.python import PythonSources, python_path
from kfgit.resolve.reader import Reader
from kfgit.resolve.values import conforms, literal_fault, parse_type, show_type
from kfgit.source import Span, whole_file

__all__ = ["conforms", "literal_fault", "parse_type", "python_files", "resolve", "show_type"]


_NOWHERE = whole_file("kfgit.yaml")


def python_files(documents: Iterable[Located]) -> Iterator[str]:
    """The python files that components name, as paths in the repository."""
    for document in documents:
        if document.kind == "Component":
            yield from _file_of(document.node, ("spec",))
        elif document.kind == "Pipeline":
            yield from _files_below(at(document.node, ("spec",)))


def _file_of(node: Mapping, path: tuple[str, ...]) -> Iterator[str]:
    found = at(node, (*path, "python", "file"))
    if isinstance(found, Scalar) and isinstance(found.value, str):
        where = python_path(found.span.file, found.value)
        if where is not None:
            yield where


def _files_below(node: object) -> Iterator[str]:
    """Inline components stand under any `component` key."""
    pending = [node]
    while pending:
        here = pending.pop()
        if isinstance(here, Mapping):
            inline = here.get("component")
            if isinstance(inline, Mapping):
                yield from _file_of(here, ("component",))
            pending.extend(entry.node for entry in here.entries.values())
        elif isinstance(here, tuple) and not isinstance(here, Scalar):
            pending.extend(here[0])


def resolve(
    view: View,
    project_name: str,
    sources: PythonSources,
    broken: frozenset[tuple[str, str]],
    strays: frozenset[Span] = frozenset(),
    doubled: frozenset[Span] = frozenset(),
) -> Checked[Project]:
    """The model of one environment. `broken` are documents, `strays` and `doubled` keys, that other
    stages found faulty.
    """
    reader = Reader()
    by_kind: dict[str, dict[str, Located]] = {}
    for document in view.documents:
        by_kind.setdefault(document.kind, {})[document.name] = document
    faulty = set(broken)
    faults: list[Diagnostic] = []
    home = by_kind.get("Environment", {}).get(view.environment)
    environment = objects.environment(
        reader,
        view.environment,
        home.node if home else None,
        home.name_span if home else _NOWHERE,
        next((d.node for d in by_kind.get("Project", {}).values()), None),
    )
    profiles = objects.profiles(
        reader, {name: d.node for name, d in by_kind.get("ResourceProfile", {}).items()}
    )
    faults += reader.faults
    faulty |= {
        ("ResourceProfile", name) for name in by_kind.get("ResourceProfile", {}) if name not in profiles
    }
    components, pipelines, schedules, experiments, runs = {}, {}, {}, {}, {}
    for document in view.documents:
        one = Reader(strays=strays, doubled=doubled)
        name, span, node = document.name, document.name_span, document.node
        if document.kind not in {"Environment", "Project"}:
            check_places(one, node.get("spec"))
        match document.kind:
            case "Component":
                spec = node.get("spec")
                if isinstance(spec, Mapping):
                    components[name] = component(one, name, spec, span, sources, _description(node))
                    one.broken = not components[name].whole
            case "Pipeline":
                pipelines[name] = PipelineReader(one, sources).pipeline(name, node, span)
            case "Schedule":
                schedule = objects.schedule(one, name, node, span)
                if schedule is not None:
                    schedules[name] = schedule
            case "Experiment":
                experiments[name] = objects.experiment(one, name, node, span)
            case "Run":
                run = objects.run(one, name, node, span)
                if run is not None:
                    runs[name] = run
            case _:
                pass
        faults += one.faults
        if one.broken:
            faulty.add((document.kind, name))
    project = Project(
        project_name,
        environment,
        components,
        pipelines,
        schedules,
        experiments,
        runs,
        profiles,
        frozenset(faulty),
    )
    return Checked(project, (*faults, *objects.name_clashes(view.documents, environment.prefix)))


def _description(node: Mapping) -> str:
    found = at(node, ("metadata", "description"))
    return found.value if isinstance(found, Scalar) and isinstance(found.value, str) else ""
