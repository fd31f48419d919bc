"""Laws of the compiler, over random pipelines: what is valid compiles, every name leads somewhere, and it runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kfgit import compiler
from kfgit.backends.local import engine
from kfgit.compiler.kubelet import Placeholder, escape, written
from kfgit.ir import Package
from tests import compiling
from tests.backends.test_engine_play import play
from tests.ir_linter import problems
from tests.pipelines import COMPONENT, LIBRARY, pipelines

HERE = Path(__file__).parent


def compiled(pipeline: dict[str, Any]) -> Package:
    documents = "\n---\n".join(json.dumps(document) for document in (*LIBRARY, pipeline))
    return compiling.texts({"all.yaml": documents}, HERE)["p"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(pipelines())
def test_what_is_valid_compiles_and_runs(pipeline: dict[str, Any]) -> None:
    package = compiled(pipeline)
    assert problems(package) == []
    shown = {label for key, label in package.labels.items() if key.startswith("root/")}
    assert shown <= {*names_in(pipeline["spec"]["tasks"]), "onExit", ""}
    inputs = {"word": "w", "words": ["a", "b"]}
    ended = engine.outcome(play(package, inputs=inputs, workspace="/workspace").state)
    assert ended is not None
    # A branch whose output's task was skipped by a guard has nothing to give out, here and on a cluster; and a guard
    # that reads a skipped task's output cannot be decided, where `ignoreUpstreamFailure` asks for it all the same.
    assert ended.error is None or "has no value" in ended.error or "has neither a value" in ended.error


def names_in(tasks: dict[str, Any]) -> Iterator[str]:
    for name, task in tasks.items():
        yield name
        yield from names_in(task.get("tasks", {}))
        for branch in task.get("switch", ()):
            yield from names_in(branch["tasks"])


def expanded(text: str, variables: dict[str, str]) -> str:
    """kubelet's own reader, character by character (third_party/forked/golang/expansion/expand.go)."""
    out, at = "", 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            out, at = out + text[at], at + 1
        elif text[at + 1] == "$":
            out, at = out + "$", at + 2
        elif text[at + 1] == "(" and ")" in text[at + 2 :]:
            end = text.index(")", at + 2)
            name = text[at + 2 : end]
            out, at = out + variables.get(name, f"$({name})"), end + 1
        else:
            out, at = out + text[at : at + 2], at + 2
    return out


SHELL = st.text(alphabet="$()A B{}_\n'\"", max_size=20)


@given(SHELL)
def test_kubelet_leaves_an_escaped_text_as_it_was(text: str) -> None:
    assert expanded(escape(text), {"A": "!", "B": "!", "_": "!", "AB": "!"}) == text


@given(st.lists(SHELL | st.builds(Placeholder, st.sampled_from(["(A)", "x", "A)"])), max_size=5))
def test_kubelet_joins_nothing_with_what_stands_before_it(pieces: list[str | Placeholder]) -> None:
    literal = "".join(p if isinstance(p, str) else p.text for p in pieces)
    if not any(
        isinstance(p, Placeholder) and "(" in before
        for before, p in zip(("", *pieces), pieces, strict=False)
        if isinstance(before, str)
    ):
        assert expanded(written(pieces), {"A": "!"}) == literal


@pytest.mark.parametrize(
    "text", ["$(mktemp -d)", "$HOME ${X:-$1}", "$(echo $$)", "a$", "$((1 + 2))", "$(unclosed"]
)
def test_what_kubelet_does_not_touch_is_not_escaped(text: str) -> None:
    assert escape(text) == text


def test_work_grows_with_the_tasks() -> None:
    def calls(count: int) -> int:
        tasks: dict[str, Any] = {"t0": {"component": "c"}}
        tasks |= {
            f"t{n}": {"component": "c", "inputs": {"text": f"$(tasks.t{n - 1}.outputs.said)"}}
            for n in range(1, count)
        }
        pipeline = {
            "apiVersion": "kfgit.dev/v1",
            "kind": "Pipeline",
            "metadata": {"name": "p"},
            "spec": {"tasks": tasks},
        }
        documents = "\n---\n".join(json.dumps(document) for document in (COMPONENT, pipeline))
        checked = compiling.checked({"all.yaml": documents}, HERE)["p"]
        seen = 0

        def count_one(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal seen
            seen += event == "call"

        before = sys.getprofile()
        sys.setprofile(count_one)
        try:
            compiler.compile_pipeline(checked)
        finally:
            sys.setprofile(before)
        return seen

    assert calls(200) < 4.4 * calls(50)
