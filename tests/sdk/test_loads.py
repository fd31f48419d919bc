"""Everything that kfgit compiles is read by KFP's own SDK and protobufs, which refuse what they do not know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from kfgit import driver
from kfgit.ir import Package
from tests import compiling
from tests.ir_linter import parsed, problems
from tests.sdk.normal import normal
from tests.sdk.official import Refused, Sdk

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "compile"
PAIRS = Path(__file__).with_name("pairs")


def of_the_example() -> Iterator[Package]:
    for environment in driver.load(ROOT).environments:
        yield from compiling.folder(ROOT, environment).values()


def of_a_pair(name: str) -> Iterator[Package]:
    yield from compiling.texts({f"{name}.yaml": (PAIRS / f"{name}.yaml").read_text()}, PAIRS).values()


def of_a_case(name: str) -> Iterator[Package]:
    yield from (package for _, _, package in compiling.environments(CASES / name / "project"))


SOURCES = [
    ("example", None),
    *(("pair", path.stem) for path in sorted(PAIRS.glob("*.yaml"))),
    *(("case", path.name) for path in sorted(CASES.iterdir())),
]


@pytest.mark.parametrize(("kind", "name"), SOURCES)
def test_it_is_read(kind: str, name: str | None, sdk: Sdk) -> None:
    packages = {"pair": of_a_pair, "case": of_a_case}
    found = [*packages[kind](name)] if name else [*of_the_example()]
    assert found
    for package in found:
        spec, platform = sdk.load(package.to_yaml())
        assert normal(spec, platform) == normal(MessageToDict(parsed(package)), package.platform)
        assert problems(package) == []


def test_the_sdk_knows_two_namespaces_of_artifact_types(sdk: Sdk) -> None:
    """Servers take any, and so does kfgit; what the SDK says of others is recorded here."""
    component = {"inputs": {"page": {"type": "web.Page"}}, "container": {"image": "c"}}
    task = {"component": component, "inputs": {"page": "$(inputs.page)"}}
    pipeline = {
        "apiVersion": "kfgit.dev/v1", "kind": "Pipeline", "metadata": {"name": "pages"},
        "spec": {"inputs": {"page": {"type": "web.Page"}}, "tasks": {"show": task}},
    }  # fmt: skip
    package = compiling.texts({"pages.yaml": json.dumps(pipeline)}, PAIRS)["pages"]
    assert problems(package) == []
    with pytest.raises(Refused, match="must belong to `system` or `google` namespace"):
        sdk.load(package.to_yaml())
