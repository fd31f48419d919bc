"""Which tasks of a pipeline differ: their own keys by the documents, what they wait for by the checked DAGs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kfgit.diff.fields import fields
from kfgit.diff.values import TaskChange
from kfgit.graph import CheckedPipeline
from kfgit.plan import Difference

EXIT = "onExit"


class _Task(NamedTuple):
    """A task's own keys; in a switch the number of its branch, from 1, and how many there are."""

    keys: Mapping[str, Any]
    branch: int = 0
    branches: int = 0


# By path, in the order of the document.
Tasks = Mapping[str, _Task]
Needs = Mapping[str, frozenset[str]]


def without_tasks(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a pipeline says outside of its tasks."""
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        return dict(document)
    kept = {
        key: value
        for key, value in spec.items()
        if key not in {"tasks", EXIT} or not isinstance(value, Mapping)
    }
    return {**document, "spec": kept}


def task_changes(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    one: CheckedPipeline | None,
    other: CheckedPipeline | None,
) -> tuple[TaskChange, ...]:
    """The tasks that differ between two documents of a pipeline, in the order of the newer one, removed ones last.

    Where one of the two is not sound, only what is written is compared.
    """
    old, new = dict(_tasks(before)), dict(_tasks(after))
    needed, needs = (_needs(one), _needs(other)) if one and other else ({}, {})
    found = (_change(path, old, new, needed, needs) for path in dict.fromkeys([*new, *old]))
    return tuple(change for change in found if change is not None)


def _change(path: str, old: Tasks, new: Tasks, needed: Needs, needs: Needs) -> TaskChange | None:
    was, is_ = needed.get(path, frozenset()), needs.get(path, frozenset())
    more, less = tuple(sorted(is_ - was)), tuple(sorted(was - is_))
    if path not in old:
        return TaskChange(path, "added", more)
    if path not in new:
        return TaskChange(path, "removed", needs_no_more=less)
    told = (*fields(old[path].keys, new[path].keys), *_moved(old[path], new[path]))
    return TaskChange(path, "changed", more, less, told) if more or less or told else None


def _moved(old: _Task, new: _Task) -> Iterator[Difference]:
    """A task that stands in another branch has the same path; where branches come or go, the switch tells it."""
    if old.branch != new.branch and old.branches == new.branches:
        yield Difference("branch", old.branch, new.branch)


def _tasks(document: Mapping[str, Any]) -> Iterator[tuple[str, _Task]]:
    spec = document.get("spec")
    if isinstance(spec, Mapping):
        yield from _below("", spec.get("tasks"))
        if isinstance(spec.get(EXIT), Mapping):
            yield EXIT, _Task(spec[EXIT])


def _below(prefix: str, tasks: Any, branch: int = 0, branches: int = 0) -> Iterator[tuple[str, _Task]]:
    """Every task with its path, as runs tell it: branches have no part in it, for their tasks' names are unique."""
    if not isinstance(tasks, Mapping):
        return
    for name, written in tasks.items():
        task = written if isinstance(written, Mapping) else {"": written}
        path = f"{prefix}{name}"
        yield path, _Task(_own(task), branch, branches)
        yield from _below(f"{path}/", task.get("tasks"))
        written_ways = task.get("switch")
        ways = written_ways if isinstance(written_ways, list) else []
        for number, way in enumerate(ways, 1):
            inner = way.get("tasks") if isinstance(way, Mapping) else None
            yield from _below(f"{path}/", inner, number, len(ways))


def _own(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys of a task without the tasks inside it."""
    own = {key: value for key, value in task.items() if key != "tasks" or not isinstance(value, Mapping)}
    branches = task.get("switch")
    if isinstance(branches, list):
        own["switch"] = [_own(branch) if isinstance(branch, Mapping) else branch for branch in branches]
    return own


def _needs(checked: CheckedPipeline) -> Needs:
    """What each task waits for, by paths; what happens inside a group counts for the group as well."""
    found: dict[str, set[str]] = {}
    for (scope, _branch), edges in checked.edges.items():
        prefix = "".join(f"{name}/" for name in scope)
        for edge in edges:
            found.setdefault(f"{prefix}{edge.target}", set()).add(f"{prefix}{edge.source}")
    return {path: frozenset(sources) for path, sources in found.items()}
