"""What each task of a pipeline gets in the end and where each part is said: in its document, or by a profile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kfgit.compiler.kubernetes import PRIORITY_LABEL, QUEUE_LABEL, has_shared_memory
from kfgit.compiler.settings import settings_of
from kfgit.demand.folded import Value, values
from kfgit.document import Mapping, at
from kfgit.model import (
    Kubernetes,
    Name,
    Path,
    Pipeline,
    Place,
    Profile,
    Project,
    Resources,
    Settings,
    UseComponent,
)


@dataclass(frozen=True, slots=True)
class Given:
    """A task at a place of its document, with its `name` of a profile and what that means here.

    A value without a profile is said in the document, by the task or the defaults, or is the language's default, which
    stands nowhere.
    """

    place: Place
    name: Name | None
    profile: Profile | None
    values: tuple[Value, ...]


def given(project: Project, pipeline: Pipeline, document: Mapping) -> Iterator[Given]:
    """The tasks of a pipeline that run a component, as its document has them."""
    for _, place, task in pipeline.placed():
        if not isinstance(task.action, UseComponent):
            continue
        settings = settings_of(task, pipeline, project)
        name = settings.profile
        profile = project.profile_of(name)
        said = place if task.settings.resources is not None else ("spec", "defaults")
        found = _values(project, profile, settings, _Own(document, (*said, "resources")))
        yield Given(place, name, profile, tuple(found))


@dataclass(frozen=True, slots=True)
class _Own:
    """The resources that a document says, which go over those of a profile."""

    document: Mapping
    place: Place

    def value(self, path: Path, value: Any) -> Value | None:
        """A value with its place, if the document says it."""
        found = at(self.document, (*self.place, *path))
        return Value(path, value, None, found.span) if found is not None else None


def _values(project: Project, profile: Profile | None, settings: Settings, own: _Own) -> Iterator[Value]:
    theirs = {each.path: each for each in values(project, profile)} if profile is not None else {}
    for path, value in _amounts(settings.resources or Resources()):
        mine = own.value(path, value)
        is_own_device = path[0] == "accelerator" and own.value(("accelerator", "resource"), None) is not None
        if mine is None and not is_own_device:
            mine = theirs.get(path)
        yield mine or Value(path, value, None, None)
    if profile is not None and _changes_nothing(settings, own):
        yield Value(("accelerator",), None, profile.name, profile.span)
    for path, each in theirs.items():
        if _is_placement(path, settings.kubernetes or Kubernetes()):
            yield each


def _changes_nothing(settings: Settings, own: _Own) -> bool:
    """Whether a task says of an accelerator how many or which model, and its profile has none here."""
    has_devices = settings.resources is not None and settings.resources.accelerator is not None
    return not has_devices and any(own.value(("accelerator", key), None) for key in ("count", "model"))


def _amounts(resources: Resources) -> Iterator[tuple[Path, Any]]:
    for which, amounts in (("requests", resources.requests), ("limits", resources.limits)):
        yield from (((which, name), amount) for name, amount in amounts.items())
    device = resources.accelerator
    if device is not None:
        yield ("accelerator", "resource"), device.resource
        yield ("accelerator", "count"), device.count
        if device.model is not None:
            yield ("accelerator", "model"), device.model


def _is_placement(path: Path, block: Kubernetes) -> bool:
    """Whether a pod has what a profile says there: a task's own `kubernetes` block goes first."""
    match path:
        case ("node", "selector", *_):
            return block.node_selector is None
        case ("node", "affinity"):
            return block.node_affinity is None
        case ("node", "tolerations"):
            return block.tolerations is None
        case ("sharedMemory",):
            return not has_shared_memory(block)
        case ("queue", "localQueue"):
            return QUEUE_LABEL not in block.pod_labels
        case ("priority", "class"):
            return PRIORITY_LABEL not in block.pod_labels
        case _:
            return False
