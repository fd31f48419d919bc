"""The widest moment of a pipeline: how many devices one run can hold at once.

Loops count as often as their iterations may run side by side, of a switch's branches the heaviest one, and tasks that
wait for each other never together. A task with `when` counts as if it ran. How long tasks take is not looked at, so it
is the most that any run can come to. Devices of all resources count alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kfgit.demand.asking import settings_of
from kfgit.demand.packaged import of_package
from kfgit.demand.values import Holder, Peak, beside, heaviest
from kfgit.graph import CheckedPipeline, CheckedProject
from kfgit.graph.scope import Scope, below, exit_scope
from kfgit.model import Composite, Literal_, Loop, Pipeline, Switch, Task, UseComponent, UsePipeline


def peak(checked: CheckedProject, pipeline: str, known: dict[str, Peak] | None = None) -> Peak:
    """The widest moment of a pipeline without mistakes; `known` are those of others, and gets this one's."""
    return _Walk(checked, {} if known is None else known).of_pipeline(pipeline)


@dataclass(frozen=True, slots=True)
class _Walk:
    checked: CheckedProject
    known: dict[str, Peak]

    def of_pipeline(self, name: str) -> Peak:
        """A pipeline is looked at once, however many use it."""
        if name not in self.known:
            self.known[name] = self._of_pipeline(self.checked.pipelines[name])
        return self.known[name]

    def _of_pipeline(self, found: CheckedPipeline) -> Peak:
        """The tasks, or the exit task, which runs after all of them."""
        pipeline = found.pipeline
        if pipeline.package is not None:
            return of_package(pipeline.package)
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
        return beside(each, ((edge.source, edge.target) for edge in edges))

    def _of_task(self, found: CheckedPipeline, scope: Scope, task: Task, path: str) -> Peak:
        match task.action:
            case Loop() as loop:
                inner = self._of_scope(found, below(scope, task)[0], f"{path}/")
                bounds = [bound for bound in (_listed(loop), loop.parallelism or None) if bound is not None]
                return inner.repeated(min(bounds, default=None), path, task.span)
            case Switch():
                return heaviest([self._of_scope(found, each, f"{path}/") for each in below(scope, task)])
            case UsePipeline(name=name):
                return self.of_pipeline(name.text).below(f"{path}/")
            case UseComponent():
                return Peak(tuple(_held(self.checked, found.pipeline, task, path)))
            case _:
                return Peak()


def _held(checked: CheckedProject, pipeline: Pipeline, task: Task, path: str) -> Iterator[Holder]:
    resources = settings_of(checked, pipeline, task).resources
    accelerator = resources.accelerator if resources is not None else None
    if accelerator is not None and accelerator.count:
        yield Holder(path, accelerator.count)


def _listed(loop: Loop) -> int | None:
    """How many items there are, where they stand in the source."""
    match loop.items:
        case Literal_(value=list() as items) | Composite(value=list() as items):
            return len(items)
        case _:
            return None
