"""Quotas of profiles against what pipelines ask for: tasks that never start, and runs that wait for themselves.

A task that asks for more than its quota is an error. Tasks that do so only together are a warning, since they wait
until there is room: Kueue holds them back, and Argo tries again to make a pod that a ResourceQuota refused
(argo-workflows, util/errors/errors.go, isExceededQuotaErr).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kfgit import demand
from kfgit.demand import Ask, Devices, Peak, Quota, Quotas
from kfgit.demand.quotas import Amount
from kfgit.diagnostics import Diagnostic, Related
from kfgit.document import at
from kfgit.graph import CheckedProject
from kfgit.model import Pipeline, Schedule
from kfgit.overlay import Located
from kfgit.policies import pods
from kfgit.policies.wanted import EACH_POD, Wanted, requested
from kfgit.source import Span

# So many tasks are looked at once more, quota by quota: seconds in the worst case, and far more than projects have.
_MOST_TASKS = 300_000


def check(checked: CheckedProject, documents: Sequence[Located]) -> Iterator[Diagnostic]:
    """All that no quota has room for."""
    found = demand.quotas(checked.project)
    if not found.by:
        return
    yield from pods.check(checked.project, found)
    yield from _too_large(checked, found)
    devices = [quota for quota in found.all if quota.resource not in EACH_POD]
    moments = _Moments(checked, tuple(sorted(devices, key=lambda quota: quota.most)))
    for name, pipeline in checked.pipelines.items():
        for moment, quota in moments.above(name):
            message = (
                f"a run of `{name}` holds {moment.sentence(quota.resource)}; {quota.owner} has {quota.said}, "
                "and the rest waits"
            )
            help_ = "give a loop a smaller `parallelism`, order tasks with `after`, or raise the quota"
            yield _fault("quota-exceeded", message, pipeline.pipeline.span, help_, quota, is_warning=True)
    for schedule in checked.project.schedules.values():
        yield from _overlaps(schedule, moments, documents)


# --- one task


def _too_large(checked: CheckedProject, found: Quotas) -> Iterator[Diagnostic]:
    told: set[tuple[Span, str]] = set()
    for name, pipeline in checked.pipelines.items():
        if pipeline.pipeline.package is not None:
            yield from _packaged(checked, pipeline.pipeline, found)
        for ask in demand.asks(checked, name):
            # What stands in a nested pipeline is told there.
            for wanted in requested(ask) if ask.pipeline == name else ():
                fault = _refusal(checked, ask, wanted, found)
                if fault is not None and (fault.span, fault.message) not in told:
                    told.add((fault.span, fault.message))
                    yield fault


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
        return _fault("quota-exceeded", message, wanted.span, "ask for less, or raise the quota", tight)
    if queue is None or mine:
        return None
    if theirs and ask.profile is not None:
        lacking = (
            f"no flavor of the ClusterQueue `{queue}` has nodes that its profile `{ask.profile.name}` selects"
        )
        help_ = "give the profile a `quota` of its own, which makes a flavor of its nodes, or another queue"
        return _fault(
            "quota-exceeded", f"{asks}, and {lacking}: it never starts", wanted.span, help_, theirs[0]
        )
    if wanted.resource in EACH_POD:
        return None  # of which the queue has nothing for anybody, and that is told
    message = f"{asks}, and the ClusterQueue `{queue}` has no quota for that: it never starts"
    help_ = f"add `{wanted.resource}` to the `quota` of a profile of the queue"
    return Diagnostic("quota-exceeded", message, wanted.span, help_)


def _packaged(checked: CheckedProject, pipeline: Pipeline, found: Quotas) -> Iterator[Diagnostic]:
    """Executors of a package, which have no profile: what holds for the whole namespace holds for them."""
    for quota in found.all:
        if quota.profiles is None and quota.resource not in EACH_POD:
            weight = _weight(quota, above=quota.largest)
            for holder in demand.peak(checked, pipeline.name, weigh=weight).holders[:1]:
                message = (
                    f"`{holder.path}` of the package of `{pipeline.name}` asks for {holder.count} × {quota.resource}, "
                    f"and {quota.owner} has {quota.said}: it never starts"
                )
                help_ = "compile the package with less, or raise the quota"
                yield _fault("quota-exceeded", message, pipeline.span, help_, quota)


def _selects_nodes(checked: CheckedProject, ask: Ask) -> bool:
    """Whether a task says its nodes itself, in place of its profile."""
    block = ask.task.settings.kubernetes or checked.project.pipelines[ask.pipeline].defaults.kubernetes
    return block is not None and block.node_selector is not None


# --- all tasks of a run, and runs beside each other


@dataclass(slots=True, eq=False)
class _Moments:
    """The widest moments of pipelines: by all devices, and by those that each quota counts, the tightest first.

    `left` is how many more tasks are looked at; what is not found out by then is not told.
    """

    checked: CheckedProject
    devices: tuple[Quota, ...]
    left: int = _MOST_TASKS
    whole: dict[str, Peak] = field(default_factory=dict)
    known: dict[tuple[str, frozenset[str] | None], dict[str, Peak]] = field(default_factory=dict)
    held: demand.Held = field(default_factory=dict)

    def above(self, pipeline: str, times: int = 1) -> Iterator[tuple[Peak, Quota]]:
        """Those that so many runs pass together: of each resource of a queue, or of the namespace, the tightest."""
        most = demand.peak(self.checked, pipeline, self.whole, held=self.held).count * times
        seen: set[tuple[str, str | None]] = set()
        for quota in self.devices:
            where = quota.resource, quota.queue
            # What some devices come to is never more than what all come to.
            if most <= quota.most or self.left <= 0:
                return
            if where in seen:
                continue
            moment = self._of(pipeline, quota)
            never = any(holder.count > quota.largest for holder in moment.holders)
            if not never and moment.count * times > quota.most:
                seen.add(where)
                yield moment, quota

    def _of(self, pipeline: str, quota: Quota) -> Peak:
        known = self.known.setdefault((quota.resource, quota.profiles), {})
        if pipeline not in known:
            found = self.checked.pipelines[pipeline].pipeline
            packed = found.package.size.tasks if found.package is not None else 0
            self.left -= 1 + packed + sum(1 for _ in found.all_tasks())
        return demand.peak(self.checked, pipeline, known, weigh=_weight(quota), held=self.held)


def _weight(quota: Quota, above: Amount = 0) -> demand.Weight:
    """What a task has of a quota's resource, if it is more than so much."""

    def weigh(found: Devices) -> int:
        is_bound = found.resource == quota.resource and quota.binds(found.profile)
        return found.count if is_bound and found.count > above else 0

    return weigh


def _overlaps(schedule: Schedule, moments: _Moments, documents: Sequence[Located]) -> Iterator[Diagnostic]:
    """Runs of one schedule beside each other; what one run does by itself is told at its pipeline."""
    times, checked = schedule.max_concurrency, moments.checked
    standing = schedule.enabled and checked.project.environment.mode != "development"
    if times < 2 or not standing or schedule.pipeline.text not in checked.pipelines:
        return
    alone = {quota for _, quota in moments.above(schedule.pipeline.text)}
    for moment, quota in moments.above(schedule.pipeline.text, times):
        if quota not in alone:
            message = (
                f"`{schedule.name}` lets {times} runs go on side by side, each with "
                f"{moment.sentence(quota.resource)}; {quota.owner} has {quota.said}, and they wait for each other"
            )
            span = _place(schedule, documents)
            help_ = "lower `maxConcurrency`, or raise the quota"
            yield _fault("schedule-overlaps", message, span, help_, quota, is_warning=True)


def _place(schedule: Schedule, documents: Sequence[Located]) -> Span:
    found = next((d for d in documents if (d.kind, d.name) == ("Schedule", schedule.name)), None)
    written = at(found.node, ("spec", "maxConcurrency")) if found is not None else None
    return written.span if written is not None and written.span is not None else schedule.span


def _fault(
    code: str, message: str, span: Span, help_: str, quota: Quota, *, is_warning: bool = False
) -> Diagnostic:
    related = (Related("the quota", quota.span),) if quota.span != span else ()
    return Diagnostic(code, message, span, help_, "warning" if is_warning else "error", related)
