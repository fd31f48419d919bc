"""Quotas of profiles against what single tasks ask for: those that no quota has room for never start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from kfgit import demand
from kfgit.demand import Ask, Devices, Quotas
from kfgit.demand.packaged import amounts
from kfgit.demand.quotas import Amount
from kfgit.diagnostics import Diagnostic
from kfgit.graph import CheckedProject
from kfgit.model import Pipeline
from kfgit.overlay import Located
from kfgit.policies import moments, pods
from kfgit.policies.moments import fault
from kfgit.policies.wanted import EACH_POD, Wanted, requested
from kfgit.source import Span

# So many of a package's mistakes are told; whoever mends them sees the others.
_MOST = 20


def check(checked: CheckedProject, documents: Sequence[Located]) -> Iterator[Diagnostic]:
    """All that no quota has room for."""
    found = demand.quotas(checked.project)
    if not found.by:
        return
    yield from pods.check(checked.project, found)
    yield from _too_large(checked, found)
    devices = [quota for quota in found.all if quota.resource not in EACH_POD]
    yield from moments.check(checked, devices, documents)


def _too_large(checked: CheckedProject, found: Quotas) -> Iterator[Diagnostic]:
    told: set[tuple[Span, str]] = set()
    for name, pipeline in checked.pipelines.items():
        if pipeline.pipeline.package is not None:
            yield from _packaged(checked, pipeline.pipeline, found)
        # What stands in a nested pipeline is told there.
        for ask in demand.own_asks(checked, name):
            for wanted in requested(ask):
                refusal = _refusal(checked, ask, wanted, found)
                if refusal is not None and (refusal.span, refusal.message) not in told:
                    told.add((refusal.span, refusal.message))
                    yield refusal


def _refusal(checked: CheckedProject, ask: Ask, wanted: Wanted, found: Quotas) -> Diagnostic | None:
    asks = f"{wanted.who} asks for {wanted.told}"
    queue = found.queue_of(ask.profile)
    everybodys = found.by.get((wanted.resource, None), ())
    theirs = found.by.get((wanted.resource, queue), ()) if queue is not None else ()
    # On which flavors a task fits that says its nodes itself is not known; none has more than the largest.
    wide = (
        max(theirs, key=lambda quota: quota.largest, default=None) if _selects_nodes(checked, ask) else None
    )
    mine = [wide] if wide is not None else [quota for quota in theirs if quota.binds(ask.profile)]
    tight = min((*everybodys, *mine), key=lambda quota: quota.largest, default=None)
    if tight is not None and wanted.amount > tight.largest:
        message = f"{asks}, and {tight.owner} has {tight.said}: it never starts"
        return fault("quota-exceeded", message, wanted.span, "ask for less, or raise the quota", tight)
    if queue is None or mine:
        return None
    if theirs and ask.profile is not None:
        lacking = (
            f"no flavor of the ClusterQueue `{queue}` has nodes that its profile `{ask.profile.name}` selects"
        )
        help_ = "give the profile a `quota` of its own, which makes a flavor of its nodes, or another queue"
        return fault(
            "quota-exceeded", f"{asks}, and {lacking}: it never starts", wanted.span, help_, theirs[0]
        )
    if wanted.resource in EACH_POD:
        return None  # of which the queue has nothing for anybody, and that is told
    message = f"{asks}, and the ClusterQueue `{queue}` has no quota for that: it never starts"
    help_ = f"add `{wanted.resource}` to the `quota` of a profile of the queue"
    return Diagnostic("quota-exceeded", message, wanted.span, help_)


def _packaged(checked: CheckedProject, pipeline: Pipeline, found: Quotas) -> Iterator[Diagnostic]:
    """Executors of a package, which have no profile: what holds for the whole namespace holds for them."""
    asked = tuple(amounts(pipeline.package)) if pipeline.package is not None else ()
    most = _largest(checked, pipeline)
    for each in asked:
        most[each.resource] = max(each.amount, most.get(each.resource, 0))
    namespace = (quota for quota in found.all if quota.profiles is None)
    for quota in islice((each for each in namespace if most.get(each.resource, 0) > each.largest), _MOST):
        weight = moments.weight(quota, above=quota.largest)
        holders = demand.peak(checked, pipeline.name, weigh=weight).holders
        told = [(holder.path, f"{holder.count} × {quota.resource}") for holder in holders]
        told += [
            (each.executor, f"{each.told} of {each.resource}")
            for each in asked
            if each.resource == quota.resource and each.amount > quota.largest
        ]
        for who, what in told[:1]:
            message = (
                f"`{who}` of the package of `{pipeline.name}` asks for {what}, "
                f"and {quota.owner} has {quota.said}: it never starts"
            )
            help_ = "compile the package with less, or raise the quota"
            yield fault("quota-exceeded", message, pipeline.span, help_, quota)


def _largest(checked: CheckedProject, pipeline: Pipeline) -> dict[str, Amount]:
    """The most devices of each resource that one task of a pipeline has."""
    found: dict[str, Amount] = {}

    def note(devices: Devices) -> int:
        found[devices.resource] = max(devices.count, found.get(devices.resource, 0))
        return devices.count

    demand.peak(checked, pipeline.name, weigh=note)
    return found


def _selects_nodes(checked: CheckedProject, ask: Ask) -> bool:
    """Whether a task says its nodes itself, in place of its profile."""
    block = ask.task.settings.kubernetes or checked.project.pipelines[ask.pipeline].defaults.kubernetes
    return block is not None and block.node_selector is not None
