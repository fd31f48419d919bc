"""What another meaning of a profile's name concerns, and what of that is written down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.ir import Use
from kfgit.plan import Remap, between, written
from kfgit.plan.uses import read
from kfgit.render.plans.remaps import notes, sentence

names = st.sampled_from(["gpu", "cpu", "tpu"])
paths = st.sampled_from(["a", "b", "loop/c", "loop/d"])
settings = st.dictionaries(st.sampled_from(["limits.cpu", "accelerator.model", "node.selector.x"]), names)
digests = st.sampled_from(["1", "2", "3"])


@st.composite
def used(draw: st.DrawFn) -> tuple[Use, ...]:
    """The uses of one pipeline: a task has one profile and gets one thing."""
    tasks: dict[str, dict[str, list[str]]] = {}
    for path, (name, digest) in draw(st.dictionaries(paths, st.tuples(names, digests))).items():
        tasks.setdefault(name, {}).setdefault(digest, []).append(path)
    return tuple(
        Use(name, draw(names), draw(settings), {key: tuple(each) for key, each in found.items()})
        for name, found in sorted(tasks.items())
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
kept = st.fixed_dictionaries(
    {"name": json_values, "profile": json_values, "settings": json_values, "tasks": json_values}
)


@given(used())
def test_what_is_written_down_is_read_again(uses: tuple[Use, ...]) -> None:
    assert read(json.loads(json.dumps(written(uses), sort_keys=True))) == uses
    assert json.loads(json.dumps(written(uses))) == written(uses)


@given(json_values | st.lists(kept, max_size=2))
def test_whatever_a_target_has_kept_can_be_read(value: Any) -> None:
    assert all(isinstance(use, Use) for use in read(value))


@given(st.dictionaries(st.sampled_from("pqr"), st.tuples(used(), used())))
def test_a_task_is_told_once_if_its_profile_and_what_it_gets_are_others(
    pipelines: Mapping[str, tuple[Sequence[Use], Sequence[Use]]],
) -> None:
    told = [
        (remap.name, each.pipeline, path)
        for remap in between(pipelines)
        for each in remap.pipelines
        for path in each.tasks
    ]
    assert len(told) == len(set(told))
    assert set(told) == {
        (name, pipeline, path)
        for pipeline, (before, after) in pipelines.items()
        for path, (name, meaning, digest) in _by_task(after).items()
        for was in [_by_task(before).get(path)]
        if was is not None and was[0] == name and was[1] != meaning and was[2] != digest
    }
    assert sum(remap.tasks for remap in between(pipelines)) == len(told)


@given(st.dictionaries(st.sampled_from("pqr"), used()))
def test_what_stays_as_it_is_is_not_told(pipelines: Mapping[str, Sequence[Use]]) -> None:
    assert between({name: (uses, uses) for name, uses in pipelines.items()}) == ()
    assert between({name: ((), uses) for name, uses in pipelines.items()}) == ()
    assert between({name: (uses, ()) for name, uses in pipelines.items()}) == ()


def _by_task(uses: Sequence[Use]) -> dict[str, tuple[str, tuple[str, Mapping[str, str]], str]]:
    return {
        path: (use.name, (use.profile, use.settings), digest)
        for use in uses
        for digest, found in use.tasks.items()
        for path in found
    }


def remapped(before: Use, after: Use) -> Remap:
    (found,) = between({"p": ((before,), (after,))})
    return found


A100 = {"accelerator.resource": "nvidia.com/gpu", "accelerator.count": "2", "accelerator.model": "A100"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (("big", A100), ("small", {**A100, "accelerator.model": "L4"}), "A100 → L4"),
        (("big", A100), ("spot", {**A100, "node.selector.spot": "true"}), "big → spot"),
        (("big", A100), ("cpu", {}), "big → cpu"),
        (("big", {"limits.memory": "16Gi"}), ("big", {"limits.memory": "32Gi"}), "limits.memory 16Gi → 32Gi"),
        (("big", {"limits.cpu": "4"}), ("big", {}), "limits.cpu 4 → none"),
        (
            ("big", {"node.tolerations": "1f"}),
            ("big", {"node.tolerations": "2e"}),
            "node.tolerations changed",
        ),
        (
            ("big", {}),
            ("big", {"limits.cpu": "4", "limits.memory": "1Gi", "requests.cpu": "1", "sharedMemory": "1Gi"}),
            "limits.cpu none → 4, limits.memory none → 1Gi, requests.cpu none → 1 and 1 more field",
        ),
        (
            ("big", {"node.selector.access-token": "abc"}),
            ("big", {"node.selector.access-token": "def"}),
            "node.selector.access-token (hidden) → (hidden)",
        ),
    ],
)
def test_what_tells_two_meanings_apart(
    before: tuple[str, dict[str, str]], after: tuple[str, dict[str, str]], words: str
) -> None:
    one, other = (
        Use("gpu", name, said, {digest: ("t",)}) for (name, said), digest in ((before, "1"), (after, "2"))
    )
    found = remapped(one, other)
    assert sentence(found, "prod") == f"gpu: {words} in prod affects 1 pipeline, 1 task"
    assert notes([found]) == {"p": (f"profile gpu: {words} in t",)}


COST = {"cost.perHour": "4.10", "cost.currency": "USD"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (COST, {**COST, "cost.perHour": "0.8"}, ", 4.10 → 0.80 USD per hour"),
        (COST, {**COST, "cost.perHour": "0"}, ", 4.10 → 0.00 USD per hour"),
        (COST, {**COST, "cost.currency": "EUR"}, ", 4.10 USD → 4.10 EUR per hour"),
        ({"cost.perHour": "4.1"}, {"cost.perHour": "0.0123"}, ", 4.10 → 0.0123 USD per hour"),
        (COST, {"cost.perHour": "4.1"}, ""),
        # What an older kfgit wrote down, and what nobody can read.
        ({}, COST, ""),
        (COST, {}, ""),
        ({"cost.perHour": "much"}, COST, ""),
        ({"cost.perHour": "NaN"}, COST, ""),
        ({"cost.perHour": "-1"}, COST, ""),
        ({"cost.perHour": "1e999999999"}, COST, ""),
    ],
)
def test_what_an_hour_costs(before: dict[str, str], after: dict[str, str], words: str) -> None:
    one = Use("gpu", "big", {**A100, **before}, {"1": ("t",)})
    other = Use("gpu", "small", {**A100, **after}, {"2": ("t",)})
    found = remapped(one, other)
    assert sentence(found, "prod") == f"gpu: big → small in prod affects 1 pipeline, 1 task{words}"
    assert notes([found]) == {"p": (f"profile gpu: big → small in t{words}",)}
    assert found.fields == ()


def test_pipelines_around_others_are_told_by_whom() -> None:
    names = [f"q{number}" for number in range(9)]
    big, small = Use("gpu", "big", A100, {"1": ("a",)}), Use("gpu", "small", {}, {"2": ("a",)})
    found = between(dict.fromkeys(names, ((big,), (small,))))
    told = notes(found, {"p": names, "q0": ["q1"], "other": ["none"]})
    through = "through q0, q1, q2, q3, q4, q5 and 3 more pipelines"
    assert told["p"] == (f"{through}: profile gpu: big → small",)
    assert told["q0"] == ("profile gpu: big → small in a", "through q1: profile gpu: big → small")
    assert "other" not in told


def test_equal_remaps_of_several_pipelines_are_one() -> None:
    big, small = Use("gpu", "big", A100, {"1": ("a", "b")}), Use("gpu", "small", {}, {"2": ("a", "b", "new")})
    older = Use("gpu", "old", {}, {"0": ("a",)})
    found = between({"p": ((big,), (small,)), "q": ((big,), (small,)), "r": ((older,), (small,))})
    assert [sentence(each, "prod") for each in found] == [
        "gpu: big → small in prod affects 2 pipelines, 4 tasks",
        "gpu: old → small in prod affects 1 pipeline, 1 task",
    ]
    many = Use("gpu", "big", A100, {"1": tuple(f"t{n}" for n in range(9))})
    (note,) = notes([remapped(many, Use("gpu", "small", {}, {"2": many.tasks["1"]}))])["p"]
    assert note == "profile gpu: big → small in t0, t1, t2, t3, t4, t5 and 3 more tasks"
