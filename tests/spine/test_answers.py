"""What validate remembers is what it would say: repositories are changed at random, and both ways must agree."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from kfgit import answers, driver
from kfgit.answers import Answer, Memory, halves

PARTS, WORKS = 20, 20
PROJECT = """apiVersion: kfgit.dev/v1
kind: Project
metadata: {name: p}
spec: {vars: {rate: 0.5, type: int, uses: part-3}}
"""
PROD = """apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  vars: {rate: 0.7, type: int}
  patches: [{target: {kind: Pipeline, name: work-5}, merge: {spec: {defaults: {cache: false}}}}]
"""
OVERLAY = "kind: Pipeline\nmetadata: {name: work-6}\nspec: {inputs: {start: {default: 4}}}\n"
PYTHON = "def step(number: int) -> int:\n    return number + 1\n"


def part(number: int) -> str:
    body = (
        "python: {file: step.py, function: step}"
        if number % 10 == 0
        else "container: {image: i, args: [$(inputs.number)]}"
    )
    type_ = '"{{ vars.type }}"' if number == 6 else "int"
    outputs = "" if number % 10 == 0 else "  outputs: {Output: {type: int}}\n"
    return (
        f"apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {{name: part-{number}}}\n"
        f"spec:\n  inputs: {{number: {{type: {type_}}}}}\n{outputs}  {body}\n"
    )


def work(number: int) -> str:
    nested = (
        f"    below: {{pipeline: work-{number - 1}, inputs: {{start: 1}}}}\n"
        if number % 7 == 0 and number
        else ""
    )
    rate = '"{{ vars.rate }}"' if number == 8 else "0.5"
    return (
        f"apiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {{name: work-{number}}}\nspec:\n"
        f"  inputs: {{start: {{type: int, default: 1}}, rate: {{type: float, default: {rate}}}}}\n  tasks:\n"
        f"    one: {{component: part-{number}, inputs: {{number: $(inputs.start)}}}}\n{nested}"
        f"    two: {{component: part-{(number + 1) % PARTS}, inputs: {{number: $(tasks.one.outputs.Output)}}}}\n"
    )


def repository(root: Path, parts: int = PARTS, works: int = WORKS) -> None:
    files = {"kfgit.yaml": PROJECT, "components/step.py": PYTHON, "environments/prod.yaml": PROD}
    files |= {"environments/prod/work.yaml": OVERLAY}
    files |= {f"components/part-{i}.yaml": part(i) for i in range(parts)}
    files |= {f"pipelines/work-{i}.yaml": work(i) for i in range(works)}
    for path, text in files.items():
        write(root / path, text)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def replacing(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


class Edit(NamedTuple):
    """What a user does to one file; `where` has the number of the document in it."""

    where: str
    change: Callable[[str], str] | None

    def make(self, root: Path, number: int) -> None:
        path = root / self.where.format(number)
        if self.change is None:
            path.unlink(missing_ok=True)
        elif path.exists():
            write(path, self.change(path.read_text(encoding="utf-8")))


PART, WORK = "components/part-{}.yaml", "pipelines/work-{}.yaml"
EDITS = (
    Edit(PART, lambda text: text + "# a remark\n"),
    Edit(PART, replacing("{type: int}", "{type: string}")),
    Edit(PART, replacing("{type: string}", "{type: int}")),
    Edit(PART, replacing("number:", "count:")),
    Edit(PART, replacing("name: part-", "name: piece-")),
    Edit(PART, replacing("image: i", "image: [")),
    Edit(PART, None),
    Edit(WORK, replacing("one:", "first:")),
    Edit(WORK, replacing("component: part-", "component: prat-")),
    Edit(WORK, replacing("component: prat-", "component: part-")),
    Edit(WORK, replacing("part-1", "part-2")),
    Edit(WORK, replacing("kind: Pipeline", "kind: Pipelin")),
    Edit(WORK, replacing("tasks:\n", "tasks:\n    more: {pipeline: work-9}\n")),
    Edit(WORK, replacing("component: part-3,", 'component: "{{ vars.uses }}",')),
    Edit(WORK, replacing("0.5", "no")),
    Edit(WORK, lambda text: text + "  outputs: {result: {from: $(tasks.two.outputs.Output)}}\n"),
    Edit("components/step.py", replacing("int) ->", "str) ->")),
    Edit("components/step.py", replacing("str) ->", "int) ->")),
    Edit("kfgit.yaml", replacing("part-3", "part-4")),
    Edit("kfgit.yaml", replacing("type: int", "type: string")),
    Edit("environments/prod.yaml", replacing("0.7", "high")),
    Edit("environments/prod.yaml", replacing("type: int", "type: string")),
    Edit("environments/prod/work.yaml", replacing("start:", "begin:")),
)


def remembering(root: Path) -> Memory:
    return Memory(root / ".cache", root, (), time.time_ns())


def everything(root: Path) -> Answer:
    found = driver.load(root)
    return Answer(len(found.documents), found.environments, driver.validate(found, found.environments))


def told(root: Path) -> Answer:
    """What `kfgit validate` says, and remembers."""
    memory = remembering(root)
    answer = answers.answer(memory)
    if answer is None:
        found = driver.load(root)
        answer = answers.fresh(found, found.environments, memory)
    return answer


@settings(max_examples=20)
@given(edits=st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 12)), min_size=1, max_size=8))
def test_what_is_remembered_is_what_would_be_said(
    edits: list[tuple[Edit, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("project")
    repository(root)
    told(root)
    for edit, number in edits:
        edit.make(root, number)
        assert told(root) == everything(root)
    assert told(root) == everything(root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    repository(tmp_path)
    assert not told(tmp_path).diagnostics
    return tmp_path


def test_a_file_that_was_only_touched_did_not_change(root: Path) -> None:
    for path in root.rglob("*.yaml"):
        os.utime(path)
    assert answers.answer(remembering(root)) is not None
    time.sleep(0.05)  # a stamp is trusted when it is older than a tick of the clock
    assert answers.answer(remembering(root)) == everything(root)


@pytest.mark.parametrize(
    ("where", "change", "mistakes"),
    [
        (PART.format(3), replacing("metadata", "# a remark\nmetadata"), 0),
        (PART.format(3), replacing("{type: int}}", "{type: string}}"), 3),  # told where it is used
        (WORK.format(4), replacing("$(inputs.start)", "[1]"), 1),
        ("components/step.py", replacing("number", "count"), 4),
    ],
)
def test_a_change_is_checked_with_what_it_matters_to(
    root: Path, where: str, change: Callable[[str], str], mistakes: int
) -> None:
    write(root / where, change((root / where).read_text()))
    found = answers.answer(remembering(root))
    assert found == everything(root)
    assert found is not None
    assert len(found.diagnostics) == mistakes


def test_a_file_written_twice_within_one_tick_is_read_again(root: Path) -> None:
    path = root / WORK.format(2)
    good, bad = path.read_text(), path.read_text().replace("cache", "cache").replace("one:", "oxe:")
    for _ in range(20):
        write(path, good)
        assert not told(root).diagnostics
        write(path, bad)
        assert told(root).diagnostics


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"for": 3}', b"\xff", b'{"kfgit": null}'])
def test_a_damaged_memory_is_no_memory(root: Path, damage: bytes) -> None:
    for path in (root / ".cache").iterdir():
        path.write_bytes(damage)
    assert answers.answer(remembering(root)) is None
    assert told(root) == everything(root)


def test_every_key_of_a_record_may_be_missing_or_null(root: Path) -> None:
    import json

    (path,) = (root / ".cache").glob("*-answer.json")
    good: Mapping[str, object] = json.loads(path.read_bytes())
    for key in good:
        for record in ({k: v for k, v in good.items() if k != key}, {**good, key: None}):
            path.write_text(json.dumps(record))
            assert told(root) == everything(root)
            path.write_text(json.dumps(good))


def test_a_folder_that_appears_is_seen(root: Path) -> None:
    write(root / "kfgit.yaml", PROJECT.replace("spec: {", "spec: {sources: [components, pipelines, more], "))
    assert "missing-source" in {d.code for d in told(root).diagnostics}
    (root / "more").mkdir()
    assert told(root) == everything(root)


def test_another_kfgit_remembers_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys, "version", "another")
    assert answers.answer(remembering(root)) is None


def test_a_folder_that_cannot_be_written_costs_time_only(root: Path) -> None:
    (root / "file").write_text("")
    memory = Memory(root / "file", root, (), time.time_ns())
    found = driver.load(root)
    assert answers.fresh(found, found.environments, memory) == everything(root)
    assert answers.answer(memory) is None


@pytest.fixture
def large(tmp_path: Path) -> Path:
    repository(tmp_path, 200, 200)
    return tmp_path


@pytest.mark.skipif(
    not hasattr(os, "fork") or (os.cpu_count() or 1) < 2, reason="one process is all there is"
)
@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("kfgit.yaml", replacing("", "")),
        (PART.format(3), replacing("{type: int}}", "{type: string}}")),
        (PART.format(150), replacing("$(inputs.number)", "$(inputs.numbr)")),
        (WORK.format(170), replacing("$(inputs.start)", "[1]")),
        ("components/step.py", replacing("number", "count")),
        ("environments/prod.yaml", replacing("0.7", "high")),
    ],
)
def test_two_processes_find_what_one_finds(large: Path, where: str, change: Callable[[str], str]) -> None:
    write(large / where, change((large / where).read_text()))
    assert answers.by_two(large, (), remembering(large)) == everything(large)
    assert answers.answer(remembering(large)) == everything(large)
    assert answers.by_two(large, ("prod",), None) == answers.by_two(large, (), None)


@pytest.mark.parametrize(
    ("where", "change"),
    [
        (WORK.format(170), replacing("component: part-", "component: prat-")),
        (WORK.format(20), replacing("name: work-20", "name: work-19")),
        (PART.format(9), replacing("image: i", "image: [")),
    ],
)
def test_what_needs_the_whole_repository_is_left_to_one_process(
    large: Path, where: str, change: Callable[[str], str]
) -> None:
    write(large / where, change((large / where).read_text()))
    assert answers.by_two(large, (), remembering(large)) is None
    assert answers.answer(remembering(large)) is None


def test_an_environment_that_does_not_exist_is_left_to_one_process(large: Path) -> None:
    assert answers.by_two(large, ("stagging",), None) is None


def test_a_process_that_fails_came_to_nothing() -> None:
    assert halves.together(lambda: 1, lambda: 2) == (1, 2)
    assert halves.together(lambda: 1, lambda: 1 // 0) is None
    with pytest.raises(ZeroDivisionError):
        halves.together(lambda: 1 // 0, lambda: 2)
