"""What breaks those who call a pipeline: inputs that go or become required, types and values that fit no more.

Callers outside of the repository are known to nobody, so what breaks is told also where all known callers were mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kfgit.desired import server_name
from kfgit.diff.sides import ENVIRONMENT, Seen, hidden
from kfgit.diff.values import Break
from kfgit.graph.nesting import nested
from kfgit.model import (
    ArtifactType,
    Input,
    ParameterType,
    Pipeline,
    PipelineOutput,
    Project,
    Type,
)
from kfgit.resolve import show_type
from kfgit.source import Span

_SHOWN = 5


def breaks(before: Seen, after: Seen) -> tuple[Break, ...]:
    """What breaks, pipeline by pipeline; of faulty ones nothing is said."""
    callers = _callers(after.checked.project)
    unknown = hidden(before, after)
    return tuple(
        Break(name, message, span, callers.get(name, ()))
        for name, old in sorted(before.checked.project.pipelines.items())
        if ("Pipeline", name) not in unknown
        for message, span in _of(name, old, before, after)
    )


def _of(name: str, old: Pipeline, before: Seen, after: Seen) -> Iterator[tuple[str, Span]]:
    key = ("Pipeline", name)
    new = after.checked.project.pipelines.get(name)
    if not old.whole:
        return
    if key not in after.documents:
        yield "the pipeline is removed", old.span
    elif new is not None and new.whole and key not in after.checked.project.faulty:
        yield from _named(old, new, before, after)
        yield from _inputs(old.inputs, new)
        yield from _outputs(old.outputs, new)


def _named(old: Pipeline, new: Pipeline, before: Seen, after: Seen) -> Iterator[tuple[str, Span]]:
    """Who calls it from elsewhere knows it by its name on the target."""
    was = server_name(before.checked, old.name, old.external_name)
    now = server_name(after.checked, new.name, new.external_name)
    if was != now and ENVIRONMENT not in hidden(before, after):
        yield f"it is called `{now}` on the target now, it was `{was}`", new.span


def _inputs(old: Mapping[str, Input], new: Pipeline) -> Iterator[tuple[str, Span]]:
    for name in old:
        if name not in new.inputs:
            yield f"the input `{name}` is removed", new.span
    for name, port in new.inputs.items():
        was = old.get(name)
        if was is None:
            if port.required:
                yield f"the new input `{name}` is required", port.span
            continue
        if port.required and not was.required:
            yield f"the input `{name}` is required now", port.span
        yield from ((f"the input `{name}` {what}", port.place) for what in _narrowed(was, port))


def _narrowed(old: Input, new: Input) -> Iterator[str]:
    """Values that were taken and are not any more."""
    if old.type is not None and new.type is not None and not _takes_all(new.type, old.type):
        yield f"is {show_type(new.type)} now, it was {show_type(old.type)}"
        return
    gone = [value for value in old.enum if value not in new.enum] if new.enum else []
    if gone:
        yield f"takes {_list(gone)} no more"
    elif new.enum and not old.enum:
        yield f"takes only {_list(new.enum)} now"
    if new.minimum is not None and (old.minimum is None or new.minimum > old.minimum):
        yield f"must be at least {new.minimum:g} now"
    if new.maximum is not None and (old.maximum is None or new.maximum < old.maximum):
        yield f"must be at most {new.maximum:g} now"
    if new.pattern is not None and new.pattern != old.pattern:
        yield f"must match `{new.pattern}` now"


def _takes_all(now: Type, was: Type) -> bool:
    """Whether an input takes all that it took: any artifact where it was one of a kind, any list."""
    match was, now:
        case ArtifactType(title, version, many), ArtifactType(other, newer, other_many):
            is_alike = (title, version.split(".")[0]) == (other, newer.split(".")[0])
            return many == other_many and (is_alike or other == "system.Artifact")
        case ParameterType(name, item), ParameterType(other, other_item):
            return name == other and other_item in {None, item}
        case _:
            return was == now


def _outputs(old: Mapping[str, PipelineOutput], new: Pipeline) -> Iterator[tuple[str, Span]]:
    for name, output in old.items():
        now = new.outputs.get(name)
        if now is None:
            yield f"the output `{name}` is removed", new.span
        elif output.type is not None and now.type is not None and output.type != now.type:
            told = f"is {show_type(now.type)} now, it was {show_type(output.type)}"
            yield f"the output `{name}` {told}", now.span


def _list(values: Sequence[object]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return f"{', '.join(f'`{value}`' for value in values[:_SHOWN])}{more}"


def _callers(project: Project) -> Mapping[str, tuple[str, ...]]:
    """Who calls each pipeline here: other pipelines, schedules and runs."""
    found: dict[str, list[str]] = {}
    for pipeline in project.pipelines.values():
        for name in nested(pipeline):
            found.setdefault(name.text, []).append(f"pipeline/{pipeline.name}")
    for schedule in project.schedules.values():
        found.setdefault(schedule.pipeline.text, []).append(f"schedule/{schedule.name}")
    for run in project.runs.values():
        found.setdefault(run.pipeline.text, []).append(f"run/{run.name}")
    return {name: tuple(sorted(set(callers))) for name, callers in found.items()}
