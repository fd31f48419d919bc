"""Why a task cannot be seen from where it is named, and how its outputs can."""

from __future__ import annotations

from collections.abc import Mapping

from kfgit.diagnostics import did_you_mean
from kfgit.graph.scope import Path, Problem, Scope, Unknown
from kfgit.model import Loop, Switch, Task, UsePipeline
from kfgit.references import TaskRef, show


def missing_task(scope: Scope, ref: TaskRef, name: str) -> Problem | Unknown:
    """No task of that name can be seen; told with the way to one that stands in a group."""
    for outer in scope.outwards():
        found = into_branch(outer, name) or into_loop(outer.tasks, name, ref, ())
        if found is not None:
            return found
    if any(outer.unclear.covers(name, "tasks") for outer in scope.outwards()):
        return Unknown()
    known = [known for outer in scope.outwards() for known in outer.tasks]
    return Problem("unknown-task", f"there is no task `{name}`", did_you_mean(name, known, what="tasks"))


def no_loop(task: Task, ref: TaskRef) -> Problem:
    """A name leads into a task that is no loop."""
    if isinstance(task.action, Switch):
        help_ = f"give it out of every branch with `outputs`, and read `$(tasks.{task.name}.outputs.NAME)`"
        return Problem(
            "reference-into-branch", f"`{show(ref)}` reaches into a branch of `{task.name}`", help_
        )
    if isinstance(task.action, UsePipeline):
        help_ = f"give it out of the pipeline with `outputs`, and read `$(tasks.{task.name}.outputs.NAME)`"
        return Problem(
            "reference-into-pipeline", f"`{show(ref)}` reaches into the pipeline of `{task.name}`", help_
        )
    return Problem(
        "not-a-loop",
        f"`{task.name}` is no loop and holds no tasks",
        f"write `$(tasks.{task.name}.outputs.NAME)`",
    )


def into_branch(scope: Scope, name: str) -> Problem | None:
    """A task of that name stands in a branch of the scope, and cannot be seen."""
    for task in scope.tasks.values():
        if isinstance(task.action, Switch) and any(name in branch.tasks for branch in task.action.branches):
            help_ = (
                f"give it out of every branch with `outputs`, and read `$(tasks.{task.name}.outputs.NAME)`"
            )
            return Problem(
                "reference-into-branch", f"the task `{name}` stands in a branch of `{task.name}`", help_
            )
    return None


def into_loop(tasks: Mapping[str, Task], name: str, ref: TaskRef, way: Path) -> Problem | None:
    """Why a task cannot be seen that stands in a loop among the tasks, however deep; `way` leads to them."""
    for task in tasks.values():
        if not isinstance(task.action, Loop):
            continue
        if name in task.action.tasks:
            there = ".".join((*way, task.name, name))
            help_ = f"write `$(tasks.{there}.outputs.{ref.output}.*)` for the list of all iterations"
            message = f"the task `{name}` stands in the loop `{task.name}`"
            return Problem("reference-into-loop", message, help_)
        deeper = into_loop(task.action.tasks, name, ref, (*way, task.name))
        if deeper is not None:
            return deeper
    return None
