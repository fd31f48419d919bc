"""The widest moment of a compiled package, by the IR alone: what its executors ask for, and which tasks wait.

Of tasks with conditions all count, since the IR does not say which of them exclude each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kfgit.demand.values import Holder, Peak, beside
from kfgit.packages.compiled import Compiled


def of_package(package: Compiled) -> Peak:
    """The widest moment of a package."""
    return _Package(package).of_dag(package.spec.get("root", {}), "")


class _Package:
    def __init__(self, package: Compiled) -> None:
        self._span = package.span
        self._components = package.spec.get("components", {})
        self._executors = package.spec.get("deploymentSpec", {}).get("executors", {})

    def of_dag(self, component: Mapping[str, Any], above: str) -> Peak:
        """The widest moment of a component that is a DAG."""
        tasks = component.get("dag", {}).get("tasks", {})
        each = {name: self._of_task(task, f"{above}{name}") for name, task in tasks.items()}
        edges = [(str(one), name) for name, task in tasks.items() for one in task.get("dependentTasks", ())]
        return beside(each, edges)

    def _of_task(self, task: Mapping[str, Any], path: str) -> Peak:
        component = self._components.get(task.get("componentRef", {}).get("name"), {})
        inner = self.of_dag(component, f"{path}/") if "dag" in component else self._held(component, path)
        if "parameterIterator" not in task and "artifactIterator" not in task:
            return inner
        bounds = [bound for bound in (_listed(task), _limit(task)) if bound is not None]
        return inner.repeated(min(bounds, default=None), path, self._span)

    def _held(self, component: Mapping[str, Any], path: str) -> Peak:
        executor = self._executors.get(component.get("executorLabel"), {})
        found = executor.get("container", {}).get("resources", {}).get("accelerator")
        if not isinstance(found, Mapping):
            return Peak()
        # KFP reads the text first; a placeholder in it is known only when it runs.
        count = _number(found.get("resourceCount") or found.get("count") or 0)
        if count is None:
            return Peak((Holder(path, 1),), ((path, self._span),))
        return Peak((Holder(path, count),) if count > 0 else ())


def _listed(task: Mapping[str, Any]) -> int | None:
    """How many items a loop has, where they stand in the package."""
    raw = task.get("parameterIterator", {}).get("items", {}).get("raw")
    try:
        items = json.loads(raw) if isinstance(raw, str) else None
    except (ValueError, RecursionError):
        return None
    return len(items) if isinstance(items, list) else None


def _limit(task: Mapping[str, Any]) -> int | None:
    """How many iterations may run side by side; none and 0 are no limit."""
    return _number(task.get("iteratorPolicy", {}).get("parallelismLimit")) or None


def _number(value: object) -> int | None:
    """A number, also where JSON has it as text, as protobuf does with long ones."""
    match value:
        case bool():
            return None
        case int():
            return value
        case str() if value.isascii() and value.isdigit():
            return int(value)
        case _:
            return None
