"""Packages that are nearly right, executed: whatever they ask for, their runs end, and those of others go on."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

from tests.e2e.door import Project, until
from tests.hostile.server import packages, values
from tests.hostile.server.campaign import API
from tests.hostile.server.judging import fault_in
from tests.hostile.server.requests import Request, with_json
from tests.hostile.server.wire import Answer, ask
from tests.killing.invariants import unsettled
from tests.serving import Server, serving

RUNS = 150
# What goes on then has asked for a thousand retries, or for a long wait between two.
SECONDS = 15
FINAL = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}
SCRIPT = 'for place; do mkdir -p "$(dirname "$place")"; echo 1 > "$place"; done'


def harmless(spec: Any) -> Any:
    """The package with programs that do no more than write what is expected of them."""
    found = json.loads(json.dumps(spec))
    executors = found.get("deploymentSpec", {}).get("executors", {})
    for component in found.get("components", {}).values():
        container = executors.get(component.get("executorLabel"), {}).get("container")
        if container is not None:
            outputs = component.get("outputDefinitions", {})
            files = [
                f"{{{{$.outputs.parameters['{n}'].output_file}}}}" for n in outputs.get("parameters", {})
            ]
            files += [f"{{{{$.outputs.artifacts['{n}'].path}}}}" for n in outputs.get("artifacts", {})]
            container.update(command=["sh", "-c", SCRIPT, "sh"], args=files)
    return found


VALUES = {
    "STRING": "text", "NUMBER_INTEGER": 2, "NUMBER_DOUBLE": 0.5, "BOOLEAN": True, "LIST": ["a", "b"],
    "STRUCT": {"a": 1},
}  # fmt: skip


def run(name: str, spec: Any, sound: Any) -> dict[str, Any]:
    """A run of it, with a value for each parameter that the sound package has."""
    declared = sound["root"].get("inputDefinitions", {}).get("parameters", {})
    given = {name: VALUES.get(one.get("parameterType"), "text") for name, one in declared.items()}
    return {"display_name": name, "pipeline_spec": spec, "runtime_config": {"parameters": given}}


def changed(number: int, sound: tuple[Any, ...]) -> dict[str, Any]:
    """The run of that number."""
    chance = random.Random(number)
    first = spec = chance.choice(sound)
    for _ in range(chance.choice((0, 1, 1, 1, 2))):
        spec = values.changed(chance, spec, sound)
    return run(f"r{number}", spec, first)


def send(server: Server, method: str, path: str, document: Any = None) -> Answer:
    plain = Request(method, f"{API}/{path}", "page_size=200" if method == "GET" else "")
    request = plain if document is None else with_json(plain, json.dumps(document))
    answer = ask(server.port, request.encode(server.host))
    assert fault_in(request, answer, str(server.project.root)) is None, document
    assert answer is not None
    return answer


def states(server: Server) -> dict[str, str]:
    found = json.loads(send(server, "GET", "runs").body)["runs"]
    return {run["run_id"]: run["state"] for run in found}


def test_whatever_a_package_asks_for_its_run_ends(tmp_path: Path) -> None:
    sound = tuple(map(harmless, packages.specs()))
    with serving(Project.new(tmp_path / "project")) as server:
        answers = [send(server, "POST", "runs", changed(number, sound)) for number in range(RUNS)]
        assert sum(answer.status == 200 for answer in answers) > RUNS / 5
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and not set(states(server).values()) <= FINAL:
            time.sleep(0.2)
        for id_, state in states(server).items():
            if state not in FINAL:
                send(server, "POST", f"runs/{id_}:terminate")
        until(lambda: set(states(server).values()) <= FINAL, "all runs to end")
        good = json.loads(send(server, "POST", "runs", run("good", sound[0], sound[0])).body)["run_id"]
        until(lambda: states(server)[good] in FINAL, "the good run")
        assert states(server)[good] == "SUCCEEDED"
        assert server.stop() == 0
        told = server.told.read_text() + (server.state / "server.log").read_text()
        assert "Traceback" not in told
        assert "mistake in kfgit" not in told
        assert unsettled(server.state) == []
