"""What a plan leads to costing, and what is live costs now: the questions to earlier runs, and to the calendar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kfgit import demand
from kfgit.demand import Firing, Firings, Prices
from kfgit.graph import CheckedProject
from kfgit.ir import Resource
from kfgit.plan.values import Adopt, Delete, Plan, Replace, Unchanged, Update, subject


def prices(checked: CheckedProject, wanted: Sequence[Resource]) -> Mapping[str, Prices]:
    """What an hour of each pipeline's tasks costs, by its name on the target.

    Nothing where no task has a profile with a price, unless there is a budget, which should know that.
    """
    project = checked.project
    has_budget = "budgetPerMonth" in project.environment.policies
    if not has_budget and all(profile.cost is None for profile in project.profiles.values()):
        return {}
    found = {
        one.name: demand.prices(checked, one.documents[0])
        for one in wanted
        if one.kind == "Pipeline" and one.documents
    }
    told = {name: each for name, each in found.items() if each.tasks or each.bare}
    return told if has_budget or any(each.tasks for each in told.values()) else {}


def firings(plan: Plan, wanted: Sequence[Resource]) -> Firings:
    """The schedules that shall be live, and those that are."""
    shall = tuple(_read((one.name, one.spec) for one in wanted if one.kind == "Schedule"))
    changed = {
        name: change for change in plan.changes for kind, name in [subject(change)] if kind == "Schedule"
    }
    stays = (one for one in shall if isinstance(changed.get(one.name, Unchanged("", "")), Unchanged))
    live = (
        (name, change.live.spec)
        for name, change in changed.items()
        if isinstance(change, Update | Replace | Delete | Adopt)
    )
    return Firings(shall, (*stays, *_read(live)))


def _read(found: Iterator[tuple[str, Mapping[str, Any]]]) -> Iterator[Firing]:
    """Without those that somebody else has made in a way that nobody can read."""
    for name, spec in found:
        try:
            yield Firing.of(name, spec)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            continue
