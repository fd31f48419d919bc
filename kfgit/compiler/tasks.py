"""The tasks of a DAG that are no groups: what they run, what they are given and how they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from kfgit.compiler import packaged
from kfgit.compiler.channels import RUN_PLACEHOLDERS, Channels, FromItem, FromRun
from kfgit.compiler.executors import container, importer
from kfgit.compiler.groups import Leaf, Tree
from kfgit.compiler.interfaces import component_outputs, declared_inputs, declared_outputs
from kfgit.compiler.kubernetes import kubernetes_config
from kfgit.compiler.settings import caching, effective, inherited_by, retry_policy
from kfgit.graph.binding import component_of
from kfgit.model import (
    ArtifactType,
    Component,
    Composite,
    Import,
    Input,
    Literal_,
    ParameterType,
    Pipeline,
    Project,
    Settings,
    StatusType,
    UsePipeline,
    Value,
    Whole,
)
from kfgit.references import Ref, RunRef, Text, WorkspaceRef

Json = dict[str, Any]


class Build(packaged.Build, Protocol):
    """What all pipelines of a package share, and how one that is nested in another gets its place there."""

    project: Project

    def pipeline(self, pipeline: Pipeline, component: str, inherited: Settings) -> Json:
        """A nested pipeline as a component spec."""


@dataclass(frozen=True, slots=True)
class Leaves:
    """Writes the tasks of one pipeline. `inherited` comes from the task that this pipeline is nested in."""

    _build: Build
    _pipeline: Pipeline
    _tree: Tree
    _channels: Channels
    _inherited: Settings

    def task(self, leaf: Leaf) -> Json:
        """The task in its DAG; its component and executor are made on the way."""
        spec: Json = {"taskInfo": {"name": leaf.task.display_name or leaf.name}}
        match leaf.task.action:
            case Import() as action:
                self._import(leaf, action, spec)
            case UsePipeline(name=name):
                self._nested(leaf, self._build.project.pipelines[name.text], spec)
            case _:
                component = component_of(leaf.scope, leaf.task)
                assert component is not None
                self._component_task(leaf, component, spec)
        return spec

    def _component_task(self, leaf: Leaf, component: Component, spec: Json) -> None:
        in_exit = leaf is self._tree.on_exit
        settings = effective(
            leaf.task, self._pipeline.defaults, self._inherited, self._build.project, in_exit=in_exit
        )
        # What a component reads of the run KFP tells to the inputs of tasks only, so each gets an input.
        carried = {ref: self._channels.name(FromRun(ref)) for ref, _ in component.run_facts}
        added = {name: Input(name, ParameterType("string"), leaf.task.span) for name in carried.values()}
        label = self._new_component(
            leaf, spec, declared_inputs({**component.inputs, **added}), component_outputs(component)
        )
        self._build.executors[label] = {"container": container(component, settings, carried)}
        self._build.labels[spec["componentRef"]["name"]] = component.name
        platform = kubernetes_config(component, settings, lambda value: self._looked_up(leaf, value))
        if platform:
            self._build.platform[label] = platform
        self._run_as(settings, spec)
        self._inputs(leaf, component.inputs, spec)
        for ref, name in carried.items():
            constant = {"runtimeValue": {"constant": RUN_PLACEHOLDERS[ref]}}
            spec.setdefault("inputs", {}).setdefault("parameters", {})[name] = constant

    def _new_component(self, leaf: Leaf, spec: Json, inputs: Json, outputs: Json) -> str:
        """A component of the task's own, as the SDK makes one for each task; returns the label of its executor."""
        name = self._build.names.unique(f"comp-{leaf.name}")
        label = self._build.executor_names.unique(f"exec-{name.removeprefix('comp-')}")
        definition: Json = {"executorLabel": label}
        if inputs:
            definition["inputDefinitions"] = inputs
        if outputs:
            definition["outputDefinitions"] = outputs
        self._build.components[name] = definition
        spec["componentRef"] = {"name": name}
        return label

    def _run_as(self, settings: Settings, spec: Json) -> None:
        spec["cachingOptions"] = caching(settings)
        policy = retry_policy(settings, self._inherited)
        if policy:
            spec["retryPolicy"] = policy

    def _nested(self, leaf: Leaf, inner: Pipeline, spec: Json) -> None:
        inherited = inherited_by(leaf.task.settings, self._inherited)
        component = self._build.names.unique(f"comp-{leaf.name}")
        self._build.components[component] = self._build.pipeline(inner, component, inherited)
        spec["componentRef"] = {"name": component}
        self._run_as(replace(leaf.task.settings, cache=inherited.cache), spec)
        self._inputs(leaf, inner.inputs, spec)

    def _import(self, leaf: Leaf, action: Import, spec: Json) -> None:
        type_ = action.type or ArtifactType("system.Artifact")
        ports = {"uri": Input("uri", ParameterType("string"), leaf.task.span)}
        given: Json = {}
        self._parameter(leaf, "uri", action.uri, given)
        metadata = self._metadata(leaf, action.metadata, ports, given)
        label = self._new_component(leaf, spec, declared_inputs(ports), declared_outputs({"artifact": type_}))
        constant = action.uri.value if isinstance(action.uri, Literal_) else None
        self._build.executors[label] = {
            "importer": importer(constant, type_, metadata, reimport=action.reimport)
        }
        own = leaf.task.settings
        self._run_as(replace(own, cache=own.cache if own.cache is not None else self._inherited.cache), spec)
        spec["inputs"] = {"parameters": given}

    def _metadata(self, leaf: Leaf, value: Value | None, ports: dict[str, Input], given: Json) -> Any:
        """Metadata with references: each becomes an input `metadata`, `metadata-2` and so on, as in the SDK."""
        assert not isinstance(value, Whole)
        if not isinstance(value, Composite):
            return value.value if value is not None else None
        names: dict[Ref, str] = {}
        for ref in value.references:
            if ref not in names:
                names[ref] = name = f"metadata-{len(names) + 1}" if names else "metadata"
                channel = self._channels.of(leaf.scope, ref)
                ports[name] = Input(name, channel.type, leaf.task.span)
                given[name] = self._channels.source(leaf.parent, channel, leaf.dependencies)
        return _filled(value.value, lambda ref: names[ref])

    def _inputs(self, leaf: Leaf, ports: Mapping[str, Input], spec: Json) -> None:
        parameters: Json = {}
        artifacts: Json = {}
        for name, value in leaf.task.inputs.items():
            if isinstance(ports[name].type, ArtifactType) and isinstance(value, Whole):
                channel = self._channels.of(leaf.scope, value.ref)
                artifacts[name] = self._channels.source(leaf.parent, channel, leaf.dependencies)
            else:
                self._parameter(leaf, name, value, parameters)
        if leaf is self._tree.on_exit and self._tree.handler is not None:
            status = {"taskFinalStatus": {"producerTask": self._tree.handler.name}}
            parameters |= {name: status for name, port in ports.items() if isinstance(port.type, StatusType)}
        give(spec, artifacts, parameters)

    def _parameter(self, leaf: Leaf, name: str, value: Value, given: Json) -> None:
        match value:
            case Literal_(value=constant):
                given[name] = {"runtimeValue": {"constant": constant}}
            case Whole(ref=RunRef(field="status")):
                pass  # set for every input of that type, see _inputs
            case Whole(ref=ref):
                channel = self._channels.of(leaf.scope, ref)
                given[name] = self._channels.source(leaf.parent, channel, leaf.dependencies)
            case Composite(value=parts):
                text = _filled(_with_workspace(parts), lambda ref: self._embedded(leaf, ref, given))
                given[name] = {"runtimeValue": {"constant": text}}

    def _looked_up(self, leaf: Leaf, value: Value) -> Json:
        """Where the driver finds a value of the `kubernetes` block; there it selects no field of an item."""
        if isinstance(value, Whole):
            channel = self._channels.of(leaf.scope, value.ref)
            if isinstance(channel, FromItem) and channel.field is not None:
                return {"componentInputParameter": self._channels.enter(leaf.parent, channel)}
            return self._channels.source(leaf.parent, channel, leaf.dependencies)
        return {"runtimeValue": {"constant": value.value}}

    def _embedded(self, leaf: Leaf, ref: Ref, given: Json) -> str:
        """A reference inside a text: an extra input of the task, whose name stands in the text."""
        channel = self._channels.of(leaf.scope, ref)
        name = self._channels.name(channel)
        given[name] = self._channels.source(leaf.parent, channel, leaf.dependencies)
        return name


def give(spec: Json, artifacts: Json, parameters: Json) -> None:
    """Sets the inputs of a task."""
    inputs = {kind: found for kind, found in (("artifacts", artifacts), ("parameters", parameters)) if found}
    if inputs:
        spec["inputs"] = inputs


def _with_workspace(value: Any) -> Any:
    """A text with the path of the workspace in it, which KFP's driver puts into a constant that is a text."""
    if not isinstance(value, Text):
        return value
    return Text(
        tuple(RUN_PLACEHOLDERS[part] if isinstance(part, WorkspaceRef) else part for part in value.parts)
    )


def _filled(value: Any, name_of: Callable[[Ref], str]) -> Any:
    """A composite value with placeholders for its references; `name_of` says which input carries one."""
    match value:
        case Text(parts=parts):
            return "".join(
                part if isinstance(part, str) else f"{{{{$.inputs.parameters['{name_of(part)}']}}}}"
                for part in parts
            )
        case dict():
            return {key: _filled(item, name_of) for key, item in value.items()}
        case list():
            return [_filled(item, name_of) for item in value]
        case _:
            return value
