"""What an environment wants to be live: its documents as resources, each with a digest.

The order is the one in which objects must come to be: what profiles want, experiments, pipelines, schedules, runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from kfgit import canonical, cron
from kfgit.compiler.uses import uses
from kfgit.desired import profiles
from kfgit.graph import CheckedProject, sharing
from kfgit.ir import DEFAULT_EXPERIMENT, Package, Resource
from kfgit.model import ClusterTarget, Pipeline, Run, Schedule


def resources(
    checked: CheckedProject, packages: Mapping[str, Package], commit: str | None = None
) -> tuple[Resource, ...]:
    """All resources of an environment whose check found no mistakes.

    A run `onApply` starts once for each `commit`; where there is none, once for each state of everything wanted.
    """
    found = [
        *_kept(checked),
        *_experiments(checked),
        *_pipelines(checked, packages),
        *_schedules(checked, packages),
    ]
    state = commit or canonical.digest(sorted([r.kind, r.name, r.digest] for r in found))
    return (*found, *_runs(checked, packages, state))


def server_name(checked: CheckedProject, name: str, external: str | None) -> str:
    """What a pipeline, experiment or schedule is called on the target."""
    return external if external is not None else checked.project.environment.prefix + name


def _resource(
    kind: str, name: str, spec: Mapping[str, Any], *documents: str, package: Package | None = None
) -> Resource:
    return Resource(kind, name, spec, canonical.digest([kind, name, spec]), package, documents)


def _kept(checked: CheckedProject) -> Iterator[Resource]:
    """What profiles want the cluster to keep."""
    for each in sharing.kept(checked.project):
        yield _resource(each.kind, each.name, profiles.manifest(each), *each.profiles)


def _experiments(checked: CheckedProject) -> Iterator[Resource]:
    for found in checked.project.experiments.values():
        yield _resource(
            "Experiment",
            server_name(checked, found.name, found.external_name),
            {"description": found.description},
            found.name,
        )


def _pipelines(checked: CheckedProject, packages: Mapping[str, Package]) -> Iterator[Resource]:
    for name, package in packages.items():
        pipeline = checked.project.pipelines[name]
        spec = {
            "displayName": pipeline.display_name or "",
            "description": pipeline.description,
            "digest": package.digest,
        }
        found = _resource(
            "Pipeline", server_name(checked, name, pipeline.external_name), spec, name, package=package
        )
        yield replace(found, uses=uses(checked.pipelines[name]))


def experiment_name(checked: CheckedProject, name: str | None) -> str:
    """What an experiment is called on the target; one without a document keeps its name."""
    if name is None:
        return DEFAULT_EXPERIMENT
    found = checked.project.experiments.get(name)
    return server_name(checked, name, found.external_name) if found is not None else name


def _pipeline_name(checked: CheckedProject, pipeline: Pipeline) -> str:
    return server_name(checked, pipeline.name, pipeline.external_name)


def _schedules(checked: CheckedProject, packages: Mapping[str, Package]) -> Iterator[Resource]:
    development = checked.project.environment.mode == "development"
    standing = checked.project.environment.cluster or ClusterTarget()
    for schedule in checked.project.schedules.values():
        pipeline = checked.project.pipelines.get(schedule.pipeline.text)
        package = packages.get(schedule.pipeline.text)
        if pipeline is None or package is None:
            continue
        yield _resource(
            "Schedule",
            server_name(checked, schedule.name, schedule.external_name),
            {
                "pipeline": _pipeline_name(checked, pipeline),
                "version": package.digest[:12] if schedule.version == "latest" else schedule.version,
                "experiment": experiment_name(checked, schedule.experiment),
                **_trigger(schedule),
                "timezone": schedule.timezone,
                "start": schedule.start,
                "end": schedule.end,
                "catchup": schedule.catchup,
                "maxConcurrency": schedule.max_concurrency,
                "enabled": schedule.enabled and not development,
                "inputs": schedule.given.values,
                "serviceAccount": schedule.service_account or standing.service_account,
                "pipelineRoot": schedule.pipeline_root or standing.pipeline_root,
            },
            schedule.name,
        )


def _trigger(schedule: Schedule) -> dict[str, Any]:
    if schedule.cron is None:
        return {"cron": None, "every": schedule.every}
    return {"cron": cron.six_fields(cron.parse(schedule.cron)), "every": None}


def _runs(checked: CheckedProject, packages: Mapping[str, Package], state: str) -> Iterator[Resource]:
    standing = checked.project.environment.cluster or ClusterTarget()
    for run in checked.project.runs.values():
        pipeline = checked.project.pipelines.get(run.pipeline.text)
        package = packages.get(run.pipeline.text)
        if run.trigger == "manual" or pipeline is None or package is None:
            continue
        spec = {
            "pipeline": _pipeline_name(checked, pipeline),
            "experiment": experiment_name(checked, run.experiment),
            "inputs": run.given.values,
            "trigger": run.trigger,
            "key": _key(run, package, state),
            "serviceAccount": standing.service_account,
            "pipelineRoot": standing.pipeline_root,
        }
        # What decides is the key: a run that was started under it is what was wanted.
        name = server_name(checked, run.name, None)
        digest = canonical.digest([name, run.trigger, spec["key"]])
        yield Resource("Run", name, spec, digest, package, (run.name,))


def _key(run: Run, package: Package, state: str) -> str:
    """A run starts at most once under a key."""
    match run.trigger:
        case "onChange":
            return canonical.digest([package.digest, run.given.values])
        case "onApply":
            return canonical.digest([state, package.digest, run.given.values])
        case _:
            return "once"
