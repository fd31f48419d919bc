"""The sentences and choices that every form of a plan has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kfgit import plan as plans
from kfgit.plan import LOCAL_TARGET, Change, Create, Difference, Plan, Replace, Update
from kfgit.render.style import clean

Notes = Mapping[tuple[str, str], Sequence[str]]

SHOWN = 8


def strangers(plan: Plan) -> str:
    """One line about what is not ours: `Not ours, left alone: pipeline/churn, schedule/weekly and 3 more.`."""
    names = [clean(f"{each.kind.lower()}/{each.name}") for each in plan.foreign]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"Not ours, left alone: {', '.join(names[:SHOWN])}{more}."


def sentence(plan: Plan) -> str:
    """One line: `Plan for local: 3 to create, 1 to update; 4 unchanged`."""
    counts = plan.summary
    target = f" ({clean(plan.place)})" if plan.target not in {plan.environment, LOCAL_TARGET} else ""
    commit = f" at commit {clean(plan.commit[:10])}" if plan.commit is not None and not plan.is_local else ""
    where = f"{clean(plan.environment)}{target}{commit}"
    if not plan.pending:
        count = counts["unchanged"]
        known = {0: "there is nothing", 1: "the one object is as it should be"}
        told = known.get(count, f"{count} objects are as they should be")
        return f"Nothing to do in {where}: {told}{_requests(plan)}."
    rest = f"; {counts['unchanged']} unchanged" if counts["unchanged"] else ""
    return f"Plan for {where}: {counted(plan)}{rest}{_requests(plan)}."


def counted(plan: Plan) -> str:
    """What is to be done: `3 to create, 1 to update`."""
    counts = plan.summary
    return ", ".join(
        f"{counts[name]} to {name}" for name in plans.ACTIONS if name != "unchanged" and counts[name]
    )


def _requests(plan: Plan) -> str:
    """What it took to see the target; a local one takes none."""
    count = plan.requests
    return f" ({count} API {'request' if count == 1 else 'requests'})" if count else ""


def cause(change: Change) -> str | None:
    """Why something changes, where the source is not the reason."""
    match change:
        case Create(cause=why) | Update(cause=why) | Replace(cause=why):
            return None if why == "source" else why
        case _:
            return None


def fields(change: Change) -> Sequence[Difference]:
    """What differs; a digest only where nothing else tells it."""
    diff: Sequence[Difference] = getattr(change, "diff", ())
    return [d for d in diff if d.path != "digest"] or diff


def field_cause(found: Difference, change: Change) -> str:
    """Of a field, where it is not what the line of the change says."""
    return " (drift)" if found.drift and cause(change) != "drift" else ""
