"""What a run of a pipeline asks for: devices, and money where profiles say what they cost."""

from __future__ import annotations

from kfgit.demand.asking import Ask, asks, own_asks
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
from kfgit.demand.hourly import Hourly, amount, hourly
from kfgit.demand.peaks import Held, peak
from kfgit.demand.quotas import Quota, Quotas, quotas
from kfgit.demand.sentences import widest_sentences
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
    "Hourly",
    "Money",
    "Peak",
    "Prices",
    "Quota",
    "Quotas",
    "RunCost",
    "ScheduleCost",
    "Weight",
    "amount",
    "asks",
    "hourly",
    "of_resource",
    "own_asks",
    "peak",
    "prices",
    "quotas",
    "reckon",
    "widest_sentences",
]
