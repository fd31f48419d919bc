"""What no node can be, against every node that a small world can have."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from hypothesis import given, strategies as st

from kfgit.graph.nodes import Pod, clashes
from kfgit.model import Resources

KEYS, VALUES = ("zone", "disk"), ("1", "2", "3")
# A node may also have a value that nobody mentions, or not have the label.
NODES = [
    {key: value for key, value in zip(KEYS, values, strict=True) if value is not None}
    for values in product((*VALUES, "other", None), repeat=len(KEYS))
]

SELECTORS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
LISTED = st.lists(st.sampled_from(VALUES), min_size=1, max_size=3, unique=True)
REQUIREMENTS = st.one_of(
    st.fixed_dictionaries(
        {"key": st.sampled_from(KEYS), "operator": st.sampled_from(["In", "NotIn"]), "values": LISTED}
    ),
    st.fixed_dictionaries(
        {"key": st.sampled_from(KEYS), "operator": st.sampled_from(["Exists", "DoesNotExist"])}
    ),
)
TERMS = st.fixed_dictionaries(
    {"matchExpressions": st.lists(REQUIREMENTS, min_size=1, max_size=4)},
    optional={"weight": st.integers(1, 100)},
)


def meets(node: Mapping[str, str], requirement: Mapping[str, Any]) -> bool:
    value = node.get(requirement["key"])
    match requirement["operator"]:
        case "In":
            return value in requirement["values"]
        case "NotIn":
            return value not in requirement["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None


def fits(node: Mapping[str, str], selector: Mapping[str, str], terms: list[Mapping[str, Any]]) -> bool:
    required = [term for term in terms if "weight" not in term]
    chosen = all(node.get(key) == value for key, value in selector.items())
    return chosen and (
        not required or any(all(meets(node, each) for each in term["matchExpressions"]) for term in required)
    )


@given(SELECTORS, st.lists(TERMS, max_size=3))
def test_a_place_is_impossible_when_no_node_fits(
    selector: dict[str, str], terms: list[Mapping[str, Any]]
) -> None:
    pod = Pod(Resources(), selector, tuple(terms))
    told = [clash.code for clash in clashes(pod)]
    possible = any(fits(node, selector, terms) for node in NODES)
    assert told == ([] if possible else ["impossible-placement"])


@given(SELECTORS, st.lists(TERMS, max_size=3))
def test_kubernetes_own_form_says_the_same(selector: dict[str, str], terms: list[Mapping[str, Any]]) -> None:
    required = [term for term in terms if "weight" not in term]
    whole = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": required}}
    one, other = (Pod(Resources(), selector, each) for each in (tuple(terms), (whole,)))
    assert [c.message for c in clashes(one)] == [c.message for c in clashes(other)]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
KEYED = st.dictionaries(
    st.sampled_from(
        ["matchExpressions", "key", "operator", "values", "requiredDuringSchedulingIgnoredDuringExecution"]
    ),
    JUNK | st.lists(st.dictionaries(st.sampled_from(["key", "operator", "values"]), JUNK)),
)


@given(SELECTORS, st.lists(KEYED | JUNK, max_size=3), st.lists(KEYED | JUNK, max_size=3))
def test_what_has_no_form_at_all_is_passed_over(
    selector: dict[str, str], terms: Any, tolerations: Any
) -> None:
    pod = Pod(Resources(), selector, tuple(terms), tuple(tolerations))
    assert {clash.code for clash in clashes(pod)} <= {"impossible-placement", "toleration-mismatch"}
