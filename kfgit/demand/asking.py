"""What the tasks of a pipeline ask for: amounts, devices, and money where profiles say what they cost.

Each task by itself, as if every branch ran and each loop once; `peak` says what is held at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kfgit.compiler.settings import settings_of
from kfgit.graph import CheckedProject
from kfgit.model import Cost, Pipeline, Profile, Resources, Task, UseComponent, UsePipeline


@dataclass(frozen=True, slots=True)
class Ask:
    """What one task asks for; `path` is its name as runs tell it.

    `pipeline` is the one that the task stands in, which may be nested in the one that was asked about. `profile` is
    what the task's `name` of a profile means in the environment; `resources` are its own amounts over those.
    """

    path: str
    pipeline: str
    task: Task
    name: str | None
    profile: Profile | None
    resources: Resources

    @property
    def resource(self) -> str | None:
        """The extended resource of its devices."""
        return self.resources.accelerator.resource if self.resources.accelerator is not None else None

    @property
    def count(self) -> int:
        """How many devices."""
        return self.resources.accelerator.count if self.resources.accelerator is not None else 0

    @property
    def cost(self) -> Cost | None:
        """What an hour of it costs."""
        return self.profile.cost if self.profile is not None else None


def asks(checked: CheckedProject, pipeline: str) -> tuple[Ask, ...]:
    """The tasks of a pipeline that run something, in the order of the source, also those of nested pipelines.

    What a compiled package asks for is its own affair: no profile says anything of it.
    """
    return tuple(_below(checked, checked.project.pipelines[pipeline], ""))


def own_asks(checked: CheckedProject, pipeline: str) -> Iterator[Ask]:
    """The same without nested pipelines."""
    found = checked.project.pipelines[pipeline]
    for path, task in found.by_path():
        if isinstance(task.action, UseComponent):
            yield _ask(checked, found, path, task)


def _below(checked: CheckedProject, pipeline: Pipeline, above: str) -> Iterator[Ask]:
    for path, task in pipeline.by_path():
        match task.action:
            case UseComponent():
                yield _ask(checked, pipeline, f"{above}{path}", task)
            case UsePipeline(name=name):
                yield from _below(checked, checked.project.pipelines[name.text], f"{above}{path}/")
            case _:
                pass


def _ask(checked: CheckedProject, pipeline: Pipeline, path: str, task: Task) -> Ask:
    settings = settings_of(task, pipeline, checked.project)
    name = settings.profile.text if settings.profile is not None else None
    profile = checked.project.profile_of(settings.profile)
    return Ask(path, pipeline.name, task, name, profile, settings.resources or Resources())
