"""`CheckedPipeline` to KFP's IR (schemaVersion 2.1.0), as the SDK would write it.

The lowering follows kfp 2.17.0 (compiler/pipeline_spec_builder.py), so that a server, its UI and its caches see what
they know; `tests/sdk/` compares both. Equal pipelines give equal bytes. Where the SDK is wrong (an unescaped quote in
a condition, an `and` that drops its left side, item fields in a text), this is not.

    groups → channels → lowering, which asks interfaces and executors for the parts of a component
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kfgit import ir
from kfgit.compiler.groups import Names
from kfgit.compiler.lowering import Lowering
from kfgit.compiler.packaged import as_it_stands, laid_in
from kfgit.compiler.settings import pipeline_config
from kfgit.graph import CheckedPipeline
from kfgit.model import Pipeline, Project, Settings

__all__ = ["compile_pipeline"]


def compile_pipeline(checked: CheckedPipeline) -> ir.Package:
    """The package of a pipeline. What could go wrong was told by `graph`, which alone makes its argument."""
    pipeline = checked.pipeline
    if pipeline.package is not None:
        return as_it_stands(pipeline, pipeline.package)
    build = _Build(checked.project)
    root = build.pipeline(pipeline, ir.ROOT, Settings())
    spec: dict[str, Any] = {
        "pipelineInfo": _info(pipeline),
        "root": root,
        "schemaVersion": ir.SCHEMA_VERSION,
        "sdkVersion": ir.SDK_VERSION,
    }
    if build.components:
        spec["components"] = build.components
    if build.executors:
        spec["deploymentSpec"] = {"executors": build.executors}
    if pipeline.pipeline_root:
        spec["defaultPipelineRoot"] = pipeline.pipeline_root
    kubernetes: dict[str, Any] = {}
    if build.platform:
        kubernetes["deploymentSpec"] = {"executors": build.platform}
    config = pipeline_config(pipeline.run_policy)
    if config:
        kubernetes["pipelineConfig"] = config
    platform = {"platforms": {"kubernetes": kubernetes}} if kubernetes else None
    return ir.Package(pipeline.name, spec, platform, build.labels)


def _info(pipeline: Pipeline) -> dict[str, str]:
    info = {"name": pipeline.name}
    if pipeline.display_name:
        info["displayName"] = pipeline.display_name
    if pipeline.description:
        info["description"] = pipeline.description
    return info


@dataclass(slots=True)
class _Build:
    """What all pipelines of one package share: its components and executors, whose names are unique."""

    project: Project
    components: dict[str, Any] = field(default_factory=dict)
    executors: dict[str, Any] = field(default_factory=dict)
    platform: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    executor_names: Names = field(default_factory=Names)

    def pipeline(self, pipeline: Pipeline, component: str, inherited: Settings) -> dict[str, Any]:
        """The DAG of a pipeline as a component spec; `component` is the name it will have."""
        if pipeline.package is not None:
            return laid_in(self, pipeline.package, inherited)
        return Lowering(self, pipeline, component, inherited).lower()
