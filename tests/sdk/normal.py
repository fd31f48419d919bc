"""The normal form of a compiled pipeline: what it does, without the names that a compiler makes up.

Components, executors and Kubernetes settings are written where they are used. Tasks are numbered by their structure: a
fingerprint that knows no made-up names, refined by those of neighbours until it tells tasks apart. Then inputs and
outputs called `pipelinechannel--…` are numbered by where their value comes from. `Concat` is carried out, as kfgit
does it. Left out are the SDK's version, the names that groups show where nobody gave them one, inputs that nothing
inside a group reads (the SDK hands the operands of a condition to every group below it), and the sentences about the
inputs of claims, and the text that runs a notebook. A node selector that is a constant is labels, whichever way it was
said.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kfgit.ir import label_key

_ARCHIVE = re.compile(r"__KFP_EMBEDDED_ARCHIVE_B64 = '([^']*)'\n__KFP_NOTEBOOK_REL_PATH = '([^']*)'\n")
_CHANNEL = "pipelinechannel--"
_PLACEHOLDER = re.compile(r"(?<=')pipelinechannel--[^']*(?=')")
_GENERATED = re.compile(r"pipelinechannel--[^'\"]*")
_COMPONENT_INPUT = re.compile(r'"componentInputParameter": "([^"]*)"')

Json = Any


class _Package(NamedTuple):
    components: Mapping[str, Json]
    executors: Mapping[str, Json]
    platform: Mapping[str, Json]


def normal(
    spec: Mapping[str, Json], platform: Mapping[str, Json] | None, labels: Mapping[str, str] | None = None
) -> Json:
    """A pipeline spec and its platform spec as one value that compares by meaning.

    `labels` are the source's names for tasks, as `ir.Package` has them: a group that shows its own was given none.
    """
    spec, platform = _numbers(spec), _numbers(platform or {})
    kubernetes = platform.get("platforms", {}).get("kubernetes", {})
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    for name, component in {"root": spec["root"], **spec.get("components", {})}.items():
        for task, definition in component.get("dag", {}).get("tasks", {}).items():
            if definition["taskInfo"]["name"] == (labels or {}).get(label_key(name, task)):
                definition["taskInfo"]["name"] = task
    package = _Package(
        {name: _undescribed(each, executors) for name, each in spec.get("components", {}).items()},
        {label: _carried_out(executor) for label, executor in executors.items()},
        _labelled(kubernetes.get("deploymentSpec", {}).get("executors", {})),
    )
    around = {
        k: v for k, v in spec.items() if k not in {"components", "deploymentSpec", "sdkVersion", "root"}
    }
    rest = {k: v for k, v in kubernetes.items() if k != "deploymentSpec"}
    _prune(package, spec["root"])
    root, _ = _Dag(package, spec["root"], {}).written()
    return {**around, "root": root, **({"platform": rest} if rest else {})}


def _numbers(value: Json) -> Json:
    """Whole numbers and doubles are one in protobuf's Struct; booleans are none, as they are in Python."""
    match value:
        case dict():
            return {key: _numbers(item) for key, item in value.items()}
        case list():
            return [_numbers(item) for item in value]
        case bool():
            return str(value)
        case int():
            return float(value)
        case _:
            return value


def _carried_out(executor: Json) -> Json:
    """An executor whose command line has texts, and choices between texts. Its variables have no order."""
    container = executor.get("container", {})
    lists = {
        key: [_argument(_without_runner(text)) for text in container[key]]
        for key in ("command", "args")
        if key in container
    }
    if "env" in container:
        lists["env"] = sorted([{"value": "", **v} for v in container["env"]], key=lambda v: v["name"])
    return {**executor, "container": {**container, **lists}} if container else executor


def _without_runner(program: str) -> str:
    """The program of a notebook component with the notebook itself; what runs it is each compiler's own."""
    packed = _ARCHIVE.search(program)
    if packed is None:
        return program
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed.group(1))), mode="r:gz") as archive:
        files = [(member.name, archive.extractfile(member)) for member in archive.getmembers()]
        notebook = [(name, file.read().decode()) for name, file in files if file is not None]
    before, _, after = program.partition(packed.group())
    return f"{before}{notebook}{packed.group(2)}{after[after.rindex('dsl.run_notebook = ') :].partition(chr(10))[2]}"


def _argument(text: str) -> Json:
    if text.startswith('{"Concat"'):
        return _joined(json.loads(text)["Concat"])
    if text.startswith('{"IfPresent"'):
        choice = json.loads(text)["IfPresent"]
        sides = {side: _texts(choice[side]) for side in ("Then", "Else") if side in choice}
        return {"IfPresent": {**choice, **sides}}
    return text


def _texts(side: Json) -> list[Json]:
    return [_argument(text) for text in (side if isinstance(side, list) else [side])]


def _joined(items: list[Json]) -> Json:
    """One text, or a choice between whole texts."""
    for index, item in enumerate(items):
        match item:
            case {"Concat": inner}:
                return _joined([*items[:index], *inner, *items[index + 1 :]])
            case {"IfPresent": {"InputName": name, "Then": then, **rest}}:
                before, after = items[:index], items[index + 1 :]
                sides = {"Then": then, "Else": rest.get("Else", "")}
                chosen = {side: [_joined([*before, text, *after])] for side, text in sides.items()}
                return {"IfPresent": {"InputName": name, **chosen}}
            case _:
                pass
    return "".join(items)


def _undescribed(component: Json, executors: Mapping[str, Json]) -> Json:
    """A component that makes or deletes a claim, without the SDK's sentences about its inputs."""
    image = executors.get(component.get("executorLabel"), {}).get("container", {}).get("image", "")
    if not image.startswith("argostub/"):
        return component
    kinds = component["inputDefinitions"]
    parameters = {
        name: {key: value for key, value in port.items() if key != "description"}
        for name, port in kinds["parameters"].items()
    }
    return {**component, "inputDefinitions": {**kinds, "parameters": parameters}}


def _labelled(executors: Mapping[str, Json]) -> Json:
    """Node selectors that are constants as labels; the SDK writes both, and the backend reads the constant."""
    found = {}
    for label, settings in executors.items():
        match settings:
            case {"nodeSelector": {"nodeSelectorJson": {"runtimeValue": {"constant": labels}}}}:
                found[label] = {**settings, "nodeSelector": {"labels": labels}}
            case _:
                found[label] = settings
    return found


def _prune(package: _Package, component: Json) -> None:
    """Takes inputs that nothing reads out of every group below."""
    for task in component.get("dag", {}).get("tasks", {}).values():
        inner = package.components[task["componentRef"]["name"]]
        if "dag" not in inner:
            continue
        _prune(package, inner)
        facts = [task.get("triggerPolicy"), _iterators(task), _constants(task)]
        read = json.dumps([list(_read(package, inner)), *facts])
        for kinds in (task.get("inputs", {}), inner.get("inputDefinitions", {})):
            for kind in kinds.values():
                for name in [
                    n
                    for n in kind
                    if n.startswith(_CHANNEL) and not re.search(rf"['\"]{re.escape(n)}['\"]", read)
                ]:
                    del kind[name]
            for empty in [name for name, kind in kinds.items() if not kind]:
                del kinds[empty]
        for holder, key in ((task, "inputs"), (inner, "inputDefinitions")):
            if not holder.get(key, True):
                del holder[key]


def _read(package: _Package, component: Json) -> Iterator[str]:
    """The inputs of a component that its tasks read, or that their settings are looked up in."""
    for task in component["dag"]["tasks"].values():
        label = package.components[task["componentRef"]["name"]].get("executorLabel")
        yield from _COMPONENT_INPUT.findall(json.dumps(package.platform.get(label)))
        for given in task.get("inputs", {}).values():
            for source in given.values():
                yield source.get("componentInputParameter", "")
                yield source.get("componentInputArtifact", "")


def _iterators(task: Json) -> list[Json]:
    return [task.get("parameterIterator"), task.get("artifactIterator")]


def _constants(task: Json) -> list[Json]:
    return [
        source.get("runtimeValue") for given in task.get("inputs", {}).values() for source in given.values()
    ]


def _digest(value: Json) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class _Dag:
    """One component, written with the names that its inputs have in normal form."""

    def __init__(self, package: _Package, component: Mapping[str, Json], inputs: Mapping[str, str]) -> None:
        self.package = package
        self.component = component
        self.inputs = dict(inputs)
        self.tasks: Mapping[str, Json] = component.get("dag", {}).get("tasks", {})
        self.names: dict[str, str] = {}
        self.outputs: dict[str, dict[str, str]] = {}

    def written(self) -> tuple[Json, dict[str, str]]:
        """The component, and the normal names of its outputs."""
        result = {key: value for key, value in self.component.items() if key not in {"dag", "executorLabel"}}
        if "executorLabel" in self.component:
            label = self.component["executorLabel"]
            result["executor"] = self.package.executors[label]
            result["kubernetes"] = self.package.platform.get(label, {})
            return result, {}
        self.names = {task: f"task-{n}" for n, task in enumerate(self._ordered(), start=1)}
        tasks = {self.names[task]: self._task(task) for task in self._producers_first()}
        outputs = self._renamed_outputs(self.component["dag"].get("outputs", {}))
        names = self._output_names(outputs)
        result["dag"] = {"tasks": tasks, "outputs": _keys(outputs, names)}
        for key, renamed in (("inputDefinitions", self.inputs), ("outputDefinitions", names)):
            if key in result:
                result[key] = _keys(result[key], renamed)
        return result, names

    def _ordered(self) -> list[str]:
        """The tasks by what they are and what they are connected with."""
        shape = _Shape(self.package)
        # What stands in the task itself decides first, so that one difference inside a group does not renumber all.
        shallow = {
            name: json.dumps(shape.shallow(task, self.inputs), sort_keys=True)
            for name, task in self.tasks.items()
        }
        prints = {name: _digest(shape.task(name, task, self.inputs)) for name, task in self.tasks.items()}
        for _ in range(min(len(prints), 12)):
            edges = {name: sorted(_edges(task, prints)) for name, task in self.tasks.items()}
            readers: dict[str, list[str]] = {name: [] for name in prints}
            for name, task in self.tasks.items():
                for key, producer, _output in _producers(task):
                    readers[producer].append(_anonymous(key) + prints[name])
            prints = {name: _digest([prints[name], edges[name], sorted(readers[name])]) for name in prints}
        return sorted(self.tasks, key=lambda name: (shallow[name], prints[name], name))

    def _producers_first(self) -> list[str]:
        done: list[str] = []
        pending = list(self.names)
        while pending:
            ready = [n for n in pending if all(p in done for _, p, _ in _producers(self.tasks[n]))]
            assert ready, f"tasks wait for each other: {pending}"
            done += ready
            pending = [n for n in pending if n not in ready]
        return done

    def _task(self, name: str) -> Json:
        task = self.tasks[name]
        component = self.package.components[task["componentRef"]["name"]]
        sources = {
            kind: {key: self._source(source) for key, source in given.items()}
            for kind, given in task.get("inputs", {}).items()
        }
        channels = sorted(
            (json.dumps(source, sort_keys=True), key)
            for given in sources.values() for key, source in given.items() if key.startswith(_CHANNEL)
        )  # fmt: skip
        renamed = {key: f"channel-{number}" for number, (_, key) in enumerate(channels, start=1)}
        for iterator in ("parameterIterator", "artifactIterator"):
            if iterator in task:
                renamed[task[iterator]["itemInput"]] = "item"
        inner, self.outputs[name] = _Dag(self.package, component, renamed).written()
        if "kubernetes" in inner:
            inner["kubernetes"] = self._looked_up(inner["kubernetes"])
        result = {
            key: value
            for key, value in task.items()
            if key not in {"componentRef", "inputs", "dependentTasks", "taskInfo"}
        }
        result = _placeholders(_iterator(result, renamed), renamed)
        return {
            **result,
            "displayName": _shown(name, task),
            "component": inner,
            "inputs": _placeholders(_keys(sources, renamed), renamed),
            "dependentTasks": sorted(self.names[n] for n in task.get("dependentTasks", ())),
        }

    def _source(self, source: Json) -> Json:
        """An input of a task, in the normal names of this DAG."""
        match source:
            case {"taskOutputParameter": output} | {"taskOutputArtifact": output}:
                (kind,) = source.keys() - {"parameterExpressionSelector"}
                key = "outputParameterKey" if "Parameter" in kind else "outputArtifactKey"
                producer = output["producerTask"]
                given = {"producerTask": self.names[producer], key: self._output(producer, output[key])}
                return {**source, kind: given}
            case {"componentInputParameter": name}:
                return {**source, "componentInputParameter": self.inputs.get(name, name)}
            case {"componentInputArtifact": name}:
                return {**source, "componentInputArtifact": self.inputs.get(name, name)}
            case {"taskFinalStatus": {"producerTask": producer}}:
                return {"taskFinalStatus": {"producerTask": self.names[producer]}}
            case _:
                return source

    def _looked_up(self, value: Json) -> Json:
        """Settings of a task, which are looked up in this DAG."""
        match value:
            case dict():
                found = {key: self._looked_up(item) for key, item in value.items()}
                names = {
                    k: v for k, v in value.items() if k in {"componentInputParameter", "taskOutputParameter"}
                }
                return {**found, **(self._source(names) if names else {})}
            case list():
                return [self._looked_up(item) for item in value]
            case _:
                return value

    def _output(self, producer: str, key: str) -> str:
        return self.outputs[producer].get(key, key)

    def _renamed_outputs(self, outputs: Json) -> Json:
        match outputs:
            case {"producerSubtask": producer, **rest}:
                keys = {key: self._output(str(producer), str(made)) for key, made in rest.items()}
                return {"producerSubtask": self.names[producer], **keys}
            case dict():
                return {key: self._renamed_outputs(value) for key, value in outputs.items()}
            case list():
                return [self._renamed_outputs(item) for item in outputs]
            case _:
                return outputs

    def _output_names(self, outputs: Mapping[str, Json]) -> dict[str, str]:
        made = sorted(
            (json.dumps(chosen, sort_keys=True), key)
            for kind in outputs.values() for key, chosen in kind.items() if key.startswith(_CHANNEL)
        )  # fmt: skip
        return {key: f"output-{number}" for number, (_, key) in enumerate(made, start=1)}


class _Shape(NamedTuple):
    """A task without any name that a compiler made up."""

    package: _Package

    def task(self, name: str, task: Mapping[str, Json], inputs: Mapping[str, str]) -> Json:
        kept = {
            k: v for k, v in task.items() if k not in {"componentRef", "dependentTasks", "taskInfo", "inputs"}
        }
        component = self.package.components[task["componentRef"]["name"]]
        return [
            _anonymous(json.dumps(kept, sort_keys=True)),
            _shown(name, task),
            sorted(self.inputs(task, inputs)),
            self.component(component),
        ]

    def shallow(self, task: Mapping[str, Json], inputs: Mapping[str, str]) -> Json:
        component = self.package.components[task["componentRef"]["name"]]
        condition = _anonymous(task.get("triggerPolicy", {}).get("condition", ""))
        executor = self.package.executors.get(component.get("executorLabel"), {})
        return [sorted(executor.items()), condition, sorted(self.inputs(task, inputs))]

    def inputs(self, task: Mapping[str, Json], inputs: Mapping[str, str]) -> list[str]:
        found = []
        for given in task.get("inputs", {}).values():
            for key, source in given.items():
                text = json.dumps(source, sort_keys=True)
                for old, new in inputs.items():
                    text = text.replace(json.dumps(old), json.dumps(new))
                for _, producer, output in _producers({"inputs": {"x": {key: source}}}):
                    text = text.replace(json.dumps(producer), '""').replace(
                        json.dumps(output), json.dumps(_anonymous(output))
                    )
                found.append(_anonymous(key + text))
        return found

    def component(self, component: Mapping[str, Json]) -> Json:
        if "executorLabel" in component:
            label = component["executorLabel"]
            return [component.get("inputDefinitions"), component.get("outputDefinitions"),
                    self.package.executors[label], _unnamed(self.package.platform.get(label))]  # fmt: skip
        tasks = component["dag"]["tasks"]
        names = sorted(_digest(self.task(name, task, {})) for name, task in tasks.items())
        return [
            _ports(component.get("inputDefinitions", {})),
            _ports(component.get("outputDefinitions", {})),
            names,
        ]


def _unnamed(settings: Json) -> Json:
    """Settings without the names of tasks and channels."""
    match settings:
        case dict():
            return {k: "" if k == "producerTask" else _unnamed(v) for k, v in settings.items()}
        case list():
            return [_unnamed(item) for item in settings]
        case str():
            return _anonymous(settings)
        case _:
            return settings


def _ports(kinds: Mapping[str, Json]) -> list[str]:
    return sorted(
        json.dumps([kind, _anonymous(name), port], sort_keys=True)
        for kind, ports in kinds.items()
        for name, port in ports.items()
    )


def _shown(name: str, task: Mapping[str, Json]) -> str:
    """The display name of a task, where somebody gave it one."""
    shown: str = task["taskInfo"]["name"]
    return "" if shown == name else shown


def _producers(task: Mapping[str, Json]) -> list[tuple[str, str, str]]:
    """(input, producer, its output) of a task; an edge without data has no input."""
    found = [("", name, "") for name in task.get("dependentTasks", ())]
    for given in task.get("inputs", {}).values():
        for key, source in given.items():
            for kind, output in source.items():
                if isinstance(output, dict) and "producerTask" in output:
                    made = output.get("outputParameterKey") or output.get("outputArtifactKey") or ""
                    found.append((f"{key}/{kind}", output["producerTask"], made))
    return found


def _edges(task: Mapping[str, Json], prints: Mapping[str, str]) -> list[str]:
    return [
        _anonymous(key) + prints[producer] + _anonymous(output) for key, producer, output in _producers(task)
    ]


def _anonymous(text: str) -> str:
    return _GENERATED.sub("pipelinechannel", text)


def _iterator(task: Json, renamed: Mapping[str, str]) -> Json:
    result = dict(task)
    for key in ("parameterIterator", "artifactIterator"):
        if key in task:
            items = {k: renamed.get(v, v) for k, v in task[key]["items"].items()}
            if "raw" in items:
                items["raw"] = json.loads(items["raw"])
            result[key] = {"itemInput": "item", "items": items}
    return result


def _keys(kinds: Mapping[str, Json], renamed: Mapping[str, str]) -> Json:
    """`{artifacts: {…}, parameters: {…}}` with other keys."""
    return {
        kind: {renamed.get(key, key): value for key, value in given.items()} for kind, given in kinds.items()
    }


def _placeholders(value: Json, renamed: Mapping[str, str]) -> Json:
    """Constants and conditions name inputs inside texts."""
    match value:
        case str():
            return _PLACEHOLDER.sub(lambda found: renamed.get(found.group(), found.group()), value)
        case dict():
            return {key: _placeholders(item, renamed) for key, item in value.items()}
        case list():
            return [_placeholders(item, renamed) for item in value]
        case _:
            return value
