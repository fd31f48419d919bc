"""Which tasks of a pipeline get what by the name of a profile: an apply writes it down.

With that the next plan can say whom another meaning of the name concerns. Only what the package has counts: a task that
says an amount itself does not get the profile's, whatever that becomes.
"""

from __future__ import annotations

from typing import Any

from kfgit import canonical
from kfgit.compiler.kubernetes import PRIORITY_LABEL, QUEUE_LABEL, has_shared_memory
from kfgit.compiler.settings import settings_of
from kfgit.graph import CheckedPipeline
from kfgit.ir import Use
from kfgit.model import Kubernetes, Placement, Profile, Resources, Settings, UseComponent

# A longer text is told from others by its digest alone.
_LONGEST = 80


def uses(checked: CheckedPipeline) -> tuple[Use, ...]:
    """The profiles that a pipeline's own tasks name; what nested pipelines use is theirs."""
    found: dict[str, dict[str, list[str]]] = {}
    profiles: dict[str, Profile] = {}
    for path, task in checked.pipeline.by_path():
        if not isinstance(task.action, UseComponent):
            continue
        settings = settings_of(task, checked.pipeline, checked.project)
        profile = checked.project.profile_of(settings.profile)
        if settings.profile is not None and profile is not None:
            profiles[settings.profile.text] = profile
            found.setdefault(settings.profile.text, {}).setdefault(_effect(settings), []).append(path)
    return tuple(
        Use(
            name,
            profiles[name].name,
            _said(profiles[name]),
            {key: tuple(each) for key, each in paths.items()},
        )
        for name, paths in sorted(found.items())
    )


def _effect(settings: Settings) -> str:
    """A digest of what a task gets that a profile could say otherwise."""
    resources, placement = settings.resources or Resources(), settings.placement or Placement()
    block, devices = settings.kubernetes or Kubernetes(), resources.accelerator
    told: dict[str, Any] = {
        "requests": dict(resources.requests),
        "limits": dict(resources.limits),
        "devices": [devices.resource, devices.count] if devices is not None and devices.count else None,
        "sharedMemory": placement.shared_memory if not has_shared_memory(block) else None,
        "selector": dict(placement.node_selector) if block.node_selector is None else None,
        "affinity": list(placement.affinity) if block.node_affinity is None else None,
        "tolerations": list(placement.tolerations) if block.tolerations is None else None,
        "queue": _queue(placement, block),
    }
    return canonical.digest(told)[:12]


def _queue(placement: Placement, block: Kubernetes) -> list[str | None] | None:
    """The queue and the priority, but for what a task's own labels say in their place."""
    said = ((QUEUE_LABEL, placement.queue), (PRIORITY_LABEL, placement.priority))
    return (
        [text if label not in block.pod_labels else None for label, text in said] if placement.queue else None
    )


def _said(profile: Profile) -> dict[str, str]:
    """What a profile says of a task, and what that costs, by the paths of its document."""
    resources, placement = profile.resources, profile.placement
    told = {f"requests.{name}": text for name, text in resources.requests.items()}
    told |= {f"limits.{name}": text for name, text in resources.limits.items()}
    if resources.accelerator is not None:
        told["accelerator.resource"] = resources.accelerator.resource
        told["accelerator.count"] = str(resources.accelerator.count)
        told["accelerator.model"] = resources.accelerator.model or ""
    told |= {f"node.selector.{name}": text for name, text in placement.node_selector.items()}
    told["node.affinity"] = canonical.digest(list(placement.affinity))[:12] if placement.affinity else ""
    told["node.tolerations"] = (
        canonical.digest(list(placement.tolerations))[:12] if placement.tolerations else ""
    )
    told["sharedMemory"] = placement.shared_memory or ""
    told["queue.localQueue"] = placement.queue or ""
    told["priority.class"] = placement.priority or ""
    if profile.cost is not None:
        told["cost.perHour"], told["cost.currency"] = str(profile.cost.per_hour), profile.cost.currency
    return {path: _short(text) for path, text in told.items() if text}


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else canonical.digest(text)[:12]
