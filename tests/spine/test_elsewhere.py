"""What is said of a profile in one environment with an eye to the others: names they map, devices only they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfgit import compiler, driver
from kfgit.diagnostics import Diagnostic

_HEAD = "apiVersion: kfgit.dev/v1\n"
_PROJECT = f"{_HEAD}kind: Project\nmetadata: {{name: demo}}\n"
_PROFILES = f"""\
{_HEAD}kind: ResourceProfile
metadata: {{name: cpu}}
spec: {{limits: {{cpu: 2}}}}
---
{_HEAD}kind: ResourceProfile
metadata: {{name: a100}}
spec: {{accelerator: {{resource: nvidia.com/gpu}}}}
"""
_PIPELINE = f"""\
{_HEAD}kind: Pipeline
metadata: {{name: p}}
spec:
  tasks:
    train:
      component: {{container: {{image: "e.com/a:1", script: echo}}}}
      profile: gpu
      resources: {{accelerator: {{count: 2, model: A100}}}}
"""


def environment(name: str, spec: str) -> str:
    return f"{_HEAD}kind: Environment\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def checked(root: Path, files: dict[str, str], name: str) -> tuple[driver.Checkout, tuple[Diagnostic, ...]]:
    every = {
        "kfgit.yaml": _PROJECT,
        "pipelines/p.yaml": _PIPELINE,
        "components/profiles.yaml": _PROFILES,
        **files,
    }
    for path, text in every.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    found = driver.check(driver.load(root), name)
    return found.value, found.diagnostics


def accelerator(checkout: driver.Checkout) -> object:
    executors = compiler.compile_pipeline(checkout.project.pipelines["p"]).spec["deploymentSpec"]["executors"]
    return executors["exec-train"]["container"]["resources"].get("accelerator")


@pytest.mark.parametrize("target", ["", "target: {type: cluster}, "])
def test_a_count_without_devices_changes_nothing(tmp_path: Path, target: str) -> None:
    files = {
        "environments/cheap.yaml": environment("cheap", f"{{{target}profiles: {{gpu: cpu}}}}"),
        "environments/prod.yaml": environment("prod", "{profiles: {gpu: a100}}"),
    }
    cheap, told = checked(tmp_path, files, "cheap")
    assert (told, accelerator(cheap)) == ((), None)
    prod, told = checked(tmp_path, files, "prod")
    assert told == ()
    assert accelerator(prod) == {
        "type": "nvidia.com/gpu", "count": "2", "resourceType": "nvidia.com/gpu", "resourceCount": "2",
    }  # fmt: skip


def test_a_count_of_nothing_anywhere_is_a_mistake(tmp_path: Path) -> None:
    files = {"environments/cheap.yaml": environment("cheap", "{profiles: {gpu: cpu}}")}
    _, told = checked(tmp_path, files, "cheap")
    (fault,) = told
    assert (fault.code, fault.message) == ("missing-key", "`resource` is missing in `accelerator`")
    assert (
        fault.help
        == "add `resource`, such as `nvidia.com/gpu`, or a `profile` that has one in any environment"
    )


def test_a_profile_that_a_template_may_write_is_no_mistake(tmp_path: Path) -> None:
    files = {
        "environments/cheap.yaml": environment("cheap", "{profiles: {gpu: cpu}}"),
        "environments/prod.yaml": environment(
            "prod", "{profiles: {gpu: '{{ vars.gpu }}'}, vars: {gpu: a100}}"
        ),
    }
    assert checked(tmp_path, files, "cheap")[1] == ()


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (["prod"], "`prod` says"),
        (["prod", "staging"], "`prod` and `staging` say"),
        (["a", "b", "c", "d", "e", "f"], "`a`, `b`, `c`, `d` and 2 more say"),
    ],
)
def test_an_unmapped_name_tells_who_maps_it(tmp_path: Path, others: list[str], said: str) -> None:
    files = {f"environments/{name}.yaml": environment(name, "{profiles: {gpu: a100}}") for name in others}
    files["environments/x/here.yaml"] = environment("x", "{profiles: {gpus: cpu}}")
    _, told = checked(tmp_path, files, "x")
    (fault,) = told
    assert (fault.code, fault.span.start()) == ("unknown-profile", "pipelines/p.yaml:8:16")
    where = "the environment `x` (environments/x/here.yaml)"
    assert fault.help == f"{said} what it means: add `profiles: {{gpu: …}}` to {where}"


def test_a_name_that_several_do_not_map_is_told_of_all_of_them(tmp_path: Path) -> None:
    files = {f"environments/{name}.yaml": environment(name, "{profiles: {gpus: cpu}}") for name in "xyz"}
    files["environments/prod.yaml"] = environment("prod", "{profiles: {gpu: a100}}")
    checked(tmp_path, files, "x")
    (fault,) = driver.validate(driver.load(tmp_path), ("prod", "x", "y", "z"))
    assert (fault.code, fault.environments) == ("unknown-profile", ("x", "y", "z"))


def test_the_environment_without_a_document_is_told_where_to_write_one(tmp_path: Path) -> None:
    files = {"environments/prod.yaml": environment("prod", "{profiles: {gpu: a100}}")}
    _, told = checked(tmp_path, files, driver.LOCAL)
    (fault,) = told
    where = "the environment `local` (environments/local/environment.yaml)"
    assert fault.help == f"`prod` says what it means: add `profiles: {{gpu: …}}` to {where}"


def test_a_name_that_nobody_maps_is_still_looked_for(tmp_path: Path) -> None:
    files = {"environments/x.yaml": environment("x", "{profiles: {gpuu: a100}}")}
    _, told = checked(tmp_path, files, "x")
    assert [fault.help for fault in told] == ["did you mean `gpuu`?"]
