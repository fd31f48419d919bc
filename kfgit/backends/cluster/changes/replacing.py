"""The safe replacement of schedules: which step comes next, decided by what is there and nothing else.

KFP cannot change a recurring run (its API has no update), and one that is switched on fires what it owes since its
last tick, else its start, else its making (backend/src/crd/controller/scheduledworkflow/util). So a new one takes over
from an old one: the old one is switched off; the new one is made, switched off, and starts where the old one's count of
ticks ended; it is read back; it is switched on; the old one is deleted. Nothing is remembered between two steps.
Whoever was killed anywhere looks again and goes on, also when something else is wanted by then.

What holds whatever happens: at most one is on; none is switched on that would fire what another has fired already; and
nothing is deleted that knows more about the count of ticks than what stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule of ours, of the name in question.

    `fits` says that it is what is wanted, whether it is on or not; `continues`, that it fires by the wanted trigger.
    `stopped` is when it was switched off, None while it is on and where it had been off before anybody wanted a change.
    `last` is the scheduled time of its newest run; it counts only once `counted`. One that is `dead` can fire no more,
    whether KFP calls it on or not: what its controller knew of it is gone.
    """

    id: str
    enabled: bool
    fits: bool
    continues: bool
    created: datetime
    start: datetime | None = None
    stopped: datetime | None = None
    last: datetime | None = None
    counted: bool = False
    dead: bool = False

    @property
    def base(self) -> datetime:
        """What its next tick is counted from."""
        return self.last or self.start or self.created


@dataclass(frozen=True, slots=True)
class Disable:
    """Switch it off, and see when that was."""

    id: str


@dataclass(frozen=True, slots=True)
class Count:
    """Ask for the newest run of one that is off."""

    id: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make what is wanted, switched off, and read it back. Without a `start` its ticks count from its making."""

    start: datetime | None


@dataclass(frozen=True, slots=True)
class Enable:
    """Switch it on."""

    id: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete it; the runs that it began go on."""

    id: str


@dataclass(frozen=True, slots=True)
class Done:
    """What is wanted is there, and nothing else of ours."""

    id: str


Step = Disable | Count | Create | Enable | Delete | Done


def next_step(there: Collection[Standing], *, enabled: bool) -> Step:
    """What to do next, so that one schedule that fits remains, which is on if that is wanted (`enabled`)."""
    eldest_first = sorted(there, key=lambda each: (each.created, each.id))
    on = [each for each in eldest_first if each.enabled and not each.dead]
    if on:
        return _with_one_on(eldest_first, on, enabled=enabled)
    return _with_none_on(eldest_first, enabled=enabled)


def start_of(there: Iterable[Standing]) -> datetime | None:
    """Where a new one goes on, after schedules that are off; None for from its making.

    One that never fired tells nothing unless it is the eldest: it was made to take over, and did not come to it.
    """
    eldest_first = sorted(there, key=lambda each: (each.created, each.id))
    ends = [_end(each) for n, each in enumerate(eldest_first) if n == 0 or each.last is not None]
    return max((end for end in ends if end is not None), default=None)


def _with_one_on(there: list[Standing], on: list[Standing], *, enabled: bool) -> Step:
    # What is on knows all of the count: it began where the others had ended.
    keep = next((each for each in on if each.fits), on[-1])
    for each in on:
        if each is not keep:
            return Disable(each.id)
    for each in there:
        if each is not keep:
            return Delete(each.id)
    return Done(keep.id) if keep.fits and enabled else Disable(keep.id)


def _with_none_on(there: list[Standing], *, enabled: bool) -> Step:
    # One alone that fits goes on where it stopped, whatever it has fired.
    if len(there) > 1 or not all(_usable(each) for each in there):
        for each in there:
            if not each.counted:
                return Count(each.id)
    fitting = [each for each in there if _usable(each) and not _outrun(each, there)]
    if not fitting:
        return Create(start_of(there))
    # The one that has come furthest, so that none takes its place when those are gone that had come further.
    keep = max(fitting, key=lambda each: (each.base, each.created, each.id))
    for each in there:
        if each is not keep and (each.dead or not enabled):
            return Delete(each.id)
    return Enable(keep.id) if enabled else Done(keep.id)


def _usable(each: Standing) -> bool:
    return each.fits and not each.dead


def _end(each: Standing) -> datetime | None:
    """Until when a schedule that is off has seen to the ticks."""
    if each.continues:
        return each.base
    return max((at for at in (each.stopped, each.last) if at is not None), default=None)


def _outrun(one: Standing, there: Iterable[Standing]) -> bool:
    """Whether another has fired since what this one counts from: switched on, it would fire that again."""
    return any(other is not one and other.last is not None and other.last > one.base for other in there)
