"""The checks of the DAG, and the only maker of `CheckedPipeline`.

Names are bound, types compared, edges drawn, circles found. `check` looks at everything and returns every mistake;
only what comes out of it without errors can be compiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kfgit.diagnostics import Checked, Diagnostic, has_errors
from kfgit.graph.callers import check_objects
from kfgit.graph.edges import Edge, cycles, edges_in
from kfgit.graph.hooks import check_hooks
from kfgit.graph.nesting import inner_first, nested, pipeline_cycles, too_large
from kfgit.graph.rooted import check_policy
from kfgit.graph.scope import BoundOutput, Path, Scope, below, exit_scope, root_scope, type_of
from kfgit.graph.sharing import check_sharing
from kfgit.graph.tasks import TaskChecker, compatible, quantity, walk
from kfgit.model import (
    Pipeline,
    Project,
    Task,
    UseComponent,
    UsePipeline,
    Whole,
)
from kfgit.references import show
from kfgit.resolve import show_type

__all__ = ["CheckedPipeline", "CheckedProject", "Edge", "check", "edges_of", "quantity"]


@dataclass(frozen=True, slots=True)
class CheckedPipeline:
    """A pipeline without mistakes. `edges` holds each scope's edges by its path (and branch number)."""

    pipeline: Pipeline
    project: Project
    edges: Mapping[tuple[Path, int], tuple[Edge, ...]] = field(default_factory=dict)

    @property
    def root(self) -> Scope:
        """The scope of its tasks."""
        return root_scope(self.pipeline, self.project)


@dataclass(frozen=True, slots=True)
class CheckedProject:
    """All of an environment; `pipelines` holds those without mistakes."""

    project: Project
    pipelines: Mapping[str, CheckedPipeline]


def check(project: Project) -> Checked[CheckedProject]:
    """Checks every pipeline, schedule and run of an environment."""
    checked: dict[str, CheckedPipeline] = {}
    faults: list[Diagnostic] = []
    order = inner_first(project)
    refused = pipeline_cycles(project, order) | too_large(project, order)
    faults += refused.values()
    for name, pipeline in project.pipelines.items():
        edges, found = _pipeline(pipeline, project)
        faults += found
        if (
            not has_errors(found)
            and pipeline.whole
            and ("Pipeline", name) not in project.faulty
            and name not in refused
        ):
            checked[name] = CheckedPipeline(pipeline, project, edges)
    faults += [*check_objects(project), *check_sharing(project)]
    return Checked(CheckedProject(project, _with_good_parts(checked, project, order)), tuple(faults))


def _pipeline(
    pipeline: Pipeline, project: Project
) -> tuple[dict[tuple[Path, int], tuple[Edge, ...]], list[Diagnostic]]:
    checker = TaskChecker(project)
    root = root_scope(pipeline, project)
    walk(root, checker.task)
    checker.settings(pipeline.defaults)
    if pipeline.defaults.kubernetes is not None:
        checker.kubernetes_default(root, pipeline.defaults.kubernetes)
    checker.faults += check_policy(pipeline, project.environment.target)
    _exit_task(checker, pipeline, project)
    _outputs(checker, root, pipeline)
    edges: dict[tuple[Path, int], tuple[Edge, ...]] = {}
    for scope in _scopes(root):
        found = edges[scope.path, scope.branch] = edges_in(scope)
        checker.faults += cycles(found)
        checker.faults += check_hooks(scope, found)
    return edges, checker.faults


def edges_of(pipeline: Pipeline, project: Project) -> dict[tuple[Path, int], tuple[Edge, ...]]:
    """The edges of every scope of a pipeline, by the scope's path and branch number."""
    return {(scope.path, scope.branch): edges_in(scope) for scope in _scopes(root_scope(pipeline, project))}


def _scopes(scope: Scope) -> Iterator[Scope]:
    yield scope
    for task in scope.tasks.values():
        for inner in below(scope, task):
            yield from _scopes(inner)


def _exit_task(checker: TaskChecker, pipeline: Pipeline, project: Project) -> None:
    scope, task = exit_scope(pipeline, project), pipeline.on_exit
    if scope is None or task is None:
        return
    if task.action is not None and not isinstance(task.action, UseComponent | UsePipeline):
        checker.fault(
            "bad-exit-task",
            "the exit task is a component or a pipeline",
            task.span,
            "put more into a pipeline, and run that",
        )
        return
    if task.when is not None:
        checker.fault(
            "bad-exit-task",
            "the exit task always runs and has no `when`",
            task.when.span,
            "decide inside the component",
        )
    checker.task(scope, task)


def _outputs(checker: TaskChecker, root: Scope, pipeline: Pipeline) -> None:
    for output in pipeline.outputs.values():
        source = output.source
        if source is None:
            continue
        if not isinstance(source, Whole):
            checker.fault(
                "bad-output", f"the output `{output.name}` is exactly one `$(tasks.…)`", source.span
            )
            continue
        bound = checker.bound(root, source.ref, source.span)
        if bound is None:
            continue
        if not isinstance(bound, BoundOutput):
            checker.fault(
                "bad-output",
                f"`{show(source.ref)}` is no task's output",
                source.span,
                "KFP gives out what a task made",
            )
            continue
        have = type_of(bound)
        if have is not None and output.type is not None and not compatible(have, output.type):
            wanted = f"the output `{output.name}` is {show_type(output.type)}"
            message = f"{wanted}, but `{show(source.ref)}` is {show_type(have)}"
            checker.fault("type-mismatch", message, source.span, "make them agree")


def _with_good_parts(
    checked: Mapping[str, CheckedPipeline], project: Project, order: tuple[str, ...]
) -> dict[str, CheckedPipeline]:
    """Leaves out what uses something faulty: it cannot be compiled, and that was told where the fault is."""
    good: dict[str, CheckedPipeline] = {}
    for name in order:
        if name in checked and _parts_are_good(checked[name].pipeline, project, good):
            good[name] = checked[name]
    return {name: good[name] for name in checked if name in good}


def _parts_are_good(pipeline: Pipeline, project: Project, good: Mapping[str, CheckedPipeline]) -> bool:
    if any(name.text not in good for name in nested(pipeline)):
        return False
    used: list[str] = []

    def visit(_scope: Scope, task: Task) -> None:
        if isinstance(task.action, UseComponent) and task.action.inline is None:
            used.append(task.action.name.text)

    for scope in (root_scope(pipeline, project), exit_scope(pipeline, project)):
        if scope is not None:
            walk(scope, visit)
    return all(
        name in project.components
        and project.components[name].whole
        and ("Component", name) not in project.faulty
        for name in used
    )
