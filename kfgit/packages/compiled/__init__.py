"""Compiled packages as they stand: what KFP's compiler wrote, read, checked and given on as it is.

    file → documents → form (`shape`) → names and circles (`links`) → what runs (`executors`) → interface

Nobody rewrites a package to begin. Its value stays what it is; what is read out of it is what others must know: the
inputs and outputs, the images, the conditions, and how large it is. Everything is checked that needs no run, each
mistake at its place in the package's own file. Never raises, and bounded like any other YAML.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping as MappingOf
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kfgit.diagnostics import MAX_PER_FILE, Checked, Related
from kfgit.document import Mapping, Node, Scalar, plain, scalars
from kfgit.packages.compiled.documents import Written, documents, is_package
from kfgit.packages.compiled.executors import check_executors, check_platform, kind_of_executor
from kfgit.packages.compiled.interface import Artifact, Port, inputs_of, outputs_of
from kfgit.packages.compiled.links import ROOT, Links, Size
from kfgit.packages.compiled.reading import entries, maps, scalar, text
from kfgit.packages.compiled.shape import check
from kfgit.packages.faults import Faults
from kfgit.source import SourceFile, Span

__all__ = ["Artifact", "Compiled", "Condition", "Port", "Size", "is_package", "read"]

SCHEMA_VERSIONS = ("2.0.0", "2.1.0")


@dataclass(frozen=True, slots=True)
class Condition:
    """A trigger condition, which `cel` has a look at."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Compiled:
    """A package: both documents as JSON, and what is read out of them.

    `images` has each with its place, `reached` the components that can run, `size` counts them as often as they do.
    """

    file: str
    spec: MappingOf[str, Any]
    platform: MappingOf[str, Any] | None
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    images: tuple[tuple[str, Span], ...]
    conditions: tuple[Condition, ...]
    reached: tuple[str, ...]
    size: Size
    span: Span

    @property
    def display_name(self) -> str | None:
        """What the pipeline is called for people, where its author said so."""
        return _text(self.spec, "displayName") or None

    @property
    def description(self) -> str:
        """What the author says of the pipeline."""
        return _text(self.spec, "description")


def _text(spec: MappingOf[str, Any], key: str) -> str:
    """A text of `pipelineInfo`; empty where there is none, or something else."""
    info = spec.get("pipelineInfo")
    found = info.get(key) if isinstance(info, dict) else None
    return found if isinstance(found, str) else ""


class _Enough(Exception):
    """So much is wrong that nobody reads on; never leaves this module."""


class _Bounded(Faults):
    """Stops the checks of a file where no more of its mistakes would be told."""

    def error(
        self, code: str, message: str, span: Span, help_: str | None = None, *related: Related
    ) -> Scalar:
        """Tells an error, unless there are too many."""
        if len(self.found) > MAX_PER_FILE:
            raise _Enough
        return super().error(code, message, span, help_, *related)


@lru_cache(maxsize=256)
def read(source: SourceFile) -> Checked[Compiled | None]:
    """The package in a file; None where there is none. The same text is read once, for all environments."""
    found = documents(source)
    if found.value is None:
        return Checked(None, found.diagnostics)
    faults = _Bounded()
    faults.found += found.diagnostics
    try:
        value = _read(faults, source.path, found.value)
    except _Enough:
        value = None
    return Checked(value, tuple(faults.found))


def _read(faults: Faults, path: str, written: Written) -> Compiled | None:
    spec, platform = written
    check(faults, spec, "PipelineSpec", "the pipeline")
    if platform is not None:
        check(faults, platform, "PlatformSpec", "the platform")
        check_platform(faults, spec, platform)
    _version(faults, spec)
    _finite(faults, [spec, *([platform] if platform is not None else [])])
    root = spec.get(ROOT)
    if not isinstance(root, Mapping):
        return None
    if "executorLabel" in root.entries:
        span = root.entries["executorLabel"].key_span
        help_ = "compile a pipeline that runs it"
        faults.error("missing-key", "the root of a package has a `dag`", span, help_)
    links = Links(faults, spec)
    size = links.check()
    images = tuple(check_executors(faults, spec, links.reached))
    conditions = tuple(_conditions(faults, spec, links.reached))
    return Compiled(
        path,
        plain(spec),
        plain(platform) if platform is not None else None,
        inputs_of(faults, root),
        outputs_of(root),
        images,
        conditions,
        tuple(name for name in links.reached if name != ROOT),
        size,
        spec.span,
    )


def _finite(faults: Faults, written: Iterable[Node]) -> None:
    """Packages are JSON, which knows neither infinity nor NaN."""
    told = {fault.span for fault in faults.found}
    for leaf in (leaf for node in written for leaf in scalars(node)):
        if isinstance(leaf.value, float) and not math.isfinite(leaf.value) and leaf.span not in told:
            faults.error(
                "wrong-type",
                f"`{leaf.value}` is no value: JSON does not have it",
                leaf.span,
                "write a number",
            )


def _version(faults: Faults, spec: Mapping) -> None:
    version = scalar(spec, "schemaVersion")
    if version is not None and version.value not in SCHEMA_VERSIONS:
        known = " and ".join(SCHEMA_VERSIONS)
        message = f"the schema version `{version.value}` is not known"
        faults.error("not-supported", message, version.span, f"known are {known}; compile it with kfp 2")


def _conditions(faults: Faults, spec: Mapping, reached: MappingOf[str, Mapping]) -> list[Condition]:
    """The conditions on the way; an importer can have none (backend/src/v2/compiler/argocompiler/importer.go)."""
    found: list[Condition] = []
    executors = entries(spec, "deploymentSpec", "executors")
    for component in reached.values():
        for key, _, task in maps(component, "dag", "tasks"):
            given = scalar(task, "triggerPolicy", "condition")
            if given is None:
                continue
            found.append(Condition(str(given.value), given.span))
            callee = entries(spec, "components").get(text(task, "componentRef", "name"))
            label = text(callee.node, "executorLabel") if callee is not None else ""
            executor = executors[label].node if label in executors else None
            if isinstance(executor, Mapping) and kind_of_executor(executor) == "importer":
                help_ = "put it into a group of its own, which has the condition"
                message = f"the importer `{key}` has a condition, which KFP cannot run"
                faults.error("not-supported", message, given.span, help_)
    return found
