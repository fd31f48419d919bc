"""What a server expects of IR and no schema says: every name leads somewhere, and to the right type.

Written apart from the compiler, from `pipeline_spec.proto` and KFP's driver. `problems` returns sentences.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.json_format import ParseDict
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineDeploymentConfig, PipelineSpec, PlatformSpec

from kfgit.ir import Package, label_key, output_label_key

Json = Any
_IN_TEXT = re.compile(r"\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\['([^']*)'\]")
_IN_CONDITION = re.compile(r"inputs\.parameter_values\['((?:[^'\\]|\\.)*)'\]")
_GIVEN = {
    "componentInputParameter": "parameters", "componentInputArtifact": "artifacts",
    "taskOutputParameter": "parameters", "taskOutputArtifact": "artifacts",
}  # fmt: skip
_LOOKED_UP = {
    "nodeSelectorJson": {"STRUCT"}, "nodeAffinityJson": {"STRUCT"}, "tolerationJson": {"STRUCT", "LIST"},
}  # fmt: skip


def problems(package: Package) -> list[str]:
    """Everything wrong with a package."""
    parsed(package)
    return [*_Linter(package).found()]


def parsed(package: Package) -> PipelineSpec:
    """The package as KFP's own types; raises for a field that they do not have.

    `deploymentSpec` is a free Struct to PipelineSpec, so it is parsed again as what a server takes it for.
    """
    ParseDict(dict(package.spec.get("deploymentSpec", {})), PipelineDeploymentConfig())
    ParseDict(dict(package.platform or {}), PlatformSpec())
    spec: PipelineSpec = ParseDict(dict(package.spec), PipelineSpec())
    return spec


def _ports(component: Json, side: str, kind: str) -> Mapping[str, Json]:
    ports: Mapping[str, Json] = component.get(f"{side}Definitions", {}).get(kind, {})
    return ports


def _type(port: Json) -> Json:
    return port.get("parameterType") or [
        port["artifactType"]["schemaTitle"],
        port.get("isArtifactList", False),
    ]


def _fits(have: Json, wanted: Json) -> bool:
    if isinstance(have, list) and isinstance(wanted, list):
        return have[1] == wanted[1] and (have[0] == wanted[0] or "system.Artifact" in (have[0], wanted[0]))
    if (have, wanted) == ("TASK_FINAL_STATUS", "STRUCT"):
        return True  # the driver looks at the value, which is a struct (backend/src/v2/driver/resolve.go)
    return bool(have == wanted)


class _Linter:
    def __init__(self, package: Package) -> None:
        self.package = package
        self.components: Mapping[str, Json] = package.spec.get("components", {})
        self.executors: Mapping[str, Json] = package.spec.get("deploymentSpec", {}).get("executors", {})
        kubernetes = (package.platform or {}).get("platforms", {}).get("kubernetes", {})
        self.settings: Mapping[str, Json] = kubernetes.get("deploymentSpec", {}).get("executors", {})

    def found(self) -> Iterator[str]:
        dags = {"root": self.package.spec["root"], **{n: c for n, c in self.components.items() if "dag" in c}}
        tasks = {label_key(name, task) for name, dag in dags.items() for task in dag["dag"]["tasks"]}
        labels = set(self.package.labels)
        # A package that was laid in keeps the names of its own tasks, so a DAG has labels for all of them or for none.
        for name, dag in dags.items():
            own = {label_key(name, task) for task in dag["dag"]["tasks"]}
            if own & labels and own - labels:
                yield f"labels differ from the tasks of {name}: {own - labels}"
        strange = {key for key in labels if "/" in key} - tasks
        if strange:
            yield f"labels of tasks that are not there: {strange}"
        given = {
            output_label_key(name, output)
            for name, component in self.components.items()
            for outputs in component.get("outputDefinitions", {}).values()
            for output in outputs
        }
        others = {key for key in labels if "/" not in key}
        if not others <= set(self.components) | given:
            yield f"labels of components and outputs that are not there: {others - set(self.components) - given}"
        used = [
            task["componentRef"]["name"] for dag in dags.values() for task in dag["dag"]["tasks"].values()
        ]
        if sorted(used) != sorted(self.components):
            yield f"each component belongs to one task: {sorted(used)} for {sorted(self.components)}"
        yield from self._executors()
        for name, dag in dags.items():
            yield from (f"{name}: {problem}" for problem in self._dag(dag))

    def _executors(self) -> Iterator[str]:
        labels = {c["executorLabel"] for c in self.components.values() if "executorLabel" in c}
        if labels != set(self.executors):
            yield f"executors without a component, or the other way round: {labels ^ set(self.executors)}"
        strange = set(self.settings) - labels
        if strange:
            yield f"settings for executors that are not there: {strange}"
        for component in self.components.values():
            for side, kind, name in _IN_TEXT.findall(
                json.dumps(self.executors.get(component.get("executorLabel")))
            ):
                if name not in _ports(component, side[:-1], kind):
                    yield f"{component['executorLabel']} reads {side}.{kind}.{name}, which it has not"

    def _dag(self, dag: Json) -> Iterator[str]:
        tasks: Mapping[str, Json] = dag["dag"]["tasks"]
        for name, task in tasks.items():
            yield from (f"{name}: {problem}" for problem in self._task(dag, name, task))
        yield from self._circles(tasks)
        yield from self._outputs(dag)

    def _circles(self, tasks: Mapping[str, Json]) -> Iterator[str]:
        waiting = {name: set(task.get("dependentTasks", ())) & set(tasks) for name, task in tasks.items()}
        while waiting:
            ready = {name for name, rest in waiting.items() if not rest}
            if not ready:
                yield f"a circle: {sorted(waiting)}"
                return
            waiting = {name: rest - ready for name, rest in waiting.items() if name not in ready}

    def _task(self, dag: Json, name: str, task: Json) -> Iterator[str]:
        component = self.components.get(task["componentRef"]["name"])
        if component is None:
            yield "no such component"
            return
        siblings = dag["dag"]["tasks"]
        for waited in task.get("dependentTasks", ()):
            if waited not in siblings or waited == name:
                yield f"waits for {waited}"
        given: dict[str, str] = {}
        for kind, sources in task.get("inputs", {}).items():
            for port, source in sources.items():
                given[port] = kind
                yield from (
                    f"{port}: {problem}"
                    for problem in self._input(dag, task, component, (port, kind, source))
                )
        yield from self._required(task, component, given)
        yield from self._texts(task, component, given)
        config = self.settings.get(component.get("executorLabel"), {})
        yield from (f"its settings: {problem}" for problem in self._looked_up(dag, task, config, ""))

    def _looked_up(self, dag: Json, task: Json, value: Json, field: str) -> Iterator[str]:
        """What the driver looks up for a pod it finds beside the task or among the inputs around it."""
        if isinstance(value, list):
            for item in value:
                yield from self._looked_up(dag, task, item, field)
        for key, item in value.items() if isinstance(value, dict) else ():
            if key in ("componentInputParameter", "taskOutputParameter"):
                have = self._source(dag, task, key, item)
                wanted = _LOOKED_UP.get(field, {"STRING"})
                if isinstance(have, str):
                    yield have
                elif _type(have) not in wanted:
                    yield f"{field or key} takes {sorted(wanted)}, gets {_type(have)}"
            elif key == "parameterExpressionSelector":
                yield "the driver selects nothing from what it looks up"
            else:
                yield from self._looked_up(dag, task, item, key)

    def _required(self, task: Json, component: Json, given: Mapping[str, str]) -> Iterator[str]:
        item = task.get("parameterIterator", task.get("artifactIterator", {})).get("itemInput")
        for kind in ("parameters", "artifacts"):
            for port, definition in _ports(component, "input", kind).items():
                if given.get(port) != kind and port != item and not definition.get("isOptional"):
                    yield f"the {kind[:-1]} {port} is not given"
        if item is not None and not any(
            item in _ports(component, "input", k) for k in ("parameters", "artifacts")
        ):
            yield f"its item {item} is no input"

    def _texts(self, task: Json, component: Json, given: Mapping[str, str]) -> Iterator[str]:
        constants = json.dumps(task.get("inputs", {}))
        for side, kind, port in _IN_TEXT.findall(constants):
            if side != "inputs" or given.get(port) != kind:
                yield f"a text reads {port}, which is not given"
        for port in _IN_CONDITION.findall(task.get("triggerPolicy", {}).get("condition", "")):
            if port not in _ports(component, "input", "parameters"):
                yield f"its condition reads {port}, which is no input"
        for kind in ("Parameter", "Artifact"):
            items = task.get(f"{kind.lower()}Iterator", {}).get("items", {})
            source = items.get(f"input{kind}")
            if source is not None and given.get(source) != f"{kind.lower()}s":
                yield f"it iterates over {source}, which is not given"
            if "raw" in items and not isinstance(json.loads(items["raw"]), list):
                yield "it iterates over something else than a list"

    def _input(self, dag: Json, task: Json, component: Json, given: tuple[str, str, Json]) -> Iterator[str]:
        port, kind, source = given
        definition = _ports(component, "input", kind).get(port)
        if definition is None:
            # What a text given to a task refers to is given beside it, and is no input of the component.
            if json.dumps(f"{{{{$.inputs.parameters['{port}']}}}}")[1:-1] not in json.dumps(task["inputs"]):
                yield "no such input"
            definition = {}
        for key, value in source.items():
            if key == "taskFinalStatus" and value["producerTask"] not in task.get("dependentTasks", ()):
                yield "the status of a task that is not waited for"
            if key not in _GIVEN:
                continue
            have = self._source(dag, task, key, value)
            if isinstance(have, str):
                yield have
            elif _GIVEN[key] != kind:
                yield f"{key} among {kind}"
            elif (
                definition
                and "parameterExpressionSelector" not in source
                and not _fits(_type(have), _type(definition))
            ):
                yield f"takes {_type(definition)}, gets {_type(have)}"

    def _source(self, dag: Json, task: Json, key: str, value: Json) -> Json:
        """The definition of what is read, or a sentence."""
        if key.startswith("componentInput"):
            return _ports(dag, "input", _GIVEN[key]).get(value) or f"there is no input {value} around it"
        producer = dag["dag"]["tasks"].get(value["producerTask"])
        if producer is None:
            return f"no task {value['producerTask']}"
        if value["producerTask"] not in task.get("dependentTasks", ()):
            return f"does not wait for {value['producerTask']}"
        return self._output(producer, _GIVEN[key], value) or f"no output {value}"

    def _output(self, producer: Json, kind: str, value: Json) -> Json:
        component = self.components[producer["componentRef"]["name"]]
        return _ports(component, "output", kind).get(
            value.get("outputParameterKey") or value.get("outputArtifactKey")
        )

    def _outputs(self, dag: Json) -> Iterator[str]:
        outputs = dag["dag"].get("outputs", {})
        for kind in ("parameters", "artifacts"):
            chosen, declared = outputs.get(kind, {}), _ports(dag, "output", kind)
            if chosen.keys() != declared.keys():
                yield f"its outputs differ from what it declares: {chosen.keys() ^ declared.keys()}"
            for name, how in chosen.items():
                for selector in _selectors(how):
                    producer = dag["dag"]["tasks"].get(selector["producerSubtask"])
                    found = self._output(producer, kind, selector) if producer else None
                    if found is None:
                        yield f"its output {name} selects {selector}, which is not there"


def _selectors(output: Json) -> list[Json]:
    if "artifactSelectors" in output:
        return list(output["artifactSelectors"])
    if "valueFromOneof" in output:
        return list(output["valueFromOneof"]["parameterSelectors"])
    return [output["valueFromParameter"]]
