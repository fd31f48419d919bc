"""From a package to a `Program`: reads the IR once, checks every name, and says what cannot run.

Only components that the root reaches are read, as KFP's compiler does (`compiler/visitor.go`). What a cluster would
accept and then fail at run time (a condition that does not parse) is accepted here and fails at run time too.
`resolver` and `customJob` executors run nowhere but on Vertex. `artifactIterator` runs here though no cluster can.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kfgit import cel
from kfgit.backends.local.engine.program import (
    ArtifactSlot,
    Binding,
    Body,
    Broken,
    Component,
    Constant,
    Container,
    Dag,
    EngineError,
    Expression,
    FinalStatus,
    FromInput,
    FromTask,
    Importer,
    Items,
    Parameter,
    Program,
    Retry,
    Source,
    Task,
)
from kfgit.backends.local.engine.values import normal
from kfgit.diagnostics import did_you_mean
from kfgit.ir import ROOT, Package, label_key

SCHEMA_VERSIONS: Final = ("2.0.0", "2.1.0")
# Deeper nesting than any pipeline has, and well within what the recursion over it can take.
MAX_DEPTH: Final = 60
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)s")
_REFERENCES: Final = ("componentInputParameter", "taskOutputParameter", "runtimeValue")


def load(package: Package) -> Program:
    """The program of a package; raises `EngineError` for IR that cannot run here."""
    try:
        return _load(package)
    except (TypeError, AttributeError, ValueError) as fault:
        # A list where the proto has a map and the like: one net for what is no pipeline spec at all.
        raise EngineError(f"the package is not a pipeline spec: {fault}") from fault


def _load(package: Package) -> Program:
    version = str(package.spec.get("schemaVersion", ""))
    if version not in SCHEMA_VERSIONS:
        raise EngineError(
            f"the pipeline spec has schemaVersion `{version}`; known are {', '.join(SCHEMA_VERSIONS)}"
        )
    loader = _Loader(package, {}, _executors(package.spec), _platform(package))
    root = loader.component(ROOT, _mapping(package.spec, "root", "the pipeline spec"), ())
    if not isinstance(root.body, Dag):
        raise EngineError("the root of the pipeline has no `dag`")
    return Program(package, loader.done, root)


def references(config: Any) -> Iterator[Mapping[str, Any]]:
    """Every map in a KubernetesExecutorConfig that takes its value from an input or a task."""
    match config:
        case Mapping():
            if any(key in config for key in _REFERENCES):
                yield config
            for value in config.values():
                yield from references(value)
        case list() | tuple():
            for value in config:
                yield from references(value)
        case _:
            pass


def _executors(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(_mapping(spec, "deploymentSpec", "the pipeline spec"), "executors", "deploymentSpec")


def _platform(package: Package) -> Mapping[str, Any]:
    place: Mapping[str, Any] = package.platform or {}
    for key in ("platforms", "kubernetes", "deploymentSpec", "executors"):
        place = _mapping(place, key, "the platform spec")
    return place


def _mapping(parent: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise EngineError(f"`{key}` of {where} is not a map")
    return value


def _maps(parent: Mapping[str, Any], key: str, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    group = _mapping(parent, key, where)
    for name in group:
        yield str(name), _mapping(group, name, f"`{key}` of {where}")


def _known(name: str, names: Iterable[str], what: str, where: str) -> None:
    known = list(names)
    if name not in known:
        raise EngineError(
            f"{where} names the {what} `{name}`, which does not exist; {did_you_mean(name, known)}"
        )


@dataclass(frozen=True, slots=True)
class _Loader:
    """One loading: `done` collects the components that are read, callees before callers."""

    package: Package
    done: dict[str, Component]
    executors: Mapping[str, Any]
    platform: Mapping[str, Any]

    def component(self, name: str, spec: Mapping[str, Any], above: tuple[str, ...]) -> Component:
        """The component with all that it contains; `above` are the components that contain it."""
        if name in above:
            circle = " → ".join((*above[above.index(name) :], name))
            raise EngineError(f"component `{name}` contains itself: {circle}")
        if name in self.done:
            return self.done[name]
        if len(above) > MAX_DEPTH:
            raise EngineError(f"component `{name}` is nested more than {MAX_DEPTH} levels deep")
        where = f"component `{name}`"
        inputs = _mapping(spec, "inputDefinitions", where)
        outputs = _mapping(spec, "outputDefinitions", where)
        parameters = {key: _parameter(one) for key, one in _maps(inputs, "parameters", where)}
        artifacts = {key: _slot(one) for key, one in _maps(inputs, "artifacts", where)}
        given = {key: _parameter(one).type for key, one in _maps(outputs, "parameters", where)}
        made = {key: _slot(one) for key, one in _maps(outputs, "artifacts", where)}
        body = self._body(name, spec, (*above, name), parameters, artifacts)
        title = self.package.labels.get(name) or name.removeprefix("comp-")
        self.done[name] = Component(name, title, parameters, artifacts, given, made, spec, body)
        return self.done[name]

    def _body(
        self,
        name: str,
        spec: Mapping[str, Any],
        above: tuple[str, ...],
        parameters: Mapping[str, Parameter],
        artifacts: Mapping[str, ArtifactSlot],
    ) -> Body:
        where = f"component `{name}`"
        if "dag" in spec:
            return self._dag(name, _mapping(spec, "dag", where), above, parameters, artifacts)
        label = spec.get("executorLabel")
        if not isinstance(label, str):
            raise EngineError(f"{where} has neither a `dag` nor an `executorLabel`")
        _known(label, self.executors, "executor", where)
        return _executor(
            label,
            _mapping(self.executors, label, "executors"),
            _mapping(self.platform, label, "the platform spec"),
        )

    def _dag(
        self,
        name: str,
        spec: Mapping[str, Any],
        above: tuple[str, ...],
        parameters: Mapping[str, Parameter],
        artifacts: Mapping[str, ArtifactSlot],
    ) -> Dag:
        specs = dict(_maps(spec, "tasks", f"component `{name}`"))
        callees = {key: self._callee(name, key, one, above) for key, one in specs.items()}
        tasks = {key: self._task(name, key, one, callees) for key, one in specs.items()}
        for task in tasks.values():
            _check_task(task, f"task `{task.name}` of component `{name}`", callees, parameters, artifacts)
        outputs = _mapping(spec, "outputs", f"component `{name}`")
        where = f"the outputs of component `{name}`"
        given = {key: tuple(_selectors(one)) for key, one in _maps(outputs, "parameters", where)}
        made = {key: tuple(_artifact_selectors(one)) for key, one in _maps(outputs, "artifacts", where)}
        for chosen in given.values():
            _check_producers(chosen, where, callees, lambda one: one.output_parameters)
        for chosen in made.values():
            _check_producers(chosen, where, callees, lambda one: one.output_artifacts)
        ordered = _ordered(name, tasks)
        return Dag(ordered, _downstream(ordered), given, made)

    def _callee(self, holder: str, name: str, spec: Mapping[str, Any], above: tuple[str, ...]) -> Component:
        where = f"task `{name}` of component `{holder}`"
        if not name or "/" in name:
            raise EngineError(f"{where} has a name that the engine cannot use: it is empty or contains `/`")
        components = _mapping(self.package.spec, "components", "the pipeline spec")
        component = str(_mapping(spec, "componentRef", where).get("name", ""))
        _known(component, components, "component", where)
        return self.component(component, _mapping(components, component, "components"), above)

    def _task(
        self, holder: str, name: str, spec: Mapping[str, Any], callees: Mapping[str, Component]
    ) -> Task:
        where = f"task `{name}` of component `{holder}`"
        inputs = _mapping(spec, "inputs", where)
        parameters = {key: _binding(one, where) for key, one in _maps(inputs, "parameters", where)}
        artifacts = {key: _artifact_source(one, where) for key, one in _maps(inputs, "artifacts", where)}
        policy = _mapping(spec, "triggerPolicy", where)
        condition = policy.get("condition")
        caching = _mapping(spec, "cachingOptions", where)
        if condition and isinstance(callees[name].body, Importer):
            raise EngineError(
                f"{where} is an importer with a condition, which KFP cannot run; put it into a group"
            )
        return Task(
            name=name,
            label=self.package.labels.get(label_key(holder, name), name),
            component=callees[name].name,
            parameters=parameters,
            artifacts=artifacts,
            upstream=tuple(dict.fromkeys(_upstream(spec, parameters, artifacts, callees, name))),
            condition=_condition(str(condition)) if condition else None,
            always=policy.get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED",
            items=_items(spec, where),
            retry=_retry(spec, where),
            cache=caching.get("enableCache") is True,
            cache_key=str(caching.get("cacheKey") or ""),
        )


def _parameter(spec: Mapping[str, Any]) -> Parameter:
    default = spec.get("defaultValue")
    return Parameter(
        type=str(spec.get("parameterType", "")),
        optional=spec.get("isOptional") is True,
        has_default=default is not None,
        default=default,
        literals=tuple(spec.get("literals") or ()),
    )


def _slot(spec: Mapping[str, Any]) -> ArtifactSlot:
    type_, version = _schema(_mapping(spec, "artifactType", "an artifact"))
    return ArtifactSlot(type_, version, spec.get("isArtifactList") is True, spec.get("isOptional") is True)


def _schema(spec: Mapping[str, Any]) -> tuple[str, str]:
    return str(spec.get("schemaTitle") or "system.Artifact"), str(spec.get("schemaVersion") or "0.0.1")


def _executor(label: str, spec: Mapping[str, Any], platform: Mapping[str, Any]) -> Container | Importer:
    where = f"executor `{label}`"
    match spec:
        case {"container": Mapping()}:
            # An int64, so its JSON form is a string (protobuf's JSON mapping).
            timeout = _number(platform.get("activeDeadlineSeconds"), f"`activeDeadlineSeconds` of {where}")
            return Container(spec["container"], platform, timeout or None)
        case {"importer": Mapping()}:
            return _importer(spec["importer"], where)
        case {"resolver": _}:
            raise EngineError(f"{where} is a resolver, which KFP's backend cannot run either")
        case {"customJob": _}:
            raise EngineError(f"{where} is a custom job, which only Google Cloud can run")
        case _:
            raise EngineError(f"{where} is neither a container nor an importer")


def _importer(spec: Mapping[str, Any], where: str) -> Importer:
    uri = _mapping(spec, "artifactUri", where)
    constant, name = uri.get("constant"), uri.get("runtimeParameter")
    if constant is None and not name:
        raise EngineError(f"{where} imports nothing: `artifactUri` has neither a constant nor a parameter")
    type_, version = _schema(_mapping(spec, "typeSchema", where))
    return Importer(
        uri=None if constant is None else str(constant),
        uri_input=None if constant is not None else str(name),
        type=type_,
        version=version,
        metadata=_mapping(spec, "metadata", where),
        reimport=spec.get("reimport") is True,
    )


def _binding(spec: Mapping[str, Any], where: str) -> Binding:
    selector = spec.get("parameterExpressionSelector")
    return Binding(parameter_source(spec, where), _parsed(str(selector)) if selector else None)


def parameter_source(spec: Mapping[str, Any], where: str) -> Source:
    """Where an InputParameterSpec takes its value from; raises `EngineError`."""
    match spec:
        case {"runtimeValue": Mapping() as value}:
            return Constant(value.get("constant"))
        case {"componentInputParameter": str(name)}:
            return FromInput(name)
        case {"taskOutputParameter": Mapping() as output}:
            return FromTask(str(output.get("producerTask", "")), str(output.get("outputParameterKey", "")))
        case {"taskFinalStatus": Mapping() as status}:
            return FinalStatus(str(status.get("producerTask", "")))
        case _:
            raise EngineError(f"{where} has an input parameter without a source")


def _artifact_source(spec: Mapping[str, Any], where: str) -> FromInput | FromTask:
    match spec:
        case {"componentInputArtifact": str(name)}:
            return FromInput(name)
        case {"taskOutputArtifact": Mapping() as output}:
            return FromTask(str(output.get("producerTask", "")), str(output.get("outputArtifactKey", "")))
        case _:
            raise EngineError(f"{where} has an input artifact without a source")


def _parsed(text: str) -> Expression:
    try:
        return cel.parse(text)
    except (cel.CelSyntaxError, cel.CelTypeError) as fault:
        return Broken(str(fault))


def _condition(text: str) -> Expression:
    expression = _parsed(text)
    if isinstance(expression, Broken):
        return expression
    try:
        cel.check(expression)
    except (cel.CelSyntaxError, cel.CelTypeError) as fault:
        return Broken(str(fault))
    return expression


def _upstream(
    spec: Mapping[str, Any],
    parameters: Mapping[str, Binding],
    artifacts: Mapping[str, FromInput | FromTask],
    callees: Mapping[str, Component],
    name: str,
) -> Iterator[str]:
    """Declared dependencies, and those that KFP adds itself (`argocompiler/dag.go`, addImplicitDependencies)."""
    yield from (str(task) for task in spec.get("dependentTasks") or ())
    for source in [*(binding.source for binding in parameters.values()), *artifacts.values()]:
        if isinstance(source, FromTask | FinalStatus):
            yield source.task
    body = callees[name].body
    if isinstance(body, Container):
        for reference in references(body.platform):
            producer = str(
                _mapping(reference, "taskOutputParameter", "the platform spec").get("producerTask", "")
            )
            if producer in callees:
                yield producer


def _items(spec: Mapping[str, Any], where: str) -> Items | None:
    limit = int(_number(_mapping(spec, "iteratorPolicy", where).get("parallelismLimit"), where))
    match spec:
        case {"parameterIterator": _, "artifactIterator": _}:
            raise EngineError(f"{where} has two iterators")
        case {"parameterIterator": {"itemInput": str(item), "items": {"raw": str(raw)}}}:
            return Items(item, artifacts=False, raw=_raw(raw, where), limit=limit)
        case {"parameterIterator": {"itemInput": str(item), "items": {"inputParameter": str(source)}}}:
            return Items(item, artifacts=False, source=source, limit=limit)
        case {"artifactIterator": {"itemInput": str(item), "items": {"inputArtifact": str(source)}}}:
            return Items(item, artifacts=True, source=source, limit=limit)
        case {"parameterIterator": _} | {"artifactIterator": _}:
            raise EngineError(f"{where} has an iterator without items")
        case _:
            return None


def _raw(raw: str, where: str) -> tuple[Any, ...]:
    try:
        items = json.loads(raw)
    except (ValueError, RecursionError) as fault:
        raise EngineError(f"the items of {where} are not JSON: {fault}") from fault
    if not isinstance(items, list):
        raise EngineError(f"the items of {where} are not a list")
    return tuple(normal(items))


def _retry(spec: Mapping[str, Any], where: str) -> Retry | None:
    policy = _mapping(spec, "retryPolicy", where)
    if not policy:
        return None
    return Retry(
        count=max(0, int(_number(policy.get("maxRetryCount"), where))),
        delay=_seconds(policy.get("backoffDuration"), where),
        factor=_number(policy.get("backoffFactor"), where),
        longest=_seconds(policy.get("backoffMaxDuration"), where),
    )


def _seconds(value: Any, where: str) -> float:
    if value in (None, "", "0"):
        return 0.0
    found = _DURATION.fullmatch(str(value))
    if found is None:
        raise EngineError(f"{where} has the duration `{value}`; a number of seconds such as `30s` is meant")
    return float(found.group(1))


def _number(value: Any, where: str) -> float:
    try:
        number = float(value or 0)
    except (TypeError, ValueError) as fault:
        raise EngineError(f"{where} has `{value}` where a number is meant") from fault
    if not 0 <= number < 1e15:
        raise EngineError(f"{where} has the number `{value}`, which makes no sense there")
    return number


def _selectors(spec: Mapping[str, Any]) -> Iterator[FromTask]:
    match spec:
        case {"valueFromParameter": Mapping() as one}:
            yield FromTask(str(one.get("producerSubtask", "")), str(one.get("outputParameterKey", "")))
        case {"valueFromOneof": {"parameterSelectors": list(several)}}:
            for one in several:
                yield FromTask(str(one.get("producerSubtask", "")), str(one.get("outputParameterKey", "")))
        case _:
            raise EngineError("a DAG has an output parameter without a source")


def _artifact_selectors(spec: Mapping[str, Any]) -> Iterator[FromTask]:
    for one in spec.get("artifactSelectors") or ():
        yield FromTask(str(one.get("producerSubtask", "")), str(one.get("outputArtifactKey", "")))


def _check_task(
    task: Task,
    where: str,
    callees: Mapping[str, Component],
    parameters: Mapping[str, Parameter],
    artifacts: Mapping[str, ArtifactSlot],
) -> None:
    for name in task.upstream:
        _known(name, callees, "task", where)
    for binding in task.parameters.values():
        match binding.source:
            case FromInput(name):
                _known(name, parameters, "parameter of its component", where)
            case FromTask() as source:
                _check_producers((source,), where, callees, lambda one: one.output_parameters)
            case Constant() | FinalStatus():
                pass
    for given in task.artifacts.values():
        match given:
            case FromInput(name):
                _known(name, artifacts, "artifact of its component", where)
            case FromTask():
                _check_producers((given,), where, callees, lambda one: one.output_artifacts)
    if task.items is not None and task.items.raw is None:
        names = (
            (*task.artifacts, *callees[task.name].artifacts)
            if task.items.artifacts
            else (
                *task.parameters,
                *callees[task.name].parameters,
            )
        )
        _known(task.items.source, names, "loop input", where)


def _check_producers(
    sources: Iterable[FromTask],
    where: str,
    callees: Mapping[str, Component],
    outputs: Callable[[Component], Mapping[str, Any]],
) -> None:
    for source in sources:
        _known(source.task, callees, "task", where)
        _known(source.output, outputs(callees[source.task]), f"output of task `{source.task}`", where)


def _ordered(holder: str, tasks: Mapping[str, Task]) -> dict[str, Task]:
    """Topological order; among tasks that are free the order of the IR decides, so it is stable."""
    ordered: dict[str, Task] = {}
    left = {name: set(task.upstream) for name, task in tasks.items()}
    below = _downstream(tasks)
    free = [name for name, needs in left.items() if not needs]
    while free:
        following: list[str] = []
        for name in free:
            ordered[name] = tasks[name]
            for consumer in below[name]:
                left[consumer].discard(name)
                if not left[consumer]:
                    following.append(consumer)
        free = following
    if len(ordered) < len(tasks):
        raise EngineError(f"the tasks of component `{holder}` wait for each other: {_cycle(tasks, ordered)}")
    return ordered


def _downstream(tasks: Mapping[str, Task]) -> dict[str, tuple[str, ...]]:
    below: dict[str, list[str]] = {name: [] for name in tasks}
    for task in tasks.values():
        for name in task.upstream:
            below[name].append(task.name)
    return {name: tuple(consumers) for name, consumers in below.items()}


def _cycle(tasks: Mapping[str, Task], done: Mapping[str, Task]) -> str:
    walk = [next(name for name in tasks if name not in done)]
    while walk[-1] not in walk[:-1]:
        walk.append(next(name for name in tasks[walk[-1]].upstream if name not in done))
    circle = walk[walk.index(walk[-1]) :]
    return " → ".join(f"`{name}`" for name in circle)
