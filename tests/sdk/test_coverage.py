"""The pairs use everything: each key of the schemas that reaches the IR, and all that the SDK's DSL can say.

What no pair uses is listed here with its reason, or in docs/from-kfp.md, under "No counterpart", with the way out.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.sdk.official import Sdk

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
PAIRS = Path(__file__).with_name("pairs")
KINDS = ("component", "pipeline", "resourceprofile")
COMBINATIONS = ("if", "then", "else", "allOf", "anyOf", "oneOf")

Json = Any

# Keys that no pair uses, by the end of their place in the schemas.
NOT_IN_THE_IR = {
    "checked before anything is compiled": ("port enum", "port min", "port max", "port pattern"),
    "a name on the server, which is not in the package": ("spec externalName",),
    "what a cluster keeps beside the package": (
        "queue clusterQueue", "queue flavor", "queue cohort", "queue borrowingLimit", "queue lendingLimit",
        "queue strategy", "queue preemption", "preemption withinClusterQueue", "preemption reclaimWithinCohort",
        "priority value", "spec quota", "spec cost", "cost perHour", "cost currency",
        "spec limitRange", "limitRange default", "limitRange defaultRequest", "limitRange min", "limitRange max",
        "spec deviceClass", "deviceClass name", "deviceClass selectors", "deviceClass extendedResourceName",
        "spec claim", "claim name", "claim deviceClass", "claim count", "claim selectors",
    ),
    "refused where it would be lost": ("amounts/else ephemeralStorage", "onExit when"),
    "compiled as the same text in a file is; see inline_source": ("notebook/properties/python source",),
}  # fmt: skip


def test_every_key_of_the_language_is_used() -> None:
    known = {key for kind in KINDS for key in _keys(f"{kind}.schema.json", "/$defs/spec", set())}
    used = {key for document in _documents() for key in _used(document)}
    outside = tuple(end for ends in NOT_IN_THE_IR.values() for end in ends)
    assert {place for place in known - used if not place.endswith(outside)} == set()
    assert [end for end in outside if not any(place.endswith(end) for place in known - used)] == []


def test_every_construct_of_the_sdk_is_used(sdk: Sdk) -> None:
    surface = sdk.surface()
    known = {name for name in surface if name not in ITS_OWN}
    known |= {
        f"{name}({one})" for name in known - RUNTIME for one in surface[name] if one not in {"task", "name"}
    }
    known |= {f"{name}(name)" for name in GROUPS}
    used = {said for path in PAIRS.glob("*.py") for said in _said(ast.parse(path.read_text()), surface)}
    without = _without_counterpart()
    assert known - used - without == set()
    assert without & used == set()
    assert without <= known


GROUPS = ("If", "Elif", "Else", "ParallelFor", "ExitHandler")
# What components get when they run; their own parameters are no part of a pipeline.
RUNTIME = {
    "Artifact", "ClassificationMetrics", "Dataset", "HTML", "Markdown", "Metrics", "Model",
    "SlicedClassificationMetrics", "PipelineTaskFinalStatus", "TaskConfig", "TaskConfigField",
}  # fmt: skip
# What the SDK uses itself, and tells of a task.
ITS_OWN = {
    "PipelineTask", "task.platform_spec", "task.name", "task.inputs", "task.channel_inputs", "task.dependent_tasks",
    "task.register_pipeline_channels",
}  # fmt: skip


def _documents() -> Iterator[Json]:
    for path in sorted(PAIRS.glob("*.yaml")):
        yield from (d for d in yaml.safe_load_all(path.read_text()) if d.get("apiVersion") == "kfgit.dev/v1")


@cache
def _file(name: str) -> Json:
    return json.loads((SCHEMAS / name).read_text())


def _schema(file: str, pointer: str) -> Json:
    found = _file(file)
    for part in pointer.strip("/").split("/"):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


def _followed(file: str, pointer: str) -> tuple[str, str]:
    """Where a `$ref` leads."""
    target = _schema(file, pointer)["$ref"]
    name, _, place = target.partition("#")
    return name or file, place


def _steps(file: str, pointer: str) -> Iterator[tuple[str, str]]:
    """Schemas that hold for the same value."""
    part = _schema(file, pointer)
    if not isinstance(part, dict):
        return
    yield file, pointer
    if "$ref" in part:
        yield from _steps(*_followed(file, pointer))
    for word in COMBINATIONS:
        inner = part.get(word)
        if isinstance(inner, list):
            for index in range(len(inner)):
                yield from _steps(file, f"{pointer}/{word}/{index}")
        elif inner is not None:
            yield from _steps(file, f"{pointer}/{word}")


def _keys(file: str, pointer: str, seen: set[tuple[str, str]]) -> Iterator[str]:
    for place in _steps(file, pointer):
        if place in seen:
            continue
        seen.add(place)
        part = _schema(*place)
        for key, inner in part.get("properties", {}).items():
            if inner is False:
                continue
            yield f"{place[0]}#{place[1]} {key}"
            yield from _keys(place[0], f"{place[1]}/properties/{key}", seen)
        for word in ("additionalProperties", "items"):
            if isinstance(part.get(word), dict):
                yield from _keys(place[0], f"{place[1]}/{word}", seen)


def _used(document: Mapping[str, Json]) -> Iterator[str]:
    kind = document["kind"].lower()
    if kind in KINDS:
        yield from _in(f"{kind}.schema.json", "/$defs/spec", document["spec"])


def _in(file: str, pointer: str, value: Json) -> Iterator[str]:
    for place in _steps(file, pointer):
        part = _schema(*place)
        known = part.get("properties", {})
        for key, inner in value.items() if isinstance(value, dict) else ():
            if key in known:
                yield f"{place[0]}#{place[1]} {key}"
                yield from _in(place[0], f"{place[1]}/properties/{key}", inner)
            elif isinstance(part.get("additionalProperties"), dict):
                yield from _in(place[0], f"{place[1]}/additionalProperties", inner)
        for inner in value if isinstance(value, list) and "items" in part else ():
            yield from _in(place[0], f"{place[1]}/items", inner)


def _said(program: ast.Module, surface: Mapping[str, list[str]]) -> Iterator[str]:
    """Names of the SDK in a program, and the parameters that it gives."""
    for node in ast.walk(program):
        match node:
            case ast.Name(id=name) if name in surface:
                yield name
            case ast.Attribute(attr=name):
                yield from {name, f"task.{name}"} & surface.keys()
            case ast.alias(name=name) if name in surface:
                yield name
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=keywords):
                for callee in {name, f"task.{name}"} & surface.keys():
                    given = [*surface[callee][: len(args)], *(keyword.arg for keyword in keywords)]
                    yield from (f"{callee}({parameter})" for parameter in given)
            case _:
                pass


def _without_counterpart() -> set[str]:
    """The first column of the table in the docs: names, and parameters as `name(parameter=…)`."""
    section = (
        (ROOT / "docs" / "from-kfp.md").read_text().partition("## No counterpart")[2].partition("\n## ")[0]
    )
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    found = set()
    for name, _, parameters in re.findall(r"`(?:dsl\.|kubernetes\.)?([\w.]+)(\(([^)`]*)\))?`", "".join(rows)):
        found |= (
            {f"{name}({one.strip().removesuffix('=…')})" for one in parameters.split(",")}
            if parameters
            else {name}
        )
    return found
