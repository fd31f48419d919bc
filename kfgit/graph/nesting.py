"""Pipelines in pipelines: what contains itself, and what grows too large.

A pipeline is compiled with all that it runs laid out, so a chain of pipelines that each use the one before twice
doubles with every link. How much that comes to is counted here, without laying anything out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kfgit.diagnostics import Diagnostic, Related
from kfgit.model import Name, Pipeline, Project, UsePipeline

MOST_TASKS = 5_000
MOST_LEVELS = 50
# What all pipelines of a project run by way of others: each of them is compiled with all of it.
MOST_NESTED = 200_000


def inner_first(project: Project) -> tuple[str, ...]:
    """The pipelines, each after those that it runs; without those that lead into a circle."""
    waiting: dict[str, int] = {}
    users: dict[str, list[str]] = {}
    for name, pipeline in project.pipelines.items():
        inner = {used.text for used in nested(pipeline) if used.text in project.pipelines}
        waiting[name] = len(inner)
        for used in inner:
            users.setdefault(used, []).append(name)
    order = [name for name, count in waiting.items() if count == 0]
    for name in order:  # grows while it is read
        for user in users.get(name, ()):
            waiting[user] -= 1
            if waiting[user] == 0:
                order.append(user)
    return tuple(order)


@dataclass(frozen=True, slots=True)
class _Size:
    tasks: int
    levels: int


def too_large(project: Project, order: tuple[str, ...]) -> dict[str, Diagnostic]:
    """Pipelines that nesting makes larger than kfgit compiles, by name.

    Whoever uses what is refused is not told the same again, since it was not counted.
    """
    sizes: dict[str, _Size | None] = {}
    refused: dict[str, Diagnostic] = {}
    laid_out = 0
    for name in order:
        parts = [used for used in nested(project.pipelines[name]) if used.text in sizes]
        size: _Size | None = _own(project.pipelines[name])
        if size is not None and size.tasks > MOST_TASKS:
            message = f"the pipeline `{name}` has more than {MOST_TASKS:,} tasks"
            place = project.pipelines[name].span
            refused[name] = Diagnostic("pipeline-too-large", message, place, "split it; run the parts apart")
            size = None
        for used in parts:
            size = _with(size, sizes[used.text])
            if size is None:
                break
            if size.tasks > MOST_TASKS or size.levels > MOST_LEVELS:
                refused[name], size = _refusal(name, used, size), None
                break
        if size is not None:
            laid_out += size.tasks - _written(project.pipelines[name])
            if laid_out > MOST_NESTED:
                refused[name], size = _one_too_many(project.pipelines[name]), None
        sizes[name] = size
    return refused


def _own(pipeline: Pipeline) -> _Size:
    """A pipeline without those that it names; a package holds all that it runs."""
    if pipeline.package is not None:
        return _Size(pipeline.package.size.tasks, pipeline.package.size.levels)
    return _Size(sum(1 for _ in pipeline.all_tasks()), 1)


def _written(pipeline: Pipeline) -> int:
    """How many tasks its own document has."""
    return sum(1 for _ in pipeline.all_tasks()) if pipeline.package is None else 0


def _one_too_many(pipeline: Pipeline) -> Diagnostic:
    message = f"with `{pipeline.name}` pipelines run more than {MOST_NESTED:,} tasks by way of others and of packages"
    help_ = "each pipeline is compiled with all that it runs; let fewer of them run the large ones"
    return Diagnostic("pipeline-too-large", message, pipeline.span, help_)


def _with(size: _Size | None, part: _Size | None) -> _Size | None:
    if size is None or part is None:
        return None
    return _Size(size.tasks + part.tasks, max(size.levels, part.levels + 1))


def _refusal(name: str, used: Name, size: _Size) -> Diagnostic:
    if size.levels > MOST_LEVELS:
        message = f"with `{used.text}` pipelines are nested more than {MOST_LEVELS} deep in `{name}`"
        return Diagnostic("pipeline-too-large", message, used.span, "lay some of them together")
    message = f"with `{used.text}` the pipeline `{name}` has more than {MOST_TASKS:,} tasks"
    help_ = "a nested pipeline counts with all its tasks, each time it is used; run some of them apart"
    return Diagnostic("pipeline-too-large", message, used.span, help_)


def pipeline_cycles(project: Project, order: tuple[str, ...]) -> dict[str, Diagnostic]:
    """Pipelines that contain themselves, by name; each is told in one circle, though it may be in more."""
    harmless = frozenset(order)
    uses = {
        name: list(nested(pipeline)) for name, pipeline in project.pipelines.items() if name not in harmless
    }
    found: dict[str, Diagnostic] = {}
    told: set[str] = set()
    for start in uses:
        trail = _way_back(start, uses) if start not in told else None
        if trail is not None:
            names = [start, *(name.text for name in trail)]
            told.update(names)
            found[start] = _circle(names, trail)
    return found


def _circle(names: list[str], trail: list[Name]) -> Diagnostic:
    message = (
        f"pipelines contain each other: {' → '.join(names)}"
        if len(trail) > 1
        else f"the pipeline `{names[0]}` contains itself"
    )
    related = tuple(Related(f"`{a}` runs `{b.text}`", b.span) for a, b in zip(names, trail, strict=False))
    where = related if len(trail) > 1 else ()
    return Diagnostic("pipeline-cycle", message, trail[0].span, "take one of them out", related=where)


def _way_back(start: str, uses: Mapping[str, list[Name]]) -> list[Name] | None:
    """The shortest way from a pipeline to itself."""
    pending = [start]
    came_by: dict[str, tuple[str, Name]] = {}
    for here in pending:  # grows while it is read
        for name in uses.get(here, ()):
            if name.text not in came_by:
                came_by[name.text] = (here, name)
                pending.append(name.text)
            if name.text == start:
                return _trail(start, came_by)
    return None


def _trail(start: str, came_by: Mapping[str, tuple[str, Name]]) -> list[Name]:
    here, name = came_by[start]
    trail = [name]
    while here != start:
        here, name = came_by[here]
        trail.append(name)
    return trail[::-1]


def nested(pipeline: Pipeline) -> Iterator[Name]:
    """The pipelines that a pipeline runs as tasks."""
    return (task.action.name for task in pipeline.all_tasks() if isinstance(task.action, UsePipeline))


def all_nested(project: Project, pipeline: str) -> tuple[str, ...]:
    """The pipelines that a pipeline runs as tasks, and those that these do, each once; not itself."""
    found = {pipeline: None}
    for name in (names := [pipeline]):  # grows while it is read
        new = [each.text for each in nested(project.pipelines[name]) if each.text in project.pipelines]
        names += [each for each in dict.fromkeys(new) if each not in found]
        found |= dict.fromkeys(new)
    return tuple(name for name in found if name != pipeline)
