"""What runs and schedules cost: laws of the reckoning, over prices and times that are handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given, strategies as st

from kfgit import cron
from kfgit.demand import Costs, Firing, Firings, Prices, RunCost, prices, reckon
from kfgit.durations import RunTimes, elapsed
from kfgit.model import Cost
from kfgit.ticks import Every, Rule, Times
from tests.spine.test_demand import C, loaded

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HOURLY = Rule(Times(cron.parse("0 * * * *"), "UTC"))
USD = Cost(Decimal(36))  # a cent a second


def cost(tasks: Mapping[str, Cost], *runs: Mapping[str, float], seconds: float = 60.0) -> RunCost:
    return reckoned(tasks, runs, (), seconds).pipelines["p"]


def reckoned(
    tasks: Mapping[str, Cost],
    runs: Sequence[Mapping[str, float]],
    schedules: Sequence[Firing],
    seconds: float,
) -> Costs:
    seen = {"p": [RunTimes(seconds, run) for run in runs]}
    return reckon({"p": Prices(tasks)}, seen, Firings(tuple(schedules)), NOW)


def money(**amounts: int) -> Mapping[str, Decimal]:
    return {currency: Decimal(amount) for currency, amount in amounts.items()}


def usd(found: RunCost) -> Decimal | None:
    return None if found.money is None else found.money["USD"]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=10))
def test_a_run_costs_the_median_of_its_predecessors(seconds: list[int]) -> None:
    found = cost({"train": USD}, *({"train": float(each)} for each in seconds))
    assert usd(found) == Decimal(median(map(Decimal, seconds))) / 100
    assert found.runs == len(seconds)


@given(st.lists(st.integers(0, 1000), max_size=6), st.integers(0, 1000))
def test_iterations_count_as_they_ran(each: list[int], other: int) -> None:
    run = {"sweep": 999.0, "other": float(other)} | {f"sweep/{n}/train": float(s) for n, s in enumerate(each)}
    assert usd(cost({"sweep/train": USD, "other": USD}, run)) == Decimal(sum(each) + other) / 100


def test_what_has_no_price_costs_nothing_and_currencies_stay_apart() -> None:
    tasks = {"a": Cost(Decimal(3600), "USD"), "b": Cost(Decimal(7200), "EUR")}
    found = cost(tasks, {"a": 2.0, "b": 1.0, "free": 1000.0})
    assert found.money == money(USD=2, EUR=2)


@pytest.mark.parametrize(
    ("run", "known"),
    [
        ({"group": 1.0}, True),  # no iterations, or a branch around it that was not taken
        ({"group": 1.0, "group/0/inner": 1.0, "group/0/inner/train": 1.0}, True),
        ({"group": 1.0, "group/0/inner": 0.0}, True),
        ({"group": 1.0, "group/0/other": 1.0}, False),
        ({"other": 1.0}, False),
        ({}, False),
    ],
)
def test_only_runs_that_had_the_task_tell_what_it_costs(run: Mapping[str, float], *, known: bool) -> None:
    found = cost({"group/inner/train": USD}, run)
    assert (found.money is not None) is known
    assert found.why == (None if known else "no run has succeeded yet since its tasks have changed")


def test_newer_runs_of_the_tasks_of_now_are_enough() -> None:
    found = cost({"a": USD, "new": USD}, {"a": 1.0, "new": 1.0}, {"a": 100.0})
    assert (usd(found), found.runs) == (Decimal("0.02"), 1)
    assert cost({"a": USD}).why == "no run has succeeded yet"


def test_tasks_may_be_called_by_numbers() -> None:
    run = {"l": 9.0, "l/0/0": 1.0, "l/1/0": 2.0, "l/0/1": 10.0, "l/1/1": 20.0, "7": 100.0}
    assert usd(cost({"l/0": USD}, run)) == Decimal("0.03")
    assert usd(cost({"l/1": USD}, run)) == Decimal("0.3")
    assert usd(cost({"7": USD}, run)) == Decimal(1)


def test_a_schedule_costs_as_often_as_it_fires() -> None:
    found = reckoned(
        {"a": USD}, [{"a": 100.0}], [Firing("s", "p", HOURLY), Firing("other", "q", HOURLY)], 100
    )
    [one] = found.schedules
    assert (one.fires, one.month, found.month) == (720, money(USD=720), money(USD=720))
    assert not one.piles_up
    assert found.unknown == ()


def test_what_never_fires_costs_nothing_also_where_nobody_knows_what() -> None:
    off = Firing("s", "p", Rule(Every(60), enabled=False))
    found = reckoned({"a": USD}, [], [off], 1)
    assert (found.month, found.unknown, found.schedules[0].month) == ({}, (), {})


def test_unknown_is_told_and_not_counted() -> None:
    seen = {"p": [RunTimes(1, {"a": 100.0})]}
    known = {"p": Prices({"a": USD}, ("big (a100)",)), "q": Prices({"a": USD}), "r": Prices({}, ("x",))}
    schedules = [Firing(name, name, HOURLY) for name in known]
    found = reckon(known, seen, Firings(tuple(schedules)), NOW)
    assert found.month == money(USD=720)
    assert [each.name for each in found.unknown] == ["p", "q", "r"]
    assert found.pipelines["r"].why == "no profile says what its tasks cost"
    assert reckon(known, "it is night", Firings(()), NOW).pipelines["p"].why == "it is night"


def test_what_is_live_now_is_reckoned_likewise() -> None:
    firings = Firings(
        (Firing("s", "p", HOURLY),), (Firing("s", "p", Rule(Every(7200))), Firing("t", "gone", HOURLY))
    )
    found = reckon({"p": Prices({"a": USD})}, {"p": [RunTimes(1, {"a": 100.0})]}, firings, NOW)
    assert (found.month, found.before) == (money(USD=720), money(USD=360))


@pytest.mark.parametrize(
    ("seconds", "at_once", "piles", "times"),
    [(3600, 1, False, 720), (5400, 1, True, 480), (5400, 2, False, 720), (8000, 2, True, 648)],
)
def test_runs_that_last_longer_than_the_interval(
    seconds: float, at_once: int, times: int, *, piles: bool
) -> None:
    found = reckoned({"a": USD}, [{"a": 100.0}], [Firing("s", "p", HOURLY, at_once)], seconds)
    assert (found.schedules[0].piles_up, found.schedules[0].times) == (piles, times)


def test_prices_are_those_of_the_profiles_of_now(tmp_path: Path) -> None:
    tasks = (
        f"    a: {{{C}, profile: four}}\n    b: {{{C}}}\n    n: {{pipeline: inner}}\n"
        f"    l: {{forEach: [1], tasks: {{t: {{{C}, profile: tpu}}}}}}\n"
        f"    own: {{{C}, resources: {{accelerator: {{resource: nvidia.com/gpu}}}}}}\n"
    )
    found = prices(loaded(tmp_path, tasks), "p")
    assert {path: (float(each.per_hour), each.currency) for path, each in found.tasks.items()} == {
        "a": (9.9, "USD"), "n/one": (2.5, "USD"), "l/t": (7.0, "EUR"),
    }  # fmt: skip
    assert found.bare == ("own",)


def test_elapsed() -> None:
    assert elapsed(NOW, NOW + timedelta(seconds=1.5)) == 1.5
    assert elapsed(NOW, NOW - timedelta(seconds=5)) == 0
    assert elapsed(None, NOW) == elapsed(NOW, None) == 0
