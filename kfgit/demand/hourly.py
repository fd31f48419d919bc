"""What a run costs in an hour at most: its widest moment by price, by the same reckoning as that of its devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from kfgit.demand.peaks import Held, peak
from kfgit.demand.values import Devices, Peak, Weight
from kfgit.graph import CheckedProject
from kfgit.model import Cost

_LEAST, _FEW = Decimal("0.0001"), Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Hourly:
    """The dearest moment: its holders' counts are multiples of a `unit` of money."""

    moment: Peak
    unit: Fraction

    @property
    def price(self) -> Decimal:
        """What an hour of it costs."""
        found = self.moment.count * self.unit
        return Decimal(found.numerator) / Decimal(found.denominator)


def hourly(checked: CheckedProject, pipeline: str, held: Held | None = None) -> Mapping[str, Hourly]:
    """The dearest moment of a pipeline in each currency; `held` as for `peak`."""
    known: Held = {} if held is None else held
    prices: dict[str, set[Decimal]] = {}

    def note(found: Devices) -> int:
        cost = _cost(found)
        if cost is not None and cost.per_hour > 0:
            prices.setdefault(cost.currency, set()).add(cost.per_hour)
        return 0

    peak(checked, pipeline, weigh=note, held=known)
    found: dict[str, Hourly] = {}
    for currency, amounts in prices.items():
        # Weights are whole numbers, so they are of the smallest part that any price has.
        digits = max(max(0, -int(each.as_tuple().exponent)) for each in amounts)
        unit = Fraction(1, 10**digits)
        moment = peak(checked, pipeline, weigh=_in(currency, unit), held=known)
        if moment.holders:
            found[currency] = Hourly(moment, unit)
    return found


def amount(number: Decimal) -> str:
    """An amount of money; small ones have more digits, for they are multiplied."""
    if 0 < number < _LEAST:
        return f"less than {_LEAST}"
    return f"{number:.4f}" if 0 < number < _FEW else f"{number:,.2f}"


def _in(currency: str, unit: Fraction) -> Weight:
    def weigh(found: Devices) -> int:
        cost = _cost(found)
        return int(Fraction(cost.per_hour) / unit) if cost is not None and cost.currency == currency else 0

    return weigh


def _cost(found: Devices) -> Cost | None:
    return found.profile.cost if found.profile is not None else None
