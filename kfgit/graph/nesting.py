"""Pipelines in pipelines, and those that contain themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kfgit.diagnostics import Diagnostic, Related
from kfgit.model import (
    Name,
    Pipeline,
    Project,
    Switch,
    Task,
    UsePipeline,
)


def pipeline_cycles(project: Project) -> dict[str, Diagnostic]:
    """Pipelines that contain themselves, by name."""
    uses = {name: list(nested(pipeline)) for name, pipeline in project.pipelines.items()}
    found: dict[str, Diagnostic] = {}
    told: set[frozenset[str]] = set()
    for start in uses:
        trail = _way_back(start, uses)
        if trail is None:
            continue
        names = [start, *(name.text for name in trail)]
        message = (
            f"pipelines contain each other: {' → '.join(names)}"
            if len(trail) > 1
            else f"the pipeline `{start}` contains itself"
        )
        related = tuple(Related(f"`{a}` runs `{b.text}`", b.span) for a, b in zip(names, trail, strict=False))
        key = frozenset(names)
        diagnostic = Diagnostic(
            "pipeline-cycle", message, trail[0].span, "take one of them out", related=related[1:]
        )
        if key not in told:
            found[start] = diagnostic
        told.add(key)
    return found


def _way_back(start: str, uses: Mapping[str, list[Name]]) -> list[Name] | None:
    pending: list[list[Name]] = [[name] for name in uses.get(start, ())]
    seen: set[str] = set()
    while pending:
        trail = pending.pop(0)
        here = trail[-1].text
        if here == start:
            return trail
        if here not in seen:
            seen.add(here)
            pending += [[*trail, name] for name in uses.get(here, ())]
    return None


def nested(pipeline: Pipeline) -> Iterator[Name]:
    """The pipelines that a pipeline runs as tasks."""
    pending: list[Task] = [*pipeline.tasks.values(), *([pipeline.on_exit] if pipeline.on_exit else [])]
    while pending:
        task = pending.pop()
        match task.action:
            case UsePipeline(name=name):
                yield name
            case Switch(branches=branches):
                pending += [t for b in branches for t in b.tasks.values()]
            case _ if task.action is not None and hasattr(task.action, "tasks"):
                pending += task.action.tasks.values()
            case _:
                pass
