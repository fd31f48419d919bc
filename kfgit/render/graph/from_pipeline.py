"""A checked pipeline as what is drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from kfgit.graph import CheckedPipeline, Edge as Wait, edges_of
from kfgit.graph.binding import component_of
from kfgit.graph.scope import Scope, below, exit_scope
from kfgit.model import (
    Container,
    Import,
    Literal_,
    Loop,
    Switch,
    Task,
    UseComponent,
    UsePipeline,
    Value,
    Whole,
)
from kfgit.references import Text, show
from kfgit.render.graph.from_package import body_of, told
from kfgit.render.graph.view import Edge, Graph, Node
from kfgit.resolve import show_type

_CLAIMS = {"createpvc": "createPvc", "deletepvc": "deletePvc"}


def graph_of(checked: CheckedPipeline) -> Graph:
    """The picture's values: groups hold their tasks, edges run among siblings."""
    pipeline = checked.pipeline
    root = _Drawing(checked).whole("")
    return Graph(
        pipeline.display_name or pipeline.name,
        pipeline.description,
        tuple(f"{name}: {show_type(port.type)}" for name, port in pipeline.inputs.items()),
        tuple(
            f"{name}: {show_type(port.type)}" if port.type else name
            for name, port in pipeline.outputs.items()
        ),
        Node("", pipeline.name, "pipeline", children=root.children, edges=root.edges),
    )


class _Drawing:
    def __init__(self, checked: CheckedPipeline) -> None:
        self._checked = checked

    def whole(self, id_: str) -> Node:
        """The tasks of the pipeline with its exit task, as a node that has only these."""
        package = self._checked.pipeline.package
        if package is not None:
            return body_of(package, id_)
        body = self.body(id_, self._checked.root)
        return replace(body, children=(*body.children, *self._exit(id_)))

    def _exit(self, prefix: str) -> Iterator[Node]:
        """The exit task, which is one card also where it is a pipeline."""
        scope, task = (
            exit_scope(self._checked.pipeline, self._checked.project),
            self._checked.pipeline.on_exit,
        )
        if scope is not None and task is not None:
            detail = told(_also(task), _component(scope, task))
            yield Node(_join(prefix, task.name), task.display_name or task.name, "exit", detail)

    def body(self, id_: str, scope: Scope) -> Node:
        """The tasks of a scope and the edges among them, as a node that has only these."""
        waits = self._checked.edges.get((scope.path, scope.branch), ())
        children = tuple(self._node(id_, scope, task) for task in scope.tasks.values())
        return Node(
            id_, "", "pipeline", children=children, edges=tuple(self._edge(id_, wait) for wait in waits)
        )

    def _edge(self, prefix: str, wait: Wait) -> Edge:
        return Edge(
            _join(prefix, wait.source),
            _join(prefix, wait.target),
            wait.labels,
            "data" if wait.labels else "after",
        )

    def _node(self, prefix: str, scope: Scope, task: Task) -> Node:
        id_ = _join(prefix, task.name)
        when = task.when.text if task.when is not None else ""
        label = task.display_name or task.name
        match task.action:
            case Loop() as loop:
                (inner,) = below(scope, task)
                body = self.body(id_, inner)
                return Node(
                    id_, label, "loop", told(_also(task), _loop(loop)), body.children, body.edges, when
                )
            case Switch() as switch:
                branches = tuple(
                    self._branch(id_, index, inner, switch) for index, inner in enumerate(below(scope, task))
                )
                return Node(id_, label, "switch", _also(task), branches, (), when)
            case UsePipeline(name=name):
                return self._nested(id_, task, name.text, when)
            case Import(uri=uri):
                return Node(id_, label, "import", told(_also(task), _value(uri)), when=when)
            case _:
                return Node(id_, label, "task", told(_also(task), _component(scope, task)), when=when)

    def _branch(self, id_: str, index: int, scope: Scope, switch: Switch) -> Node:
        branch = switch.branches[index]
        word = "if" if index == 0 else "elif" if branch.when is not None else "else"
        here = f"{id_}#{index}"
        body = self.body(here, scope)
        detail = branch.when.text if branch.when is not None else ""
        return Node(here, word, "branch", detail, body.children, body.edges)

    def _nested(self, id_: str, task: Task, name: str, when: str) -> Node:
        project = self._checked.project
        label, detail = task.display_name or task.name, told(_also(task), name)
        inner = project.pipelines[name]
        edges = edges_of(inner, project) if inner.package is None else {}
        body = _Drawing(CheckedPipeline(inner, project, edges)).whole(id_)
        return Node(id_, label, "pipeline", detail, body.children, body.edges, when)


def _also(task: Task) -> str:
    """The name that the sources, runs and commands use, where another one is shown."""
    return task.name if task.display_name and task.display_name != task.name else ""


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name


def _component(scope: Scope, task: Task) -> str:
    match task.action:
        case UsePipeline(name=name) | UseComponent(name=name, inline=None):
            return name.text
        case UseComponent(name=name, builtin=True):
            size = task.inputs.get("size")
            return told(_CLAIMS.get(name.text, name.text), _value(size) if size is not None else "")
        case UseComponent():
            found = component_of(scope, task)
            code = found.implementation if found is not None else None
            if isinstance(code, Container):
                return code.image
            if code is None:
                return ""
            return "notebook" if code.helper else f"{code.function}()"
        case _:
            return ""


def _loop(loop: Loop) -> str:
    most = f", at most {loop.parallelism} at once" if loop.parallelism else ""
    return f"for each of {_value(loop.items)}{most}"


def _value(value: Value) -> str:
    match value:
        case Whole(ref=ref):
            return show(ref)
        case Literal_(value=literal):
            return literal if isinstance(literal, str) else json.dumps(literal, ensure_ascii=False)
        case _:
            tree = value.value
            if isinstance(tree, Text):
                return "".join(part if isinstance(part, str) else show(part) for part in tree.parts)
            return "…"
