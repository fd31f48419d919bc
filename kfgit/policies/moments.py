"""Quotas of devices against the widest moments of runs, alone and side by side.

What comes to a ClusterQueue waits there for its turn, and that is told as a warning. A ResourceQuota has no queue: it
refuses the pods, Argo tries again and again to make them (argo-workflows, util/errors/errors.go, isExceededQuotaErr),
and whichever comes first has them. So it is an error, as `maxGpusPerRun` is, if it is sure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import NamedTuple

from kfgit import demand
from kfgit.demand import Boundless, Devices, Peak, Quota
from kfgit.demand.quotas import Amount
from kfgit.diagnostics import Diagnostic, Related, Severity
from kfgit.document import at
from kfgit.graph import CheckedProject, nesting
from kfgit.model import Pipeline, Schedule
from kfgit.overlay import Located
from kfgit.source import Span

# So many tasks are looked at once more, quota by quota: seconds in the worst case, and far more than projects have.
_MOST_TASKS = 300_000


def check(
    checked: CheckedProject, devices: Iterable[Quota], documents: Sequence[Located]
) -> Iterator[Diagnostic]:
    """Runs that hold more than a quota has, or nobody knows how much, and runs of a schedule that do so together."""
    moments = _Moments(checked, tuple(sorted(devices, key=lambda quota: quota.most)))
    all_ = {name: tuple(moments.of(name)) for name in checked.pipelines}
    wide = {
        (name, id(each.quota)): each.moment.count
        for name, found in all_.items()
        for each in found
        if each.moment.count > each.quota.most
    }
    for name, pipeline in checked.pipelines.items():
        inner = nesting.all_nested(checked.project, name) if all_[name] else ()
        for each in all_[name]:
            if each.moment.count <= each.quota.most:
                yield from _unbounded(pipeline.pipeline, each)
            # What a nested pipeline does by itself is told there.
            elif not any(wide.get((one, id(each.quota)), 0) >= each.moment.count for one in inner):
                yield _too_wide(pipeline.pipeline, each)
    for schedule in checked.project.schedules.values():
        yield from _overlaps(schedule, moments, documents)


def narrower(moment: Peak, most: Amount) -> str:
    """How a run holds less: by how many iterations of which loop, where all of it is in one."""
    fit = moment.loop.fitting(most) if moment.loop is not None and not moment.boundless else None
    if moment.loop is None or fit is None:
        return "order tasks with `after`, give loops a smaller `parallelism`"
    return f"give `{moment.loop.path}` `parallelism: {fit}`, with which it holds {fit * moment.loop.each}"


def weight(quota: Quota, above: Amount = 0, *, free: bool = False) -> demand.Weight:
    """What a task has of a quota's resource, if it is more than so much; only of tasks without a queue if `free`."""

    def weigh(found: Devices) -> int:
        is_bound = found.resource == quota.resource and quota.binds(found.profile)
        is_queued = found.profile is not None and found.profile.queue is not None
        return found.count if is_bound and found.count > above and not (free and is_queued) else 0

    return weigh


def fault(
    code: str, message: str, span: Span, help_: str, quota: Quota, severity: Severity = "error"
) -> Diagnostic:
    """A mistake that a quota makes one, with the place of the quota."""
    related = (Related("the quota", quota.span),) if quota.span != span else ()
    return Diagnostic(code, message, span, help_, severity, related)


class _Found(NamedTuple):
    """A moment for which a quota may have no room; `waits` says whether its tasks wait for that in a queue."""

    moment: Peak
    quota: Quota
    waits: bool


@dataclass(slots=True, eq=False)
class _Moments:
    """The widest moments of pipelines: by all devices, and by those that each quota counts, the tightest first.

    `left` is how many more tasks are looked at; what is not found out by then is not told.
    """

    checked: CheckedProject
    devices: tuple[Quota, ...]
    left: int = _MOST_TASKS
    whole: dict[str, Peak] = field(default_factory=dict)
    known: dict[tuple[str, frozenset[str] | None, bool], dict[str, Peak]] = field(default_factory=dict)
    held: demand.Held = field(default_factory=dict)

    def of(self, pipeline: str, times: int = 1) -> Iterator[_Found]:
        """Those that so many runs pass together: of each resource of a queue, or of the namespace, the tightest.

        Also those of which nobody knows whether they do, where nothing lets tasks wait their turn.
        """
        whole = demand.peak(self.checked, pipeline, self.whole, held=self.held)
        seen: set[tuple[str, str | None]] = set()
        for quota in self.devices:
            where = quota.resource, quota.queue
            # What some devices come to is never more than what all come to.
            if (whole.count * times <= quota.most and not whole.boundless) or self.left <= 0:
                return
            if where in seen:
                continue
            found = self._of(pipeline, quota, times)
            if found is not None:
                seen.add(where)
                yield found

    def _of(self, pipeline: str, quota: Quota, times: int) -> _Found | None:
        """What the namespace gives is asked of the tasks that come to no queue; the others are held back there."""
        free = self._peak(pipeline, quota, free=True) if quota.queue is None else Peak()
        moments = [(free, False), (self._peak(pipeline, quota), True)]
        for moment, waits in moments:
            never = any(holder.count > quota.largest for holder in moment.holders)
            is_open = bool(moment.boundless) and not waits and isfinite(quota.most)
            if not never and (is_open or moment.count * times > quota.most):
                return _Found(moment, quota, waits)
        return None

    def _peak(self, pipeline: str, quota: Quota, *, free: bool = False) -> Peak:
        known = self.known.setdefault((quota.resource, quota.profiles, free), {})
        if pipeline not in known:
            found = self.checked.pipelines[pipeline].pipeline
            packed = found.package.size.tasks if found.package is not None else 0
            self.left -= 1 + packed + sum(1 for _ in found.all_tasks())
        weigh = weight(quota, free=free)
        return demand.peak(self.checked, pipeline, known, weigh=weigh, held=self.held)


def _too_wide(pipeline: Pipeline, found: _Found) -> Diagnostic:
    moment, quota, waits = found
    holds = f"a run of `{pipeline.name}` holds {moment.sentence(quota.resource)}"
    way, code = narrower(moment, quota.most), "quota-exceeded"
    if waits:
        message = f"{holds}; {quota.owner} has {quota.said}, and the rest waits"
        return fault(code, message, pipeline.span, f"{way}, or raise the quota", quota, "warning")
    way = f"{way}, give the profile a `queue`, where tasks wait their turn, or raise the quota"
    if moment.rough:
        message = f"{holds}, if conditions let all of that run; {quota.owner} has {quota.said}"
        return fault(code, message, pipeline.span, way, quota, "warning")
    return fault(code, f"{holds}; {quota.owner} has {quota.said}", pipeline.span, way, quota)


def _unbounded(pipeline: Pipeline, found: _Found) -> Iterator[Diagnostic]:
    """Loops of which nobody knows how often they run side by side; those of nested pipelines are told there."""
    moment, quota, _ = found
    package = pipeline.package
    own = {task.span for task in pipeline.all_tasks()} | ({package.span} if package is not None else set())
    mine = [each for each in moment.boundless if each.span in own]
    for first in mine[:1]:
        message = (
            f"nobody knows how many {quota.resource} a run of `{pipeline.name}` holds at once: {first.told()}; "
            f"{quota.owner} has {quota.said}"
        )
        yield fault("quota-unbounded", message, first.span, _bound(first, moment, quota), quota, "warning")


def _bound(first: Boundless, moment: Peak, quota: Quota) -> str:
    if not first.is_loop:
        return "write the number of devices in the package"
    fit = moment.loop.fitting(quota.most) if moment.loop is not None else None
    if fit is None or moment.loop is None or [each.path for each in moment.boundless] != [moment.loop.path]:
        return "give the loop a `parallelism`"
    return f"give the loop a `parallelism` of at most {fit}"


def _overlaps(schedule: Schedule, moments: _Moments, documents: Sequence[Located]) -> Iterator[Diagnostic]:
    """Runs of one schedule beside each other; what one run does by itself is told at its pipeline.

    A schedule of a certain version runs what that was, and not what the pipeline is now.
    """
    times, checked = schedule.max_concurrency, moments.checked
    standing = schedule.enabled and checked.project.environment.mode != "development"
    if times < 2 or not standing or schedule.version != "latest":
        return
    if schedule.pipeline.text not in checked.pipelines:
        return
    for moment, quota, _ in moments.of(schedule.pipeline.text, times):
        if moment.count <= quota.most < moment.count * times:
            message = (
                f"`{schedule.name}` lets {times} runs go on side by side, each with "
                f"{moment.sentence(quota.resource)}; {quota.owner} has {quota.said}, and they wait for each other"
            )
            span = _place(schedule, documents)
            help_ = "lower `maxConcurrency`, or raise the quota"
            yield fault("schedule-overlaps", message, span, help_, quota, "warning")


def _place(schedule: Schedule, documents: Sequence[Located]) -> Span:
    found = next((d for d in documents if (d.kind, d.name) == ("Schedule", schedule.name)), None)
    written = at(found.node, ("spec", "maxConcurrency")) if found is not None else None
    return written.span if written is not None and written.span is not None else schedule.span
