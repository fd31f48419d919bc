"""What the tasks of a pipeline ask for: amounts, devices, and money where profiles say what they cost.

Each task by itself, as if every branch ran; `peak` says what is held at once. How often a loop runs is known only when
it does, so what is in loops is told for each iteration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from kfgit.compiler.settings import settings_of
from kfgit.graph import CheckedProject
from kfgit.model import (
    Cost,
    Loop,
    Pipeline,
    Profile,
    Resources,
    Switch,
    Task,
    UseComponent,
    UsePipeline,
)

_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Ask:
    """What one task asks for; `path` is its name as runs tell it, `iterated` whether a loop is around it.

    `pipeline` is the one that the task stands in, which may be nested in the one that was asked about. `profile` is
    what the task's `name` of a profile means in the environment; `resources` are its own amounts over those.
    """

    path: str
    iterated: bool
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
    found = checked.project.pipelines[pipeline]
    return tuple(_of_pipeline(checked, found, "", iterated=False))


def sentence(found: tuple[Ask, ...]) -> str | None:
    """One line, as `asks for 4 × nvidia.com/gpu in train, 1 in eval; at most 12.40 USD per hour`; None for nothing."""
    parts = [*_devices(found), *_money(found)]
    return "; ".join(parts) or None


def _of_pipeline(checked: CheckedProject, pipeline: Pipeline, above: str, *, iterated: bool) -> Iterator[Ask]:
    yield from _of_tasks(checked, pipeline, pipeline.tasks, above, iterated=iterated)
    if pipeline.on_exit is not None:
        yield from _of_task(checked, pipeline, pipeline.on_exit, f"{above}onExit", iterated=iterated)


def _of_tasks(
    checked: CheckedProject, pipeline: Pipeline, tasks: Mapping[str, Task], above: str, *, iterated: bool
) -> Iterator[Ask]:
    for name, task in tasks.items():
        yield from _of_task(checked, pipeline, task, f"{above}{name}", iterated=iterated)


def _of_task(
    checked: CheckedProject, pipeline: Pipeline, task: Task, path: str, *, iterated: bool
) -> Iterator[Ask]:
    match task.action:
        case Loop(tasks=inner):
            yield from _of_tasks(checked, pipeline, inner, f"{path}/", iterated=True)
        case Switch(branches=branches):
            for branch in branches:
                yield from _of_tasks(checked, pipeline, branch.tasks, f"{path}/", iterated=iterated)
        case UsePipeline(name=name):
            yield from _of_pipeline(
                checked, checked.project.pipelines[name.text], f"{path}/", iterated=iterated
            )
        case UseComponent():
            settings = settings_of(task, pipeline, checked.project)
            logical = settings.profile.text if settings.profile is not None else None
            profile = checked.project.profile_of(settings.profile)
            resources = settings.resources or Resources()
            yield Ask(path, iterated, pipeline.name, task, logical, profile, resources)
        case _:
            pass


def _devices(found: tuple[Ask, ...]) -> Iterator[str]:
    for resource in dict.fromkeys(ask.resource for ask in found if ask.resource is not None and ask.count):
        holders = [ask for ask in found if ask.resource == resource and ask.count]
        first, *others = (
            f"{a.count}{{}} in {a.path}{' for each iteration' if a.iterated else ''}" for a in holders
        )
        told = [first.format(f" × {resource}"), *(other.format("") for other in others)]
        more = f" and in {len(told) - _SHOWN} more tasks" if len(told) > _SHOWN else ""
        yield f"asks for {', '.join(told[:_SHOWN])}{more}"


def _money(found: tuple[Ask, ...]) -> Iterator[str]:
    priced = [(ask.cost, ask.iterated) for ask in found if ask.cost is not None]
    for currency in dict.fromkeys(cost.currency for cost, _ in priced):
        once, each = (
            sum(
                (c.per_hour for c, iterated in priced if c.currency == currency and iterated is which),
                Decimal(0),
            )
            for which in (False, True)
        )
        both = [f"{once:.2f} {currency} per hour"] if once or not each else []
        both += [f"{each:.2f} {currency} per hour for each iteration"] if each else []
        yield f"at most {' and '.join(both)}"
