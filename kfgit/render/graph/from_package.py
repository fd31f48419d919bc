"""A compiled package as what is drawn: its own tasks under their own names, groups as the groups they are.

What KFP's compiler made of loops, conditions and exit handlers is recognised by the names that it gives them
(kfp 2.17.0, dsl/tasks_group.py); a group by any other name is a nested pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kfgit.packages.compiled import Compiled
from kfgit.render.graph.view import Edge, Node

_BRANCHES = re.compile(r"condition-branches-\d+\Z")
_CONDITION = re.compile(r"condition-\d+\Z")
_HANDLER = re.compile(r"exit-handler-\d+\Z")
_CHANNEL = "pipelinechannel--"
_PARAMETER = re.compile(r"inputs\.parameter_values\['(?:pipelinechannel--)?([^']+)'\]")
_NUMBER = re.compile(r"(\d+)")

Json = Mapping[str, Any]


def body_of(package: Compiled, prefix: str = "") -> Node:
    """The tasks of a package and the edges among them, as a node that has only these."""
    return _Drawing(package.spec).body(prefix, package.spec["root"])


class _Drawing:
    def __init__(self, spec: Json) -> None:
        self._components: Json = spec.get("components") or {}
        self._executors: Json = (spec.get("deploymentSpec") or {}).get("executors") or {}

    def body(self, id_: str, component: Json) -> Node:
        """The DAG of a component."""
        dag = component.get("dag") or {}
        tasks: Json = {name: dag["tasks"][name] for name in sorted(dag.get("tasks") or {}, key=_by_number)}
        waits = [wait for name, task in tasks.items() for wait in _waits(name, task)]
        last = _exit_task(tasks, {source for source, _, _ in waits})
        edges = [
            Edge(_join(id_, source), _join(id_, target), labels, "data" if labels else "after")
            for source, target, labels in waits
            if last not in {source, target}
        ]
        children = tuple(
            self._node(_join(id_, name), name, task, is_last=name == last) for name, task in tasks.items()
        )
        return Node(id_, "", "pipeline", children=children, edges=tuple(edges))

    def _node(self, id_: str, name: str, task: Json, *, is_last: bool = False) -> Node:
        reference = task["componentRef"]["name"]
        component = self._components[reference]
        label = (task.get("taskInfo") or {}).get("name") or name
        also = "" if label == name else name
        when = _PARAMETER.sub(r"\1", (task.get("triggerPolicy") or {}).get("condition") or "")
        if "dag" not in component:
            executor = self._executors.get(component.get("executorLabel")) or {}
            if "importer" in executor:
                return Node(id_, label, "import", told(also, _uri(executor["importer"])), when=when)
            detail = reference.removeprefix("comp-")
            if detail == name:
                detail = (executor.get("container") or {}).get("image") or ""
            return Node(id_, label, "exit" if is_last else "task", told(also, detail), when=when)
        if is_last:
            return Node(id_, label, "exit", told(also, reference.removeprefix("comp-")))
        body = self.body(id_, component)
        if "parameterIterator" in task or "artifactIterator" in task:
            return Node(id_, label, "loop", _items(task), body.children, body.edges, when)
        if _BRANCHES.match(name):
            branches = tuple(_branch(child) for child in body.children)
            return Node(id_, label, "switch", "", branches, body.edges, when)
        if _CONDITION.match(name):
            return Node(id_, label, "branch", when, body.children, body.edges)
        detail = "" if reference.removeprefix("comp-") == name else reference.removeprefix("comp-")
        return Node(id_, label, "pipeline", told(also, detail), body.children, body.edges, when)


def told(*words: str) -> str:
    """The second line of a node: its own name where it is shown by another, and what it is."""
    return " · ".join(word for word in words if word)


def _by_number(name: str) -> list[str | int]:
    """`condition-2` before `condition-13`: the order in which KFP's compiler met them."""
    parts = _NUMBER.split(name)
    return [int(part) if part.isdigit() else part for part in parts]


def _branch(child: Node) -> Node:
    """A group of a switch: its condition is what it is about."""
    if child.kind != "pipeline":
        return child
    return Node(child.id, child.label, "branch", child.when, child.children, child.edges)


def _exit_task(tasks: Json, sources: set[str]) -> str | None:
    """The task that runs at the end whatever happened, where there is one for the whole pipeline."""
    found = [
        name
        for name, task in tasks.items()
        if (task.get("triggerPolicy") or {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
        and any(_HANDLER.match(upstream) for upstream in task.get("dependentTasks") or ())
        and name not in sources
    ]
    return found[0] if len(found) == 1 and len(tasks) == 2 else None


def _waits(name: str, task: Json) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(producer, the task, outputs that it reads) of a task."""
    found: dict[str, list[str]] = {upstream: [] for upstream in task.get("dependentTasks") or ()}
    for given in (task.get("inputs") or {}).values():
        for source in (given or {}).values():
            output = source.get("taskOutputParameter") or source.get("taskOutputArtifact")
            if output is not None:
                key = output.get("outputParameterKey") or output.get("outputArtifactKey") or ""
                found.setdefault(output["producerTask"], []).append(key.removeprefix(_CHANNEL))
    for source, outputs in found.items():
        yield source, name, tuple(dict.fromkeys(outputs))


def _items(task: Json) -> str:
    iterator = task.get("parameterIterator") or task.get("artifactIterator") or {}
    items = iterator.get("items") or {}
    source = items.get("raw") or items.get("inputParameter") or items.get("inputArtifact") or ""
    limit = (task.get("iteratorPolicy") or {}).get("parallelismLimit")
    most = f", at most {limit} at once" if limit else ""
    return f"for each of {source.removeprefix(_CHANNEL)}{most}"


def _uri(importer: Json) -> str:
    uri = importer.get("artifactUri") or {}
    return str(uri.get("constant") or "")


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name
