"""`budgetPerMonth`: what the schedules of an environment may cost in a month."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from kfgit import plan as plans
from kfgit.demand import Costs, Money, ScheduleCost
from kfgit.diagnostics import Diagnostic, Severity
from kfgit.document import at
from kfgit.model import Environment
from kfgit.overlay import Located
from kfgit.plan import Plan
from kfgit.policies.sources import level_of
from kfgit.source import Span

CODE = "policy-budget-per-month"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that all schedules may cost in a month, in the currency of the profiles, and how bad more is."""

    most: Decimal
    severity: Severity


def budget(environment: Environment) -> Budget | None:
    """What the environment says; None for nothing, and for what is no amount, which was told."""
    policy = level_of(environment.policies, "budgetPerMonth")
    if policy is None or isinstance(policy.value, bool) or not isinstance(policy.value, int | float):
        return None
    return Budget(Decimal(str(policy.value)), policy.severity)


def check(environment: Environment, documents: Sequence[Located], plan: Plan) -> Iterator[Diagnostic]:
    """Whether what a plan leads to costs more than the budget has; of what nobody knows, that nobody does."""
    limit, costs = budget(environment), plan.costs
    if limit is None or costs is None:
        return
    place = _place(environment, documents)
    severity = limit.severity if plan.pending and not _lowers(plan, costs) else "warning"
    over = {currency: amount for currency, amount in costs.month.items() if amount > limit.most}
    if over:
        yield _exceeded(environment, costs, limit, place, severity)
    elif costs.unknown:
        yield _unsure(costs, limit, place)
    if len(costs.month) > 1:
        message = (
            f"a budget has no currency, and schedules cost money of {len(costs.month)}: {_list(costs.month)}"
        )
        help_ = "each of them is compared with it by itself; give all profiles of an environment one currency"
        yield Diagnostic(CODE, message, place, help_, "warning")


def _lowers(plan: Plan, costs: Costs) -> bool:
    """Whether less would be spent than now, and not by profiles that mean something else, whose old price is lost."""
    if plans.remaps(plan):
        return False
    return all(amount < costs.before.get(currency, Decimal(0)) for currency, amount in costs.month.items())


def _exceeded(
    environment: Environment, costs: Costs, limit: Budget, place: Span, severity: Severity
) -> Diagnostic:
    least = "at least " if costs.unknown else ""
    message = (
        f"the schedules of `{environment.name}` would cost {least}{_list(costs.month)} in 30 days; "
        f"the budget is {limit.most:,f}"
    )
    dear = sorted(costs.schedules, key=lambda each: -max((each.month or {}).values(), default=Decimal(0)))
    told = [_told(each) for each in dear[:_SHOWN] if each.month]
    more = f" and {len(dear) - _SHOWN} more" if len(dear) > _SHOWN else ""
    help_ = f"let schedules fire less often, or their tasks have cheaper profiles; most is for {', '.join(told)}{more}"
    return Diagnostic(CODE, message, place, help_, severity)


def _unsure(costs: Costs, limit: Budget, place: Span) -> Diagnostic:
    names = [f"`{each.name}`" for each in costs.unknown[:_SHOWN]]
    more = f" and {len(costs.unknown) - _SHOWN} more" if len(costs.unknown) > _SHOWN else ""
    message = (
        f"nobody knows whether the schedules stay within the budget of {limit.most:,f}: "
        f"what {', '.join(names)}{more} will cost is not known"
    )
    first = costs.unknown[0]
    why = first.run.why or f"no profile says what {', '.join(first.run.bare)} costs"
    return Diagnostic(CODE, message, place, f"`{first.name}`: {why}", "warning")


def _told(one: ScheduleCost) -> str:
    return f"`{one.name}` ({_list(one.month or {})})"


def _list(money: Money) -> str:
    return " and ".join(f"{amount:,.2f} {currency}" for currency, amount in money.items())


def _place(environment: Environment, documents: Sequence[Located]) -> Span:
    """Where the budget stands: the environment's own document comes before the project's."""
    homes = [each for each in documents if (each.kind, each.name) == ("Environment", environment.name)]
    for home in (*homes, *(each for each in documents if each.kind == "Project")):
        found = at(home.node, ("spec", "policies", "budgetPerMonth"))
        if found is not None:
            return found.span
    return environment.span
