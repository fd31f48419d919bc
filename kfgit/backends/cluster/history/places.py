"""The tasks of a pipeline as the author knows them, read from its IR and `Package.labels`; pure.

A place is where a task stands: the names of the IR from the root on, iterations as numbers. Groups that a compiler made
have no name for people and are looked through. Of a package without labels they are told by the names that KFP's SDK
gives them (kfp 2.17.0, dsl/tasks_group.py), where it is certain what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kfgit.ir import ROOT, Package, label_key

Place = tuple[str | int, ...]
Message = Mapping[str, Any]
Kind = Literal["program", "importer", "dag"]

_GROUP = re.compile(r"(exit-handler|condition-branches|condition)-[0-9]+\Z")
# No pipeline is nested so deep; a spec that says otherwise turns in a circle, which KFP refuses.
DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Step:
    """A task of a DAG. `label` is its name for people, "" for a group; `title` the component's, None for a DAG.

    `needs` are the tasks that it waits for, `exits` those whose end it belongs to, however that is.
    """

    name: str
    label: str
    component: str
    kind: Kind
    loop: bool
    needs: tuple[str, ...]
    exits: tuple[str, ...]
    title: str | None
    outputs: Mapping[str, str]
    retried: bool
    executor: str

    @property
    def is_exit(self) -> bool:
        """Whether it runs whatever becomes of those in `exits`."""
        return bool(self.exits)


def steps(package: Package, component: str = ROOT) -> tuple[Step, ...]:
    """The tasks of a component's DAG, in the order in which the data flows."""
    found = _mapping(_mapping(_component(package, component), "dag"), "tasks")
    return tuple(
        _step(package, component, name, task) for name, task in _ordered(found) if isinstance(task, Mapping)
    )


def is_same(one: Package, other: Package) -> bool:
    """Whether two packages have the same tasks, whatever they do and whether the cache may do it."""
    return _form(one) == _form(other)


def _form(package: Package) -> dict[str, list[tuple[object, ...]]]:
    components = {ROOT: _mapping(package.spec, ROOT), **_mapping(package.spec, "components")}
    return {
        name: [(step.name, step.component, step.kind, step.loop, step.exits) for step in steps(package, name)]
        for name, component in components.items()
        if isinstance(component, Mapping) and "dag" in component
    }


def pod_metadata(package: Package, executor: str) -> tuple[int, int] | None:
    """How many annotations and labels a task's pods are given; None where nothing is said of them."""
    found: Any = package.platform
    for key in ("platforms", "kubernetes", "deploymentSpec", "executors", executor):
        found = found.get(key) if isinstance(found, Mapping) else None
    metadata = found.get("podMetadata") if isinstance(found, Mapping) else None
    if not isinstance(metadata, Mapping):
        return None
    return len(metadata.get("annotations") or ()), len(metadata.get("labels") or ())


def _step(package: Package, holder: str, name: str, task: Message) -> Step:
    component = str(_mapping(task, "componentRef").get("name", ""))
    spec = _component(package, component)
    executor = str(spec.get("executorLabel", ""))
    kind = _kind(package, spec, executor)
    policy = _mapping(task, "triggerPolicy").get("strategy")
    exits = task.get("dependentTasks") if policy == "ALL_UPSTREAM_TASKS_COMPLETED" else ()
    artifacts = _mapping(_mapping(spec, "outputDefinitions"), "artifacts")
    return Step(
        name,
        _label(package, holder, name, kind),
        component,
        kind,
        loop="parameterIterator" in task or "artifactIterator" in task,
        needs=tuple(dict.fromkeys(_needs(task))),
        exits=tuple(map(str, exits or ())),
        title=None if kind == "dag" else package.labels.get(component) or component.removeprefix("comp-"),
        outputs={key: _type(each) for key, each in artifacts.items()},
        retried=bool(task.get("retryPolicy")),
        executor=executor,
    )


def _kind(package: Package, spec: Message, executor: str) -> Kind:
    if "dag" in spec:
        return "dag"
    executors = _mapping(_mapping(package.spec, "deploymentSpec"), "executors")
    return "importer" if "importer" in _mapping(executors, executor) else "program"


def _label(package: Package, holder: str, name: str, kind: Kind) -> str:
    if package.labels:
        return package.labels.get(label_key(holder, name), name)
    return "" if kind == "dag" and _GROUP.fullmatch(name) else name


def _type(artifact: Any) -> str:
    return str(_mapping(artifact, "artifactType").get("schemaTitle") or "system.Artifact")


def _component(package: Package, name: str) -> Message:
    return (
        _mapping(package.spec, ROOT) if name == ROOT else _mapping(_mapping(package.spec, "components"), name)
    )


def _mapping(value: Any, key: str) -> Message:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _ordered(tasks: Message) -> Iterator[tuple[str, Any]]:
    """What others need comes first, otherwise as it is written."""
    told: set[str] = set()
    waiting = {name: {need for need in _needs(task) if need in tasks} for name, task in tasks.items()}
    while waiting:
        ready = [name for name, needs in waiting.items() if needs <= told] or list(waiting)
        for name in ready:
            yield name, tasks[name]
            del waiting[name]
        told.update(ready)


def _needs(task: Any) -> Iterator[str]:
    yield from map(str, task.get("dependentTasks") or () if isinstance(task, Mapping) else ())
    inputs = _mapping(task, "inputs")
    for sort, key in (("parameters", "taskOutputParameter"), ("artifacts", "taskOutputArtifact")):
        for given in _mapping(inputs, sort).values():
            producer = _mapping(given, key).get("producerTask")
            if producer:
                yield str(producer)
