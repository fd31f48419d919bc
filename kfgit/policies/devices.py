"""`maxGpusPerRun`: how many devices a run may hold at its widest moment."""

from __future__ import annotations

from collections.abc import Iterator

from kfgit import demand
from kfgit.demand import Peak
from kfgit.diagnostics import Diagnostic, Related
from kfgit.graph import CheckedProject
from kfgit.model import Pipeline
from kfgit.policies.moments import narrower
from kfgit.policies.sources import Level, level_of


def check(checked: CheckedProject) -> Iterator[Diagnostic]:
    """Every pipeline whose runs may hold more devices at once than the environment allows."""
    policy = level_of(checked.project.environment.policies, "maxGpusPerRun")
    if policy is None or type(policy.value) is not int or policy.value < 0:
        return  # which was told
    known: dict[str, Peak] = {}
    for name, found in checked.pipelines.items():
        moment = demand.peak(checked, name, known)
        if moment.boundless:
            yield _boundless(found.pipeline, moment, policy)
        elif moment.count > policy.value:
            yield _too_many(found.pipeline, moment, policy, narrower(moment, policy.value))


def _too_many(pipeline: Pipeline, moment: Peak, policy: Level, way: str) -> Diagnostic:
    message = f"a run of `{pipeline.name}` holds {moment.sentence()}; this environment allows {policy.value}"
    return Diagnostic(
        "policy-max-gpus-per-run", message, pipeline.span, f"{way}, or ask for fewer devices", policy.severity
    )


def _boundless(pipeline: Pipeline, moment: Peak, policy: Level) -> Diagnostic:
    first = moment.boundless[0]
    message = (
        f"nobody knows how many GPUs a run of `{pipeline.name}` may hold at once: {first.told()}; this environment "
        f"allows {policy.value}"
    )
    help_ = "give the loop a `parallelism`" if first.is_loop else "write the number of devices in the package"
    related = (
        (Related("the loop" if first.is_loop else "the package", first.span),)
        if first.span.file != pipeline.span.file
        else ()
    )
    place = pipeline.span if related else first.span
    return Diagnostic("policy-max-gpus-per-run", message, place, help_, policy.severity, related)
