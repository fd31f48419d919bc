"""Which tasks get something else since a profile, or what a name of one means, was changed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kfgit import diff
from kfgit.model import Cost
from kfgit.plan import Meaning
from kfgit.render.plans.remaps import sentence
from tests.comparing import between, seen

C = "component: {container: {image: 'e.com/a:1', script: echo}}"
HEAD = "apiVersion: kfgit.dev/v1\nkind: "
PROFILES = f"""\
{HEAD}ResourceProfile
metadata: {{name: base}}
spec: {{limits: {{memory: 8Gi}}}}
---
{HEAD}ResourceProfile
metadata: {{name: a100}}
spec:
  extends: base
  accelerator: {{resource: nvidia.com/gpu, count: 2, model: A100}}
  node: {{selector: {{gpu: a100}}}}
  cost: {{perHour: 4}}
---
{HEAD}ResourceProfile
metadata: {{name: l4}}
spec: {{extends: base, accelerator: {{resource: nvidia.com/gpu, model: L4}}, node: {{selector: {{gpu: l4}}}}}}
"""
TASKS = f"""\
    train: {{{C}, profile: gpu}}
    sweep: {{forEach: [1, 2], tasks: {{try: {{{C}, profile: gpu}}}}}}
    choose:
      switch:
        - {{when: '1 == 1', tasks: {{own: {{{C}, profile: gpu, resources: {{limits: {{memory: 1Gi}}}}}}}}}}
        - {{tasks: {{none: {{{C}}}}}}}
"""


def environment(name: str, gpu: str) -> str:
    return (
        f"{HEAD}Environment\nmetadata: {{name: {name}}}\n"
        f"spec: {{target: {{type: local}}, profiles: {{gpu: {gpu}}}}}\n"
    )


def pipeline(name: str, tasks: str, more: str = "") -> str:
    return f"{HEAD}Pipeline\nmetadata: {{name: {name}}}\nspec:\n{more}  tasks:\n{tasks}"


FILES = {
    "pipelines/profiles.yaml": PROFILES,
    "pipelines/inner.yaml": pipeline("inner", TASKS),
    "pipelines/outer.yaml": pipeline(
        "outer", f"    nested: {{pipeline: inner}}\n    last: {{{C}, profile: gpu}}\n"
    ),
    "environments/local.yaml": environment("local", "a100"),
}


def told(before: dict[str, str], after: dict[str, str]) -> list[str]:
    found = between(before, after)
    assert found.faults == ()
    return [sentence(each, found.environment) for each in found.profiles]


def test_another_mapping() -> None:
    """Each task counts where it stands, also one that a pipeline around it runs."""
    after = {**FILES, "environments/local.yaml": environment("local", "l4")}
    (remap,) = between(FILES, after).profiles
    assert sentence(remap, "local") == "gpu: A100 → L4 in local affects 2 pipelines, 4 tasks"
    assert remap.before == Meaning("a100", "A100", "2 × nvidia.com/gpu", Cost(Decimal(4)))
    assert remap.after == Meaning("l4", "L4", "1 × nvidia.com/gpu")
    assert {each.pipeline: each.tasks for each in remap.pipelines} == {
        "inner": ("train", "sweep/try", "choose/own"),
        "outer": ("last",),
    }
    assert told(FILES, FILES) == []


@pytest.mark.parametrize(
    ("old", "new", "sentences"),
    [
        # What one task says itself is not the profile's, whatever becomes of that.
        (
            "memory: 8Gi",
            "memory: 9Gi",
            ["gpu: limits.memory 8Gi → 9Gi in local affects 2 pipelines, 3 tasks"],
        ),
        (
            "{gpu: a100}",
            "{gpu: x}",
            ["gpu: node.selector.gpu a100 → x in local affects 2 pipelines, 4 tasks"],
        ),
        ("model: A100", "model: H100", []),
        ("perHour: 4", "perHour: 5", []),
        ("{gpu: l4}", "{gpu: x}", []),
    ],
)
def test_another_profile_of_the_name(old: str, new: str, sentences: list[str]) -> None:
    after = {**FILES, "pipelines/profiles.yaml": PROFILES.replace(old, new)}
    assert after != FILES
    assert told(FILES, after) == sentences


def test_what_tasks_say_otherwise_by_themselves_is_no_remap() -> None:
    tasks = TASKS.replace("profile: gpu}", "profile: l4}").replace("memory: 1Gi", "memory: 2Gi")
    after = {**FILES, "pipelines/inner.yaml": pipeline("inner", tasks)}
    assert told(FILES, after) == []


def test_the_blocks_of_tasks_that_win_over_the_profile() -> None:
    own = f"    t: {{{C}, profile: gpu, kubernetes: {{nodeSelector: {{a: b}}}}}}\n"
    files = {
        **FILES,
        "pipelines/inner.yaml": pipeline("inner", own),
        "pipelines/outer.yaml": pipeline("outer", own),
    }
    after = {**files, "pipelines/profiles.yaml": PROFILES.replace("{gpu: a100}", "{gpu: x}")}
    assert told(files, after) == []


def test_defaults_and_exit_tasks() -> None:
    more = f"  defaults: {{profile: gpu}}\n  onExit: {{{C}, profile: gpu}}\n"
    files = {**FILES, "pipelines/outer.yaml": pipeline("outer", f"    t: {{{C}}}\n", more)}
    del files["pipelines/inner.yaml"]
    after = {**files, "environments/local.yaml": environment("local", "l4")}
    (remap,) = between(files, after).profiles
    assert [each.tasks for each in remap.pipelines] == [("t", "onExit")]


def test_of_profiles_with_mistakes_nothing_is_told() -> None:
    broken = {**FILES, "pipelines/profiles.yaml": PROFILES.replace("memory: 8Gi", "memory: many")}
    assert between(FILES, broken).profiles == ()
    assert between(broken, FILES).profiles == ()


def test_two_environments() -> None:
    files = {**FILES, "environments/prod.yaml": environment("prod", "l4")}
    found = diff.across(seen(files), seen(files, "prod"))
    (remap,) = found.profiles
    assert sentence(remap, found.environment) == "gpu: A100 → L4 in prod affects 2 pipelines, 4 tasks"
