"""Who uses which profile by which name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from kfgit import driver
from kfgit.demand import asks
from kfgit.demand.usage import Meaning, meanings, uses_in

ROOT = Path(__file__).parents[2]

PROFILES = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: small}
spec: {limits: {cpu: "1"}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: l4}
spec: {extends: small, accelerator: {resource: nvidia.com/gpu}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: nobody}
spec: {limits: {cpu: "9"}}
"""
HOME = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: local}
spec: {target: {type: local}, profiles: {gpu: l4, other: l4, lost: nothing}}
"""
C = "component: {container: {image: 'e.com/a:1', script: echo}}"
PIPELINES = f"""\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {{name: inner}}
spec:
  defaults: {{profile: small}}
  tasks:
    plain: {{{C}}}
    own: {{{C}, profile: gpu, resources: {{accelerator: {{count: 2}}}}}}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {{name: outer}}
spec:
  tasks:
    nested: {{pipeline: inner}}
    sweep:
      forEach: [1, 2]
      tasks:
        choose:
          switch:
            - {{when: '1 == 1', tasks: {{a: {{{C}, profile: gpu}}}}}}
            - {{tasks: {{b: {{{C}, profile: l4}}}}}}
    bare: {{{C}}}
  onExit: {{{C}, profile: unknown}}
"""


def found(root: Path, files: Mapping[str, str]) -> dict[str, Meaning]:
    for path, text in {"kfgit.yaml": PROJECT, "pipelines/profiles.yaml": PROFILES, **files}.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    project = driver.check(driver.load(root), "local").value.project.project
    return {meaning.name: meaning for meaning in meanings(project)}


PROJECT = "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n"


def paths(meaning: Meaning) -> dict[str, list[str]]:
    return {name: [use.path for use in uses] for name, uses in meaning.pipelines.items()}


def test_names_and_their_tasks(tmp_path: Path) -> None:
    told = found(tmp_path, {"environments/local.yaml": HOME, "pipelines/all.yaml": PIPELINES})
    assert list(told) == ["gpu", "other", "lost", "small", "l4", "nobody", "unknown"]
    assert {name: each.concrete for name, each in told.items()} == {
        "gpu": "l4", "other": "l4", "lost": "nothing", "small": "small", "l4": "l4", "nobody": "nobody",
        "unknown": "unknown",
    }  # fmt: skip
    assert [name for name, each in told.items() if each.profile is None] == ["lost", "unknown"]
    assert [name for name, each in told.items() if each.mapped is not None] == ["gpu", "other", "lost"]
    assert paths(told["gpu"]) == {"inner": ["own"], "outer": ["sweep/choose/a"]}
    assert paths(told["l4"]) == {"outer": ["sweep/choose/b"]}
    assert paths(told["small"]) == {"inner": ["plain"]}
    assert paths(told["unknown"]) == {"outer": ["onExit"]}
    assert (told["l4"].aliases, told["l4"].bases) == (("gpu", "other"), ())
    assert (told["small"].aliases, told["small"].bases) == ((), ("l4",))
    assert (told["nobody"].uses, told["nobody"].aliases, told["nobody"].bases) == ((), (), ())


def test_a_task_has_its_own_amounts_over_the_profile(tmp_path: Path) -> None:
    told = found(tmp_path, {"environments/local.yaml": HOME, "pipelines/all.yaml": PIPELINES})
    own, _ = told["gpu"].uses
    assert own.resources.accelerator is not None
    assert (own.resources.accelerator.count, own.resources.limits) == (2, {"cpu": "1"})
    assert (own.name.span.file, own.name.span.line) == ("pipelines/all.yaml", 8)
    (plain,) = told["small"].uses
    assert plain.name.span.line == 5


def test_a_pipeline_with_mistakes_counts_as_far_as_it_was_read(tmp_path: Path) -> None:
    wrong = PIPELINES.replace("bare: {", "bare: {after: [nobody], ").replace(
        "pipeline: inner", "pipeline: gone"
    )
    told = found(tmp_path, {"environments/local.yaml": HOME, "pipelines/all.yaml": wrong})
    assert paths(told["gpu"]) == {"inner": ["own"], "outer": ["sweep/choose/a"]}


def test_without_profiles_there_is_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, {"pipelines/profiles.yaml": PROJECT.replace("Project", "Experiment")}) == {}


@pytest.mark.parametrize("environment", ["local", "staging", "prod"])
def test_it_is_what_plans_ask_for(environment: str) -> None:
    checked = driver.check(driver.load(ROOT), environment).value.project
    counted = 0
    for name, found in checked.project.pipelines.items():
        asked = [
            (each.path, each.name, each.resources) for each in asks(checked, name) if each.pipeline == name
        ]
        used = [(each.path, each.name.text, each.resources) for each in uses_in(found, checked.project)]
        assert used == [each for each in asked if each[1] is not None]
        counted += len(used)
    assert counted > 10
