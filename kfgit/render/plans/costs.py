"""What runs and schedules cost, as plans tell it: `372.00 USD in 30 days: it fires 30 times`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from kfgit.demand import Costs, Money, RunCost, ScheduleCost, amount as _amount
from kfgit.ir import Resource
from kfgit.plan import Plan
from kfgit.render.style import every, one_line

_SHOWN = 3
_WORD = 60


def cost_notes(costs: Costs | None, wanted: Sequence[Resource]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """What to say of each pipeline, schedule and run."""
    if costs is None:
        return {}
    schedules = {each.name: each for each in costs.schedules}
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for one in wanted:
        name = one.name if one.kind == "Pipeline" else str(one.spec.get("pipeline"))
        if one.kind == "Schedule" and one.name in schedules:
            found["Schedule", one.name] = tuple(_of_schedule(schedules[one.name]))
        elif one.kind in {"Pipeline", "Run"} and name in costs.pipelines:
            found[one.kind, one.name] = (_of_run(costs.pipelines[name]),)
    return found


def sentences(plan: Plan) -> Iterator[str]:
    """What all schedules cost in a month, and what of that nobody knows."""
    if plan.costs is None or not any(each.fires for each in plan.costs.schedules):
        return
    costs = plan.costs
    if costs.month:
        least = "at least " if costs.unknown else ""
        dear = sorted(costs.schedules, key=lambda each: -max((each.month or {}).values(), default=Decimal(0)))
        told = [f"{_word(each.name)} {money(each.month)}" for each in dear if each.month]
        shown = f" ({_some(told)})" if len(told) > 1 else ""
        yield f"All schedules cost {least}{money(costs.month)} in 30 days{_before(costs)}{shown}"
    if costs.unknown:
        told = [f"{_word(each.name)} ({_why(each.run)})" for each in costs.unknown]
        yield f"What they will cost is not known of {_some(told)}"


def money(amounts: Money) -> str:
    """`12.40 USD and 3.00 EUR`."""
    return " and ".join(f"{_amount(amount)} {currency}" for currency, amount in amounts.items()) or "nothing"


def as_json(costs: Costs | None) -> dict[str, Any] | None:
    """Costs in the JSON of plans; null for what nobody knows."""
    if costs is None:
        return None
    return {
        "perMonth": _numbers(costs.month),
        "before": _numbers(costs.before),
        "pipelines": [
            {
                "name": each.pipeline,
                "perRun": None if each.money is None else _numbers(each.money),
                "runs": each.runs,
                "seconds": each.seconds,
                "unknown": _why(each) if each.money is None or each.bare else None,
            }
            for each in costs.pipelines.values()
        ],
        "schedules": [
            {
                "name": each.name,
                "pipeline": each.run.pipeline,
                "fires": each.fires,
                "perMonth": None if each.month is None else _numbers(each.month),
                "pilesUp": each.piles_up,
            }
            for each in costs.schedules
        ],
        "unknown": [each.name for each in costs.unknown],
    }


def _of_run(cost: RunCost) -> str:
    if cost.money is None:
        return f"cost of a run unknown: {_why(cost)}"
    runs = "the last run" if cost.runs == 1 else f"the last {cost.runs} runs"
    without = f", without {_some(list(cost.bare))}, which no profile has a price for" if cost.bare else ""
    return f"a run costs {money(cost.money)}, by {runs} that succeeded{without}"


def _of_schedule(cost: ScheduleCost) -> Iterator[str]:
    yield _of_run(cost.run)
    if cost.fires and cost.month is not None:
        fires = "once" if cost.fires == 1 else f"{cost.fires:,} times"
        room = f" and there is time for {cost.times:,} runs" if cost.times < cost.fires else ""
        yield f"{money(cost.month)} in 30 days, in which it fires {fires}{room}"
    if cost.piles_up and cost.run.seconds is not None and cost.gap is not None:
        more = "" if cost.at_once == 1 else f", {cost.at_once} at once"
        takes, gap = _time(cost.run.seconds), _time(cost.gap.total_seconds())
        yield f"runs pile up: one takes {takes}, and it fires every {gap}{more}"


def _before(costs: Costs) -> str:
    same = {key: _amount(amount) for key, amount in costs.month.items()}
    if not costs.before or same == {key: _amount(amount) for key, amount in costs.before.items()}:
        return ""
    return f", until now {money(costs.before)}"


def _why(cost: RunCost) -> str:
    return one_line(cost.why or f"no profile has a price for {_some(list(cost.bare))}", 200)


def _some(told: Sequence[str]) -> str:
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return f"{', '.join(told[:_SHOWN])}{more}"


def _numbers(amounts: Money) -> dict[str, float]:
    return {currency: round(float(amount), 4) for currency, amount in amounts.items()}


def _time(seconds: float) -> str:
    return every(round(seconds), most=2)


def _word(text: str) -> str:
    return one_line(text, _WORD)
