"""The widest moment of a compiled package, by the IR alone: what its executors ask for, and which tasks wait.

Also what they ask for of cpu and memory, each by itself.

Of tasks with conditions all count, since the IR does not say which of them exclude each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from kfgit.demand.values import Boundless, Devices, Holder, Peak, Weight, beside, every_device
from kfgit.graph.quantities import exact
from kfgit.packages.compiled import Compiled


def of_package(package: Compiled, weigh: Weight = every_device) -> Peak:
    """The widest moment of a package, by what `weigh` counts."""
    return _Package(package, weigh).of_dag(package.spec.get("root", {}), "")


class Amount(NamedTuple):
    """What an executor of a package asks for of `cpu` or `memory`, with its name and the text for people."""

    executor: str
    resource: str
    amount: Fraction
    told: str


def amounts(package: Compiled) -> Iterator[Amount]:
    """Requests of a package's executors, and limits where there are none, as Kubernetes fills them in.

    KFP reads the texts first, and numbers as they are: of cpu processors, of memory 10⁹ bytes
    (backend/src/v2/driver/driver.go). What only the run knows is left out.
    """
    for name, executor in package.spec.get("deploymentSpec", {}).get("executors", {}).items():
        resources = executor.get("container", {}).get("resources", {})
        for resource, unit in (("cpu", ""), ("memory", "G")):
            told = _text(resources, f"{resource}Request", unit) or _text(resources, f"{resource}Limit", unit)
            amount = exact(told)
            if told is not None and amount is not None:
                yield Amount(_flat(name), resource, amount, told)


def _text(resources: Mapping[str, Any], key: str, unit: str) -> str | None:
    """An amount as Kubernetes writes it; None for none."""
    text, number = resources.get(f"resource{key[0].upper()}{key[1:]}"), resources.get(key)
    if text or not number:
        return text or None
    return f"{number}{unit}"


# The name of an extended resource, or of a type as older packages have it; anything else is known only when it runs.
_RESOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,315}\Z", re.ASCII)
# int64, as the IR has counts.
_MOST = 2**63


class _Package:
    def __init__(self, package: Compiled, weigh: Weight) -> None:
        self._span, self._weigh = package.span, weigh
        self._components = package.spec.get("components", {})
        self._executors = package.spec.get("deploymentSpec", {}).get("executors", {})

    def of_dag(self, component: Mapping[str, Any], above: str) -> Peak:
        """The widest moment of a component that is a DAG."""
        tasks = component.get("dag", {}).get("tasks", {})
        each = {name: self._of_task(task, f"{above}{_flat(name)}") for name, task in tasks.items()}
        conditional = {name for name, task in tasks.items() if _is_guarded(task)}
        edges = [(str(one), name) for name, task in tasks.items() for one in task.get("dependentTasks", ())]
        return beside(each, edges, conditional)

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
        resource = str(found.get("resourceType") or found.get("type") or "")
        known = resource if _RESOURCE.match(resource) else ""
        asked = Devices(known, 1 if count is None else count)
        held = self._weigh(asked)
        if held <= 0:
            return Peak()
        open_ = () if count is not None else (Boundless(path, self._span, is_loop=False),)
        return Peak((Holder(path, held),), open_)


def _is_guarded(task: Mapping[str, Any]) -> bool:
    return bool(task.get("triggerPolicy", {}).get("condition"))


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


def _flat(name: str) -> str:
    """A name on one line: a package's may be any text."""
    return " ".join(name.split())


def _number(value: object) -> int | None:
    """A number, also where JSON has it as text, as protobuf does with long ones."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if value.is_integer() and abs(value) < _MOST:
            return int(value)
        case str() if value.isascii() and value.isdigit() and len(value) <= len(str(_MOST)):
            return int(value)
        case _:
            return None
