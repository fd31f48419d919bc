"""The widest moment of a run: what is held at once equals the heaviest set of tasks that a brute force finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, combinations, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings, strategies as st

from kfgit import driver
from kfgit.demand import Boundless, Holder, Peak, of_resource, peak
from kfgit.demand.packaged import of_package
from kfgit.demand.widest import widest
from kfgit.packages.compiled import Compiled
from kfgit.source import whole_file
from tests.spine.test_demand import PROFILES

LEAF = {"component": {"container": {"image": "e.com/a:1", "script": "echo"}}, "profile": "four"}
Edges = Sequence[tuple[str, str]]


@st.composite
def orders(draw: st.DrawFn) -> tuple[dict[str, int], Edges]:
    """Weights of tasks, and edges that go forward only."""
    names = [f"t{number}" for number in range(draw(st.integers(1, 7)))]
    weights = {name: draw(st.integers(0, 4)) for name in names}
    pairs = list(combinations(names, 2))
    edges = draw(st.lists(st.sampled_from(pairs), max_size=10)) if pairs else []
    return weights, edges


def waits(edges: Edges, names: Sequence[str]) -> set[tuple[str, str]]:
    """Which task waits for which, also by way of others."""
    found = set(edges)
    for middle in names:
        found |= {(a, d) for a, b in found for c, d in found if b == middle == c}
    return found


@given(orders())
def test_the_widest_set_is_the_heaviest_one_of_all(order: tuple[dict[str, int], Edges]) -> None:
    weights, edges = order
    closed = waits(edges, list(weights))
    sets = chain.from_iterable(combinations(weights, size) for size in range(len(weights) + 1))
    heaviest = max(
        sum(weights[name] for name in chosen)
        for chosen in sets
        if not any(pair in closed for pair in combinations(chosen, 2))
    )
    found, exact = widest(weights, edges)
    assert exact
    assert sum(weights[name] for name in found) == heaviest
    assert not any(pair in closed for pair in combinations(found, 2))


def test_what_is_too_large_to_be_looked_at_counts_as_a_whole() -> None:
    weights = {f"t{number}": 1 for number in range(2000)}
    found, exact = widest(weights, list(pairwise(weights)))
    assert (len(found), exact) == (2000, False)


def test_a_chain_holds_what_its_largest_task_holds() -> None:
    weights = {f"t{number}": number for number in range(200)}
    assert widest(weights, list(pairwise(weights))) == (("t199",), True)


# --- whole pipelines: a small random one, and every set of its tasks that no edge keeps apart


@st.composite
def scopes(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    """Tasks as documents write them; a task may stand after earlier ones, and groups hold tasks of their own."""
    found: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 3))):
        name = f"n{depth}{number}"
        task = draw(st.one_of(_leaf(), *([_loop(depth - 1), _switch(depth - 1)] if depth else [])))
        after = draw(st.lists(st.sampled_from(list(found)), unique=True)) if found else []
        found[name] = {**task, **({"after": after} if after else {})}
    return found


@st.composite
def _leaf(draw: st.DrawFn) -> dict[str, Any]:
    profile = draw(st.sampled_from([None, "gpu", "four", "tpu"]))
    task = {"component": {"container": {"image": "e.com/a:1", "script": "echo"}}}
    return {**task, **({"profile": profile} if profile else {})}


@st.composite
def _loop(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    items, parallelism = draw(st.integers(1, 3)), draw(st.integers(1, 3) | st.none())
    bound = {"parallelism": parallelism} if parallelism else {}
    return {"forEach": list(range(items)), **bound, "tasks": draw(scopes(depth))}


@st.composite
def _switch(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    one, other = draw(scopes(depth)), draw(scopes(depth))
    renamed = {f"{name}x": {**task, **_after(task)} for name, task in other.items()}
    return {"switch": [{"when": "1 == 1", "tasks": one}, {"tasks": renamed}]}


def _after(task: Mapping[str, Any]) -> dict[str, Any]:
    return {"after": [f"{name}x" for name in task["after"]]} if "after" in task else {}


COUNTS = {"gpu": 1, "four": 4, "tpu": 8}


def heaviest(tasks: Mapping[str, Any]) -> int:
    """Tries every set of tasks of one scope; inside a group its own widest moment counts."""
    inner = {name: alone(task) for name, task in tasks.items()}
    closed = waits([(a, name) for name, task in tasks.items() for a in task.get("after", ())], list(tasks))
    sets = chain.from_iterable(combinations(tasks, size) for size in range(len(tasks) + 1))
    return max(
        sum(inner[name] for name in chosen)
        for chosen in sets
        if not any((a, b) in closed or (b, a) in closed for a, b in combinations(chosen, 2))
    )


def alone(task: Mapping[str, Any]) -> int:
    if "switch" in task:
        return max(heaviest(branch["tasks"]) for branch in task["switch"])
    if "forEach" in task:
        # Every iteration is a task of its own that waits for no other one.
        copies = min(len(task["forEach"]), task.get("parallelism") or len(task["forEach"]))
        return sum(heaviest(task["tasks"]) for _ in range(copies))
    return COUNTS.get(task.get("profile", ""), 0)


def seen(tasks: Mapping[str, Any]) -> Peak:
    """The widest moment as kfgit sees it."""
    return peak(checked(tasks).project, "p")


def packaged(tasks: Mapping[str, Any]) -> Peak:
    """The same of the package that it compiles to."""
    spec = driver.compile_all(checked(tasks))["p"].spec
    return of_package(cast("Compiled", SimpleNamespace(spec=spec, span=whole_file("p.yaml"))))


def checked(tasks: Mapping[str, Any]) -> driver.Checkout:
    import json

    spec = {"inputs": {"of": {"type": "list", "default": [1]}}, "tasks": tasks}
    pipeline = {
        "apiVersion": "kfgit.dev/v1", "kind": "Pipeline", "metadata": {"name": "p"}, "spec": spec,
    }  # fmt: skip
    texts = {
        "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n",
        "components/profiles.yaml": PROFILES,
        "pipelines/p.yaml": json.dumps(pipeline),
    }
    repository = loaded(texts)
    found = driver.check(repository, "local")
    assert [d for d in driver.mistakes(found) if d.severity == "error"] == []
    return found.value


def loaded(texts: Mapping[str, str]) -> driver.Repository:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for path, text in texts.items():
            (Path(folder) / path).parent.mkdir(exist_ok=True)
            (Path(folder) / path).write_text(text)
        return driver.load(Path(folder))


@settings(max_examples=60)
@given(scopes())
def test_a_pipeline_holds_what_a_brute_force_finds(tasks: dict[str, Any]) -> None:
    found = seen(tasks)
    assert found.count == heaviest(tasks)
    assert found.boundless == ()


def has_switch(tasks: Mapping[str, Any]) -> bool:
    return any("switch" in task or has_switch(task.get("tasks", {})) for task in tasks.values())


@settings(max_examples=60)
@given(scopes())
def test_its_package_holds_the_same_but_that_all_branches_count(tasks: dict[str, Any]) -> None:
    of_source, of_spec = seen(tasks).count, packaged(tasks).count
    assert of_spec >= of_source
    assert has_switch(tasks) or of_spec == of_source


def test_of_a_package_the_items_and_counts_that_nobody_knows_have_no_bound() -> None:
    loop = {"forEach": "$(inputs.of)", "tasks": {"t": LEAF}}
    assert len(packaged({"l": loop}).boundless) == 1
    bounded = packaged({"l": {**loop, "parallelism": 3}})
    assert (bounded.count, bounded.boundless) == (12, ())
    accelerator = {"resourceType": "nvidia.com/gpu", "resourceCount": "{{$.inputs.parameters['n']}}"}
    spec = {
        "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "c"}}}}},
        "components": {"c": {"executorLabel": "e"}},
        "deploymentSpec": {"executors": {"e": {"container": {"resources": {"accelerator": accelerator}}}}},
    }
    found = of_package(cast("Compiled", SimpleNamespace(spec=spec, span=whole_file("p.yaml"))))
    assert [path for path, *_ in found.boundless] == ["a"]


@pytest.mark.parametrize(
    ("accelerator", "count", "resource"),
    [
        ({"resourceType": "nvidia.com/gpu", "resourceCount": "4"}, 4, "nvidia.com/gpu"),
        ({"type": "nvidia.com/gpu", "count": 2}, 2, "nvidia.com/gpu"),
        ({"resourceType": "nvidia.com/gpu", "count": "2.0", "resourceCount": 2.0}, 2, "nvidia.com/gpu"),
        ({"resourceType": "nvidia.com/gpu", "resourceCount": "9" * 5000}, 1, "nvidia.com/gpu"),
        ({"resourceType": "{{$.inputs.parameters['t']}}", "resourceCount": "3"}, 3, ""),
        ({"resourceType": "a\nb", "resourceCount": "3"}, 3, ""),
        ({"resourceType": "nvidia.com/gpu"}, 0, "nvidia.com/gpu"),
    ],
)
def test_what_an_executor_of_a_package_asks_for(
    accelerator: dict[str, Any], count: int, resource: str
) -> None:
    spec = {
        "root": {"dag": {"tasks": {"a\n b": {"componentRef": {"name": "c"}}}}},
        "components": {"c": {"executorLabel": "e"}},
        "deploymentSpec": {"executors": {"e": {"container": {"resources": {"accelerator": accelerator}}}}},
    }
    package = cast("Compiled", SimpleNamespace(spec=spec, span=whole_file("p.yaml")))
    assert of_package(package).count == count
    assert of_package(package, of_resource(resource)).count == count
    assert of_package(package, of_resource("other")) == Peak()
    assert {holder.path for holder in of_package(package).holders} <= {"a b"}


def test_the_sentence() -> None:
    assert seen({"a": LEAF}).sentence() == "at most 4 GPUs at once: a 4"
    loop = {"forEach": [1, 2], "tasks": {"t": LEAF}}
    assert seen({"l": loop, "b": LEAF}).sentence() == "at most 12 GPUs at once: l/t 2 × 4, b 4"
    many = {f"t{number}": LEAF for number in range(6)}
    assert seen(many).sentence() == ("at most 24 GPUs at once: t0 4, t1 4, t2 4, t3 4 and 2 more tasks")


def test_a_loop_whose_items_nobody_knows_has_no_bound_unless_it_says_one() -> None:
    loop = {"forEach": "$(inputs.of)", "tasks": {"t": LEAF}}
    assert [path for path, *_ in seen({"l": loop}).boundless] == ["l"]
    found = seen({"l": {**loop, "parallelism": 3}})
    assert (found.count, found.boundless) == (12, ())
    plain = {"forEach": "$(inputs.of)", "tasks": {"t": {"component": LEAF["component"]}}}
    assert seen({"l": plain}) == Peak()


def test_what_only_the_run_knows_is_said() -> None:
    loop, device = Boundless("l", whole_file("p.yaml")), Boundless("t", whole_file("p.yaml"), is_loop=False)
    assert loop.told() == "the items of `l` are known only when it runs"
    assert device.told() == "the devices of `t` are known only when it runs"
    assert Peak((Holder("l/t", 2),), (loop, device)).sentence() == (
        "at most 2 GPUs at once with one iteration of `l` and 1 more (only the run knows how many there are): l/t 2"
    )
    assert Peak((Holder("t", 1),), (device,)).sentence("a.b/c") == (
        "at most 1 × a.b/c at once with one device in `t` (only the run knows how many there are): t 1"
    )
