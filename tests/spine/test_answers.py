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
  profiles: {small: one}
  policies:
    allowedRegistries: {value: [docker.io], level: warn}
    maxGpusPerRun: {value: 1, level: warn}
    rules: [{name: low, kinds: [Pipeline], level: warn, require: resource.spec.inputs.start.default < 5}]
  patches:
    - {target: {kind: Pipeline, name: work-5}, merge: {spec: {defaults: {cache: false}}}}
    - {target: {kind: Pipeline, selector: "team=a"}, merge: {spec: {defaults: {retry: {max: 2}}}}}
"""
# An environment may stand anywhere.
STAGING = PROD.replace("prod", "staging").replace("0.7", "0.6").replace("small: one", "small: two")
PROFILE = """apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: two}
spec: {extends: one, limits: {cpu: "2"}, accelerator: {resource: a.b/c, count: 1}}
---
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: nightly}
spec: {pipeline: work-1, cron: "0 0 * * *", inputs: {start: 3}}
---
apiVersion: kfgit.dev/v1
kind: Run
metadata: {name: once}
spec: {pipeline: work-2, inputs: {start: 3}}
"""
FOREIGN = """name: Old One
inputs: [{name: number, type: Integer}]
outputs: [{name: Output, type: Integer}]
implementation: {container: {image: i, args: [{inputValue: number}, {outputPath: Output}]}}
"""
OVERLAY = "kind: Pipeline\nmetadata: {name: work-6}\nspec: {inputs: {start: {default: 4}}}\n"
PYTHON = (
    "def step(number: int) -> int:\n    return number + 1\n\n"
    "def other(number: int) -> int:\n    return number + 1\n"
)
# Every tenth component is one of these functions.
CODE = ("python: {file: step.py, function: step}", "python: {file: step.py, function: other}",
        "python: {file: 'a step.py', function: step}")  # fmt: skip


def part(number: int) -> str:
    body = (
        CODE[number // 10 % len(CODE)]
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
    labels = ", labels: {team: a}" if number % 4 == 0 else ""
    profile = ", profile: small" if number % 3 == 0 and number % 10 else ""
    old = "    old: {component: old-one, inputs: {number: 1}}\n" if number % 6 == 0 else ""
    return (
        f"apiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {{name: work-{number}{labels}}}\nspec:\n"
        f"  inputs: {{start: {{type: int, default: 1}}, rate: {{type: float, default: {rate}}}}}\n  tasks:\n"
        f"    one: {{component: part-{number}, inputs: {{number: $(inputs.start)}}{profile}}}\n{nested}{old}"
        f"    two: {{component: part-{(number + 1) % PARTS}, inputs: {{number: $(tasks.one.outputs.Output)}}}}\n"
    )


def repository(root: Path, parts: int = PARTS, works: int = WORKS) -> None:
    files = {"kfgit.yaml": PROJECT, "components/step.py": PYTHON, "environments/prod.yaml": PROD}
    files |= {"environments/prod/work.yaml": OVERLAY, "components/a step.py": PYTHON}
    files |= {"components/old.yaml": FOREIGN, "components/staging.yaml": STAGING}
    files |= {"pipelines/more.yaml": PROFILE, "pipelines/one.yaml": PROFILE.partition("---")[0]}
    files["pipelines/one.yaml"] = (
        files["pipelines/one.yaml"].replace("name: two", "name: one").replace("extends: one, ", "")
    )
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
        elif path.is_file():
            write(path, self.change(path.read_text(encoding="utf-8")))


class Move(NamedTuple):
    """What a user does to whole files; what is there already is left alone."""

    where: str
    whither: str

    def make(self, root: Path, number: int) -> None:
        path, target = (root / name.format(number) for name in self)
        if path.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)


class Put(NamedTuple):
    """A file that a user writes; a link, if it begins with an arrow."""

    where: str
    text: str

    def make(self, root: Path, number: int) -> None:
        path = root / self.where.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        text = self.text.replace("NUMBER", str(number))
        if text.startswith("→"):
            path.symlink_to(text[1:])
        else:
            write(path, text)


def appending(text: str) -> Callable[[str], str]:
    return lambda before: before + text


PART, WORK = "components/part-{}.yaml", "pipelines/work-{}.yaml"
NEW = "apiVersion: kfgit.dev/v1\nkind: {}\nmetadata: {{name: {}}}\nspec: {}\n"
SMALL = "{tasks: {only: {component: part-1, inputs: {number: 1}}}}"
CLUSTER = NEW.format(
    "Environment",
    "far",
    "{target: {type: cluster, namespace: ml, kfp: {endpoint: 'https://kfp.example.com'}}}",
)
SCARCE = NEW.format("ResourceProfile", "scarce", "{quota: {a.b/c: 2}}")
EDITS = (
    Edit(PART, appending("# a remark\n")),
    Edit(PART, replacing("{type: int}", "{type: string}")),
    Edit(PART, replacing("{type: string}", "{type: int}")),
    Edit(PART, replacing("number:", "count:")),
    Edit(PART, replacing("name: part-", "name: piece-")),
    Edit(PART, replacing("name: part-", "name: Part ")),
    Edit(PART, replacing("name: Part ", "name: part-")),
    Edit(PART, replacing("metadata: {name: part-", 'metadata: {name: "\\x70art-')),
    Edit(PART, replacing("kind: Component", "kind: ResourceProfile")),
    Edit(PART, replacing("image: i", "image: [")),
    Edit(PART, replacing("image: [", "image: i")),
    Edit(PART, replacing("image: i", "image: x.io/i")),
    Edit(PART, replacing("image: x.io/i", "image: i")),
    Edit(PART, replacing("function: step", "function: other")),
    Edit(PART, replacing("function: other", "function: none")),
    Edit(PART, replacing("step.py", "'a step.py'")),
    Edit(PART, replacing("'a step.py'", "missing.py")),
    Edit(PART, replacing("spec:", "spec: 3\nspecs:")),
    Edit(PART, replacing("spec: 3\nspecs:", "spec:")),
    Edit(PART, None),
    Edit(PART, appending("---\n" + NEW.format("Component", "extra", "{container: {image: i}}"))),
    Edit(WORK, replacing("one:", "first:")),
    Edit(WORK, replacing("component: part-", "component: prat-")),
    Edit(WORK, replacing("component: prat-", "component: part-")),
    Edit(WORK, replacing("component: part-", "component: extra, x-was: part-")),
    Edit(WORK, replacing("part-1", "part-2")),
    Edit(WORK, replacing("one: {component: part-", 'one: {component: "\\x70art-1", x-was: part-')),
    Edit(WORK, replacing("kind: Pipeline", "kind: Pipelin")),
    Edit(WORK, replacing("kind: Pipelin\n", "kind: Pipeline\n")),
    Edit(WORK, replacing("tasks:\n", "tasks:\n    more: {pipeline: work-9}\n")),
    Edit(WORK, replacing("tasks:\n", "tasks:\n    more: {pipeline: work-0}\n")),
    Edit(WORK, replacing("component: part-3,", 'component: "{{ vars.uses }}",')),
    Edit(WORK, replacing("component: part-", 'component: "{{ vars.uses }}", x-was: ')),
    Edit(WORK, replacing("profile: small", "profile: two")),
    Edit(WORK, replacing("profile: two", "profile: twoo")),
    Edit(WORK, replacing("team: a", "team: b")),
    Edit(WORK, replacing("team: b", "team: a")),
    Edit(WORK, replacing("0.5", "no")),
    Edit(WORK, replacing("default: 1}", "default: 7}")),
    Edit(WORK, replacing("two:", "? two\n    :")),
    Edit(WORK, replacing("component: part-", "component: &c part-")),
    Edit(WORK, lambda text: text + "  outputs: {result: {from: $(tasks.two.outputs.Output)}}\n"),
    Edit(WORK, appending("  externalName: work-4\n")),
    Edit(WORK, appending('  externalName: "{{ env.name }}-work"\n')),
    Edit(WORK, appending("  package: pack.yaml\n")),
    Edit(WORK, replacing("package: pack.yaml", "packages: pack.yaml")),
    Edit(WORK, appending("  ttl: '{{ git.sha }}'\n")),
    Edit(WORK, appending("\t\n: [")),
    Edit(WORK, appending("---\nname: {name: work-3}\n")),
    Edit("components/step.py", replacing("int) ->", "str) ->")),
    Edit("components/step.py", replacing("str) ->", "int) ->")),
    Edit("components/step.py", replacing("def other(number: int)", "def other(number=)")),
    Edit("components/step.py", replacing("def other(number=)", "def other(number: int)")),
    Edit("components/step.py", replacing("def other(number: int)", "def other(number, *more)")),
    Edit("components/a step.py", replacing("int) ->", "str) ->")),
    Edit("components/a step.py", None),
    Edit("components/old.yaml", replacing("Old One", "Old Two")),
    Edit("components/old.yaml", replacing("name: number", "name: count")),
    Edit("kfgit.yaml", replacing("part-3", "part-4")),
    Edit("kfgit.yaml", replacing("type: int", "type: string")),
    Edit("kfgit.yaml", replacing("spec: {", "spec: {sources: [pipelines, components, environments], ")),
    Edit("kfgit.yaml", replacing("spec: {", "spec: {defaultEnvironment: stagin, ")),
    Edit("environments/prod.yaml", replacing("0.7", "high")),
    Edit("environments/prod.yaml", replacing("type: int", "type: string")),
    Edit("environments/prod.yaml", replacing("small: one", "small: on")),
    Edit("environments/prod.yaml", replacing("name: work-5", "name: wrok-5")),
    Edit("environments/prod.yaml", replacing("level: warn", "level: block")),
    Edit("environments/prod/work.yaml", replacing("start:", "begin:")),
    Edit("environments/prod/work.yaml", replacing("name: work-6", "name: work-66")),
    Edit("environments/prod/work.yaml", appending("---\n" + OVERLAY.replace("work-6", "work-7"))),
    Edit("environments/prod.yaml", None),
    Edit("components/staging.yaml", replacing("0.6", "low")),
    Edit("components/staging.yaml", replacing("level: warn", "level: block")),
    Edit("components/staging.yaml", replacing("name: staging", "name: stage")),
    Edit("pipelines/more.yaml", replacing("start: 3", "start: soon")),
    Edit("pipelines/more.yaml", replacing("start: soon", "start: 3")),
    Edit("pipelines/more.yaml", replacing("pipeline: work-1", "pipeline: work-10")),
    Edit("pipelines/more.yaml", replacing("extends: one", "extends: two")),
    Edit("pipelines/one.yaml", replacing("spec: {", "spec: {extends: two, ")),
    Edit("pipelines/one.yaml", replacing("cpu", "gpu")),
    Edit("pipelines/one.yaml", replacing("spec: {", "specs: {")),
    Move(PART, "attic/part-{}.yaml"),
    Move("attic/part-{}.yaml", PART),
    Move(WORK, "environments/prod/work-{}.yaml"),
    Move(WORK, "environments/dev/work-{}.yaml"),
    Move(WORK, "pipelines/below/work-{}.yaml"),
    Move("components/step.py", "components/steps.py"),
    Move("components/steps.py", "components/step.py"),
    Put("components/missing.py", PYTHON),
    Put("components/missing.py", "→../../outside.py"),
    Put("components/missing.py", "→step.py"),
    Put("pipelines/link-{}.yaml", "→work-NUMBER.yaml"),
    Put("pipelines/pack.yaml", "pipelineInfo: {name: x}\nschemaVersion: 2.1.0\n"),
    Put("pipelines/made.yaml.j2", NEW.format("Pipeline", "{{ env.name }}-work", SMALL)),
    Put("pipelines/new.yaml", NEW.format("Pipeline", "work-4", SMALL)),
    Put(
        "pipelines/new.yaml",
        NEW.format("Pipeline", "work-5", SMALL).replace("name: work-5", "name:\n  work-5"),
    ),
    Put("pipelines/new.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: work-3}\n"),
    Put("environments/new.yaml", NEW.format("Environment", "new", "{vars: {rate: x}}")),
    Put("environments/far.yaml", CLUSTER),
    Edit(WORK, replacing("one: {", "one: {resources: {accelerator: {resource: a.b/c, count: 4}}, ")),
    Put("pipelines/scarce.yaml", SCARCE),
    Edit("pipelines/scarce.yaml", replacing("a.b/c: 2", "a.b/c: 20")),
    Edit("pipelines/scarce.yaml", replacing("quota:", "queue: {localQueue: q, clusterQueue: q}, quota:")),
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
@given(
    edits=st.lists(
        st.tuples(st.sampled_from(EDITS), st.sampled_from((0, 1, 3, 4, 9, 10))), min_size=1, max_size=8
    )
)
def test_what_is_remembered_is_what_would_be_said(
    edits: list[tuple[Edit | Move | Put, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("project")
    repository(root)
    told(root)
    for edit, number in edits:
        edit.make(root, number)
        assert told(root) == everything(root)
    assert told(root) == everything(root)


# What was, or would be, remembered wrongly by a way that looks right.
STORIES: Mapping[str, tuple[Edit | Move | Put, ...]] = {
    "a missing file becomes a link out of the repository": (
        Edit(PART.format(0), replacing("step.py", "missing.py")),
        Put("components/missing.py", "→../../outside.py"),
    ),
    "mistakes in a file that two documents share": (
        Edit("components/step.py", replacing("def other(number: int)", "def other(number: int, *more)")),
        Edit(PART.format(0), appending("# a remark\n")),
    ),
    "an environment that stands elsewhere": (
        Edit(PART.format(4), replacing("image: i", "image: x.io/i")),
        Edit(PART.format(4), appending("# a remark\n")),
    ),
    "what is told of a component because two pipelines use it": (
        Edit(PART.format(4), replacing("image: i", "image: x.io/i")),
        Edit(WORK.format(4), replacing("part-4", "part-5")),
    ),
    "a file with a blank in its name": (
        Edit("components/a step.py", replacing("def step", "def stop")),
        Edit("components/a step.py", replacing("def stop", "def step")),
    ),
    "a component that is no longer sound is not what was meant": (
        Edit(WORK.format(3), replacing("component: part-3", "component: part-33")),
        Edit(PART.format(3), replacing("spec:", "spec: 3\nspecs:")),
    ),
    "sources in another order, and a circle": (
        Edit("kfgit.yaml", replacing("spec: {", "spec: {sources: [pipelines, components, environments], ")),
        Put("components/z.yaml", NEW.format("Pipeline", "zed", "{tasks: {more: {pipeline: work-9}}}")),
        Edit(WORK.format(9), replacing("tasks:\n", "tasks:\n    more: {pipeline: zed}\n")),
        Edit(WORK.format(9), appending("# a remark\n")),
        Edit("components/z.yaml", appending("# a remark\n")),
    ),
    "a package that is used, and no longer": (
        Put("pipelines/pack.yaml", "pipelineInfo: {name: x}\nschemaVersion: 2.1.0\n"),
        Edit(WORK.format(3), appending("  package: pack.yaml\n")),
        Edit(WORK.format(3), replacing("package: pack.yaml", "displayName: x")),
        Edit(WORK.format(4), appending("# a remark\n")),
    ),
    "a template makes the name of another": (
        Edit(WORK.format(3), appending('  externalName: "{{ env.name }}-x"\n')),
        Put("pipelines/new.yaml", NEW.format("Pipeline", "prod-y", SMALL)),
        Edit(WORK.format(3), replacing("}}-x", "}}-y")),
        Edit(WORK.format(3), replacing("}}-y", "}}-x")),
    ),
    "names in other letters": (
        Edit(WORK.format(3), replacing("component: part-3", 'component: "\\x70art-3"')),
        Edit(PART.format(3), replacing("{type: int}}", "{type: string}}")),
        Edit(PART.format(3), replacing("{type: string}}", "{type: int}}")),
    ),
    "a quota, which counts tasks without the profile too": (
        Put("environments/far.yaml", CLUSTER),
        Edit(
            WORK.format(4),
            replacing("one: {", "one: {resources: {accelerator: {resource: a.b/c, count: 4}}, "),
        ),
        Put("pipelines/scarce.yaml", SCARCE),
        Edit("pipelines/scarce.yaml", replacing("a.b/c: 2", "a.b/c: 20")),
        Edit("pipelines/scarce.yaml", replacing("a.b/c: 20", "a.b/c: 3")),
        Edit(WORK.format(4), appending("# a remark\n")),
    ),
    "a time zone that no machine has": (
        Edit("pipelines/more.yaml", replacing("cron:", "timezone: Europe/Atlantis, cron:")),
        Edit("pipelines/more.yaml", replacing("Atlantis", "Paris")),
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_nothing_is_remembered_wrongly(name: str, root: Path) -> None:
    (root.parent / "outside.py").write_text(PYTHON)
    for step in STORIES[name]:
        step.make(root, 0)
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
    assert answers.by_two(driver.read(large), (), remembering(large)) == everything(large)
    assert answers.answer(remembering(large)) == everything(large)
    one = driver.load(large)
    alone = answers.by_two(driver.read(large), ("prod",), None)
    assert alone is not None
    assert alone.diagnostics == driver.validate(one, ("prod",))


@pytest.mark.parametrize(
    ("where", "change"),
    [
        (WORK.format(170), replacing("component: part-", "component: prat-")),
        (WORK.format(20), replacing("name: work-20", "name: work-19")),
        (PART.format(9), replacing("image: i", "image: [")),
        (WORK.format(170), replacing("name: work-170", 'name: "\\x77ork-19"')),
        (WORK.format(170), replacing("{name: work-170}", "\n  name: >-\n    work-19")),
        (WORK.format(170), appending("  externalName: work-19\n")),
    ],
    ids=["name nobody has", "name twice", "no YAML", "escaped name", "folded name", "name on the server"],
)
def test_what_needs_the_whole_repository_is_left_to_one_process(
    large: Path, where: str, change: Callable[[str], str]
) -> None:
    write(large / where, change((large / where).read_text()))
    assert answers.by_two(driver.read(large), (), remembering(large)) is None
    assert answers.answer(remembering(large)) is None


def test_an_environment_that_does_not_exist_is_left_to_one_process(large: Path) -> None:
    assert answers.by_two(driver.read(large), ("stagging",), None) is None


def test_a_process_that_fails_came_to_nothing() -> None:
    assert halves.together(lambda: 1, lambda: 2) == (1, 2)
    assert halves.together(lambda: 1, lambda: 1 // 0) is None
    with pytest.raises(ZeroDivisionError):
        halves.together(lambda: 1 // 0, lambda: 2)


def test_a_process_that_is_killed_while_it_speaks_came_to_nothing(tmp_path: Path) -> None:
    import signal
    import threading

    def speaking() -> bytes:
        (tmp_path / str(os.getpid())).touch()
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return bytes(1_000_000)  # more than a pipe holds

    def waiting() -> int:
        while not (told := [each.name for each in tmp_path.iterdir()]):
            time.sleep(0.01)
        # It is waited for and not reaped: that is left to who made it.
        os.waitid(os.P_PID, int(told[0]), os.WEXITED | os.WNOWAIT)
        return 1

    assert halves.together(waiting, speaking) is None


@pytest.mark.parametrize("pause", [600, 0])
def test_whoever_is_interrupted_does_not_wait_for_the_other_process(pause: int) -> None:
    import signal

    def interrupted() -> bytes:
        raise KeyboardInterrupt

    def other() -> bytes:
        time.sleep(pause)
        return bytes(1_000_000)  # more than a pipe holds

    def too_late(_signal: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(60)
    try:
        with pytest.raises(KeyboardInterrupt):
            halves.together(interrupted, other)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_children_whose_end_nobody_wants_to_hear_of() -> None:
    import signal

    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert halves.together(lambda: 1, lambda: 2) == (1, 2)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_where_no_process_can_be_made_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    assert halves.together(lambda: 1, lambda: 2) is None
