"""How a task runs in the end: its own keys, else the pipeline's defaults, else what a nested pipeline inherits.

Only `cache` and `retry` go down into a nested pipeline, and `retry` does so on the server.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kfgit.compiler.kubernetes import without_variables
from kfgit.model import Pipeline, Project, Resources, RunPolicy, Settings, Task, UseComponent


def effective(
    task: Task, defaults: Settings, inherited: Settings, project: Project, *, in_exit: bool
) -> Settings:
    """The settings of a component task. A key of its own replaces the default whole; the profile is folded in."""
    own = task.settings
    is_builtin = isinstance(task.action, UseComponent) and task.action.builtin
    base = Settings() if in_exit or is_builtin else defaults
    cache, key = (own.cache, own.cache_key) if own.cache is not None else (base.cache, base.cache_key)
    merged = replace(
        own,
        cache=cache if cache is not None else inherited.cache,
        cache_key=key,
        retry=own.retry if own.retry is not None else base.retry,
        timeout=own.timeout if own.timeout is not None else base.timeout,
        profile=own.profile or base.profile,
        resources=own.resources or base.resources,
        env=own.env if own.env is not None else base.env,
        kubernetes=own.kubernetes or without_variables(base.kubernetes, own.env or ()),
    )
    return _with_profile(merged, project)


def settings_of(task: Task, pipeline: Pipeline, project: Project) -> Settings:
    """The settings of a component task of a pipeline that is looked at by itself, without what it would inherit."""
    in_exit = task is pipeline.on_exit
    return effective(task, pipeline.defaults, Settings(), project, in_exit=in_exit)


def _with_profile(settings: Settings, project: Project) -> Settings:
    """The profile's resources under the task's own, and the profile's placement."""
    found = project.profile_of(settings.profile)
    if found is None:
        return settings
    resources = (settings.resources or Resources()).over(found.resources).settled()
    return replace(settings, resources=resources, placement=found.placement)


def inherited_by(settings: Settings, outer: Settings) -> Settings:
    """What the tasks of a nested pipeline inherit: from its task, else from what is around that."""
    return Settings(
        cache=settings.cache if settings.cache is not None else outer.cache,
        retry=settings.retry if settings.retry is not None else outer.retry,
    )


def caching(settings: Settings) -> dict[str, Any]:
    """`cachingOptions`, which are empty where nothing is cached."""
    if settings.cache is False:
        return {}
    return {"enableCache": True, **({"cacheKey": settings.cache_key} if settings.cache_key else {})}


def retry_policy(settings: Settings, inherited: Settings) -> dict[str, Any]:
    """`retryPolicy` with all four fields and the SDK's defaults (dsl/structures.py, RetryPolicy); empty for none.

    The backend gives tasks without a policy that of the nested pipeline around them
    (backend/src/v2/compiler/visitor.go), so there a task that is not retried says so.
    """
    retry = settings.retry
    if retry is None or (retry.max == 0 and inherited.retry is None):
        return {}
    return {
        "maxRetryCount": retry.max,
        "backoffDuration": f"{retry.backoff or 0}s",
        "backoffFactor": float(retry.factor if retry.factor is not None else 2),
        "backoffMaxDuration": f"{retry.max_duration if retry.max_duration is not None else 3600}s",
    }


_KEPT = {
    "finished": "resourceTtlOnCompletion",
    "success": "resourceTtlOnSuccess",
    "failure": "resourceTtlOnFailure",
}


def pipeline_config(policy: RunPolicy) -> dict[str, Any]:
    """What holds for the run as a whole (pipeline_spec.proto, PipelineConfig), as the SDK writes it."""
    config: dict[str, Any] = {_KEPT[after]: seconds for after, seconds in policy.kept.items()}
    if policy.workspace is not None:
        claim = {"pvcSpecPatch": dict(policy.workspace.claim)}
        config["workspace"] = {"size": policy.workspace.size, "kubernetes": claim}
    if policy.active_deadline is not None:
        config["activeDeadlineSeconds"] = policy.active_deadline
    return config
