"""Which fields differ: items of a list are told by their names, where they have some."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from kfgit.plan.differences import HIDDEN, difference

_ITEMS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a100", "l4", "cpu"])},
        optional={"amount": st.integers(0, 2), "inner": st.lists(st.just({"name": "cpu"}), max_size=1)},
    ),
    max_size=3,
)


def told(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    return [(each.path, each.before, each.after) for each in difference({"all": before}, {"all": after})]


@given(_ITEMS, _ITEMS)
def test_what_differs_is_told_and_what_is_equal_is_not(before: list[Any], after: list[Any]) -> None:
    assert (told(before, after) == []) == (before == after)


def test_an_item_is_told_by_its_name() -> None:
    l4, a100 = {"name": "l4", "amount": 8}, {"name": "a100", "amount": 4}
    assert told([l4], [a100, l4]) == [("all[a100]", None, a100)]
    assert told([a100, l4], [l4]) == [("all[a100]", a100, None)]
    assert told([a100, l4], [a100, {**l4, "amount": 16}]) == [("all[l4].amount", 8, 16)]


def test_another_order_is_told_by_place() -> None:
    l4, a100 = {"name": "l4"}, {"name": "a100"}
    assert told([l4, a100], [a100, l4]) == [("all[0].name", "l4", "a100"), ("all[1].name", "a100", "l4")]


def test_items_of_one_name_are_told_by_place() -> None:
    twice = [{"name": "l4", "amount": 1}, {"name": "l4", "amount": 2}]
    assert told(twice, [twice[0], {**twice[1], "amount": 3}]) == [("all[1].amount", 2, 3)]


def test_a_secret_stays_untold() -> None:
    before, after = (
        [{"name": "API_TOKEN", "value": "one", "kind": "x"}],
        [{"name": "API_TOKEN", "value": "two"}],
    )
    assert told(before, after) == [
        ("all[API_TOKEN].kind", "x", None),
        ("all[API_TOKEN].value", HIDDEN, HIDDEN),
    ]
