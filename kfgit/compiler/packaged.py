"""Compiled packages in compiled packages: as it stands at the root, laid in where a pipeline runs it as a task.

A package stays what it is, but for the pipeline's name, which is that of its document. Laid in, its root becomes one
component among the others, and what would have a taken name gets another, as where KFP's SDK loads one as a component
(kfp 2.17.0, compiler/pipeline_spec_builder.py, merge_deployment_spec_and_component_spec). Unlike there, names are made
unique among all that is in the package, so that no renaming can meet another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from kfgit import ir
from kfgit.compiler.groups import Names
from kfgit.model import Pipeline, Settings
from kfgit.packages.compiled import Compiled

Json = dict[str, Any]


class Build(Protocol):
    """The parts of a package, as far as they are made, and the names that are taken."""

    components: Json
    executors: Json
    platform: Json
    labels: dict[str, str]
    names: Names
    executor_names: Names


def as_it_stands(pipeline: Pipeline, package: Compiled) -> ir.Package:
    """The package under the name of its document, which may say a few things of it anew."""
    said = {"name": pipeline.name, "displayName": pipeline.display_name, "description": pipeline.description}
    spec: Json = {**package.spec, "pipelineInfo": {key: text for key, text in said.items() if text}}
    if pipeline.pipeline_root:
        spec["defaultPipelineRoot"] = pipeline.pipeline_root
    return ir.Package(pipeline.name, spec, package.platform)


def laid_in(build: Build, package: Compiled, inherited: Settings) -> Json:
    """The root of a package as a component spec; its components and executors go to the others."""
    spec = package.spec
    executors = _executors(spec)
    labels = {label: build.executor_names.unique(label) for label in executors}
    names = {name: build.names.unique(name) for name in package.reached}
    for label, executor in executors.items():
        build.executors[labels[label]] = executor
    for label, settings in _platform(package).items():
        build.platform[labels[label]] = settings
    for name in package.reached:
        build.components[names[name]] = _renamed(spec["components"][name], names, labels, inherited)
        if names[name] != name:
            build.labels[names[name]] = name.removeprefix("comp-")
    return _renamed(spec["root"], names, labels, inherited)


def _renamed(
    component: Json, names: Mapping[str, str], labels: Mapping[str, str], inherited: Settings
) -> Json:
    if "executorLabel" in component:
        return {**component, "executorLabel": labels[component["executorLabel"]]}
    tasks = {
        key: _task(task, names, inherited) for key, task in _map(component.get("dag") or {}, "tasks").items()
    }
    return {**component, "dag": {**(component.get("dag") or {}), "tasks": tasks}}


def _task(task: Json, names: Mapping[str, str], inherited: Settings) -> Json:
    """`cache: false` around a package holds in it as it does in any nested pipeline."""
    made = {**task, "componentRef": {"name": names[task["componentRef"]["name"]]}}
    if inherited.cache is False and "cachingOptions" in task:
        made["cachingOptions"] = {}
    return made


def _executors(spec: Mapping[str, Any]) -> Json:
    return _map(spec.get("deploymentSpec") or {}, "executors")


def _platform(package: Compiled) -> Json:
    """What Kubernetes adds to executors; what is said of the whole run is the root's alone."""
    kubernetes = _map(package.platform or {}, "platforms").get("kubernetes") or {}
    return _map(kubernetes.get("deploymentSpec") or {}, "executors")


def _map(parent: Mapping[str, Any], key: str) -> Json:
    return parent.get(key) or {}
