"""What the SDK's compiler makes of small programs, sent with its client, comes to its right end on the server's engine.

A program says in upper case what it is given and what becomes of it. These names are read, not imported.
"""

from __future__ import annotations

import ast
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.clients.official import HERE, Client
from tests.e2e.door import Run
from tests.serving import Server

PROGRAMS = sorted(path.stem for path in (HERE / "programs").glob("*.py"))


@cache
def told(program: str) -> dict[str, Any]:
    """The constants at the end of a program."""
    return {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse((HERE / "programs" / f"{program}.py").read_text()).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id.isupper()
    }


def filled(value: Any, folder: Path) -> Any:
    return value.replace("{folder}", str(folder)) if isinstance(value, str) else value


def submit(program: str, client: Client, folder: Path) -> str:
    wanted = told(program)
    for name, text in wanted.get("BEFORE", {}).items():
        (folder / name).write_text(text)
    arguments = {name: filled(value, folder) for name, value in wanted["ARGUMENTS"].items()}
    return str(client.ask("submitted", name=program, arguments=arguments))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_comes_to_its_right_end(
    program: str, kfp_client: Client, server: Server, tmp_path: Path
) -> None:
    wanted = told(program)
    run_id = submit(program, kfp_client, tmp_path)
    outcome = kfp_client.ask("outcome", run_id=run_id)
    run = server.project.show(run_id)
    assert outcome["state"] == run.state == wanted.get("STATE", "SUCCEEDED"), (outcome, run.document)
    assert {path: run.states.get(path) for path in wanted["TASKS"]} == wanted["TASKS"], outcome
    seen = {(name, state) for name, state in outcome["tasks"]}
    assert seen >= {(path.rpartition("/")[2], state) for path, state in wanted["TASKS"].items()}
    assert outputs(run, wanted.get("OUTPUTS", {})) == wanted.get("OUTPUTS", {})
    for (path, name), text in wanted.get("FILES", {}).items():
        assert run_file(run, path, name).read_text() == text
    for (path, name), metadata in wanted.get("METADATA", {}).items():
        assert run.out(path, name)["metadata"] == metadata
    for path, words in wanted.get("LOGS", {}).items():
        log = server.project.log(run, path)
        assert [word for word in words if word not in log] == []


def outputs(run: Run, names: Any) -> dict[str, Any]:
    """The outputs of a run by name, those of its tasks by `path.name`."""
    own = {
        f"{path}.{name}": value for path, task in run.tasks.items() for name, value in task["outputs"].items()
    }
    every = {**own, **run.outputs}
    return {name: every.get(name) for name in names}


def run_file(run: Run, path: str, name: str) -> Path:
    return Path(run.out(path, name)["uri"])


def test_a_task_is_told_of_its_run(kfp_client: Client, server: Server, tmp_path: Path) -> None:
    run_id = submit("placeholders", kfp_client, tmp_path)
    outcome = kfp_client.ask("outcome", run_id=run_id)
    seen = server.project.show(run_id).out("told", "Output")
    assert seen["id"] == run_id
    assert seen["job"] == f"run {outcome['name']}"
    assert seen["task"] == "told"
    assert seen["created"] == seen["scheduled"]
    assert run_id[:8] in seen["root"]


def test_a_task_is_told_the_tick_of_its_schedule(kfp_client: Client, server: Server) -> None:
    run_id, at = kfp_client.ask("scheduled", name="placeholders")
    kfp_client.ask("outcome", run_id=run_id)
    run = server.project.show(run_id)
    assert datetime.fromisoformat(run.out("told", "Output")["scheduled"]) == datetime.fromisoformat(at)
