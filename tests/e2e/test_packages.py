"""Packages that KFP's own compiler wrote, run as they stand. They are read from beside the checkout, never copied.

Their images are not used: python components get environments of this Python. Told are the names of their own DAGs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.door import Project

FOLDER = Path(__file__).parents[2].parent / "shared" / "conformance" / "kfp-ir"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the folder ../shared/conformance/kfp-ir is not beside this checkout"
)

# Name, inputs, some of the tasks' states, some of their outputs.
CASES: list[tuple[str, dict[str, str], dict[str, str], dict[str, Any]]] = [
    ("arguments_parameters.yaml", {"param2": "x"}, {"echo": "SUCCEEDED"}, {}),
    (
        "essential/concat_message.yaml",
        {"message1": "a", "message2": "b"},
        {"concat-message": "SUCCEEDED"},
        {"concat-message": {"Output": "ab"}},
    ),
    ("critical/add_numbers.yaml", {"a": "3", "b": "4"}, {}, {"add-numbers": {"Output": 7}}),
    (
        "critical/mixed_parameters.yaml",
        {},
        {"mantle/core/core-comp": "SUCCEEDED", "crust-comp": "SUCCEEDED"},
        {},
    ),
    (
        "critical/parallel_for_after_dependency.yaml",
        {},
        {"for-loop-2": "SUCCEEDED", "for-loop-2/2/print-op": "SUCCEEDED", "print-op-3": "SUCCEEDED"},
        {},
    ),
    ("critical/if_else_with_oneof_artifacts.yaml", {}, {"print-artifact": "SUCCEEDED"}, {}),
    ("collected_artifacts.yaml", {}, {"collecting-artifacts/for-loop-1": "SUCCEEDED"}, {}),
    ("pipeline_with_loops_and_conditions.yaml", {}, {"for-loop-14/1/condition-15": "SKIPPED"}, {}),
    ("output_metrics.yaml", {}, {"output-metrics": "SUCCEEDED"}, {}),
]


@pytest.mark.parametrize(("name", "inputs", "states", "outputs"), CASES, ids=[case[0] for case in CASES])
def test_a_package_runs(
    project: Project, name: str, inputs: dict[str, str], states: dict[str, str], outputs: dict[str, Any]
) -> None:
    given = [part for key, value in inputs.items() for part in ("-p", f"{key}={value}")]
    run = project.run(str(FOLDER / name), *given)
    assert run.state == "SUCCEEDED"
    assert {path: run.states[path] for path in states} == states
    assert {path: run.tasks[path]["outputs"] for path in outputs} == outputs
    assert set(run.states.values()) <= {"SUCCEEDED", "SKIPPED"}


def test_a_package_that_fails_says_its_last_word(project: Project) -> None:
    run = project.run(str(FOLDER / "pipeline_with_task_final_status.yaml"), code=7)
    assert run.states == {
        "exit-handler-1": "FAILED", "exit-handler-1/fail-op": "FAILED", "exit-handler-1/print-op": "SUCCEEDED",
        "exit-op": "SUCCEEDED",
    }  # fmt: skip
    status = run.tasks["exit-op"]["inputs"]["status"]
    assert (status["state"], status["pipelineTaskName"]) == ("FAILED", "exit-handler-1")
