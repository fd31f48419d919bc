"""One pipeline, the root or a nested one, from its groups to a DAG.

First every task and every group's own condition or iterator, which punches the holes through the groups on the way
(`channels`); then the groups as components, from the outside in, once everything that passes their borders is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from kfgit import cel, ir
from kfgit.compiler.channels import Channels, FromItem, FromNode, literal_items, selector
from kfgit.compiler.conditions import types_from_use
from kfgit.compiler.groups import Group, Leaf, Node, tree
from kfgit.compiler.interfaces import (
    by_kind,
    carried_inputs,
    declared_inputs,
    declared_outputs,
)
from kfgit.compiler.tasks import Build, Json, Leaves, give
from kfgit.graph.binding import bind
from kfgit.graph.scope import BoundOutput, root_scope
from kfgit.model import (
    ArtifactType,
    Condition,
    ParameterName,
    ParameterType,
    Pipeline,
    Settings,
    Type,
    Whole,
)


class Lowering:
    """Lowers one pipeline."""

    def __init__(self, build: Build, pipeline: Pipeline, component: str, inherited: Settings) -> None:
        self._build, self._pipeline, self._component = build, pipeline, component
        self._tree = tree(pipeline, build.project)
        self._channels = Channels(self._tree)
        self._leaves = Leaves(build, pipeline, self._tree, self._channels, inherited)
        self._tasks: dict[int, Json] = {}

    def lower(self) -> Json:
        """The pipeline as a component spec."""
        nodes = list(_everything(self._tree.root))
        for node in nodes:
            self._tasks[id(node)] = self._leaves.task(node) if isinstance(node, Leaf) else self._group(node)
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
        _describe(result, self._pipeline)
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
        if _ignores_failures(group):
            _let_miss(definition, group, spec.get("triggerPolicy", {}).get("condition", ""))
        _give_out(definition, group.outputs)
        for key, title in self._channels.output_titles(group).items():
            self._build.labels[ir.output_label_key(name, key)] = title
        artifacts = {k: v for k, v in group.given.items() if isinstance(group.inputs[k], ArtifactType)}
        give(spec, artifacts, {k: v for k, v in group.given.items() if k not in artifacts})
        self._build.components[name] = definition

    def _exit(self, tasks: Json) -> None:
        leaf, handler = self._tree.on_exit, self._tree.handler
        if leaf is None or handler is None:
            return
        tasks[leaf.name] = {
            **self._leaves.task(leaf),
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


def _let_miss(definition: Json, group: Group, condition: str) -> None:
    """A failed or skipped task gives nothing: the task in the group has a default for that, its guard has none."""
    for ports in definition.get("inputDefinitions", {}).values():
        for name, port in ports.items():
            made = any(kind.startswith("taskOutput") for kind in group.given.get(name, ()))
            if made and f"'{name}'" not in condition:
                port["isOptional"] = True


def _describe(definition: Json, pipeline: Pipeline) -> None:
    """What the author says of each output."""
    for ports in definition.get("outputDefinitions", {}).values():
        for name, port in ports.items():
            if pipeline.outputs[name].description:
                port["description"] = pipeline.outputs[name].description


def _give_out(definition: Json, outputs: Mapping[str, tuple[Type | None, Json]]) -> None:
    """The outputs of a DAG: from which task each comes, and what it is."""
    if outputs:
        types = {name: type_ for name, (type_, _) in outputs.items()}
        definition["dag"]["outputs"] = by_kind({name: source for name, (_, source) in outputs.items()}, types)
        definition["outputDefinitions"] = declared_outputs(types)
