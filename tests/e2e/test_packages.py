"""Packages that KFP's own compiler wrote, run as they stand. They are read from beside the checkout, never copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.door import Project

FOLDER = Path(__file__).parents[2].parent / "shared" / "conformance" / "kfp-ir"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the folder ../shared/conformance/kfp-ir is not beside this checkout"
)


def package(name: str) -> str:
    return str(FOLDER / name)


# Name, inputs, the state of each task. Their images are not used: python components get environments of this Python.
CASES = [
    ("hello_world.yaml", {"text": "hi"}, {"echo": "SUCCEEDED"}),
    ("essential/pipeline_with_after.yaml", {}, {"print-text": "SUCCEEDED", "print-text-2": "SUCCEEDED", "print-text-3": "SUCCEEDED"}),
    ("container_io.yaml", {"text": "hi"}, {"container-io": "SUCCEEDED"}),
    ("essential/concat_message.yaml", {"message1": "a", "message2": "b"}, {"concat-message": "SUCCEEDED"}),
    ("essential/container_no_input.yaml", {}, {"container-no-input": "SUCCEEDED"}),
    ("critical/add_numbers.yaml", {"a": "3", "b": "4"}, {"add-numbers": "SUCCEEDED"}),
    (
        "critical/multiple_parameters_namedtuple.yaml", {}, None,
    ),
    ("critical/multiple_artifacts_namedtuple.yaml", {}, None),
    ("critical/mixed_parameters.yaml", {}, None),
    ("critical/parameter_oneof.yaml", {}, None),
    ("critical/if_else_with_oneof_artifacts.yaml", {}, None),
    ("critical/parallel_for_after_dependency.yaml", {}, None),
    ("critical/pipeline_with_artifact_custom_path.yaml", {}, None),
    ("if_elif_else_complex.yaml", {}, None),
    ("collected_artifacts.yaml", {}, None),
    ("pipeline_with_nested_loops.yaml", {}, None),
    ("pipeline_with_loops_and_conditions.yaml", {}, None),
    ("parallel_and_nested/parallel_and_nested.yaml", {}, None),
    ("nested_with_parameters.yaml", {}, None),
    ("arguments_parameters.yaml", {}, None),
    ("pipeline_with_task_final_status.yaml", {}, None),
    ("pipeline_with_task_using_ignore_upstream_failure.yaml", {}, None),
    ("output_metrics.yaml", {}, None),
]


@pytest.mark.parametrize(("name", "inputs", "states"), CASES, ids=[case[0] for case in CASES])
def test_a_package_runs(project: Project, name: str, inputs: dict[str, str], states: dict[str, str] | None) -> None:
    given = [part for key, value in inputs.items() for part in ("-p", f"{key}={value}")]
    run = project.run(package(name), *given)
    print(name, run.states, run.outputs)
    assert states is None or run.states == states
