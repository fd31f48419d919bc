"""LimitRanges of profiles against tasks: the API server makes no pod with a container outside of what they allow.

They hold for all containers of the namespace, also for KFP's own. Of those the driver, which has a pod before each
task's, asks for least and may use most: 100m of cpu and 64Mi of memory, up to 500m and 512Mi (driverResources beside
launcherResources in backend/src/v2/compiler/argocompiler/argo.go, alike from 2.5 to 2.17). Limits are held to `max`,
requests to `min` (Kubernetes, plugin/pkg/admission/limitranger).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from kfgit import demand
from kfgit.demand import Ask
from kfgit.diagnostics import Diagnostic, Related
from kfgit.graph import CheckedProject
from kfgit.graph.quantities import exact
from kfgit.graph.sharing import wishes
from kfgit.policies.wanted import Wanted, limited, requested
from kfgit.source import Span

_DRIVER = {
    ("min", "cpu"): "100m",
    ("min", "memory"): "64Mi",
    ("max", "cpu"): "500m",
    ("max", "memory"): "512Mi",
}


@dataclass(frozen=True, slots=True)
class _Bound:
    """The least or the most that a container has of a resource, by a profile that says so at `span`."""

    which: Literal["min", "max"]
    resource: str
    amount: Fraction
    said: str
    profile: str
    span: Span

    def refuses(self, amount: Fraction) -> bool:
        """Whether no container may have so much, or so little."""
        return amount < self.amount if self.which == "min" else amount > self.amount

    def told(self) -> str:
        """What is allowed, as a clause."""
        word = "at least" if self.which == "min" else "at most"
        return f"the limit range of the profile `{self.profile}` allows {word} {self.said}"


def check(checked: CheckedProject) -> Iterator[Diagnostic]:
    """Every task that no pod is made for, and limits that KFP's own containers do not keep."""
    bounds = tuple(_tightest(_bounds(checked)))
    for bound in bounds:
        yield from _driver(bound)
    told: set[tuple[Span, str]] = set()
    for name in checked.pipelines if bounds else ():
        # What stands in a nested pipeline is told there.
        for ask in demand.own_asks(checked, name):
            for fault in _refusals(ask, bounds):
                if (fault.span, fault.message) not in told:
                    told.add((fault.span, fault.message))
                    yield fault


def _tightest(bounds: Iterable[_Bound]) -> Iterable[_Bound]:
    """All of them hold, so of each resource one decides."""
    found: dict[tuple[str, str], _Bound] = {}
    for bound in bounds:
        before = found.setdefault((bound.which, bound.resource), bound)
        if bound.refuses(before.amount):
            found[bound.which, bound.resource] = bound
    return found.values()


def _bounds(checked: CheckedProject) -> Iterator[_Bound]:
    for wish in wishes(checked.project):
        which = wish.part[0]
        amount = exact(wish.value) if wish.kind == "LimitRange" else None
        if amount is not None and which in {"min", "max"}:
            found = checked.project.origin(wish.profile, wish.path)
            span = found[1] if found is not None else wish.profile.span
            side: Literal["min", "max"] = "min" if which == "min" else "max"
            yield _Bound(side, wish.part[1], amount, wish.value, wish.profile.name, span)


def _refusals(ask: Ask, bounds: Sequence[_Bound]) -> Iterator[Diagnostic]:
    asked = {"min": tuple(requested(ask)), "max": tuple(limited(ask))}
    for bound in bounds:
        for wanted in asked[bound.which]:
            if wanted.resource == bound.resource and bound.refuses(wanted.amount):
                yield _refusal(wanted, bound)


def _refusal(wanted: Wanted, bound: _Bound) -> Diagnostic:
    verb = "asks for" if bound.which == "min" else "may use"
    message = f"{wanted.who} {verb} {wanted.told}, and {bound.told()}: its pod is refused"
    related = (Related("the limit range", bound.span),) if bound.span != wanted.span else ()
    help_ = "stay within it, or change the limit range"
    return Diagnostic("limit-range-exceeded", message, wanted.span, help_, related=related)


def _driver(bound: _Bound) -> Iterator[Diagnostic]:
    least = _DRIVER.get((bound.which, bound.resource))
    amount = exact(least)
    if least is not None and amount is not None and bound.refuses(amount):
        what = f"{'asks for' if bound.which == 'min' else 'may use'} {least} of {bound.resource}"
        message = f"KFP's driver, a pod before each task, {what}, and {bound.told()}: no task begins"
        way = "at most" if bound.which == "min" else "at least"
        yield Diagnostic(
            "limit-range-exceeded", message, bound.span, f"allow for it: {way} {least}", "warning"
        )
