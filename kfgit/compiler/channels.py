"""How values get from where they are made to where they are used, through the borders of groups.

A value that a task needs from outside its group is given to the group as an input `pipelinechannel--NAME`, and one
that is needed outside is given out under the same name: KFP has no other way in or out of a DAG (kfp 2.17.0,
compiler/compiler_utils.py). Reading is enough: asking for a channel punches every hole on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from kfgit.compiler.groups import Group, Leaf, Node, Tree
from kfgit.graph.binding import bind, item_type
from kfgit.graph.lists import collected_type
from kfgit.graph.scope import BoundInput, BoundItem, BoundOutput, BoundRun, Scope, below
from kfgit.model import ArtifactType, Literal_, ParameterType, Switch, Type, Whole
from kfgit.references import Ref, RunRef, WorkspaceRef, show

PREFIX = "pipelinechannel--"
# Job placeholders, which the driver replaces where they are all of a constant (backend/src/v2/driver/resolve.go).
RUN_PLACEHOLDERS: Mapping[RunRef | WorkspaceRef, str] = {
    RunRef("id"): "{{$.pipeline_job_uuid}}",
    RunRef("name"): "{{$.pipeline_job_name}}",
    RunRef("createdAt"): "{{$.pipeline_job_create_time_utc}}",
    RunRef("scheduledAt"): "{{$.pipeline_job_schedule_time_utc}}",
    WorkspaceRef(): "{{$.workspace_path}}",
}


@dataclass(frozen=True, slots=True, eq=False)
class FromInput:
    """An input of the pipeline."""

    name: str
    type: Type | None


@dataclass(frozen=True, slots=True, eq=False)
class FromNode:
    """An output of a task or of a switch; `type` is that of one execution."""

    node: Node
    output: str
    type: Type | None


@dataclass(frozen=True, slots=True, eq=False)
class FromItem:
    """The item of a loop, or a field of it."""

    group: Group
    field: str | None
    type: Type | None


@dataclass(frozen=True, slots=True, eq=False)
class FromRun:
    """Something the run knows about itself, which is a string."""

    ref: RunRef | WorkspaceRef

    @property
    def type(self) -> Type | None:
        """As other channels have it."""
        return ParameterType("string")


Channel: TypeAlias = FromInput | FromNode | FromItem | FromRun


class Channels:
    """The channels of one pipeline's tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._named: dict[str, tuple[object, ...]] = {}

    def of(self, scope: Scope, ref: Ref) -> Channel:
        """The channel of a reference. The graph was checked, so it binds."""
        bound = bind(scope, ref)
        match bound:
            case BoundInput(name, type_):
                return FromInput(name, type_)
            case BoundItem(path, field, type_):
                group = self._tree.nodes[path]
                assert isinstance(group, Group)
                return FromItem(group, field, type_)
            case BoundRun(ref=known):
                return FromRun(known)
            case BoundOutput() as output:
                return self._output(output)
            case _:
                message = f"unchecked reference {show(ref)}"
                raise AssertionError(message)

    def _output(self, bound: BoundOutput) -> FromNode:
        node = self._tree.nodes[bound.path]
        return FromNode(node, bound.output, bound.element)

    def source(self, group: Group, channel: Channel, waits: set[str]) -> dict[str, Any]:
        """Where a task of `group`'s DAG reads the channel; what it must wait for is added to `waits`."""
        match channel:
            case FromRun(ref=ref):
                return {"runtimeValue": {"constant": RUN_PLACEHOLDERS[ref]}}
            case FromNode(node=node, output=output) if group in _ancestors(node):
                child = _towards(group, node)
                waits.add(child.name)
                key = self.key(node, output) if child is node else self._export(child, channel)
                kind = "Artifact" if isinstance(channel.type, ArtifactType) else "Parameter"
                return {f"taskOutput{kind}": {"producerTask": child.name, f"output{kind}Key": key}}
            case FromInput(name=name, type=type_) if group.parent is None:
                return {_component_input(type_): name}
            case FromItem(group=loop, field=field):
                whole = FromItem(loop, None, self.item_type(loop))
                base = self._name(whole) if loop is group else self.enter(group, whole)
                spec: dict[str, Any] = {_component_input(whole.type if field is None else None): base}
                if field is not None:
                    spec["parameterExpressionSelector"] = f'parseJson(string_value)["{_escaped(field)}"]'
                return spec
            case _:
                return {_component_input(channel.type): self.enter(group, channel)}

    def enter(self, group: Group, channel: Channel) -> str:
        """The input of `group` that carries the channel, made if it is not there."""
        name = self._name(channel)
        if isinstance(channel, FromItem) and channel.group is group:
            return name
        if name not in group.inputs:
            assert group.parent is not None
            group.inputs[name] = self._type(group, channel)
            group.given[name] = self.source(group.parent, channel, group.dependencies)
        return name

    def _type(self, group: Group, channel: Channel) -> Type | None:
        match channel:
            case FromNode():
                common = next(g for g in _outwards(group) if g in _ancestors(channel.node))
                return _times_collected(channel.type, common, channel.node)
            case FromItem():
                return channel.type or ParameterType("string")
            case FromInput() | FromRun():
                return channel.type

    def select(self, group: Group, channel: FromNode) -> tuple[str, str]:
        """(task of `group`, its output) that gives the channel out."""
        child = _towards(group, channel.node)
        key = (
            self.key(channel.node, channel.output) if child is channel.node else self._export(child, channel)
        )
        return child.name, key

    def _export(self, node: Node, channel: FromNode) -> str:
        assert isinstance(node, Group)
        name = self._name(channel)
        if name not in node.outputs:
            producer, key = self.select(node, channel)
            type_ = _times_collected(channel.type, node, channel.node, inclusive=True)
            node.outputs[name] = (type_, selector(channel.type, producer, key))
        return name

    def key(self, node: Node, output: str) -> str:
        """The output of a node as the IR names it: a switch's outputs have generated names."""
        if isinstance(node, Leaf):
            return output
        return f"{PREFIX}{node.name}-oneof-{_position(node, output)}"

    def output_titles(self, group: Group) -> dict[str, str]:
        """The outputs of a switch: their made-up names, and those of the source."""
        task = group.task
        if task is None or not isinstance(task.action, Switch) or group.kind != "condition-branches":
            return {}
        return {self.key(group, name): name for name in _switch_names(task.action)}

    def one_of(self, group: Group) -> None:
        """Declares the outputs of a switch: each is what the branch that ran gives out."""
        for key, name in self.output_titles(group).items():
            task = group.task
            assert task is not None
            assert isinstance(task.action, Switch)
            selectors, type_ = [], None
            for child, branch in zip(group.children, task.action.branches, strict=True):
                value = branch.outputs[name].value
                assert isinstance(value, Whole)
                assert isinstance(child, Group)
                channel = self.of(_branch_scope(group, child), value.ref)
                assert isinstance(channel, FromNode)
                type_ = type_ or _times_collected(channel.type, child, channel.node, inclusive=True)
                selectors.append(self.select(group, channel))
            group.outputs[key] = (type_, _one_of(type_, selectors))

    def name(self, channel: Channel) -> str:
        """The name of the input that carries the channel across a border."""
        return self._name(channel)

    def _name(self, channel: Channel) -> str:
        wanted, identity = self._wanted(channel)
        name, number = wanted, 1
        while self._named.setdefault(name, identity) != identity:
            number += 1
            name = f"{wanted}-{number}"
        return name

    def _wanted(self, channel: Channel) -> tuple[str, tuple[object, ...]]:
        match channel:
            case FromInput(name=name):
                return f"{PREFIX}{name}", ("input", name)
            case FromNode(node=node, output=output):
                wanted = f"{PREFIX}{node.name}-{output}" if isinstance(node, Leaf) else self.key(node, output)
                return wanted, ("output", node.name, output)
            case FromItem(group=group, field=field):
                base = self._item_name(group)
                return (f"{base}-subvar-{field}" if field else base), ("item", group.name, field)
            case FromRun(ref=ref):
                name = f"run-{ref.field}" if isinstance(ref, RunRef) else "workspace-path"
                return f"{PREFIX}{name}", ("run", ref)

    def _item_name(self, group: Group) -> str:
        if group.item:
            return f"{PREFIX}{group.item}"
        assert group.loop is not None
        assert isinstance(group.loop.items, Whole)
        return f"{self._name(self.of(group.scope, group.loop.items.ref))}-loop-item"

    def item_type(self, group: Group) -> Type:
        """The type of a loop's item; KFP's SDK says string where it is not known."""
        inner = Scope("loop", (), {}, group.scope.pipeline, group.scope.project, group.scope, group.loop)
        return item_type(inner) or ParameterType("string")


def _branch_scope(group: Group, child: Group) -> Scope:
    assert group.task is not None
    return below(group.scope, group.task)[group.children.index(child)]


def _switch_names(switch: Switch) -> list[str]:
    if switch.branches[-1].when is not None:
        return []
    return [name for name in switch.branches[0].outputs if all(name in b.outputs for b in switch.branches)]


def _position(group: Group, output: str) -> int:
    assert group.task is not None
    assert isinstance(group.task.action, Switch)
    return _switch_names(group.task.action).index(output) + 1


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _component_input(type_: Type | None) -> str:
    return "componentInputArtifact" if isinstance(type_, ArtifactType) else "componentInputParameter"


def _outwards(group: Group) -> Iterator[Group]:
    here: Group | None = group
    while here is not None:
        yield here
        here = here.parent


def _ancestors(node: Node) -> list[Group]:
    return list(_outwards(node.parent)) if node.parent is not None else []


def _towards(group: Group, node: Node) -> Node:
    """The child of `group` that is `node` or holds it."""
    here: Node = node
    while here.parent is not group:
        assert here.parent is not None
        here = here.parent
    return here


def _times_collected(type_: Type | None, group: Group, node: Node, *, inclusive: bool = False) -> Type | None:
    """The type of `node`'s output as seen from `group`: a list when a loop stands between."""
    between = []
    for here in _ancestors(node):
        if here is group:
            break
        between.append(here)
    loops = [g for g in (*between, *([group] if inclusive else [])) if g.kind == "for-loop"]
    return collected_type(type_) if loops else type_


def selector(type_: Type | None, producer: str, key: str) -> dict[str, Any]:
    """A DAG output that is one task's output."""
    if isinstance(type_, ArtifactType):
        return {"artifactSelectors": [{"producerSubtask": producer, "outputArtifactKey": key}]}
    return {"valueFromParameter": {"producerSubtask": producer, "outputParameterKey": key}}


def _one_of(type_: Type | None, selectors: list[tuple[str, str]]) -> dict[str, Any]:
    if isinstance(type_, ArtifactType):
        return {"artifactSelectors": [{"producerSubtask": p, "outputArtifactKey": k} for p, k in selectors]}
    parameters = [{"producerSubtask": p, "outputParameterKey": k} for p, k in selectors]
    return {"valueFromOneof": {"parameterSelectors": parameters}}


def literal_items(group: Group) -> list[Any] | None:
    """The items of a loop over a literal list."""
    items = group.loop.items if group.loop is not None else None
    return items.value if isinstance(items, Literal_) else None
