"""Nesting that would grow without bound: it is counted, never laid out, so that `check` stays quick."""

from __future__ import annotations

from pathlib import Path

from kfgit import driver
from kfgit.diagnostics import Diagnostic

COMPONENT = """apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: make}
spec: {outputs: {x: {type: string}, y: {type: string}}, container: {image: "example.com/make:1"}}
"""
PIPELINE = """apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: p%d}
spec:
  outputs: {x: {type: string, from: $(tasks.a.outputs.x)}, y: {type: string, from: $(tasks.b.outputs.y)}}
  tasks:
    a: {%s}
    b: {%s}
"""


def chain(length: int, first: str) -> str:
    """Pipelines that each use the one before twice."""
    used = [first, *(f"pipeline: p{n}" for n in range(length - 1))]
    return "---\n".join([COMPONENT, *(PIPELINE % (n, use, use) for n, use in enumerate(used))])


def checked(root: Path, text: str) -> tuple[tuple[Diagnostic, ...], set[str]]:
    (root / "pipelines").mkdir()
    (root / "kfgit.yaml").write_text("apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: case}\n")
    (root / "pipelines/chain.yaml").write_text(text)
    found = driver.check(driver.load(root), "local")
    return found.diagnostics, set(found.value.project.pipelines)


def test_a_chain_that_doubles_is_refused_once(tmp_path: Path) -> None:
    told, good = checked(tmp_path, chain(80, "component: make"))
    assert [d.code for d in told] == ["pipeline-too-large"]
    assert good == {f"p{n}" for n in range(11)}  # 2, 6, 14, … 4,094


def test_types_that_nobody_wrote_are_not_looked_for(tmp_path: Path) -> None:
    told, _ = checked(tmp_path, chain(80, "component: make").replace("type: string, ", ""))
    assert {d.code for d in told} == {"missing-key", "pipeline-too-large"}


def test_a_long_circle_is_told_once(tmp_path: Path) -> None:
    told, good = checked(tmp_path, chain(1000, "pipeline: p999"))
    assert [d.code for d in told] == ["pipeline-cycle"]
    assert good == set()
    assert len(told[0].related) == 1000
