"""Other people's packages, compiled by KFP's own SDK, run from end to end with a worker that makes values up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kfgit.backends.local import engine
from kfgit.backends.local.protocol import Execute, Import, Outputs
from kfgit.ir import Package
from tests.backends.test_engine_play import BY_TYPE, artifact, plausible, play

FOLDER = Path(__file__).parents[2].parent / "shared" / "conformance" / "kfp-ir"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml"))
# Some loops run over lists of structs, whose fields no type tells.
STRUCTS: Any = {
    "args-generator-op": [{"A_a": "heads", "B_b": ["x", "y"]}],
    "list-dict-maker": [{"a": 1, "b": 2}, {"a": 2, "b": 3}],
}


def answer(command: Execute | Import) -> Outputs:
    for name, value in STRUCTS.items():
        if command.key.split("/")[-1].startswith(name):
            return Outputs({"Output": value})
    return plausible(command)


@pytest.mark.skipif(not FILES, reason="the folder ../shared/conformance/kfp-ir is not beside this checkout")
@pytest.mark.parametrize("name", FILES or [""])
def test_a_package_runs_to_its_end(name: str) -> None:
    documents = [one for one in yaml.safe_load_all((FOLDER / name).read_text()) if one]
    pack = Package(
        documents[0]["pipelineInfo"]["name"], documents[0], documents[1] if documents[1:] else None
    )
    program = engine.load(pack)
    inputs = {key: BY_TYPE[one.type] for key, one in program.root.parameters.items() if one.required}
    artifacts = {key: (artifact(key),) for key, one in program.root.artifacts.items() if not one.optional}
    assert engine.check_inputs(program, inputs, artifacts) == ()
    worker = play(pack, answer, inputs=inputs, artifacts=artifacts, workspace="/workspace")
    outcome = engine.outcome(worker.state)
    assert outcome is not None
    assert (outcome.state, outcome.error) == ("SUCCEEDED", None)
    assert set(worker.states.values()) <= {"SUCCEEDED", "SKIPPED"}
    for command in worker.log:
        if isinstance(command, Execute):
            assert "{{$.inputs" not in str(command.platform) + str(command.executor.get("image"))
