"""The tree that KFP's IR is made of: tasks, and groups that are DAGs of their own.

What the language has as loops, branches, guards and exit tasks becomes groups, named and nested as the SDK does it
(kfp 2.17.0, dsl/tasks_group.py): a guard is a condition group around its task, a switch is a group of
condition groups, and everything before an exit task stands in one exit handler group.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from kfgit.graph.scope import Path, Scope, below, exit_scope, root_scope
from kfgit.model import (
    Condition,
    Literal_,
    Loop,
    Pipeline,
    Project,
    Switch,
    Task,
    Type,
    UseComponent,
    UsePipeline,
)

Kind = Literal["root", "exit-handler", "condition", "condition-branches", "for-loop"]


@dataclass(slots=True, eq=False)
class Leaf:
    """A task that is a component, an import or a nested pipeline."""

    name: str
    task: Task
    scope: Scope
    parent: Group
    label: str
    dependencies: set[str] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Group:
    """A DAG. `inputs` and `outputs` are what passes its border, found while its tasks are lowered."""

    kind: Kind
    name: str
    scope: Scope
    parent: Group | None
    label: str
    task: Task | None = None
    children: list[Node] = field(default_factory=list)
    before: tuple[Condition, ...] = ()
    when: Condition | None = None
    when_scope: Scope | None = None
    loop: Loop | None = None
    item: str = ""
    inputs: dict[str, Type | None] = field(default_factory=dict)
    given: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, tuple[Type | None, dict[str, Any]]] = field(default_factory=dict)
    dependencies: set[str] = field(default_factory=set)


Node: TypeAlias = Leaf | Group


class Names:
    """Makes names unique as the SDK does: `-2`, `-3` and so on."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, wanted: str) -> str:
        """`wanted`, or the first free variation of it."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}-{number}"
        self._taken.add(name)
        return name


@dataclass(slots=True, eq=False)
class Tree:
    """A pipeline as groups. `nodes` finds what a path of the source became."""

    root: Group
    nodes: dict[Path, Node]
    on_exit: Leaf | None = None
    handler: Group | None = None


def tree(pipeline: Pipeline, project: Project) -> Tree:
    """The groups of a pipeline."""
    return _Builder(pipeline, project).build()


class _Builder:
    def __init__(self, pipeline: Pipeline, project: Project) -> None:
        self._pipeline, self._project = pipeline, project
        self._names = Names()
        self._count = 0
        self._nodes: dict[Path, Node] = {}

    def build(self) -> Tree:
        scope = root_scope(self._pipeline, self._project)
        root = Group("root", "root", scope, None, "")
        holder, leaf = root, None
        inside = exit_scope(self._pipeline, self._project)
        task = self._pipeline.on_exit
        if inside is not None and task is not None:
            holder = self._group("exit-handler", scope, root, "")
            leaf = Leaf(self._names.unique(_exit_name(task)), task, inside, root, "onExit")
        self._tasks(scope, holder)
        return Tree(root, self._nodes, leaf, holder if leaf is not None else None)

    def _group(self, kind: Kind, scope: Scope, parent: Group, label: str) -> Group:
        self._count += 1
        name = self._names.unique(f"{kind}-{self._count}")
        group = Group(kind, name, scope, parent, label)
        parent.children.append(group)
        return group

    def _tasks(self, scope: Scope, parent: Group) -> None:
        for task in scope.tasks.values():
            self._task(scope, parent, task)

    def _task(self, scope: Scope, parent: Group, task: Task) -> None:
        path = (*scope.path, task.name)
        if task.when is not None:
            parent = self._group("condition", scope, parent, "")
            parent.when, parent.when_scope = task.when, scope
        match task.action:
            case Loop() as loop:
                self._nodes[path] = self._loop(scope, parent, task, loop)
            case Switch() as switch:
                self._nodes[path] = self._switch(scope, parent, task, switch)
            case _:
                leaf = Leaf(self._names.unique(task.name), task, scope, parent, task.name)
                parent.children.append(leaf)
                self._nodes[path] = leaf

    def _loop(self, scope: Scope, parent: Group, task: Task, loop: Loop) -> Group:
        if isinstance(loop.items, Literal_):
            self._count += 1
            item = f"loop-item-param-{self._count}"
        else:
            item = ""
        group = self._group("for-loop", scope, parent, task.name)
        group.task, group.loop, group.item = task, loop, item
        (inner,) = below(scope, task)
        self._tasks(inner, group)
        return group

    def _switch(self, scope: Scope, parent: Group, task: Task, switch: Switch) -> Group:
        scopes = below(scope, task)
        if len(switch.branches) == 1:
            group = self._group("condition", scope, parent, task.name)
            group.task, group.when, group.when_scope = task, switch.branches[0].when, scope
            self._tasks(scopes[0], group)
            return group
        branches = self._group("condition-branches", scope, parent, task.name)
        branches.task = task
        before: tuple[Condition, ...] = ()
        for inner, branch in zip(scopes, switch.branches, strict=True):
            group = self._group("condition", scope, branches, "")
            group.when_scope, group.before, group.when = scope, before, branch.when
            if branch.when is not None:
                before = (*before, branch.when)
            self._tasks(inner, group)
        return branches


def _exit_name(task: Task) -> str:
    match task.action:
        case UseComponent(name=name, inline=None) | UsePipeline(name=name):
            return name.text
        case _:
            return "on-exit"
