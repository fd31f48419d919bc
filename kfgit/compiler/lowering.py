"""One pipeline, the root or a nested one, from its groups to a DAG.

First every task and every group's own condition or iterator, which punches the holes through the groups on the way
(`channels`); then the groups as components, from the outside in, once everything that passes their borders is known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from kfgit import cel, ir
from kfgit.compiler.channels import Channels, FromItem, FromNode, literal_items, selector
from kfgit.compiler.conditions import types_from_use
from kfgit.compiler.executors import container, importer, platform_of
from kfgit.compiler.groups import Group, Leaf, Names, Node, tree
from kfgit.compiler.interfaces import (
    by_kind,
    carried_inputs,
    component_outputs,
    declared_inputs,
    declared_outputs,
)
from kfgit.compiler.settings import caching, effective, inherited_by, retry_policy
from kfgit.graph.scope import BoundOutput, bind, component_of, root_scope
from kfgit.model import (
    ArtifactType,
    Component,
    Composite,
    Condition,
    Import,
    Input,
    Literal_,
    ParameterName,
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

Json = dict[str, Any]


class Build(Protocol):
    """What all pipelines of a package share."""

    project: Project
    components: Json
    executors: Json
    platform: Json
    labels: dict[str, str]
    names: Names

    def pipeline(self, pipeline: Pipeline, component: str, inherited: Settings) -> Json:
        """A nested pipeline as a component spec."""


class Lowering:
    """Lowers one pipeline."""

    def __init__(self, build: Build, pipeline: Pipeline, component: str, inherited: Settings) -> None:
        self._build, self._pipeline, self._component, self._inherited = build, pipeline, component, inherited
        self._tree = tree(pipeline, build.project)
        self._channels = Channels(self._tree)
        self._tasks: dict[int, Json] = {}

    def lower(self) -> Json:
        """The pipeline as a component spec."""
        nodes = list(_everything(self._tree.root))
        for node in nodes:
            self._tasks[id(node)] = self._leaf(node) if isinstance(node, Leaf) else self._group(node)
        for node in nodes:
            self._after(node)
        outputs = self._outputs()
        dag: Json = {"tasks": self._dag_tasks(self._tree.root, self._component)}
        self._exit(dag["tasks"])
        result: Json = {"dag": dag}
        definitions = declared_inputs(self._pipeline.inputs)
        if definitions:
            result["inputDefinitions"] = definitions
        _give_out(result, outputs)
        return result

    def _outputs(self) -> dict[str, tuple[Type | None, Json]]:
        root = self._tree.root
        scope = root_scope(self._pipeline, self._build.project)
        found: dict[str, tuple[Type | None, Json]] = {}
        for output in self._pipeline.outputs.values():
            assert isinstance(output.source, Whole)
            bound = bind(scope, output.source.ref)
            channel = self._channels.of(scope, output.source.ref)
            assert isinstance(bound, BoundOutput)
            assert isinstance(channel, FromNode)
            producer, key = self._channels.select(root, channel)
            found[output.name] = (output.type or bound.type, selector(channel.type, producer, key))
        return found

    # Tasks.

    def _leaf(self, leaf: Leaf) -> Json:
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
        label = self._new_component(
            leaf, spec, declared_inputs(component.inputs), component_outputs(component)
        )
        self._build.executors[label] = {"container": container(component, settings)}
        platform = platform_of(component, settings)
        if platform:
            self._build.platform[label] = platform
        self._run_as(settings, spec)
        self._inputs(leaf, component.inputs, spec)

    def _new_component(self, leaf: Leaf, spec: Json, inputs: Json, outputs: Json) -> str:
        """A component of the task's own, as the SDK makes one for each task; returns the label of its executor."""
        name = self._build.names.unique(f"comp-{leaf.name}")
        label = f"exec-{name.removeprefix('comp-')}"
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
        _give(spec, artifacts, parameters)

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
                text = _filled(parts, lambda ref: self._embedded(leaf, ref, given))
                given[name] = {"runtimeValue": {"constant": text}}

    def _embedded(self, leaf: Leaf, ref: Ref, given: Json) -> str:
        """A reference inside a text: an extra input of the task, whose name stands in the text."""
        channel = self._channels.of(leaf.scope, ref)
        name = self._channels.name(channel)
        given[name] = self._channels.source(leaf.parent, channel, leaf.dependencies)
        return name

    # Groups.

    def _group(self, group: Group) -> Json:
        """A group's own task: its condition or its iterator, which may need channels of their own."""
        spec: Json = {"taskInfo": {"name": _group_name(group)}}
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
        channels = {text: self._channels.of(scope, ref) for text, ref in condition.references.items()}
        types = {text: _parameter_name(channel.type) for text, channel in channels.items()}
        for text, type_ in types_from_use(condition.expression, types).items():
            channel = channels[text]
            if isinstance(channel, FromItem) and channel.field is not None:
                types[text] = type_
                channels[text] = replace(channel, type=ParameterType(type_))
        names = {text: self._channels.enter(group, channel) for text, channel in channels.items()}
        return cel.to_cel(condition.expression, lambda leaf: names[leaf.text], lambda leaf: types[leaf.text])

    def _iterate(self, group: Group, spec: Json) -> None:
        assert group.loop is not None
        type_ = self._channels.item_type(group)
        item = self._channels.name(FromItem(group, None, type_))
        group.inputs[item] = type_
        items = literal_items(group)
        if items is not None:
            spec["parameterIterator"] = {
                "itemInput": item,
                "items": {"raw": json.dumps(items, sort_keys=True)},
            }
        else:
            assert isinstance(group.loop.items, Whole)
            source = self._channels.enter(group, self._channels.of(group.scope, group.loop.items.ref))
            kind = "Artifact" if isinstance(type_, ArtifactType) else "Parameter"
            spec[f"{kind.lower()}Iterator"] = {"itemInput": item, "items": {f"input{kind}": source}}
        if group.loop.parallelism:
            spec["iteratorPolicy"] = {"parallelismLimit": group.loop.parallelism}

    def _after(self, node: Node) -> None:
        for name in node.task.after if node.task is not None else ():
            holder = next(scope for scope in node.scope.outwards() if name.text in scope.tasks)
            _wait(node, self._tree.nodes[(*holder.path, name.text)])

    # DAGs.

    def _dag_tasks(self, group: Group, component: str) -> Json:
        tasks: Json = {}
        for child in group.children:
            spec = tasks[child.name] = self._tasks[id(child)]
            if isinstance(child, Group):
                self._finish(child, spec)
            if child.dependencies:
                spec["dependentTasks"] = sorted(child.dependencies)
                if _ignores_failures(child):
                    spec["triggerPolicy"] = {**spec.get("triggerPolicy", {}), **_COMPLETED}
            self._build.labels[ir.label_key(component, child.name)] = child.label
        return tasks

    def _finish(self, group: Group, spec: Json) -> None:
        """The group as a component, once everything that passes its border is known."""
        name = self._build.names.unique(f"comp-{group.name}")
        spec["componentRef"] = {"name": name}
        definition: Json = {"dag": {"tasks": self._dag_tasks(group, name)}}
        if group.inputs:
            definition["inputDefinitions"] = carried_inputs(group.inputs)
        _give_out(definition, group.outputs)
        artifacts = {k: v for k, v in group.given.items() if isinstance(group.inputs[k], ArtifactType)}
        _give(spec, artifacts, {k: v for k, v in group.given.items() if k not in artifacts})
        self._build.components[name] = definition

    def _exit(self, tasks: Json) -> None:
        leaf, handler = self._tree.on_exit, self._tree.handler
        if leaf is None or handler is None:
            return
        tasks[leaf.name] = {
            **self._leaf(leaf),
            "dependentTasks": [handler.name],
            "triggerPolicy": dict(_COMPLETED),
        }
        self._build.labels[ir.label_key(self._component, leaf.name)] = leaf.label


_COMPLETED = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


def _everything(group: Group) -> Iterator[Node]:
    """All nodes below, groups before what they hold."""
    pending: list[Node] = group.children[::-1]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, Group):
            pending += node.children[::-1]


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


def _ignores_failures(node: Node) -> bool:
    """Whether a task runs whatever became of its upstreams, which its guard must say for it.

    Only where there are upstreams: the backend hangs such a task on them, and one without any would never run
    (backend/src/v2/compiler/argocompiler/dag.go).
    """
    while (
        isinstance(node, Group) and node.task is None and len(node.children) == 1 and node.kind == "condition"
    ):
        node = node.children[0]
    return node.task is not None and node.task.ignore_upstream_failure


def _parameter_name(type_: Type | None) -> ParameterName | None:
    return type_.name if isinstance(type_, ParameterType) else None


def _group_name(group: Group) -> str:
    if group.task is not None and group.task.display_name:
        return group.task.display_name
    return group.label or group.name


def _give(spec: Json, artifacts: Json, parameters: Json) -> None:
    inputs = {kind: found for kind, found in (("artifacts", artifacts), ("parameters", parameters)) if found}
    if inputs:
        spec["inputs"] = inputs


def _give_out(definition: Json, outputs: Mapping[str, tuple[Type | None, Json]]) -> None:
    """The outputs of a DAG: from which task each comes, and what it is."""
    if outputs:
        types = {name: type_ for name, (type_, _) in outputs.items()}
        definition["dag"]["outputs"] = by_kind({name: source for name, (_, source) in outputs.items()}, types)
        definition["outputDefinitions"] = declared_outputs(types)


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
