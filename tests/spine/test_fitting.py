"""Profiles against nodes: what a scheduler would let in, written down here once more, by simulation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.demand.fitting import Node, Taint, fitting
from kfgit.model import Accelerator, Placement, Profile, Resources
from kfgit.source import Span

GPU = "nvidia.com/gpu"
SPAN = Span("p.yaml", 1, 1, 1, 1)


def profile(
    requests: dict[str, str] | None = None,
    limits: dict[str, str] | None = None,
    gpus: int = 0,
    **placement: Any,
) -> Profile:
    accelerator = Accelerator(GPU, gpus) if gpus else None
    return Profile("p", SPAN, Resources(requests or {}, limits or {}, accelerator), Placement(**placement))


def node(name: str = "n", *taints: Taint, **more: Any) -> Node:
    allocatable = {"cpu": "8", "memory": "32Gi", "pods": "110", **more.pop("allocatable", {})}
    return Node(name, allocatable, taints=taints, **more)


def fits(wanted: Profile, *nodes: Node) -> dict[str, int]:
    return dict(fitting(wanted, nodes).fits)


# --- how many at once


FREE = st.tuples(st.integers(0, 64), st.integers(1, 10), st.integers(0, 16000), st.integers(0, 6))
ASKED = st.tuples(st.integers(0, 4), st.integers(0, 4000), st.integers(0, 3))


@given(FREE, ASKED)
def test_as_many_tasks_as_a_scheduler_would_place_one_by_one(
    free: tuple[int, int, int, int], one: tuple[int, int, int]
) -> None:
    (memory, pods, cpu, gpus), (wanted, milli, asked) = free, one
    found = fitting(
        profile({"cpu": f"{milli}m", "memory": f"{wanted}Gi"}, gpus=asked),
        [Node("n", {"cpu": f"{cpu}m", "memory": f"{memory}Gi", "pods": str(pods), GPU: str(gpus)})],
    )
    placed = 0
    while placed < pods and cpu >= milli and memory >= wanted and gpus >= asked:
        cpu, memory, gpus, placed = cpu - milli, memory - wanted, gpus - asked, placed + 1
    assert found.tasks == placed


def test_a_limit_is_the_request_where_there_is_none() -> None:
    assert fits(profile(limits={"cpu": "4"}), node()) == {"n": 2}
    assert fits(profile({"cpu": "1"}, {"cpu": "4"}), node()) == {"n": 8}
    assert fits(profile({"cpu": "100m"}), node(allocatable={"cpu": "300m"})) == {"n": 3}


# --- taints


KEYS, EFFECTS = st.sampled_from(["a", "b"]), st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"])
VALUES = st.sampled_from(["", "x", "y"])
TAINTS = st.builds(Taint, KEYS, VALUES, EFFECTS)
TOLERATIONS = st.one_of(
    st.fixed_dictionaries(
        {"key": KEYS}, optional={"value": VALUES, "effect": EFFECTS, "operator": st.just("Equal")}
    ),
    st.fixed_dictionaries({"operator": st.just("Exists")}, optional={"key": KEYS, "effect": EFFECTS}),
)


@given(st.lists(TAINTS, max_size=3), st.lists(TOLERATIONS, max_size=3))
def test_each_taint_that_keeps_pods_away_is_borne(taints: list[Taint], given_: list[dict[str, str]]) -> None:
    def borne(taint: Taint, one: dict[str, str]) -> bool:
        same = one.get("key", taint.key) == taint.key and one.get("effect", taint.effect) == taint.effect
        return same and (one.get("operator") == "Exists" or one.get("value", "") == taint.value)

    blocking = [taint for taint in taints if taint.effect != "PreferNoSchedule"]
    expected = all(any(borne(taint, one) for one in given_) for taint in blocking)
    assert bool(fits(profile(tolerations=tuple(given_)), node("n", *taints))) is expected


def test_a_cordoned_node_takes_only_who_bears_that() -> None:
    bears = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}
    assert fits(profile(), node(unschedulable=True)) == {}
    assert fits(profile(tolerations=(bears,)), node(unschedulable=True)) == {"n": 110}


def test_gke_lets_who_asks_for_a_device_bear_its_taint() -> None:
    tainted = Taint(GPU, "present", "NoSchedule")
    wants, gpus = profile(gpus=1), {GPU: "2"}
    assert fits(wants, node("n", tainted, allocatable=gpus)) == {}
    labels = {"cloud.google.com/gke-nodepool": "gpu"}
    assert fits(wants, node("n", tainted, allocatable=gpus, labels=labels)) == {"n": 2}
    assert fits(profile(), node("n", tainted, allocatable=gpus, labels=labels)) == {}


# --- labels and affinity


@pytest.mark.parametrize(
    ("operator", "values", "with_5", "without"),
    [
        ("In", ["5", "6"], True, False), ("In", ["6"], False, False), ("NotIn", ["5"], False, True),
        ("NotIn", ["6"], True, True), ("Exists", [], True, False), ("DoesNotExist", [], False, True),
        ("Gt", ["4"], True, False), ("Gt", ["5"], False, False), ("Lt", ["6"], True, False),
        ("Lt", ["5"], False, False),
    ],
)  # fmt: skip
def test_requirements_are_read_as_kubernetes_reads_them(
    operator: str, values: list[str], *, with_5: bool, without: bool
) -> None:
    term = {"matchExpressions": [{"key": "k", "operator": operator, "values": values}]}
    wants = profile(affinity=(term,))
    assert bool(fits(wants, node(labels={"k": "5"}))) is with_5
    assert bool(fits(wants, node())) is without


def test_of_required_terms_one_is_enough_and_preferences_do_not_matter() -> None:
    one, other = (
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]} for zone in "ab"
    )
    nodes = [node(zone, labels={"zone": zone}) for zone in "abc"]
    assert set(fits(profile(affinity=(one, other)), *nodes)) == {"a", "b"}
    assert set(fits(profile(affinity=({**one, "weight": 3},)), *nodes)) == {"a", "b", "c"}
    assert set(fits(profile(affinity=(one,), node_selector={"zone": "b"}), *nodes)) == set()
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["c"]}]}
    assert set(fits(profile(affinity=(by_name,)), *nodes)) == {"c"}


# --- what is said


def test_the_sentence_leads_from_all_nodes_to_none_and_names_the_nearest() -> None:
    gpu = {GPU: "4"}
    nodes = [
        node("plain"),
        node("l4", allocatable=gpu, labels={"pool": "l4"}),
        node("far", Taint("team", "b", "NoExecute"), allocatable=gpu),
    ]
    wants = profile(gpus=2, node_selector={"pool": "a100"})
    assert fitting(wants, nodes).sentence() == (
        "could run nowhere: of 3 nodes 2 with 2 × nvidia.com/gpu, none with the label pool=a100 "
        "(nearest is l4: its label pool is l4)"
    )
    assert fitting(wants, nodes[:1]).sentence() == (
        "could run nowhere: of 1 node none with 2 × nvidia.com/gpu (it has no nvidia.com/gpu; it has no label pool)"
    )
    assert fitting(profile(gpus=8), nodes[1:2]).nearest == ("l4", ("it has 4 × nvidia.com/gpu",))
    assert fitting(profile(gpus=2), nodes).sentence() == "1 of 3 nodes fit, 2 tasks at once"


@given(
    st.lists(st.tuples(st.integers(0, 3), st.lists(TAINTS, max_size=2), VALUES), max_size=4),
    st.lists(TOLERATIONS, max_size=2),
    st.integers(0, 3),
    VALUES,
)
def test_either_some_node_fits_or_it_is_said_why_none_does(
    nodes: list[tuple[int, list[Taint], str]], given_: list[dict[str, str]], gpus: int, label: str
) -> None:
    made = [
        node(str(number), *taints, allocatable={GPU: str(count)}, labels={"k": value})
        for number, (count, taints, value) in enumerate(nodes)
    ]
    wants = profile(gpus=gpus, tolerations=tuple(given_), node_selector={"k": label})
    found = fitting(wants, made)
    alone = [each.name for each in made if fitting(wants, [each]).fits]
    assert list(found.fits) == alone
    if found.fits or not made:
        assert found.nearest is None
    else:
        assert found.left[-1][1] == 0
        assert found.nearest is not None
        assert found.nearest[1]


def test_devices_of_a_class_are_looked_for_elsewhere() -> None:
    wants = profile(gpus=1)
    assert fitting(wants, [node()]).fits == {}
    assert fitting(wants, [node()], frozenset({GPU})).fits == {"n": 110}
