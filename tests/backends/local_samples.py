"""Small packages, and an attempt function that does what a task's args say, without starting a process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from kfgit.backend import RunRequest
from kfgit.backends.local.backend import LocalBackend, LocalSettings
from kfgit.backends.local.job import Work
from kfgit.backends.local.protocol import Execute, Outputs
from kfgit.backends.local.worker import AttemptPlace, Hooks, Stopped, TaskFailure, WorkerSettings
from kfgit.events import Artifact
from kfgit.ir import Package

Task = tuple[Sequence[str], Sequence[str]]


def package(
    tasks: Mapping[str, Task], name: str = "demo", inputs: Mapping[str, str] | None = None
) -> Package:
    """A pipeline of tasks `name: (args, upstreams)`; every task makes the artifact `data` and the integer `n`."""
    return Package(
        name,
        {
            "schemaVersion": "2.1.0",
            "pipelineInfo": {"name": name},
            "components": {f"comp-{task}": _component(task) for task in tasks},
            "deploymentSpec": {
                "executors": {
                    f"exec-{task}": {"container": {"image": "demo", "command": ["demo"], "args": list(args)}}
                    for task, (args, _) in tasks.items()
                }
            },
            "root": {
                "dag": {"tasks": {task: _task(task, upstreams) for task, (_, upstreams) in tasks.items()}},
                "inputDefinitions": {
                    "parameters": {name: {"parameterType": type_} for name, type_ in (inputs or {}).items()}
                },
            },
        },
    )


def with_exit(body: Mapping[str, Task], exit_args: Sequence[str]) -> Package:
    """`body` in an exit handler whose exit task is `bye`."""
    made = package({**body, "bye": (exit_args, ())})
    spec: dict[str, Any] = {**made.spec}
    tasks: dict[str, Any] = dict(spec["root"]["dag"]["tasks"])
    bye = tasks.pop("bye")
    bye |= {
        "dependentTasks": ["exit-handler-1"],
        "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
    }
    group = {"taskInfo": {"name": "exit-handler-1"}, "componentRef": {"name": "comp-exit-handler-1"}}
    spec["components"] = {**spec["components"], "comp-exit-handler-1": {"dag": {"tasks": tasks}}}
    spec["root"] = {"dag": {"tasks": {"exit-handler-1": group, "bye": bye}}}
    return Package(made.name, spec, labels={"root/exit-handler-1": ""})


def attempt(command: Execute, place: AttemptPlace, _settings: WorkerSettings, hooks: Hooks) -> Outputs:
    """Does what the args say: `sleep SECONDS`, `fail`, `hang`, `break`, `note FILE`; then makes the outputs."""
    hooks.started()
    args = list(command.executor.get("args", ()))
    (place.folder / "log.txt").write_text("".join(f"line {number}\n" for number in range(40)))
    match args:
        case ["sleep", seconds]:
            if hooks.stop.wait(float(seconds)):
                raise Stopped
        case ["fail"]:
            raise TaskFailure("it ended with exit code 3")
        case ["hang"]:
            hooks.stop.wait(600)
            raise Stopped
        case ["deaf", seconds]:
            time.sleep(float(seconds))
        case ["break"]:
            raise RuntimeError("a bug")
        case ["say", what]:
            hooks.say(what)
        case ["note", file]:
            with Path(file).open("a") as notes:
                notes.write(f"{command.task_name}\n")
        case _:
            pass
    place.artifacts.mkdir(parents=True, exist_ok=True)
    data = place.artifacts / "data"
    data.write_text("42")
    made = Artifact(uuid4().hex, "data", "system.Dataset", str(data))
    return Outputs({"n": 1}, {"data": (made,)})


def backend(root: Path, **changed: Any) -> LocalBackend:
    """A backend below `root` whose attempts are those of this file."""
    work = Work(
        attempt=changed.pop("attempt", attempt),
        parity=lambda _command, _settings: ("placement has no effect",),
    )
    return LocalBackend.open(settings(root, **changed), work)


def settings(root: Path, **changed: Any) -> LocalSettings:
    """Settings for a project below `root`."""
    base = root / ".kfgit"
    values: dict[str, Any] = {
        "state": base / "local",
        "secrets": base / "secrets",
        "configmaps": base / "configmaps",
        "environments": base / "environments",
        "environment": "local",
        "project": "demo",
        "executor": "process",
    }
    return LocalSettings(**(values | changed))


def request(made: Package, id_: str | None = None, **changed: Any) -> RunRequest:
    """A run of the package."""
    return RunRequest(
        id=id_ or str(uuid4()), name=f"{made.name}-run", pipeline=made.name, package=made, **changed
    )


def _component(task: str) -> dict[str, Any]:
    return {
        "executorLabel": f"exec-{task}",
        "outputDefinitions": {
            "parameters": {"n": {"parameterType": "NUMBER_INTEGER"}},
            "artifacts": {
                "data": {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
            },
        },
    }


def _task(task: str, upstreams: Sequence[str]) -> dict[str, Any]:
    return {
        "taskInfo": {"name": task},
        "componentRef": {"name": f"comp-{task}"},
        "cachingOptions": {"enableCache": True},
        "dependentTasks": list(upstreams),
    }
