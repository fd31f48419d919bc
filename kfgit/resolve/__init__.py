"""Documents to model: the last stage that knows YAML.

One environment's nodes become a `Project` of frozen values with spans. What is broken is left out and its name
kept in `Project.faulty`, so that later stages do not complain about what is missing because of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kfgit.diagnostics import Checked, Diagnostic
from kfgit.document import Mapping, Scalar, at
from kfgit.model import Component, Elsewhere, Experiment, Pipeline, Project, Run, Schedule
from kfgit.overlay import Located, View
from kfgit.resolve import environments, objects
from kfgit.resolve.components import component
from kfgit.resolve.elsewhere import elsewhere
from kfgit.resolve.environments import capacity, gpu, retention
from kfgit.resolve.files import Files
from kfgit.resolve.literals import conforms, literal_fault, literal_faults
from kfgit.resolve.pipelines import PipelineReader
from kfgit.resolve.places import check_places
from kfgit.resolve.profiles import read_profiles
from kfgit.resolve.reader import Reader
from kfgit.resolve.targets import cluster_target
from kfgit.resolve.types import parse_type, show_type
from kfgit.resolve.values import WHEN_HELP
from kfgit.source import Span, whole_file

__all__ = [
    "WHEN_HELP",
    "Component",
    "Environment",
    "Experiment",
    "Faulty",
    "Pipeline",
    "Project",
    "ResourceProfile",
    "Schedule",
    "capacity",
    "cluster_target",
    "conforms",
    "description",
    "elsewhere",
    "gpu",
    "literal_fault",
    "literal_faults",
    "metadata",
    "parse_type",
    "resolve",
    "retention",
    "show_type",
    "spec",
]


_NOWHERE = whole_file("kfgit.yaml")


@dataclass(frozen=True, slots=True)
class Faulty:
    """What other stages found faulty: documents, keys that have no meaning (`strays`), keys that are written twice."""

    documents: frozenset[tuple[str, str]] = frozenset()
    strays: frozenset[Span] = frozenset()
    doubled: frozenset[Span] = frozenset()


_NOTHING, _NOTHING_ELSE = Faulty(), Elsewhere()


def resolve(
    view: View,
    project_name: str,
    files: Files,
    told: Faulty = _NOTHING,
    elsewhere: Elsewhere = _NOTHING_ELSE,
) -> Checked[Project]:
    """The model of one environment. `told` was found faulty before; `elsewhere` is what all environments say."""
    reader = Reader(strays=told.strays, doubled=told.doubled)
    by_kind: dict[str, dict[str, Located]] = {}
    for document in view.documents:
        by_kind.setdefault(document.kind, {})[document.name] = document
    faulty = set(told.documents)
    faults: list[Diagnostic] = []
    home = by_kind.get("Environment", {}).get(view.environment)
    environment = environments.environment(
        reader,
        view.environment,
        home.node if home else None,
        home.name_span if home else _NOWHERE,
        next((d.node for d in by_kind.get("Project", {}).values()), None),
    )
    said = {name: d.node for name, d in by_kind.get("ResourceProfile", {}).items()}
    profiles = read_profiles(reader, said, elsewhere.devices)
    faults += reader.faults
    faulty |= {
        ("ResourceProfile", name) for name in by_kind.get("ResourceProfile", {}) if name not in profiles
    }
    found = _Found()
    for document in view.documents:
        if document.kind in {"Environment", "Project", "ResourceProfile"}:
            continue
        one = Reader(strays=told.strays, doubled=told.doubled)
        check_places(one, document.node.get("spec"))
        found.add(one, document, files)
        faults += one.faults
        if one.broken:
            faulty.add((document.kind, document.name))
    project = Project(
        project_name,
        environment,
        found.components,
        found.pipelines,
        found.schedules,
        found.experiments,
        found.runs,
        profiles,
        frozenset(faulty),
        elsewhere,
    )
    return Checked(project, (*faults, *objects.name_clashes(view.documents, environment.prefix)))


@dataclass(slots=True)
class _Found:
    """What was read so far, by kind and name."""

    components: dict[str, Component] = field(default_factory=dict)
    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)

    def add(self, reader: Reader, document: Located, files: Files) -> None:
        """One document more; what has no pipeline to start is left out."""
        name, span, node = document.name, document.name_span, document.node
        match document.kind:
            case "Component":
                spec = node.get("spec")
                if isinstance(spec, Mapping):
                    made = component(reader, name, spec, span, files, _description(node))
                    self.components[name] = made
                    reader.broken = reader.broken or not made.whole
            case "Pipeline":
                self.pipelines[name] = PipelineReader(reader, files).pipeline(name, node, span)
            case "Schedule":
                schedule = objects.schedule(reader, name, node, span)
                if schedule is not None:
                    self.schedules[name] = schedule
            case "Experiment":
                self.experiments[name] = objects.experiment(reader, name, node, span)
            case _:
                run = objects.run(reader, name, node, span)
                if run is not None:
                    self.runs[name] = run


def _description(node: Mapping) -> str:
    found = at(node, ("metadata", "description"))
    return found.value if isinstance(found, Scalar) and isinstance(found.value, str) else ""
