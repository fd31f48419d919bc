"""What a task's pod asks for in the end: its own settings over the defaults and over what its profile means here.

Each of them is sound by itself, or was told not to be; what is told here comes of putting them together.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from kfgit.graph.nodes import (
    AFFINITY,
    MEMORY,
    MODEL,
    RESOURCE,
    TOLERATIONS,
    Pod,
    clashes,
    is_long,
    selector_path,
    without_tpu_labels,
)
from kfgit.graph.profiles import ProfileChecker, pod_of
from kfgit.graph.quantities import is_above
from kfgit.model import (
    EmptyDir,
    EphemeralVolume,
    Kubernetes,
    Literal_,
    Name,
    Path,
    Profile,
    Resources,
    Settings,
    Value,
)
from kfgit.source import Span

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where POSIX shared memory is, inside the task's container
_NOTHING = Resources()


class PodChecker(ProfileChecker):
    """Checks of what the pod of one task asks for."""

    def pod(self, own: Settings, defaults: Settings) -> None:
        """A task that runs a component; the `defaults` of an exit task are none."""
        name, amounts = own.profile or defaults.profile, own.resources or defaults.resources or _NOTHING
        block = own.kubernetes or defaults.kubernetes or Kubernetes()
        found = self.project.profile_of(name)
        if name is not None and found is None:
            return  # nobody knows what it asks for
        self._device(amounts, name, found)
        if found is not None:
            place = (own if own.profile is not None else defaults).spans.get("profile", found.span)
            self._over_profile(amounts, found, place)
        if _is_long(block):
            return  # each task that has it by the defaults would go through it
        pod, places = _pod(amounts, block, found), dict(_places(amounts, block))
        for clash in clashes(pod) if places and not pod.is_large else ():
            spans = [places[path] for path in clash.about if path in places]
            is_shared = found is not None and len(spans) < len(clash.about)
            self.clash(clash, *spans, also=f"with the profile `{found.name}` " if found and is_shared else "")
        self._tpu(pod, places, found)

    def _device(self, amounts: Resources, name: Name | None, found: Profile | None) -> None:
        """A task's accelerator says which it is, or its profile does: here, or in any environment.

        A name of GPUs that means a CPU here has nothing whose count or model a task could change.
        """
        accelerator = amounts.accelerator
        if accelerator is None or accelerator.resource or accelerator.span is None:
            return
        if name is not None and name.text in self.project.elsewhere.devices:
            return
        if found is None or found.resources.accelerator is None:
            help_ = "add `resource`, such as `nvidia.com/gpu`, or a `profile` that has one"
            if found is not None:
                help_ += " in any environment"
            self.fault("missing-key", "`resource` is missing in `accelerator`", accelerator.span, help_)

    def _over_profile(self, amounts: Resources, found: Profile, place: Span) -> None:
        """Amounts go over those of the profile, key by key; what only one of them says is looked at there."""
        for which, other in (("requests", "limits"), ("limits", "requests")):
            mine: Mapping[str, str] = getattr(amounts, which)
            theirs: Mapping[str, str] = getattr(found.resources, other)
            for name in (mine.keys() & theirs.keys() & {"cpu", "memory"}) - getattr(amounts, other).keys():
                least, most = (mine, theirs) if which == "requests" else (theirs, mine)
                if is_above(least[name], most[name]):
                    told = f"the request of {name} ({least[name]}) is above its limit ({most[name]})"
                    span = amounts.spans.get(f"{which}.{name}", place)
                    message = f"with the profile `{found.name}` {told}"
                    self.fault("request-above-limit", message, span, "raise the limit, or lower the request")

    def _tpu(self, pod: Pod, places: Mapping[Path, Span], found: Profile | None) -> None:
        is_checked = self.project.environment.target == "cluster" and not pod.is_large
        clash = without_tpu_labels(pod) if is_checked else None
        if clash is None:
            return
        origin = self.project.origin(found, RESOURCE) if found is not None else None
        spans = [places[RESOURCE]] if RESOURCE in places else []
        self.clash(clash, *spans, *([origin[1]] if origin is not None else []))


def _pod(amounts: Resources, block: Kubernetes, found: Profile | None) -> Pod:
    """What the compiler makes of them: the block's nodes go in place of the profile's."""
    base = pod_of(found) if found is not None else Pod(_NOTHING)
    selector, affinity, tolerations = base.selector, base.affinity, base.tolerations
    if block.node_selector is not None:
        selector = _labels(block.node_selector)
    if block.node_affinity is not None:
        affinity = _literals(block.node_affinity)
    if block.tolerations is not None:
        tolerations = _literals(block.tolerations) or ()
    volumes: tuple[EmptyDir | EphemeralVolume, ...] = (*block.empty_dirs, *block.ephemeral_volumes)
    paths = [each.mount_path.text for each in (*volumes, *block.claims)]
    return Pod(
        amounts.over(base.resources).settled(),
        selector,
        affinity,
        tolerations,
        None if _SHARED_MEMORY in map(posixpath.normpath, paths) else base.shared_memory,
    )


def _is_long(block: Kubernetes) -> bool:
    selector = block.node_selector.value if isinstance(block.node_selector, Literal_) else ()
    labels = selector if isinstance(selector, dict) else ()
    volumes = (block.empty_dirs, block.ephemeral_volumes, block.claims)
    return is_long(labels, block.node_affinity, block.tolerations, *volumes)


def _labels(value: Value) -> dict[str, str]:
    """Labels that are written out."""
    found = value.value if isinstance(value, Literal_) and isinstance(value.value, dict) else {}
    return {key: text for key, text in found.items() if isinstance(text, str)}


def _literals(values: tuple[Value, ...]) -> tuple[Mapping[str, object], ...] | None:
    """Maps that are written out; None where any is only known when the task starts."""
    found = [value.value for value in values if isinstance(value, Literal_) and isinstance(value.value, dict)]
    return tuple(found) if len(found) == len(values) else None


def _places(amounts: Resources, block: Kubernetes) -> Iterator[tuple[Path, Span]]:
    """Where a task, or the defaults, say something of their pods themselves."""
    accelerator = amounts.accelerator
    if accelerator is not None and accelerator.span is not None:
        yield from ((path, accelerator.span) for path in (RESOURCE, MODEL) if path[-1] in accelerator.said)
    if "limits.memory" in amounts.spans:
        yield MEMORY, amounts.spans["limits.memory"]
    if block.node_selector is not None:
        yield from (
            (selector_path(label), block.node_selector.span) for label in _labels(block.node_selector)
        )
    for path, values in ((AFFINITY, block.node_affinity), (TOLERATIONS, block.tolerations)):
        if values:
            yield path, values[0].span
