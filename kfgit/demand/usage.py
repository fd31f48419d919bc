"""Which tasks use which profile, and what each name that a task may write means in an environment.

Of pipelines with mistakes too, as far as they were read: whoever mends a mapping wants to know what it touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kfgit.compiler.settings import settings_of
from kfgit.model import Name, Pipeline, Profile, Project, Resources, UseComponent
from kfgit.source import Span


@dataclass(frozen=True, slots=True)
class Use:
    """A task that has a profile by the `name` that it writes, or its pipeline's defaults do.

    `path` is the task's name as runs tell it. `resources` are what it gets: its own amounts over the profile's.
    """

    pipeline: str
    path: str
    name: Name
    resources: Resources


@dataclass(frozen=True, slots=True)
class Meaning:
    """A name that tasks may write, and the ResourceProfile that it means in an environment; None where there is none.

    `mapped` is where the environment says so. `aliases` are other names that mean the same, `bases` the profiles that
    extend it: why it may be there though no task writes its name. A `faulty` one has mistakes that were told.
    """

    name: str
    concrete: str
    profile: Profile | None
    mapped: Span | None
    uses: tuple[Use, ...] = ()
    aliases: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    faulty: bool = False

    @property
    def pipelines(self) -> Mapping[str, tuple[Use, ...]]:
        """The tasks that use it, by pipeline, in the order of the source."""
        found: dict[str, list[Use]] = {}
        for use in self.uses:
            found.setdefault(use.pipeline, []).append(use)
        return {name: tuple(uses) for name, uses in found.items()}


def meanings(project: Project) -> tuple[Meaning, ...]:
    """Every name that means something or is written: what the environment maps, the profiles, and what is neither."""
    uses: dict[str, list[Use]] = {}
    for pipeline in project.pipelines.values():
        for use in uses_in(pipeline, project):
            uses.setdefault(use.name.text, []).append(use)
    broken = sorted(name for kind, name in project.faulty if kind == "ResourceProfile")
    names = dict.fromkeys((*project.environment.profiles, *project.profiles, *broken, *uses))
    alike = _grouped((_concrete(name, project), name) for name in names)
    bases = _grouped((each.extends, each.name) for each in project.profiles.values())
    return tuple(_meaning(name, project, uses.get(name, ()), alike, bases) for name in names)


def _grouped(pairs: Iterable[tuple[str | None, str]]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _meaning(
    name: str,
    project: Project,
    uses: Sequence[Use],
    alike: Mapping[str | None, Sequence[str]],
    bases: Mapping[str | None, Sequence[str]],
) -> Meaning:
    mapped, concrete = project.environment.profiles.get(name), _concrete(name, project)
    return Meaning(
        name,
        concrete,
        project.profiles.get(concrete),
        mapped.span if mapped is not None else None,
        tuple(uses),
        tuple(other for other in alike[concrete] if other != name),
        tuple(bases.get(concrete, ())),
        ("ResourceProfile", concrete) in project.faulty,
    )


def _concrete(name: str, project: Project) -> str:
    mapped = project.environment.profiles.get(name)
    return mapped.text if mapped is not None else name


def uses_in(pipeline: Pipeline, project: Project) -> Iterator[Use]:
    """The tasks of a pipeline that have a profile, in the order of the source; not those of pipelines that it runs."""
    for path, task in pipeline.by_path():
        settings = settings_of(task, pipeline, project) if isinstance(task.action, UseComponent) else None
        if settings is not None and settings.profile is not None:
            yield Use(pipeline.name, path, settings.profile, settings.resources or Resources())
