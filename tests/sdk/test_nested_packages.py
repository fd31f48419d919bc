"""Packages of others as tasks: laid in as KFP's SDK lays in what it loads. They are read from beside the checkout.

Left out are packages of a single component under its own name, which the SDK takes for the component itself, and those
with a workspace, which the SDK drops and kfgit refuses.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kfgit.packages import compiled
from kfgit.source import SourceFile
from tests import compiling
from tests.sdk.official import Sdk
from tests.sdk.test_pairs import difference

FOLDER = Path(__file__).parents[2].parent / "shared" / "conformance" / "kfp-ir"
NAMES = (
    "collected_artifacts",
    "critical/pipeline_with_artifact_custom_path",
    "critical/pipeline_with_pod_metadata",
    "critical/two_step_pipeline_containerized",
    "if_elif_else_complex",
    "local_execution/local_execution_pipeline_with_exit_handler",
    "nested_with_parameters",
    "parallel_and_nested/parallel_for_mount_pvc",
    "parallel_and_nested/pipeline_in_pipeline_complex",
    "pipeline_with_importer",
    "pipeline_with_secret_as_volume",
    "xgboost_sample_pipeline",
)
VALUES: dict[object, Any] = {
    "string": "x",
    "int": 3,
    "float": 0.5,
    "bool": True,
    "list": [1],
    "dict": {"a": 1},
}

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the folder ../shared/conformance/kfp-ir is not beside this checkout"
)


@pytest.mark.parametrize("name", NAMES)
def test_a_package_is_laid_in_as_the_sdk_does_it(name: str, sdk: Sdk, tmp_path: Path) -> None:
    content = (FOLDER / f"{name}.yaml").read_bytes()
    package = compiled.read(SourceFile("inner.yaml", content)).value
    assert package is not None
    given = {p.name: VALUES[p.type] for p in package.inputs if not (p.has_default or p.optional)}
    (tmp_path / "inner.yaml").write_bytes(content)
    (tmp_path / "program.py").write_text(
        "from kfp import components, dsl\n"
        f"inner = components.load_component_from_file({str(tmp_path / 'inner.yaml')!r})\n"
        f"@dsl.pipeline(name='outer')\ndef pipeline():\n    inner(**{given!r})\n"
    )
    task = package.spec["pipelineInfo"]["name"]
    documents = [
        {"kind": "Pipeline", "metadata": {"name": "inner"}, "spec": {"package": "inner.yaml"}},
        {
            "kind": "Pipeline",
            "metadata": {"name": "outer"},
            "spec": {"tasks": {task: {"pipeline": "inner", "inputs": given}}},
        },
    ]
    text = "\n---\n".join(json.dumps({"apiVersion": "kfgit.dev/v1", **document}) for document in documents)
    ours = compiling.texts({"all.yaml": text}, tmp_path)["outer"]
    told = difference(ours, *sdk.compile(tmp_path / "program.py"))
    assert not told, told
