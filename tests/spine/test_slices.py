"""Which devices a DeviceClass takes: what can be read of its expressions decides, and the rest makes it a bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.demand.slices import Offer, offer

DRIVER = "device.driver == 'gpu.nvidia.com'"
L4 = "device.attributes['gpu.nvidia.com'].productName == 'NVIDIA L4'"


def device(product: str = "NVIDIA L4", **more: Any) -> dict[str, Any]:
    return {"name": "gpu-0", "attributes": {"productName": {"string": product}}, **more}


def slice_(
    *devices: Mapping[str, Any], node: str | None = "n1", driver: str = "gpu.nvidia.com", generation: int = 1
) -> dict[str, Any]:
    pool = {"name": node or "all", "generation": generation, "resourceSliceCount": 1}
    where = {"nodeName": node} if node else {"allNodes": True}
    return {"driver": driver, "pool": pool, "devices": list(devices), **where}


SLICES = [
    slice_(device(), device()),
    slice_(device("NVIDIA A100"), device(), node="n2"),
    slice_(device(), node="n3", driver="gpu.example.com"),
]


@pytest.mark.parametrize(
    ("selectors", "by_node", "is_most"),
    [
        ([], {"n1": 2, "n2": 2, "n3": 1}, False),
        ([DRIVER], {"n1": 2, "n2": 2}, False),
        ([DRIVER, L4], {"n1": 2, "n2": 1}, False),
        ([f"{DRIVER} && {L4}"], {"n1": 2, "n2": 1}, False),
        ([L4], {"n1": 2, "n2": 1}, False),
        (['device.driver == "gpu.nvidia.com"'], {"n1": 2, "n2": 2}, False),
        (["device.driver == 'no'"], {}, False),
        ([DRIVER, "device.capacity['gpu.nvidia.com'].memory >= quantity('40Gi')"], {"n1": 2, "n2": 2}, True),
        ([f"{DRIVER} && !({L4})"], {"n1": 2, "n2": 2, "n3": 1}, True),
        ([f"{DRIVER} || {L4}"], {"n1": 2, "n2": 2, "n3": 1}, True),
        (["device.driver == 'a && b'"], {}, False),
        (["device.driver == 'unclosed"], {"n1": 2, "n2": 2, "n3": 1}, True),
    ],
)
def test_a_class_takes_what_all_its_expressions_take(
    selectors: list[str], by_node: Mapping[str, int], *, is_most: bool
) -> None:
    assert offer(selectors, SLICES) == Offer(by_node, 0, is_most)


def test_an_attribute_of_another_domain_is_told_with_it() -> None:
    other = {"name": "d", "attributes": {"example.com/model": {"string": "x"}}}
    assert offer(["device.attributes['example.com'].model == 'x'"], [slice_(other)]).devices == 1
    assert offer(["device.attributes['gpu.nvidia.com'].model == 'x'"], [slice_(other)]).devices == 0


def test_devices_of_no_single_node_are_counted_apart() -> None:
    assert offer([], [slice_(device(), node=None), slice_(device())]) == Offer({"n1": 1}, 1)
    alone = slice_(device(nodeName="n7"), device(), node=None)
    assert offer([], [alone]) == Offer({"n7": 1}, 1)


def test_an_older_generation_of_a_pool_is_gone() -> None:
    assert offer([], [slice_(device(), device()), slice_(device(), generation=2)]) == Offer({"n1": 1})


def test_parts_of_one_device_are_the_most_there_can_be() -> None:
    part = device(consumesCounters=[{"counterSet": "gpu-0", "counters": {}}])
    assert offer([DRIVER], [slice_(part, part)]) == Offer({"n1": 2}, is_most=True)


def test_a_tainted_device_is_for_nobody_who_does_not_tolerate_it() -> None:
    broken = device(taints=[{"key": "broken", "effect": "NoSchedule"}])
    assert offer([], [slice_(broken, device())]).devices == 1


ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["driver", "pool", "name", "generation", "devices", "attributes", "taints", "nodeName"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(
    st.lists(st.text("devicr.attributes[]='\"& |!()x", max_size=30), max_size=3),
    st.lists(
        st.dictionaries(st.sampled_from(["driver", "pool", "devices", "nodeName"]), ANYTHING), max_size=4
    ),
)
def test_whatever_stands_there_is_borne(selectors: list[str], slices: list[dict[str, Any]]) -> None:
    assert offer(selectors, slices).devices >= 0
