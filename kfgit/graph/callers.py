"""What schedules and runs give to pipelines."""

from __future__ import annotations

from kfgit.diagnostics import Diagnostic, did_you_mean, nearest
from kfgit.graph.clocks import check_clock
from kfgit.graph.tasks import TaskChecker
from kfgit.model import ArtifactType, GivenInput, Input, Pipeline, Project, Run, Schedule
from kfgit.resolve import literal_faults, show_type
from kfgit.source import Span


def check_objects(project: Project) -> list[Diagnostic]:
    """Schedules, runs and profiles: what they name and give."""
    checker = TaskChecker(project)
    callers: list[Schedule | Run] = [*project.schedules.values(), *project.runs.values()]
    for caller in callers:
        if checker.known("Pipeline", caller.pipeline, project.pipelines):
            _caller(checker, project.pipelines[caller.pipeline.text], caller)
    for schedule in project.schedules.values():
        check_clock(checker, schedule, project.environment)
    for mapped in project.environment.profiles.values():
        checker.concrete_profile(mapped)
    for profile in project.profiles.values():
        checker.amounts_of(profile)
        checker.profile(profile)
    return checker.faults


def _caller(checker: TaskChecker, pipeline: Pipeline, caller: Schedule | Run) -> None:
    """The inputs that a schedule or a run gives to a pipeline."""
    if pipeline.for_exit:
        message = f"the pipeline `{pipeline.name}` asks for the final status, which only an exit task may"
        help_ = "run a pipeline that has it as `onExit`"
        checker.fault("status-outside-exit", message, caller.pipeline.span, help_)
        return
    given = caller.given
    missing = [
        name
        for name, port in pipeline.inputs.items()
        if port.required and name not in (given.inputs.keys() | given.faulty)
    ]
    meant = set()
    for name, one in given.inputs.items():
        port = pipeline.inputs.get(name)
        if port is None and not pipeline.unclear.covers(name, "inputs"):
            meant.add(nearest(name, missing))
            help_ = did_you_mean(name, pipeline.inputs, what="its inputs")
            message = f"the pipeline `{pipeline.name}` has no input `{name}`"
            checker.fault("unknown-input", message, one.key_span, help_)
        elif port is not None:
            _given(checker, port, one)
    for name in missing:
        port = pipeline.inputs[name]
        if given.unclear.covers(name, "inputs"):
            continue
        if isinstance(port.type, ArtifactType):
            _artifact_input(checker, port, caller.pipeline.span)
        elif name not in meant:
            help_ = f"give it under `inputs`: `{name}: …` ({show_type(port.type)})"
            message = f"the pipeline `{pipeline.name}` needs the input `{name}`"
            checker.fault("missing-input", message, given.span, help_)


def _given(checker: TaskChecker, port: Input, given: GivenInput) -> None:
    if given.value is None:
        checker.fault("null-input", f"`{port.name}` cannot be null", given.span, "leave the input out")
    elif isinstance(port.type, ArtifactType):
        _artifact_input(checker, port, given.span)
    else:
        for found in literal_faults(given.value, port):
            place = found.place(given.span, given.items)
            checker.fault(found.code, found.message, place, found.help)


def _artifact_input(checker: TaskChecker, port: Input, span: Span) -> None:
    help_ = "let the pipeline bring it in with an `import` task, and give the URI as a string"
    checker.fault(
        "artifact-at-root", f"nothing can be given to the artifact input `{port.name}`", span, help_
    )
