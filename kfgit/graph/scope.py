"""Scopes, and what a name in one can be bound to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from kfgit.model import (
    CLEAR,
    Loop,
    Pipeline,
    Project,
    Switch,
    Task,
    Type,
    Unclear,
)
from kfgit.references import RunRef, WorkspaceRef

Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """One DAG. `path` leads to it in task names; `loop` is the loop whose body it is."""

    kind: Literal["pipeline", "loop", "branch", "exit"]
    path: Path
    tasks: Mapping[str, Task]
    pipeline: Pipeline
    project: Project
    parent: Scope | None = None
    loop: Loop | None = None
    branch: int = 0
    unclear: Unclear = CLEAR

    def outwards(self) -> Iterator[Scope]:
        """This scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


@dataclass(frozen=True, slots=True)
class BoundInput:
    """An input of the pipeline."""

    name: str
    type: Type | None


@dataclass(frozen=True, slots=True)
class BoundOutput:
    """An output of a task; `path` names it from the pipeline down.

    `collected` over the loops on the way; then `element` is the type of one iteration's output.
    """

    path: Path
    output: str
    type: Type | None
    holder: Scope = field(compare=False, hash=False)
    collected: bool = False
    element: Type | None = None

    @property
    def sibling(self) -> str:
        """The task or group in `holder` that the consumer waits for."""
        return self.path[len(self.holder.path)]


@dataclass(frozen=True, slots=True)
class BoundItem:
    """The item of a loop, or a field of it."""

    loop: Path
    field: str | None
    type: Type | None


@dataclass(frozen=True, slots=True)
class BoundRun:
    """Something about the run itself, or where its tasks share files."""

    ref: RunRef | WorkspaceRef
    type: Type | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Bound to something faulty that was told elsewhere."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a reference means nothing here."""

    code: str
    message: str
    help: str | None = None


Bound: TypeAlias = BoundInput | BoundOutput | BoundItem | BoundRun


Binding: TypeAlias = Bound | Unknown | Problem


def root_scope(pipeline: Pipeline, project: Project) -> Scope:
    """The scope of a pipeline's own tasks."""
    return Scope("pipeline", (), pipeline.tasks, pipeline, project, unclear=pipeline.unclear)


def exit_scope(pipeline: Pipeline, project: Project) -> Scope | None:
    """The scope of the exit task, which sees no other task."""
    if pipeline.on_exit is None:
        return None
    return Scope("exit", (), {"onExit": pipeline.on_exit}, pipeline, project)


def below(scope: Scope, task: Task) -> tuple[Scope, ...]:
    """The scopes that a task opens: a loop's body, a switch's branches."""
    path = (*scope.path, task.name)
    match task.action:
        case Loop(tasks=tasks) as loop:
            return (
                Scope("loop", path, tasks, scope.pipeline, scope.project, scope, loop, unclear=task.unclear),
            )
        case Switch(branches=branches):
            return tuple(
                Scope(
                    "branch",
                    path,
                    branch.tasks,
                    scope.pipeline,
                    scope.project,
                    scope,
                    branch=index,
                    unclear=branch.unclear,
                )
                for index, branch in enumerate(branches)
            )
        case _:
            return ()


def type_of(binding: Binding) -> Type | None:
    """The type of what was bound; None where it is unknown."""
    match binding:
        case BoundInput(type=type_) | BoundItem(type=type_) | BoundRun(type=type_) | BoundOutput(type=type_):
            return type_
        case Unknown() | Problem():
            return None
