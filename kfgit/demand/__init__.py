"""What a run of a pipeline asks for: devices, and money where profiles say what they cost."""

from __future__ import annotations

from kfgit.demand.asking import Ask, asks, sentence
from kfgit.demand.costs import (
    RUNS,
    Costs,
    Firing,
    Firings,
    Money,
    Prices,
    RunCost,
    ScheduleCost,
    prices,
    reckon,
)
from kfgit.demand.peaks import Held, peak, widest_sentence
from kfgit.demand.quotas import Quota, Quotas, quotas
from kfgit.demand.values import Boundless, Devices, Holder, Peak, Weight, of_resource

__all__ = [
    "RUNS",
    "Ask",
    "Boundless",
    "Costs",
    "Devices",
    "Firing",
    "Firings",
    "Held",
    "Holder",
    "Money",
    "Peak",
    "Prices",
    "Quota",
    "Quotas",
    "RunCost",
    "ScheduleCost",
    "Weight",
    "asks",
    "of_resource",
    "peak",
    "prices",
    "quotas",
    "reckon",
    "sentence",
    "widest_sentence",
]
