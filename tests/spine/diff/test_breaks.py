"""What breaks those who call a pipeline."""

from __future__ import annotations

import pytest

from tests.cli.conftest import GREET, LOCAL, NIGHTLY, run_document
from tests.comparing import between

HEAD = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: hello}
spec:
"""
INPUTS = """\
  inputs:
    name: {type: string, default: world, enum: [world, moon, sun]}
    count: {type: int, default: 2, min: 1, max: 9}
    data: {type: Dataset, optional: true}
"""
REST = """\
  outputs:
    text: {type: string, from: $(tasks.greet.outputs.text)}
  tasks:
    greet: {component: greet, inputs: {name: $(inputs.name)}}
"""
OUTER = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: outer}
spec: {tasks: {one: {pipeline: hello}}}
"""
FILES = {"environments/local.yaml": LOCAL, "components/greet.yaml": GREET}


def breaks(after: str | None, before: str = f"{HEAD}{INPUTS}{REST}", **more: str) -> list[str]:
    files = [{**FILES, **more, "pipelines/hello.yaml": text} for text in (before, after) if text is not None]
    found = between(files[0], files[1] if len(files) > 1 else {**FILES, **more})
    return [each.message for each in found.breaks if each.pipeline == "hello"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("default: world, ", "", "the input `name` is required now"),
        ("    count:", "    number: {type: int}\n    count:", "the new input `number` is required"),
        ("    count: {type: int, default: 2, min: 1, max: 9}\n", "", "the input `count` is removed"),
        (
            "type: int, default: 2, min: 1, max: 9",
            "type: float, default: 2.0",
            "the input `count` is float now, it was int",
        ),
        ("[world, moon, sun]", "[world]", "the input `name` takes `moon`, `sun` no more"),
        ("min: 1", "min: 2", "the input `count` must be at least 2 now"),
        ("max: 9", "max: 3", "the input `count` must be at most 3 now"),
        (
            "{type: Dataset, optional",
            "{type: Model, optional",
            "the input `data` is Model now, it was Dataset",
        ),
        ("{type: Dataset, optional", "{type: Artifact, optional", ""),
        (
            "{type: Dataset, optional",
            "{type: list<Artifact>, optional",
            "the input `data` is list<Artifact> now, it was Dataset",
        ),
        ("min: 1, max: 9", "min: 0, max: 10", ""),
        ("[world, moon, sun]", "[world, moon, sun, mars]", ""),
        (", enum: [world, moon, sun]", "", ""),
        ("    count:", "    number: {type: int, default: 1}\n    count:", ""),
    ],
)
def test_inputs(old: str, new: str, message: str) -> None:
    before = f"{HEAD}{INPUTS}{REST}"
    assert old in before
    assert breaks(before.replace(old, new)) == ([message] if message else [])


@pytest.mark.parametrize(
    ("old", "new", "is_broken"),
    [
        ("list<int>", "list", False),
        ("list", "list<int>", True),
        ("list<int>", "list<string>", True),
        ("Artifact", "Dataset", True),
        ("list<Dataset>", "list<Artifact>", False),
    ],
)
def test_types_that_take_more(old: str, new: str, *, is_broken: bool) -> None:
    before = f"{HEAD}{INPUTS.replace('Dataset', old)}{REST}"
    told = breaks(before.replace(old, new), before)
    assert told == ([f"the input `data` is {new} now, it was {old}"] if is_broken else [])


def test_values_that_nobody_asked_for() -> None:
    loose = INPUTS.replace(", enum: [world, moon, sun]", "").replace(", min: 1, max: 9", "")
    assert breaks(f"{HEAD}{INPUTS}{REST}", f"{HEAD}{loose}{REST}") == [
        "the input `name` takes only `world`, `moon`, `sun` now",
        "the input `count` must be at least 1 now",
        "the input `count` must be at most 9 now",
    ]


def test_outputs() -> None:
    before = f"{HEAD}{INPUTS}{REST}"
    gone = before.replace("    text: {type: string, from: $(tasks.greet.outputs.text)}\n", "    {}\n")
    assert breaks(gone) == ["the output `text` is removed"]
    other = before.replace(
        "text: {type: string, from: $(tasks.greet.outputs.text)",
        "text: {type: Markdown, from: $(tasks.greet.outputs.card)",
    )
    assert breaks(other) == ["the output `text` is Markdown now, it was string"]


def test_a_pipeline_that_goes() -> None:
    assert breaks(None) == ["the pipeline is removed"]


def test_the_name_on_the_target() -> None:
    before = f"{HEAD}{INPUTS}{REST}"
    after = before.replace("spec:\n", "spec:\n  externalName: Hello there\n")
    assert breaks(after) == ["it is called `Hello there` on the target now, it was `hello`"]


def test_callers_are_named() -> None:
    files = {
        **FILES,
        "pipelines/outer.yaml": OUTER,
        "pipelines/nightly.yaml": NIGHTLY,
        "pipelines/run.yaml": run_document("once"),
    }
    before = f"{HEAD}{INPUTS}{REST}"
    after = before.replace("max: 9", "max: 3")
    found = between({**files, "pipelines/hello.yaml": before}, {**files, "pipelines/hello.yaml": after})
    [one] = found.breaks
    assert one.callers == ("pipeline/outer", "run/smoke", "schedule/nightly")
    assert one.span.start() == "pipelines/hello.yaml:7:19"
