"""The widest moment of a pipeline: how many devices one run can hold at once, or what an hour of it costs at most.

Loops count as often as their iterations may run side by side, of a switch's branches the heaviest one, and tasks that
wait for each other never together. A task with `when` counts as if it ran. How long tasks take is not looked at, so it
is the most that any run can come to. What counts is given as a weight: all devices alike, or only some of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from kfgit.compiler.settings import settings_of
from kfgit.demand.packaged import of_package
from kfgit.demand.values import Devices, Holder, Peak, Weight, beside, every_device, heaviest
from kfgit.graph import CheckedPipeline, CheckedProject
from kfgit.graph.scope import Scope, below, exit_scope
from kfgit.model import Composite, Literal_, Loop, Pipeline, Switch, Task, UseComponent, UsePipeline

# What each task holds, by the identity of the task: the same for all weights.
Held = dict[int, Devices | None]


def peak(
    checked: CheckedProject,
    pipeline: str,
    known: dict[str, Peak] | None = None,
    *,
    weigh: Weight = every_device,
    held: Held | None = None,
) -> Peak:
    """The widest moment of a pipeline without mistakes, by what `weigh` counts.

    `known` are those of others by the same weight, and gets this one's; `held` spares the next weights of the same
    project some work.
    """
    walk = _Walk(checked, {} if known is None else known, weigh, {} if held is None else held)
    return walk.of_pipeline(pipeline)


@dataclass(frozen=True, slots=True)
class _Walk:
    checked: CheckedProject
    known: dict[str, Peak]
    weigh: Weight
    held: Held

    def of_pipeline(self, name: str) -> Peak:
        """A pipeline is looked at once, however many use it."""
        if name not in self.known:
            self.known[name] = self._of_pipeline(self.checked.pipelines[name])
        return self.known[name]

    def _of_pipeline(self, found: CheckedPipeline) -> Peak:
        """The tasks, or the exit task, which runs after all of them."""
        pipeline = found.pipeline
        if pipeline.package is not None:
            return of_package(pipeline.package, self.weigh)
        moments = [self._of_scope(found, found.root, "")]
        leave = exit_scope(pipeline, self.checked.project)
        if leave is not None and pipeline.on_exit is not None:
            moments.append(self._of_task(found, leave, pipeline.on_exit, "onExit"))
        return heaviest(moments)

    def _of_scope(self, found: CheckedPipeline, scope: Scope, above: str) -> Peak:
        each = {
            name: self._of_task(found, scope, task, f"{above}{name}") for name, task in scope.tasks.items()
        }
        edges = found.edges.get((scope.path, scope.branch), ())
        conditional = {name for name, task in scope.tasks.items() if task.when is not None}
        return beside(each, ((edge.source, edge.target) for edge in edges), conditional)

    def _of_task(self, found: CheckedPipeline, scope: Scope, task: Task, path: str) -> Peak:
        match task.action:
            case Loop() as loop:
                inner = self._of_scope(found, below(scope, task)[0], f"{path}/")
                bounds = [bound for bound in (_listed(loop), loop.parallelism or None) if bound is not None]
                return inner.repeated(min(bounds, default=None), path, task.span)
            case Switch():
                branches = [self._of_scope(found, each, f"{path}/") for each in below(scope, task)]
                return heaviest(branches).under_condition()
            case UsePipeline(name=name):
                return self.of_pipeline(name.text).below(f"{path}/")
            case UseComponent():
                return self._of_component(found.pipeline, task, path)
            case _:
                return Peak()

    def _of_component(self, pipeline: Pipeline, task: Task, path: str) -> Peak:
        if id(task) not in self.held:
            self.held[id(task)] = _held(self.checked, pipeline, task)
        found = self.held[id(task)]
        count = self.weigh(found) if found is not None else 0
        return Peak((Holder(path, count),)) if count > 0 else _NOTHING


_NOTHING = Peak()


def _held(checked: CheckedProject, pipeline: Pipeline, task: Task) -> Devices | None:
    settings = settings_of(task, pipeline, checked.project)
    accelerator = settings.resources.accelerator if settings.resources is not None else None
    profile = checked.project.profile_of(settings.profile)
    if accelerator is None or accelerator.count <= 0:
        return Devices("", 0, profile) if profile is not None else None
    return Devices(accelerator.resource, accelerator.count, profile)


def _listed(loop: Loop) -> int | None:
    """How many items there are, where they stand in the source."""
    match loop.items:
        case Literal_(value=list() as items) | Composite(value=list() as items):
            return len(items)
        case _:
            return None
