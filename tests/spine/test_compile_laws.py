"""Laws of the compiler, over random pipelines: what is valid compiles, every name leads somewhere, and it runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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

HERE = Path(__file__).parent
COMPONENT: dict[str, Any] = {
    "apiVersion": "kfgit.dev/v1",
    "kind": "Component",
    "metadata": {"name": "c"},
    "spec": {
        "inputs": {
            "text": {"type": "string", "default": "x"},
            "number": {"type": "int", "default": 1},
            "data": {"type": "Dataset", "optional": True},
            "texts": {"type": "list<string>", "default": []},
            "many": {"type": "list<Dataset>", "optional": True},
        },
        "outputs": {"said": {"type": "string"}, "count": {"type": "int"}, "data": {"type": "Dataset"}},
        "container": {"image": "c", "script": "echo $(inputs.text) > $(outputs.said.path)"},
    },
}
INNER: dict[str, Any] = {
    "apiVersion": "kfgit.dev/v1",
    "kind": "Pipeline",
    "metadata": {"name": "inner"},
    "spec": {
        "inputs": {"text": {"type": "string", "default": "y"}, "data": {"type": "Dataset", "optional": True}},
        "outputs": {
            "said": {"type": "string", "from": "$(tasks.c.outputs.said)"},
            "texts": {"type": "list<string>", "from": "$(tasks.l.c.outputs.said.*)"},
        },
        "tasks": {
            "c": {"component": "c", "inputs": {"text": "$(inputs.text)", "data": "$(inputs.data)"}},
            "l": {"forEach": ["a", "b"], "tasks": {"c": {"component": "c", "inputs": {"text": "$(item)"}}}},
        },
    },
}
PORTS = {
    "string": "text",
    "int": "number",
    "Dataset": "data",
    "list<string>": "texts",
    "list<Dataset>": "many",
}
COLLECTED = {"string": "list<string>", "Dataset": "list<Dataset>"}
# Some of them are names that compilers make up.
WORDS = ("a", "for-loop", "condition", "a-2", "exit-handler", "loop-item-param", "condition-branches")


@dataclass(slots=True)
class Author:
    """Writes one pipeline. `draw` decides; what is written is valid."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    used: set[str] = field(default_factory=set)

    def choose(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def maybe(self) -> bool:
        return bool(self.draw(st.booleans()))

    def name(self) -> str:
        """A name that no task has, so that none hides another."""
        wanted = self.choose(*WORDS)
        number = 1
        while f"{wanted}-{number}" in self.used:
            number += 1
        self.used.add(f"{wanted}-{number}")
        return f"{wanted}-{number}"

    def scope(
        self, depth: int, around: list[tuple[str, str]], names: list[str]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Tasks, and what they give to each other: (reference without its end, type)."""
        tasks: dict[str, Any] = {}
        made: list[tuple[str, str]] = []
        for _ in range(self.draw(st.integers(1, 4))):
            name = self.name()
            seen = [*around, *made]
            task, outputs = self.task(name, depth, seen, [*names, *tasks])
            if self.maybe() and self.maybe():
                task["when"] = self.condition(seen)
            if tasks and self.maybe():
                task["after"] = [self.choose(*names, *tasks)]
            tasks[name] = task
            made += outputs
        return tasks, made

    def task(
        self, name: str, depth: int, seen: list[tuple[str, str]], names: list[str]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        kinds = ["component", "component", "pipeline", "import", *(["loop", "switch"] if depth else [])]
        match self.choose(*kinds):
            case "loop":
                return self.loop(name, depth, seen, names)
            case "switch":
                return self.switch(name, depth, seen, names)
            case "pipeline":
                task = {"pipeline": "inner", "inputs": self.inputs(seen, ("text", "data"))}
                return task, [
                    (f"tasks.{name}.outputs.said", "string"),
                    (f"tasks.{name}.outputs.texts", "list<string>"),
                ]
            case "import":
                uri = self.text(seen)
                return {"import": {"uri": uri, "type": "Dataset"}}, [
                    (f"tasks.{name}.outputs.artifact", "Dataset")
                ]
            case _:
                outputs = {"said": "string", "count": "int", "data": "Dataset"}
                made = [(f"tasks.{name}.outputs.{output}", type_) for output, type_ in outputs.items()]
                return {"component": "c", "inputs": self.inputs(seen, tuple(PORTS.values()))}, made

    def inputs(self, seen: list[tuple[str, str]], ports: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for port in ports:
            fitting = [ref for ref, type_ in seen if PORTS.get(type_) == port]
            if fitting and self.maybe():
                found[port] = f"$({self.choose(*fitting)})"
            elif port == "text" and self.maybe():
                found[port] = self.text(seen)
        return found

    def text(self, seen: list[tuple[str, str]]) -> str:
        fitting = [ref for ref, type_ in seen if type_ in {"string", "int"}]
        refs = self.draw(st.lists(st.sampled_from([*fitting, "run.id"]), max_size=3))
        return "gs://" + "/".join(f"$({ref})" for ref in refs)

    def condition(self, seen: list[tuple[str, str]]) -> str:
        parts = []
        for _ in range(self.draw(st.integers(1, 2))):
            ref, type_ = self.choose(
                *((r, t) for r, t in [*seen, ("run.name", "string")] if t in {"string", "int"})
            )
            parts.append(
                f"$({ref}) == 'it''s'".replace("''", "\\'") if type_ == "string" else f"$({ref}) > 2"
            )
        return str(self.choose(" and ", " or ")).join(parts)

    def loop(
        self, name: str, depth: int, seen: list[tuple[str, str]], names: list[str]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        lists = [(f"$({ref})", "string") for ref, type_ in seen if type_ == "list<string>"]
        fields = [([{"text": "a", "number": 1}], "dict")]
        items, type_ = self.choose((["a", "b"], "string"), ([1, 2], "int"), *fields, *lists)
        item = [(f"loops.{name}.item", type_)] if type_ != "dict" else [
            (f"loops.{name}.item.text", "string"), (f"loops.{name}.item.number", "int"),
        ]  # fmt: skip
        tasks, made = self.scope(depth - 1, [*seen, *item], [*names])
        collected = []
        for ref, inner in made:
            path, output = ref.removeprefix("tasks.").split(".outputs.")
            plain = output.removesuffix(".*")
            if inner in COLLECTED:
                collected.append((f"tasks.{name}.{path}.outputs.{plain}.*", COLLECTED[inner]))
        return {"forEach": items, "tasks": tasks}, collected

    def switch(
        self, name: str, depth: int, seen: list[tuple[str, str]], names: list[str]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        branches: list[dict[str, Any]] = []
        given: list[list[tuple[str, str]]] = []
        for _ in range(self.draw(st.integers(1, 3))):
            tasks, made = self.scope(depth - 1, seen, names)
            branches.append({"when": self.condition(seen), "tasks": tasks})
            given.append([(ref, type_) for ref, type_ in made if type_ in {"string", "Dataset"}])
        if len(branches) == 1 or self.maybe():
            return {"switch": branches}, []
        del branches[-1]["when"]
        outputs = []
        for output, type_ in (("said", "string"), ("data", "Dataset")):
            choices = [[ref for ref, t in made if t == type_] for made in given]
            if all(choices):
                for branch, refs in zip(branches, choices, strict=True):
                    branch.setdefault("outputs", {})[output] = f"$({self.choose(*refs)})"
                outputs.append((f"tasks.{name}.outputs.{output}", type_))
        return {"switch": branches}, outputs

    def pipeline(self) -> dict[str, Any]:
        inputs: dict[str, Any] = {
            "word": {"type": "string"},
            "n": {"type": "int", "default": 1},
            "words": {"type": "list<string>"},
        }
        seen = [(f"inputs.{name}", str(port["type"])) for name, port in inputs.items()]
        tasks, made = self.scope(3, seen, [])
        spec: dict[str, Any] = {"inputs": inputs, "tasks": tasks}
        if made:
            chosen = self.draw(st.lists(st.sampled_from(made), max_size=3, unique=True))
            spec["outputs"] = {
                f"o{n}": {"type": type_, "from": f"$({ref})"} for n, (ref, type_) in enumerate(chosen)
            }
        if self.maybe():
            spec["onExit"] = {"component": "c", "inputs": {"text": "$(inputs.word) $(run.id)"}}
        return {"apiVersion": "kfgit.dev/v1", "kind": "Pipeline", "metadata": {"name": "p"}, "spec": spec}


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, Any]:
    return Author(draw).pipeline()


def compiled(pipeline: dict[str, Any]) -> Package:
    documents = "\n---\n".join(json.dumps(document) for document in (COMPONENT, INNER, pipeline))
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
    ended = engine.outcome(play(package, inputs={"word": "w", "words": ["a", "b"]}).state)
    assert ended is not None
    # A branch whose output's task was skipped by a guard has nothing to give out, here and on a cluster.
    assert ended.error is None or "has no value" in ended.error


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
