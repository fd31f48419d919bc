"""From a package to a `Program`: reads the IR once, checks every name, and says what cannot run.

Only components that the root reaches are read, as KFP's compiler does (`compiler/visitor.go`). What a cluster would
accept and then fail at run time (a condition that does not parse) is accepted here and fails at run time too.
`resolver` and `customJob` executors run nowhere but on Vertex. `artifactIterator` runs here though no cluster can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kfgit.backends.local.engine import reading
from kfgit.backends.local.engine.program import (
    ArtifactSlot,
    Binding,
    Body,
    Component,
    Constant,
    Container,
    Dag,
    EngineError,
    FinalStatus,
    FromInput,
    FromTask,
    Importer,
    Parameter,
    Program,
    Task,
)
from kfgit.diagnostics import did_you_mean
from kfgit.ir import ROOT, Package, label_key, output_label_key

SCHEMA_VERSIONS: Final = ("2.0.0", "2.1.0")


# Deeper nesting than any pipeline has, and well within what the recursion over it can take.
MAX_DEPTH: Final = 60


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
    root = loader.component(ROOT, reading.mapping(package.spec, "root", "the pipeline spec"), ())
    if not isinstance(root.body, Dag):
        raise EngineError("the root of the pipeline has no `dag`")
    return Program(package, loader.done, root, _deadline(package))


def _executors(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return reading.mapping(
        reading.mapping(spec, "deploymentSpec", "the pipeline spec"), "executors", "deploymentSpec"
    )


def _platform(package: Package) -> Mapping[str, Any]:
    place: Mapping[str, Any] = package.platform or {}
    for key in ("platforms", "kubernetes", "deploymentSpec", "executors"):
        place = reading.mapping(place, key, "the platform spec")
    return place


def _deadline(package: Package) -> int | None:
    """The seconds of `activeDeadlineSeconds`, of which only a positive number counts (`argocompiler/argo.go`)."""
    try:
        seconds = int(package.pipeline_config.get("activeDeadlineSeconds") or 0)
    except (TypeError, ValueError, OverflowError) as fault:
        raise EngineError("the active deadline of the pipeline is no number of seconds") from fault
    return min(seconds, 2**31 - 1) if seconds > 0 else None


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
        inputs = reading.mapping(spec, "inputDefinitions", where)
        outputs = reading.mapping(spec, "outputDefinitions", where)
        parameters = {
            key: reading.parameter(one) for key, one in reading.mappings(inputs, "parameters", where)
        }
        artifacts = {key: reading.slot(one) for key, one in reading.mappings(inputs, "artifacts", where)}
        given = {
            key: reading.parameter(one).type for key, one in reading.mappings(outputs, "parameters", where)
        }
        made = {key: reading.slot(one) for key, one in reading.mappings(outputs, "artifacts", where)}
        body = self._body(name, spec, (*above, name), parameters, artifacts)
        title = self.package.labels.get(name) or name.removeprefix("comp-")
        keys = {key: output_label_key(name, key) for key in (*given, *made)}
        titles = {
            key: self.package.labels[label] for key, label in keys.items() if label in self.package.labels
        }
        self.done[name] = Component(name, title, parameters, artifacts, given, made, spec, body, titles)
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
            return self._dag(name, reading.mapping(spec, "dag", where), above, parameters, artifacts)
        label = spec.get("executorLabel")
        if not isinstance(label, str):
            raise EngineError(f"{where} has neither a `dag` nor an `executorLabel`")
        _known(label, self.executors, "executor", where)
        return reading.executor(
            label,
            reading.mapping(self.executors, label, "executors"),
            reading.mapping(self.platform, label, "the platform spec"),
        )

    def _dag(
        self,
        name: str,
        spec: Mapping[str, Any],
        above: tuple[str, ...],
        parameters: Mapping[str, Parameter],
        artifacts: Mapping[str, ArtifactSlot],
    ) -> Dag:
        specs = dict(reading.mappings(spec, "tasks", f"component `{name}`"))
        callees = {key: self._callee(name, key, one, above) for key, one in specs.items()}
        tasks = {key: self._task(name, key, one, callees) for key, one in specs.items()}
        for task in tasks.values():
            _check_task(task, f"task `{task.name}` of component `{name}`", callees, parameters, artifacts)
        outputs = reading.mapping(spec, "outputs", f"component `{name}`")
        where = f"the outputs of component `{name}`"
        given = {
            key: tuple(reading.selectors(one)) for key, one in reading.mappings(outputs, "parameters", where)
        }
        made = {
            key: tuple(reading.artifact_selectors(one))
            for key, one in reading.mappings(outputs, "artifacts", where)
        }
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
        components = reading.mapping(self.package.spec, "components", "the pipeline spec")
        component = str(reading.mapping(spec, "componentRef", where).get("name", ""))
        _known(component, components, "component", where)
        return self.component(component, reading.mapping(components, component, "components"), above)

    def _task(
        self, holder: str, name: str, spec: Mapping[str, Any], callees: Mapping[str, Component]
    ) -> Task:
        where = f"task `{name}` of component `{holder}`"
        inputs = reading.mapping(spec, "inputs", where)
        parameters = {
            key: reading.binding(one, where) for key, one in reading.mappings(inputs, "parameters", where)
        }
        artifacts = {
            key: reading.artifact_source(one, where)
            for key, one in reading.mappings(inputs, "artifacts", where)
        }
        policy = reading.mapping(spec, "triggerPolicy", where)
        condition = policy.get("condition")
        caching = reading.mapping(spec, "cachingOptions", where)
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
            condition=reading.condition(str(condition)) if condition else None,
            always=policy.get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED",
            items=reading.items(spec, where),
            retry=reading.retry(spec, where),
            cache=caching.get("enableCache") is True,
            cache_key=str(caching.get("cacheKey") or ""),
        )


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
        for reference in reading.references(body.platform):
            producer = str(
                reading.mapping(reference, "taskOutputParameter", "the platform spec").get("producerTask", "")
            )
            if producer in callees:
                yield producer


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


def _known(name: str, names: Iterable[str], what: str, where: str) -> None:
    known = list(names)
    if name not in known:
        raise EngineError(
            f"{where} names the {what} `{name}`, which does not exist; {did_you_mean(name, known)}"
        )


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
