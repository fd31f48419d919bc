"""What pipelines are made of: pinned images, registries that are allowed, labels that must be there.

Looked at is what a pipeline uses: an unused component never runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kfgit.diagnostics import Diagnostic, Severity, ordered
from kfgit.model import Component, Container, Pipeline, Project, Python, UseComponent
from kfgit.source import Span

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")


class Level(NamedTuple):
    """A policy's value, and how bad a breach is."""

    value: Any
    severity: Severity


class _Image(NamedTuple):
    name: str
    span: Span


def check(project: Project) -> tuple[Diagnostic, ...]:
    """Every breach of the environment's policies, by place; codes begin with `policy-`."""
    found: list[Diagnostic] = []
    images = list(dict.fromkeys(_images(project)))
    pinned = level_of(project.environment.policies, "pinnedImages")
    if pinned is not None and pinned.value is True:
        found += _unpinned(images, pinned.severity)
    registries = level_of(project.environment.policies, "allowedRegistries")
    if registries is not None and isinstance(registries.value, list):
        found += _foreign(
            images, [name for name in registries.value if isinstance(name, str)], registries.severity
        )
    labels = level_of(project.environment.policies, "requiredLabels")
    if labels is not None and isinstance(labels.value, list):
        found += _unlabelled(
            project, [name for name in labels.value if isinstance(name, str)], labels.severity
        )
    return ordered(found)


def level_of(policies: Mapping[str, Any], name: str) -> Level | None:
    """A rule, written as its value or as `{value, level}`."""
    written = policies.get(name)
    if isinstance(written, Mapping):
        level = written.get("level", "block")
        if level not in {"warn", "block"}:
            return None  # which was told
        return Level(written.get("value"), "warning" if level == "warn" else "error")
    return Level(written, "error") if written is not None else None


def _unpinned(images: list[_Image], severity: Severity) -> Iterator[Diagnostic]:
    for image in images:
        if not _DIGEST.search(image.name):
            message = f"the image `{image.name}` has no digest, and this environment wants pinned images"
            help_ = f"write `{image.name}@sha256:…`"
            yield Diagnostic("policy-pinned-images", message, image.span, help_, severity)


def _foreign(images: list[_Image], allowed: list[str], severity: Severity) -> Iterator[Diagnostic]:
    for image in images:
        whole = _with_registry(image.name)
        if not any(whole == prefix or whole.startswith(f"{prefix.rstrip('/')}/") for prefix in allowed):
            message = f"the image `{image.name}` comes from a registry that is not allowed here"
            help_ = f"allowed: {', '.join(f'`{prefix}`' for prefix in allowed)}"
            yield Diagnostic("policy-allowed-registries", message, image.span, help_, severity)


def _with_registry(image: str) -> str:
    """The image with the registry that container runtimes assume: docker.io, and its `library`."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def _unlabelled(project: Project, wanted: list[str], severity: Severity) -> Iterator[Diagnostic]:
    for pipeline in project.pipelines.values():
        for label in wanted:
            if label not in pipeline.labels:
                message = (
                    f"the pipeline `{pipeline.name}` has no label `{label}`, which this environment wants"
                )
                help_ = f"add it under `metadata.labels`: `{label}: …`"
                yield Diagnostic(
                    "policy-required-labels", message, pipeline.labels_span or pipeline.span, help_, severity
                )


def _images(project: Project) -> Iterator[_Image]:
    for pipeline in project.pipelines.values():
        if pipeline.package is not None:
            yield from (_Image(name, span) for name, span in pipeline.package.images)
        for component in _components(pipeline, project):
            match component.implementation:
                case Container(image=name, image_span=span):
                    yield _Image(name, span)
                case Python(base_image=name, image_span=image_span, span=span):
                    yield _Image(name, image_span or span)
                case None:
                    pass


def _components(pipeline: Pipeline, project: Project) -> Iterator[Component]:
    for task in pipeline.all_tasks():
        match task.action:
            case UseComponent(name=name, inline=inline, builtin=False):
                found = inline or project.components.get(name.text)
                if found is not None:
                    yield found
            case _:
                pass
