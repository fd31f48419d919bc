"""The bench of the engine's tests: a builder of tiny IR, and a fake worker that plays commands.

`play` carries a run to its end with a worker that answers every command by a function; `Worker` can also be stepped.
The tests here are of the bench itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kfgit.backends.local import engine
from kfgit.backends.local.protocol import (
    Begin,
    Cancel,
    Command,
    Execute,
    Failed,
    Import,
    Outputs,
    Signal,
    Started,
    Stop,
    Succeeded,
    Tick,
    WakeAt,
)
from kfgit.events import Artifact, TaskRecord
from kfgit.ir import Package

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Answer = Outputs | str  # a text is the error of a failed attempt
JSON = Mapping[str, Any]

INT, STR, LIST, STRUCT, BOOL = "NUMBER_INTEGER", "STRING", "LIST", "STRUCT", "BOOLEAN"


# ---- building IR


def const(value: Any) -> dict[str, Any]:
    """A constant parameter."""
    return {"runtimeValue": {"constant": value}}


def outer(name: str, selector: str | None = None) -> dict[str, Any]:
    """A parameter of the component around."""
    spec: dict[str, Any] = {"componentInputParameter": name}
    return spec if selector is None else {**spec, "parameterExpressionSelector": selector}


def out(task: str, key: str = "Output") -> dict[str, Any]:
    """An output parameter of a task."""
    return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}}


def art(task: str, key: str = "Output") -> dict[str, Any]:
    """An output artifact of a task."""
    return {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": key}}


def param(
    type_: str = STR, default: Any = None, *, optional: bool | None = None, **more: Any
) -> dict[str, Any]:
    """A declared parameter."""
    spec: dict[str, Any] = {"parameterType": type_, **more}
    if default is not None:
        spec["defaultValue"] = default
    if optional or (default is not None and optional is None):
        spec["isOptional"] = True
    return spec


def slot(*, many: bool = False, optional: bool = False) -> dict[str, Any]:
    """A declared artifact."""
    spec: dict[str, Any] = {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
    return {
        **spec,
        **({"isArtifactList": True} if many else {}),
        **({"isOptional": True} if optional else {}),
    }


def face(params: JSON | None = None, arts: JSON | None = None) -> dict[str, Any]:
    """Input or output definitions; a type alone stands for a parameter of that type."""
    parameters = {name: param(one) if isinstance(one, str) else one for name, one in (params or {}).items()}
    return {"parameters": parameters, "artifacts": dict(arts or {})}


def job(
    params: JSON | None = None,
    gives: JSON | None = None,
    arts: JSON | None = None,
    makes: JSON | None = None,
) -> dict[str, Any]:
    """A component with a container, whose executor the builder adds."""
    return {
        "inputDefinitions": face(params, arts),
        "outputDefinitions": face(gives, makes),
        "executorLabel": "",
    }


def dag(
    tasks: JSON,
    params: JSON | None = None,
    gives: Mapping[str, tuple[str, Any]] | None = None,
    arts: JSON | None = None,
    makes: Mapping[str, tuple[JSON, Any]] | None = None,
) -> dict[str, Any]:
    """A component with a DAG; `gives` and `makes` map an output to its declaration and its selectors."""
    given, made = gives or {}, makes or {}
    return {
        "inputDefinitions": face(params, arts),
        "outputDefinitions": face(
            {n: t for n, (t, _) in given.items()}, {n: s for n, (s, _) in made.items()}
        ),
        "dag": {
            "tasks": dict(tasks),
            "outputs": {
                "parameters": {name: _given(choice) for name, (_, choice) in given.items()},
                "artifacts": {
                    name: {"artifactSelectors": _made(choice)} for name, (_, choice) in made.items()
                },
            },
        },
    }


def _given(choice: Any) -> dict[str, Any]:
    selectors = [{"producerSubtask": task, "outputParameterKey": key} for task, key in _pairs(choice)]
    if isinstance(choice, list):
        return {"valueFromOneof": {"parameterSelectors": selectors}}
    return {"valueFromParameter": selectors[0]}


def _made(choice: Any) -> list[dict[str, Any]]:
    return [{"producerSubtask": task, "outputArtifactKey": key} for task, key in _pairs(choice)]


def _pairs(choice: Any) -> list[tuple[str, str]]:
    several = choice if isinstance(choice, list) else [choice]
    return [one if isinstance(one, tuple) else (one, "Output") for one in several]


def task(
    component: str,
    params: JSON | None = None,
    arts: JSON | None = None,
    after: Sequence[str] = (),
    *,
    when: str | None = None,
    always: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """A task of a DAG."""
    spec: dict[str, Any] = {"componentRef": {"name": component}, "dependentTasks": list(after)}
    spec["inputs"] = {"parameters": dict(params or {}), "artifacts": dict(arts or {})}
    trigger = {"condition": when} if when is not None else {}
    spec["triggerPolicy"] = {**trigger, **({"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"} if always else {})}
    return {**spec, **more}


def each(items: Any, item: str, limit: int = 0) -> dict[str, Any]:
    """A loop over a list in the IR (JSON text), or over an input (`@name`), for `task(**each(…))`."""
    what = {"inputParameter": items[1:]} if items.startswith("@") else {"raw": items}
    return {
        "parameterIterator": {"itemInput": item, "items": what},
        "iteratorPolicy": {"parallelismLimit": limit},
    }


def package(
    components: JSON,
    root: JSON,
    labels: Mapping[str, str] | None = None,
    executors: JSON | None = None,
    platform: JSON | None = None,
    version: str = "2.1.0",
) -> Package:
    """A package; a component `c` with an empty executor label gets the executor `exec-c`."""
    known: dict[str, Any] = {}
    full: dict[str, Any] = {}
    for name, spec in components.items():
        full[name] = spec
        if spec.get("executorLabel") == "":
            label = f"exec-{name}"
            full[name] = {**spec, "executorLabel": label}
            known[label] = {"container": {"image": "alpine:3", "command": ["run"], "args": ["{{$}}"]}}
    known.update(executors or {})
    spec = {
        "schemaVersion": version,
        "pipelineInfo": {"name": "p"},
        "root": dict(root),
        "components": full,
        "deploymentSpec": {"executors": known},
    }
    kubernetes = (
        {"platforms": {"kubernetes": {"deploymentSpec": {"executors": platform}}}} if platform else None
    )
    return Package("p", spec, kubernetes, labels or {})


def context(**changes: Any) -> engine.RunContext:
    """The facts of a run."""
    facts: dict[str, Any] = {
        "run_id": "1234",
        "run_name": "my run",
        "pipeline_name": "p",
        "created_at": T0,
        "scheduled_at": None,
        "pipeline_root": "/root",
        "cache": True,
        "workspace": None,
    }
    return engine.RunContext(**{**facts, **changes})


# ---- playing


def artifact(id_: str) -> Artifact:
    """An artifact with an id."""
    return Artifact(id_, id_, "system.Dataset", f"file:///{id_}")


def gave(**parameters: Any) -> Outputs:
    """A worker's answer with parameters."""
    return Outputs(parameters)


def by_name(**answers: Any) -> Callable[[Execute | Import], Answer]:
    """Answers by the task's name (`-` as `_`): an answer, a list of them by attempt, or a function."""

    def answer(command: Execute | Import) -> Answer:
        name = command.key.split("/")[-1].replace("-", "_")
        found = answers.get(name, plausible(command))
        if isinstance(found, list):
            found = found[command.attempt if isinstance(command, Execute) else 0]
        given: Answer = found(command) if callable(found) else found
        return given

    return answer


BY_TYPE: Mapping[str, Any] = {
    STR: "text",
    INT: 3,
    "NUMBER_DOUBLE": 0.5,
    BOOL: True,
    LIST: ["a", "b"],
    STRUCT: {"a": 1},
}


def plausible(command: Execute | Import) -> Outputs:
    """Outputs of the declared types."""
    if isinstance(command, Import):
        return Outputs({}, {"artifact": (Artifact(command.key, "artifact", command.type, command.uri),)})
    given = command.component.get("outputDefinitions") or {}
    return Outputs(
        {name: BY_TYPE[one["parameterType"]] for name, one in (given.get("parameters") or {}).items()},
        {name: (artifact(f"{command.key}.{name}"),) for name in given.get("artifacts") or {}},
    )


@dataclass(slots=True)
class Worker:
    """Plays a run: `begin`, then `finish` one running task after the other. Time is a second per signal."""

    state: engine.RunState
    answer: Callable[[Execute | Import], Answer] = plausible
    at: datetime = T0
    running: dict[str, Execute | Import] = field(default_factory=dict)
    log: list[Command] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)
    wakes: list[datetime] = field(default_factory=list)

    def send(self, signal: Signal) -> tuple[Command, ...]:
        """One signal; its commands are noted, and checked to be new attempts."""
        before = self.state
        self.state, commands = engine.advance(before, signal)
        self._compare(before)
        for command in commands:
            self.log.append(command)
            match command:
                case Execute() | Import():
                    assert command.key not in self.running, "a task was started while it ran"
                    self.running[command.key] = command
                case Stop(key=key):
                    self.stopped.add(key)
                case WakeAt(at=at):
                    self.wakes.append(at)
        return commands

    def _compare(self, before: engine.RunState) -> None:
        known = {record.key: record for record in engine.records(before)}
        told = engine.changes(before, self.state)
        assert told == tuple(r for r in engine.records(self.state) if known.get(r.key) != r)

    def tick(self) -> datetime:
        """The next second."""
        self.at += timedelta(seconds=1)
        return self.at

    def begin(self) -> tuple[Command, ...]:
        """The run begins."""
        return self.send(Begin(self.at))

    def finish(self, key: str, answer: Answer | None = None) -> tuple[Command, ...]:
        """A running task ends as the worker answers, or fails if it was stopped."""
        command = self.running.pop(key)
        if isinstance(command, Execute):
            self.send(Started(key, command.attempt, self.tick()))
        given = answer if answer is not None else self.answer(command)
        if key in self.stopped:
            self.stopped.discard(key)
            given = "killed"
        if isinstance(given, str):
            return self.send(Failed(key, given, self.tick()))
        return self.send(Succeeded(key, given, self.tick()))

    def cancel(self) -> tuple[Command, ...]:
        """Someone cancels."""
        return self.send(Cancel(self.tick()))

    def sleep(self) -> tuple[Command, ...]:
        """The next wake-up comes."""
        self.wakes.sort()
        self.at = max(self.at, self.wakes.pop(0))
        return self.send(Tick(self.at))

    def to_end(self) -> engine.Outcome:
        """First come first served, until the run is over."""
        while (over := engine.outcome(self.state)) is None:
            if self.running:
                self.finish(next(iter(self.running)))
            else:
                self.sleep()
        return over

    @property
    def executed(self) -> list[str]:
        """The keys that were started, in order."""
        return [command.key for command in self.log if isinstance(command, Execute | Import)]

    def command(self, key: str) -> Execute:
        """The last command for a key."""
        found = [c for c in self.log if isinstance(c, Execute) and c.key == key]
        assert found, f"{key} was not executed: {self.executed}"
        return found[-1]

    def record(self, path: str) -> TaskRecord:
        """The record of a path."""
        return {record.path: record for record in engine.records(self.state)}[path]

    @property
    def states(self) -> dict[str, str]:
        """Path to state, in order."""
        return {record.path: record.state for record in engine.records(self.state)}


def ready(
    pack: Package,
    answer: Callable[[Execute | Import], Answer] = plausible,
    inputs: JSON | None = None,
    artifacts: Mapping[str, tuple[Artifact, ...]] | None = None,
    **facts: Any,
) -> Worker:
    """A run that has begun."""
    program = engine.load(pack)
    worker = Worker(engine.start(program, context(**facts), inputs or {}, artifacts or {}), answer)
    worker.begin()
    return worker


def play(pack: Package, answer: Callable[[Execute | Import], Answer] = plausible, **more: Any) -> Worker:
    """A run carried to its end."""
    worker = ready(pack, answer, **more)
    worker.to_end()
    return worker


def test_the_bench_plays_a_chain() -> None:
    tasks = {"a": task("c-a"), "b": task("c-b", {"x": out("a")})}
    pack = package({"c-a": job(gives={"Output": INT}), "c-b": job({"x": INT})}, dag(tasks))
    worker = play(pack, by_name(a=gave(Output=7)))
    assert worker.executed == ["a", "b"]
    assert worker.command("b").parameters == {"x": 7}
    assert engine.outcome(worker.state) == engine.Outcome("SUCCEEDED", {}, None)
