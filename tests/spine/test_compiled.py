"""Compiled packages: read as they stand, given back as they are, no false alarms, harmless if hostile."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp.pipeline_spec import pipeline_spec_pb2

from kfgit import cel, driver
from kfgit.backends.local import engine
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.ir import Package
from kfgit.packages import compiled
from kfgit.packages.compiled.shape import CHOICES, MESSAGES
from kfgit.render import graph as pictures
from kfgit.render.graph.from_pipeline import graph_of
from kfgit.source import SourceFile

ROOT = Path(__file__).parents[2]
FOLDER = ROOT.parent / "shared" / "conformance" / "kfp-ir"
FILES = sorted(FOLDER.rglob("*.yaml"))
needs_samples = pytest.mark.skipif(
    not FILES, reason="the folder ../shared/conformance/kfp-ir is not beside this checkout"
)
INNER = ROOT / "tests" / "sdk" / "pairs" / "packages" / "inner.yaml"


def read(
    text: str | bytes, path: str = "packages/x.yaml"
) -> tuple[compiled.Compiled | None, list[Diagnostic]]:
    found = compiled.read(SourceFile(path, text.encode() if isinstance(text, str) else text))
    return found.value, list(found.diagnostics)


def project(root: Path, packages: dict[str, bytes]) -> Path:
    """A repository with a pipeline for each package."""
    (root / "pipelines").mkdir()
    (root / "kfgit.yaml").write_text("apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: p}\n")
    for name, content in packages.items():
        (root / f"{name}.yaml").write_bytes(content)
        (root / "pipelines" / f"{name}.yaml").write_text(
            f"apiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {{name: {name}}}\nspec: {{package: ../{name}.yaml}}\n"
        )
    return root


@needs_samples
def test_real_packages_are_pipelines_as_they_stand(tmp_path: Path) -> None:
    packages = {f"p{number}": path.read_bytes() for number, path in enumerate(FILES)}
    repository = driver.load(project(tmp_path, packages))
    assert driver.validate(repository, ("local",)) == ()
    checkout = driver.check(repository, "local").value
    made = driver.compile_all(checkout)
    assert len(made) == len(FILES)
    for name, package in made.items():
        spec, *platform = yaml.load_all(packages[name], yaml.CSafeLoader)
        assert package.spec == {**spec, "pipelineInfo": {**spec["pipelineInfo"], "name": name}}
        assert [package.platform] == (platform or [None])
        assert next(iter(yaml.load_all(package.to_yaml(), yaml.CSafeLoader))) == package.spec
        engine.load(package)


@needs_samples
def test_real_packages_are_drawn(tmp_path: Path) -> None:
    repository = driver.load(
        project(tmp_path, {f"p{number}": path.read_bytes() for number, path in enumerate(FILES)})
    )
    for checked in driver.check(repository, "local").value.project.pipelines.values():
        graph, package = graph_of(checked), checked.pipeline.package
        assert package is not None
        assert {node.id for node in graph.root.children} == set(package.spec["root"]["dag"]["tasks"])
        for draw in (pictures.text, pictures.svg, pictures.mermaid, pictures.dot):
            assert all(node.label in draw(graph) for node in graph.root.children if len(node.label) < 20)


def messages(descriptor: Any, found: dict[str, Any]) -> dict[str, Any]:
    """The fields of a message and of all below it, by their names in JSON."""
    if descriptor.full_name in found or descriptor.full_name.startswith("google."):
        return found
    found[descriptor.full_name] = descriptor
    for field in descriptor.fields:
        value = field
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
        if value.message_type is not None:
            messages(value.message_type, found)
    return found


def kind(field: Any) -> str:
    """A field in the words of `shape`; a message is called by its own name."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return f"{{{kind(field.message_type.fields_by_name['value'])}}}"
    word = {
        field.TYPE_STRING: "text", field.TYPE_BOOL: "flag", field.TYPE_INT32: "int", field.TYPE_INT64: "int",
        field.TYPE_DOUBLE: "number", field.TYPE_FLOAT: "number",
    }.get(field.type, "")  # fmt: skip
    if field.enum_type is not None:
        word = "|".join(value.name for value in field.enum_type.values)
    if field.message_type is not None:
        name = field.message_type.full_name
        word = {
            "google.protobuf.Struct": "map", "google.protobuf.Value": "any", "google.protobuf.Duration": "duration",
        }.get(name, name)  # fmt: skip
    return f"[{word}]" if field.is_repeated else word


def test_the_form_is_that_of_the_protobuf_messages() -> None:
    """Names of messages are kfgit's own: they are compared along the way from the two roots."""
    pool: dict[str, Any] = {}
    for message in (
        pipeline_spec_pb2.PipelineSpec,
        pipeline_spec_pb2.PlatformSpec,
        pipeline_spec_pb2.PipelineDeploymentConfig,
    ):
        messages(message.DESCRIPTOR, pool)
    # The proto has a Struct for what the SDK parses into this message.
    pairs = {
        "PipelineSpec": "ml_pipelines.PipelineSpec",
        "PlatformSpec": "ml_pipelines.PlatformSpec",
        "PipelineDeploymentConfig": "ml_pipelines.PipelineDeploymentConfig",
    }
    pending = list(pairs)
    for ours in pending:  # grows while it is read
        descriptor = pool[pairs[ours]]
        fields = {field.json_name: kind(field) for field in descriptor.fields}
        assert MESSAGES[ours].keys() == fields.keys(), ours
        for name, word in MESSAGES[ours].items():
            bare, theirs = word.strip("[]{}"), fields[name].strip("[]{}")
            if bare in MESSAGES and (ours, name) != ("PipelineSpec", "deploymentSpec"):
                if bare not in pairs:
                    pairs[bare] = theirs
                    pending.append(bare)
                assert pairs[bare] == theirs, (ours, name)
                theirs = bare
            assert (
                fields[name].replace(fields[name].strip("[]{}"), theirs) == word or name == "deploymentSpec"
            )
        choices = {
            field.json_name for one in descriptor.oneofs if len(one.fields) > 1 for field in one.fields
        }
        assert set(CHOICES.get(ours, ())) == choices, ours
    assert set(pairs) == set(MESSAGES)


def test_a_text_of_yaml_1_1_stays_one() -> None:
    found, faults = read(
        "root: {dag: {tasks: {a: {componentRef: {name: c}}}}}\ncomponents: {c: {executorLabel: e}}\n"
        "deploymentSpec: {executors: {e: {container: {image: i, args: [1e-4, 09, 0o7, 2024-01-01, '3', -x]}}}}\n"
        "schemaVersion: 2.1.0\n"
    )
    assert faults == []
    assert found is not None
    arguments = found.spec["deploymentSpec"]["executors"]["e"]["container"]["args"]
    assert arguments == ["1e-4", "09", "0o7", "2024-01-01", "3", "-x"]


def test_json_and_kubernetes_manifests_are_packages_too() -> None:
    spec, platform = yaml.safe_load_all(INNER.read_text())
    found, faults = read(json.dumps(spec), "packages/x.json")
    assert faults == []
    assert found is not None
    assert (found.spec, found.platform) == (spec, None)
    manifest = {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {"name": "x-v1"},
        "spec": {"pipelineName": "x", "pipelineSpec": spec, "platformSpec": platform},
    }
    owner = {"apiVersion": "pipelines.kubeflow.org/v2beta1", "kind": "Pipeline", "metadata": {"name": "x"}}
    found, faults = read(yaml.safe_dump_all([owner, manifest]))
    assert faults == []
    assert found is not None
    assert (found.spec, found.platform) == (spec, platform)


def test_the_interface_is_that_of_the_package() -> None:
    found, _ = read(INNER.read_bytes())
    assert found is not None
    assert [(port.name, port.type, port.default, port.optional) for port in found.inputs] == [
        ("deep", "bool", True, True),
        ("rate", "float", None, False),
        ("words", "list", ["a", "b"], True),
    ]
    assert [(port.name, port.type) for port in found.outputs] == [
        ("Output", compiled.Artifact("system.Dataset", "0.0.1", many=False))
    ]
    assert found.description == "Makes a table and uses it."


def test_a_package_that_doubles_is_refused_before_it_is_laid_out() -> None:
    components = {
        f"c{level}": {
            "dag": {
                "tasks": {
                    side: {"componentRef": {"name": f"c{level + 1}"}, "taskInfo": {"name": side}}
                    for side in "ab"
                }
            }
        }
        for level in range(40)
    }
    spec = {
        "components": {**components, "c40": {"executorLabel": "e"}},
        "deploymentSpec": {"executors": {"e": {"container": {"image": "i"}}}},
        "root": components["c0"],
        "schemaVersion": "2.1.0",
    }
    _, faults = read(json.dumps(spec))
    assert [fault.code for fault in faults] == ["pipeline-too-large"]


def test_policies_look_into_packages(tmp_path: Path) -> None:
    root = project(tmp_path, {"inner": INNER.read_bytes()})
    (root / "environments").mkdir()
    (root / "environments" / "prod.yaml").write_text(
        "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: prod}\nspec:\n"
        "  policies: {allowedRegistries: [ghcr.io/acme], requiredLabels: [team]}\n"
    )
    told = driver.validate(driver.load(root), ("prod",))
    assert {(fault.code, fault.span.file) for fault in told} == {
        ("policy-allowed-registries", "inner.yaml"),
        ("policy-required-labels", "pipelines/inner.yaml"),
    }
    assert len(told) == 4  # three images, one label


def test_a_package_outside_through_a_link_is_not_read(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    project(root, {"inner": b""})
    (tmp_path / "elsewhere.yaml").write_bytes(INNER.read_bytes())
    (root / "inner.yaml").unlink()
    (root / "inner.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    (fault,) = driver.validate(driver.load(root), ("local",))
    assert (fault.code, fault.span.file) == ("path-outside", "pipelines/inner.yaml")


def holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from holders(item)


JUNK: tuple[Any, ...] = (
    None,
    True,
    5,
    -1.5,
    "",
    "x y",
    "comp-make",
    [],
    [1],
    {},
    {"a": 1},
    {"name": 3},
    "{{$.inputs}}",
)


def broken(spec: Any, chance: random.Random) -> Any:
    """The same with something dropped, exchanged, renamed or added."""
    made = json.loads(json.dumps(spec))
    for _ in range(chance.randint(1, 3)):
        holder = chance.choice(list(holders(made)) or [{"": 0}])
        key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
        match chance.choice(["drop", "put", "rename"]):
            case "drop":
                del holder[key]
            case "put":
                holder[key] = chance.choice(JUNK)
            case _:
                if isinstance(holder, dict):
                    holder[f"{key}x"] = holder.pop(key)
    return made


def test_whatever_is_broken_in_a_package_is_told_or_harmless() -> None:
    """What validate lets pass the engine takes, so that nothing is found out only when it is run."""
    spec, platform = yaml.safe_load_all(INNER.read_text())
    chance = random.Random(7)
    told = 0
    for _ in range(400):
        documents = [broken(spec, chance), broken(platform, chance) if chance.random() < 0.3 else platform]
        found, faults = read(json.dumps(documents[0]) + "\n---\n" + json.dumps(documents[1]))
        assert found is not None or has_errors(faults)
        if has_errors(faults) or found is None:
            told += 1
            continue
        for condition in found.conditions:
            try:
                cel.check(cel.parse(condition.text))
            except (cel.CelSyntaxError, cel.CelTypeError):
                break
        else:
            engine.load(Package("x", found.spec, found.platform))
    assert 100 < told < 400
