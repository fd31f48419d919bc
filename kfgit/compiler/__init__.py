"""`CheckedPipeline` to KFP's IR (schemaVersion 2.1.0), as the SDK would write it.

The lowering follows kfp 2.17.0 (compiler/pipeline_spec_builder.py), so that a server, its UI and its caches see what
they know; `tests/` compares both. Equal pipelines give equal bytes. Where the SDK is wrong (an unescaped quote
in a condition, an `and` that drops its left side), this is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kfgit import cel, ir
from kfgit.compiler.channels import Channels, FromItem, FromNode, FromRun, literal_items, selector
from kfgit.compiler.executors import artifact_definition, container, importer, interface, outputs_of_component, parameter_type, platform_of
from kfgit.compiler.groups import Group, Leaf, Names, Node, Tree, tree
from kfgit.compiler.settings import effective
from kfgit.graph import CheckedPipeline
from kfgit.graph.scope import BoundOutput, bind, component_of, root_scope
from kfgit.model import (
    ArtifactType,
    Composite,
    Condition,
    Import,
    Input,
    Literal_,
    ParameterType,
    Pipeline,
    Project,
    Settings,
    StatusType,
    Type,
    UsePipeline,
    Value,
    Whole,
)
from kfgit.references import Ref, RunRef, Text

__all__ = ["compile_pipeline"]


def compile_pipeline(checked: CheckedPipeline) -> ir.Package:
    """The package of a pipeline. What could go wrong was told by `graph`, which alone makes its argument."""
    pipeline, project = checked.pipeline, checked.project
    build = _Build(project)
    dag = build.pipeline(pipeline, ir.ROOT, Settings())
    info: dict[str, Any] = {"name": pipeline.name}
    if pipeline.display_name:
        info["displayName"] = pipeline.display_name
    if pipeline.description:
        info["description"] = pipeline.description
    spec: dict[str, Any] = {
        "pipelineInfo": info,
        "root": dag,
        "schemaVersion": ir.SCHEMA_VERSION,
        "sdkVersion": ir.SDK_VERSION,
    }
    if build.components:
        spec["components"] = build.components
    if build.executors:
        spec["deploymentSpec"] = {"executors": build.executors}
    if pipeline.pipeline_root:
        spec["defaultPipelineRoot"] = pipeline.pipeline_root
    platform = None
    if build.platform:
        platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": build.platform}}}}
    return ir.Package(pipeline.name, spec, platform, build.labels)


@dataclass(slots=True)
class _Build:
    """What all pipelines of one package share: its components and executors, whose names are unique."""

    project: Project
    components: dict[str, Any] = field(default_factory=dict)
    executors: dict[str, Any] = field(default_factory=dict)
    platform: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    def pipeline(self, pipeline: Pipeline, component: str, inherited: Settings) -> dict[str, Any]:
        """The DAG of a pipeline as a component spec; `component` is the name it will have."""
        return _Lowering(self, pipeline, component, inherited).lower()


class _Lowering:
    """Lowers one pipeline, which is the root or nested."""

    def __init__(self, build: _Build, pipeline: Pipeline, component: str, inherited: Settings) -> None:
        self._build, self._pipeline, self._component, self._inherited = build, pipeline, component, inherited
        self._tree: Tree = tree(pipeline, build.project)
        self._channels = Channels(self._tree)
        self._tasks: dict[int, dict[str, Any]] = {}

    def lower(self) -> dict[str, Any]:
        """Every task first, so that all holes are punched; then the groups around them."""
        root = self._tree.root
        for node in _everything(root):
            if isinstance(node, Leaf):
                self._tasks[id(node)] = self._leaf(node)
            else:
                self._tasks[id(node)] = self._prepare(node)
        self._afters()
        outputs = self._outputs(root)
        dag: dict[str, Any] = {"tasks": self._dag_tasks(root, self._component)}
        if self._tree.on_exit is not None and self._tree.handler is not None:
            leaf = self._tree.on_exit
            dag["tasks"][leaf.name] = self._exit(leaf, self._tree.handler)
            self._label(self._component, leaf)
        result: dict[str, Any] = {"dag": dag}
        definitions = interface(self._pipeline.inputs)
        if definitions:
            result["inputDefinitions"] = definitions
        if outputs:
            dag["outputs"] = _grouped(outputs)
            result["outputDefinitions"] = _output_definitions({name: type_ for name, (type_, _) in outputs.items()})
        return result

    def _outputs(self, root: Group) -> dict[str, tuple[Type | None, dict[str, Any]]]:
        found: dict[str, tuple[Type | None, dict[str, Any]]] = {}
        scope = root_scope(self._pipeline, self._build.project)
        for output in self._pipeline.outputs.values():
            if not isinstance(output.source, Whole):
                continue
            bound = bind(scope, output.source.ref)
            channel = self._channels.of(scope, output.source.ref)
            assert isinstance(bound, BoundOutput)
            assert isinstance(channel, FromNode)
            producer, key = self._channels.select(root, channel)
            found[output.name] = (output.type or bound.type, selector(channel.type, producer, key))
        return found

    def _leaf(self, leaf: Leaf) -> dict[str, Any]:
        task = leaf.task
        spec: dict[str, Any] = {"taskInfo": {"name": task.display_name or leaf.name}}
        match task.action:
            case Import() as action:
                self._import(leaf, action, spec)
            case UsePipeline(name=name):
                self._nested(leaf, name.text, spec)
            case _:
                self._component_task(leaf, spec)
        if task.ignore_upstream_failure:
            spec["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
        return spec

    def _component_task(self, leaf: Leaf, spec: dict[str, Any]) -> None:
        component = component_of(leaf.scope, leaf.task)
        assert component is not None
        settings = effective(leaf.task, self._pipeline.defaults, self._inherited, self._build.project, in_exit=leaf is self._tree.on_exit)
        name = self._build.names.unique(f"comp-{leaf.name}")
        label = f"exec-{name.removeprefix('comp-')}"
        definition: dict[str, Any] = {"executorLabel": label}
        inputs, outputs = interface(component.inputs), outputs_of_component(component)
        if inputs:
            definition["inputDefinitions"] = inputs
        if outputs:
            definition["outputDefinitions"] = outputs
        self._build.components[name] = definition
        self._build.labels[name] = component.name
        self._build.executors[label] = {"container": container(component, settings)}
        platform = platform_of(component, settings)
        if platform:
            self._build.platform[label] = platform
        spec["componentRef"] = {"name": name}
        spec["cachingOptions"] = _caching(settings)
        if settings.retry is not None:
            spec["retryPolicy"] = _retry(settings)
        self._inputs(leaf, component.inputs, spec)

    def _nested(self, leaf: Leaf, name: str, spec: dict[str, Any]) -> None:
        inner = self._build.project.pipelines[name]
        own = leaf.task.settings
        component = self._build.names.unique(f"comp-{leaf.name}")
        inherited = Settings(cache=own.cache if own.cache is not None else self._inherited.cache)
        self._build.components[component] = self._build.pipeline(inner, component, inherited)
        spec["componentRef"] = {"name": component}
        spec["cachingOptions"] = _caching(replace(own, cache=inherited.cache))
        if own.retry is not None:
            spec["retryPolicy"] = _retry(own)
        self._inputs(leaf, inner.inputs, spec)

    def _import(self, leaf: Leaf, action: Import, spec: dict[str, Any]) -> None:
        type_ = action.type or ArtifactType("system.Artifact")
        name = self._build.names.unique(f"comp-{leaf.name}")
        label = f"exec-{name.removeprefix('comp-')}"
        parameters = {"uri": Input("uri", ParameterType("string"), leaf.task.span)}
        given: dict[str, Any] = {}
        self._parameter(leaf, "uri", action.uri, given)
        metadata = self._metadata(leaf, action.metadata, parameters, given)
        self._build.components[name] = {
            "executorLabel": label,
            "inputDefinitions": interface(parameters),
            "outputDefinitions": _output_definitions({"artifact": type_}),
        }
        constant = action.uri.value if isinstance(action.uri, Literal_) else None
        self._build.executors[label] = {"importer": importer(constant, type_, metadata, reimport=action.reimport)}
        spec["componentRef"] = {"name": name}
        spec["cachingOptions"] = _caching(leaf.task.settings)
        spec["inputs"] = {"parameters": given}

    def _metadata(self, leaf: Leaf, value: Value | None, parameters: dict[str, Input], given: dict[str, Any]) -> Any:
        """Metadata with references: each becomes an input `metadata`, `metadata-2` and so on, as in the SDK."""
        if not isinstance(value, Composite):
            return value.value if isinstance(value, Literal_) else None
        names: dict[Ref, str] = {}
        for ref in value.references:
            if ref not in names:
                name = "metadata" if not names else f"metadata-{len(names) + 1}"
                names[ref] = name
                channel = self._channels.of(leaf.scope, ref)
                parameters[name] = Input(name, channel.type if not isinstance(channel, FromRun) else ParameterType("string"), leaf.task.span)
                given[name] = self._channels.source(leaf.parent, channel, leaf.dependencies)
        return _filled(value.value, lambda ref: f"{{{{$.inputs.parameters['{names[ref]}']}}}}")

    def _inputs(self, leaf: Leaf, ports: Mapping[str, Input], spec: dict[str, Any]) -> None:
        parameters: dict[str, Any] = {}
        artifacts: dict[str, Any] = {}
        for name, value in leaf.task.inputs.items():
            port = ports[name]
            if isinstance(port.type, ArtifactType) and isinstance(value, Whole):
                channel = self._channels.of(leaf.scope, value.ref)
                artifacts[name] = self._channels.source(leaf.parent, channel, leaf.dependencies)
            else:
                self._parameter(leaf, name, value, parameters)
        if leaf is self._tree.on_exit and self._tree.handler is not None:
            for name, port in ports.items():
                if isinstance(port.type, StatusType):
                    parameters[name] = {"taskFinalStatus": {"producerTask": self._tree.handler.name}}
        inputs = {key: found for key, found in (("artifacts", artifacts), ("parameters", parameters)) if found}
        if inputs:
            spec["inputs"] = inputs

    def _parameter(self, leaf: Leaf, name: str, value: Value, given: dict[str, Any]) -> None:
        match value:
            case Literal_(value=constant):
                given[name] = {"runtimeValue": {"constant": constant}}
            case Whole(ref=RunRef(field="status")):
                pass  # set for every input of that type, see _inputs
            case Whole(ref=ref):
                channel = self._channels.of(leaf.scope, ref)
                given[name] = self._channels.source(leaf.parent, channel, leaf.dependencies)
            case Composite(value=tree_):
                text = _filled(tree_, lambda ref: self._embedded(leaf, ref, given))
                given[name] = {"runtimeValue": {"constant": text}}

    def _embedded(self, leaf: Leaf, ref: Ref, given: dict[str, Any]) -> str:
        """A reference inside a text: an extra input of the task, and a placeholder for it."""
        channel = self._channels.of(leaf.scope, ref)
        name = self._channels.name(channel)
        given[name] = self._channels.source(leaf.parent, channel, leaf.dependencies)
        return f"{{{{$.inputs.parameters['{name}']}}}}"

    def _prepare(self, group: Group) -> dict[str, Any]:
        """A group's own task: its condition or its iterator, which may need channels of their own."""
        spec: dict[str, Any] = {"taskInfo": {"name": _group_name(group)}}
        self._channels.one_of(group)
        condition = self._condition(group)
        if condition:
            spec["triggerPolicy"] = {"condition": condition}
        if group.loop is not None:
            self._iterate(group, spec)
        return spec

    def _condition(self, group: Group) -> str:
        if group.when is None and not group.before:
            return ""
        before = [self._printed(group, condition) for condition in group.before]
        own = self._printed(group, group.when) if group.when is not None else None
        return cel.negate_and_join(before, own)

    def _printed(self, group: Group, condition: Condition) -> str:
        scope = group.when_scope
        assert scope is not None
        names: dict[str, str] = {}
        types: dict[str, str | None] = {}
        for text, ref in condition.references.items():
            channel = self._channels.of(scope, ref)
            names[text] = self._channels.enter(group, channel)
            type_ = None if isinstance(channel, FromRun) else channel.type
            types[text] = type_.name if isinstance(type_, ParameterType) else "string" if isinstance(channel, FromRun) else None
        return cel.to_cel(condition.expression, lambda leaf: names[leaf.text], lambda leaf: types[leaf.text])

    def _iterate(self, group: Group, spec: dict[str, Any]) -> None:
        assert group.loop is not None
        type_ = self._channels.item_type(group)
        item = self._channels.name(FromItem(group, None, type_))
        group.inputs[item] = type_
        items = literal_items(group)
        if items is not None:
            raw = json.dumps(items, sort_keys=True)
            spec["parameterIterator"] = {"itemInput": item, "items": {"raw": raw}}
        else:
            assert isinstance(group.loop.items, Whole)
            source = self._channels.enter(group, self._channels.of(group.scope, group.loop.items.ref))
            kind = "Artifact" if isinstance(type_, ArtifactType) else "Parameter"
            spec[f"{kind.lower()}Iterator"] = {"itemInput": item, "items": {f"input{kind}": source}}
        if group.loop.parallelism:
            spec["iteratorPolicy"] = {"parallelismLimit": group.loop.parallelism}

    def _afters(self) -> None:
        for node in _everything(self._tree.root):
            task = node.task
            scope = node.scope
            for name in task.after if task is not None else ():
                holder = next(s for s in scope.outwards() if name.text in s.tasks)
                _wait(node, self._tree.nodes[(*holder.path, name.text)])

    def _dag_tasks(self, group: Group, component: str) -> dict[str, Any]:
        tasks: dict[str, Any] = {}
        for child in group.children:
            spec = self._tasks[id(child)]
            if isinstance(child, Group):
                self._finish(child, spec)
            if child.dependencies:
                spec["dependentTasks"] = sorted(child.dependencies)
            tasks[child.name] = spec
            self._label(component, child)
        return tasks

    def _label(self, component: str, node: Node) -> None:
        self._build.labels[ir.label_key(component, node.name)] = node.label

    def _finish(self, group: Group, spec: dict[str, Any]) -> None:
        """The group as a component, once everything that passes its border is known."""
        name = self._build.names.unique(f"comp-{group.name}")
        spec["componentRef"] = {"name": name}
        dag: dict[str, Any] = {"tasks": self._dag_tasks(group, name)}
        definition: dict[str, Any] = {"dag": dag}
        if group.inputs:
            definition["inputDefinitions"] = interface(
                {key: Input(key, type_, group.scope.pipeline.span) for key, type_ in group.inputs.items()}
            )
        if group.outputs:
            dag["outputs"] = _grouped(group.outputs)
            definition["outputDefinitions"] = _output_definitions({key: type_ for key, (type_, _) in group.outputs.items()})
        if group.given:
            artifacts = {k: v for k, v in group.given.items() if isinstance(group.inputs[k], ArtifactType)}
            parameters = {k: v for k, v in group.given.items() if k not in artifacts}
            spec["inputs"] = {key: found for key, found in (("artifacts", artifacts), ("parameters", parameters)) if found}
        self._build.components[name] = definition

    def _exit(self, leaf: Leaf, handler: Group) -> dict[str, Any]:
        spec = self._leaf(leaf)
        spec["dependentTasks"] = [handler.name]
        spec["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
        return spec


def _everything(group: Group) -> list[Node]:
    """All nodes below, groups before what they hold."""
    found: list[Node] = []
    pending: list[Node] = list(group.children)
    while pending:
        node = pending.pop(0)
        found.append(node)
        if isinstance(node, Group):
            pending[:0] = node.children
    return found


def _wait(node: Node, target: Node) -> None:
    """`node` waits for `target`: said between the two siblings that hold them."""
    above: list[Node] = []
    here: Node | None = target
    while here is not None:
        above.append(here)
        here = here.parent
    child: Node = node
    while child.parent is not None and child.parent not in above:
        child = child.parent
    assert child.parent is not None
    sibling = above[above.index(child.parent) - 1]
    if sibling is not child:
        child.dependencies.add(sibling.name)


def _group_name(group: Group) -> str:
    if group.task is not None and group.task.display_name:
        return group.task.display_name
    return group.label or group.name


def _caching(settings: Settings) -> dict[str, Any]:
    if settings.cache is False:
        return {}
    return {"enableCache": True, **({"cacheKey": settings.cache_key} if settings.cache_key else {})}


def _retry(settings: Settings) -> dict[str, Any]:
    """All four fields, with the SDK's defaults (dsl/structures.py, RetryPolicy)."""
    retry = settings.retry
    assert retry is not None
    return {
        "maxRetryCount": retry.max,
        "backoffDuration": f"{retry.backoff or 0}s",
        "backoffFactor": float(retry.factor if retry.factor is not None else 2),
        "backoffMaxDuration": f"{retry.max_duration if retry.max_duration is not None else 3600}s",
    }


def _filled(tree_: Any, placeholder: Any) -> Any:
    match tree_:
        case Text(parts=parts):
            return "".join(part if isinstance(part, str) else placeholder(part) for part in parts)
        case dict():
            return {key: _filled(value, placeholder) for key, value in tree_.items()}
        case list():
            return [_filled(value, placeholder) for value in tree_]
        case _:
            return tree_


def _grouped(outputs: Mapping[str, tuple[Type | None, dict[str, Any]]]) -> dict[str, Any]:
    artifacts = {name: spec for name, (type_, spec) in outputs.items() if isinstance(type_, ArtifactType)}
    parameters = {name: spec for name, (type_, spec) in outputs.items() if name not in artifacts}
    return {key: found for key, found in (("artifacts", artifacts), ("parameters", parameters)) if found}


def _output_definitions(types: Mapping[str, Type | None]) -> dict[str, Any]:
    artifacts = {name: artifact_definition(type_) for name, type_ in types.items() if isinstance(type_, ArtifactType)}
    parameters = {name: {"parameterType": parameter_type(type_)} for name, type_ in types.items() if name not in artifacts}
    return {key: found for key, found in (("artifacts", artifacts), ("parameters", parameters)) if found}

