"""How a task runs in the end: its own keys, else the pipeline's defaults, else what a nested pipeline inherits."""

from __future__ import annotations

from dataclasses import replace

from kfgit.model import Name, Project, Resources, Settings, Task


def effective(task: Task, defaults: Settings, inherited: Settings, project: Project, *, in_exit: bool) -> Settings:
    """The settings of a component task. A key of its own replaces the default whole; the profile is folded in."""
    own = task.settings
    base = Settings() if in_exit else defaults
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
    )
    return replace(merged, resources=_with_profile(merged, project))


def profile_name(profile: Name, project: Project) -> str:
    """What a task's profile means in this environment: one step, no chains."""
    mapped = project.environment.profiles.get(profile.text)
    return mapped.text if mapped is not None else profile.text


def _with_profile(settings: Settings, project: Project) -> Resources | None:
    if settings.profile is None:
        return settings.resources
    found = project.profiles.get(profile_name(settings.profile, project))
    if found is None:
        return settings.resources
    own = settings.resources or Resources()
    base = found.resources
    return Resources({**base.requests, **own.requests}, {**base.limits, **own.limits}, own.accelerator or base.accelerator)
