"""What profiles may come to: each bound is told once, and nothing is looked at beyond it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kfgit import driver
from kfgit.demand import quotas
from kfgit.driver import Checkout
from kfgit.graph import nesting
from kfgit.graph.sharing import groups, kept

HEAD = "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: case}\n"
PROD = """apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec: {target: {type: cluster, namespace: ml, kfp: {endpoint: https://kfp.example.com}}}
"""
MAKE = 'apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: make}\nspec: {container: {image: "e.com/m:1"}}\n'


def document(kind: str, name: str, spec: Mapping[str, Any]) -> str:
    found = {"apiVersion": "kfgit.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return f"--- {json.dumps(found)}\n"


def checked(root: Path, *documents: str) -> tuple[list[tuple[str, int]], Checkout]:
    """The mistakes by code and line, and what came of it."""
    for path, text in {
        "kfgit.yaml": HEAD,
        "environments/prod.yaml": PROD,
        "components/make.yaml": MAKE,
        "pipelines/all.yaml": "".join(documents),
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    found = driver.check(driver.load(root), "prod")
    return [(d.code, d.span.line) for d in found.diagnostics], found.value


def chain(length: int) -> list[str]:
    first = document("ResourceProfile", "r0", {"requests": {"cpu": "1"}})
    more = (document("ResourceProfile", f"r{n}", {"extends": f"r{n - 1}"}) for n in range(1, length))
    return [first, *more]


@pytest.mark.parametrize("turned", [False, True])
def test_32_profiles_extend_each_other_and_no_more(tmp_path: Path, *, turned: bool) -> None:
    told, found = checked(tmp_path, *chain(32))
    assert told == []
    assert found.project.project.profiles["r31"].resources.requests == {"cpu": "1"}
    deeper = chain(3_000)
    told, found = checked(tmp_path, *(reversed(deeper) if turned else deeper))
    assert told == [("profile-too-deep", 3_000 - 32 if turned else 33)]
    assert len(found.project.project.profiles) == 32


def test_side_by_side_there_may_be_as_many_as_anybody_likes(tmp_path: Path) -> None:
    heirs = [document("ResourceProfile", f"h{n}", {"extends": "r30"}) for n in range(50)]
    told, found = checked(tmp_path, *heirs, *chain(31))
    assert told == []
    assert len(found.project.project.profiles) == 81


@pytest.mark.parametrize("key", ["quota", "borrowingLimit", "lendingLimit"])
def test_64_resources_are_in_a_quota_and_no_more(tmp_path: Path, key: str) -> None:
    def spec(count: int) -> dict[str, Any]:
        amounts = {f"a.b/r{n}": 1 for n in range(count)}
        queue = {"localQueue": "l", "clusterQueue": "q", "cohort": "c"}
        limits = {key: amounts} if key != "quota" else {}
        return {"quota": amounts, "queue": {**queue, **limits}}

    told, _ = checked(tmp_path, document("ResourceProfile", "r", spec(64)))
    assert told == []
    told, found = checked(tmp_path, document("ResourceProfile", "r", spec(65)))
    assert set(told) == {("quota-too-large", 1)}
    assert max(len(each.parts) for each in kept(found.project.project)) < 140


def test_500_values_are_said_of_nodes_and_no_more(tmp_path: Path) -> None:
    def spec(count: int) -> dict[str, Any]:
        return {"node": {"selector": {f"k{n}": "v" for n in range(count)}}}

    heir = document("ResourceProfile", "heir", {"extends": "r"})
    told, found = checked(tmp_path, document("ResourceProfile", "r", spec(500)), heir)
    assert told == []
    assert len(found.project.project.profiles["heir"].placement.node_selector) == 500
    told, found = checked(tmp_path, document("ResourceProfile", "r", spec(501)), heir)
    assert told == [("placement-too-large", 1)]
    assert found.project.project.profiles["heir"].placement.node_selector == {}


def queue(number: int, resource: str) -> str:
    where = {"localQueue": "l", "clusterQueue": "q", "flavor": f"f{number}"}
    return document("ResourceProfile", f"r{number}", {"queue": where, "quota": {resource: 1}})


@pytest.mark.parametrize(("most", "resource"), [(64, "a.b/c"), (16, "a.b/c%")])
def test_a_queue_is_not_larger_than_kueue_takes(tmp_path: Path, most: int, resource: str) -> None:
    """Many flavors in one group, and many groups of one flavor."""
    said = [queue(number, resource.replace("%", str(number))) for number in range(most + 1)]
    told, found = checked(tmp_path, *said[:most])
    assert told == []
    assert quotas(found.project.project).covered["q"]
    told, found = checked(tmp_path, *said)
    assert told == [("queue-too-large", 1)]
    assert quotas(found.project.project).covered == {}


def test_groups_are_what_hangs_together() -> None:
    found = groups([("a", "x"), ("b", "y"), ("c", "x"), ("c", "z"), ("d", "z")])
    assert [tuple(map(sorted, each)) for each in found] == [(["a", "c", "d"], ["x", "z"]), (["b"], ["y"])]
    ring = [(f"f{n}", f"r{n + step}") for n in range(3_000) for step in (0, 1)]
    assert [(len(flavors), len(resources)) for flavors, resources in groups(ring)] == [(3_000, 3_001)]


def test_what_has_no_form_is_no_part_of_a_pod(tmp_path: Path) -> None:
    """Other documents are still compiled, whatever a profile is."""
    node = {"tolerations": [5, {"operator": "Exists"}, ["x"]], "affinity": ["x", None]}
    task = {"component": "make", "profile": "r"}
    told, found = checked(
        tmp_path,
        document("ResourceProfile", "r", {"node": node}),
        document("Pipeline", "p", {"tasks": {"t": task}}),
    )
    assert {code for code, _ in told} == {"wrong-type"}
    assert found.project.project.profiles["r"].placement.tolerations == ({"operator": "Exists"},)
    assert driver.compile_all(found)["p"].to_yaml()


def test_all_pipelines_together_lay_out_no_more_than_can_be_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nesting, "MOST_NESTED", 10)
    inner = document("Pipeline", "inner", {"tasks": {f"t{n}": {"component": "make"} for n in range(4)}})
    outer = [document("Pipeline", f"o{n}", {"tasks": {"a": {"pipeline": "inner"}}}) for n in range(4)]
    large = document("Pipeline", "large", {"tasks": {f"t{n}": {"component": "make"} for n in range(40)}})
    told, found = checked(tmp_path, inner, large, *outer)
    assert told == [("pipeline-too-large", 5), ("pipeline-too-large", 6)]
    assert set(found.project.pipelines) == {"inner", "large", "o0", "o1"}


@pytest.mark.parametrize(
    "spec",
    [
        {"limitRange": {"max": {"cpu": "9" * 5_000}}},
        {"requests": {"cpu": "9" * 5_000}},
        {"quota": {"cpu": "9" * 5_000, "pods": "9" * 5_000}},
        {"accelerator": {"resource": "nvidia.com/gpu", "count": 10**390}},
        {"accelerator": {"resource": f"nvidia.com/mig-{'1' * 5_000}g.5gb", "model": "A100"}},
        {"claim": {"deviceClass": "d", "count": 10**390}},
        {"cost": {"perHour": 10**390}, "priority": {"class": "a", "value": 10**390}},
    ],
)
def test_numbers_of_any_length_are_told(tmp_path: Path, spec: Mapping[str, Any]) -> None:
    task = {"component": "make", "profile": "r"}
    told, _ = checked(
        tmp_path,
        document("ResourceProfile", "r", spec),
        document("Pipeline", "p", {"tasks": {"t": task, "u": {"forEach": [1, 2], "tasks": {"v": task}}}}),
    )
    assert told
