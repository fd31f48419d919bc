"""What runs: containers and importers as the IR has them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kfgit.compiler.command_line import command_line
from kfgit.compiler.kubelet import escape
from kfgit.compiler.kubernetes import environment
from kfgit.graph import quantity
from kfgit.model import (
    ArtifactType,
    Component,
    Resources,
    RunFact,
    Settings,
)

_GIGABYTE = 1_000_000_000


def importer(constant: str | None, type_: ArtifactType, metadata: Any, *, reimport: bool) -> dict[str, Any]:
    """An importer executor."""
    uri = {"constant": constant} if constant is not None else {"runtimeParameter": "uri"}
    schema = {"schemaTitle": type_.title, "schemaVersion": type_.version}
    spec: dict[str, Any] = {"artifactUri": uri, "typeSchema": schema}
    if metadata:
        spec["metadata"] = metadata
    if reimport:
        spec["reimport"] = True
    return spec


def container(
    component: Component, settings: Settings, carried: Mapping[RunFact, str] = MappingProxyType({})
) -> dict[str, Any]:
    """A container executor; `carried` names the inputs that carry what the component reads of the run."""
    spec = command_line(component, carried)
    constants = {
        name: value for name, value in environment(component, settings).items() if isinstance(value, str)
    }
    if constants:
        spec["env"] = [{"name": name, "value": escape(constants[name])} for name in sorted(constants)]
    if settings.resources is not None:
        resources = _resources(settings.resources)
        if resources:
            spec["resources"] = resources
    return spec


def _resources(resources: Resources) -> dict[str, Any]:
    """Both forms: the numbers that older backends read, and the texts of 2.17 (pipeline_spec.proto, ResourceSpec)."""
    spec: dict[str, Any] = {}
    for which, quantities in (("Request", resources.requests), ("Limit", resources.limits)):
        for name in ("cpu", "memory"):
            text = quantities.get(name)
            number = quantity(text)
            if text is None or number is None:
                continue
            spec[f"{name}{which}"] = number if name == "cpu" else number / _GIGABYTE
            spec[f"resource{name.capitalize()}{which}"] = text
    accelerator = resources.accelerator
    if accelerator is not None and accelerator.count > 0:
        count = str(accelerator.count)
        spec["accelerator"] = {
            "type": accelerator.resource, "count": count, "resourceType": accelerator.resource, "resourceCount": count,
        }  # fmt: skip
    return spec
