"""What is held at the widest moment, and how moments are put together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from kfgit.demand.widest import widest
from kfgit.model import Profile
from kfgit.source import Span

_SHOWN = 4
# For more than that nobody waits to hear whose conditions exclude each other.
_MOST_STEPS = 300_000


@dataclass(frozen=True, slots=True)
class Devices:
    """What one task holds while it runs: `count` devices of an extended resource, which it has by a `profile`.

    The `resource` is "" where a compiled package leaves it to the run, and where there are none.
    """

    resource: str
    count: int
    profile: Profile | None = None


# How much devices count; what counts nothing is not looked at.
Weight = Callable[[Devices], int]


def every_device(found: Devices) -> int:
    """Devices of all resources count alike."""
    return found.count


def of_resource(resource: str) -> Weight:
    """Only devices of that resource count."""
    return lambda found: found.count if found.resource == resource else 0


@dataclass(frozen=True, slots=True)
class Holder:
    """A task that holds devices at the widest moment, `times` side by side; `path` is its name as runs tell it."""

    path: str
    count: int
    times: int = 1


class Boundless(NamedTuple):
    """What only the run knows, and where that stands: how many items a loop has, or a task's devices."""

    path: str
    span: Span
    is_loop: bool = True

    def told(self) -> str:
        """A clause, as `the items of sweep are known only when it runs`."""
        what = "items" if self.is_loop else "devices"
        return f"the {what} of `{self.path}` are known only when it runs"


@dataclass(frozen=True, slots=True)
class Repeated:
    """The loop that all of a moment is in, and what each of its iterations holds."""

    path: str
    each: int

    def fitting(self, most: float | Fraction) -> int | None:
        """The largest `parallelism` with which it holds no more than that; None where one iteration does."""
        return int(most // self.each) if self.each <= most else None


@dataclass(frozen=True, slots=True)
class Peak:
    """The widest moment. Of what is `boundless` the `holders` have one iteration, or one device.

    A `rough` one may be more than any run comes to, as conditions may exclude each other; one is `guarded` if it stands
    under a condition. `loop` is the outermost loop, where the holders are all in one.
    """

    holders: tuple[Holder, ...] = ()
    boundless: tuple[Boundless, ...] = ()
    rough: bool = False
    guarded: bool = False
    loop: Repeated | None = None

    @property
    def count(self) -> int:
        """How many devices are held, one iteration counted of each loop without a bound."""
        return sum(holder.count * holder.times for holder in self.holders)

    def sentence(self, resource: str | None = None) -> str:
        """One line, as `at most 8 GPUs at once: sweep/train 4 × 2`, or with a resource's name in place of GPUs."""
        told = [_told(holder) for holder in self.holders]
        more = f" and {len(told) - _SHOWN} more tasks" if len(told) > _SHOWN else ""
        if resource is not None:
            what = f"{self.count} × {resource}"
        else:
            what = f"{self.count} {'GPU' if self.count == 1 else 'GPUs'}"
        open_ = " (only the run knows how many there are)" if self.boundless else ""
        return f"at most {what} at once{self.reserve()}{open_}: {', '.join(told[:_SHOWN])}{more}"

    def reserve(self) -> str:
        """What the number leaves open, as ` with one iteration of sweep`; nothing where it holds as it is."""
        if not self.boundless:
            return ""
        first, *others = self.boundless
        where = f"one iteration of `{first.path}`" if first.is_loop else f"one device in `{first.path}`"
        more = f" and {len(others)} more" if others else ""
        return f" with {where}{more}"

    def below(self, above: str) -> Peak:
        """The same as a part of something larger."""
        holders = tuple(replace(each, path=f"{above}{each.path}") for each in self.holders)
        boundless = tuple(each._replace(path=f"{above}{each.path}") for each in self.boundless)
        loop = replace(self.loop, path=f"{above}{self.loop.path}") if self.loop is not None else None
        return replace(self, holders=holders, boundless=boundless, loop=loop)

    def repeated(self, times: int | None, path: str, span: Span) -> Peak:
        """The same so often side by side; `times` is None where nobody knows, and then `path` and `span` tell why."""
        if times == 0:
            return Peak()
        if not self.holders:
            return self
        loop = Repeated(path, self.count)
        if times is None:
            return replace(self, boundless=(*self.boundless, Boundless(path, span)), loop=loop)
        holders = tuple(replace(each, times=each.times * times) for each in self.holders)
        rough = self.rough or (self.guarded and times > 1)
        return replace(self, holders=holders, rough=rough, loop=loop)

    def under_condition(self) -> Peak:
        """The same, where a condition decides whether it runs."""
        return replace(self, guarded=True) if self.holders else self


def _told(holder: Holder) -> str:
    return f"{holder.path} {f'{holder.times} × ' if holder.times > 1 else ''}{holder.count}"


def beside(
    each: Mapping[str, Peak], edges: Iterable[tuple[str, str]], conditional: Collection[str] = ()
) -> Peak:
    """The widest moment of tasks of which some wait for others; `conditional` ones run only on a condition."""
    known = tuple(edges)
    chosen, exact = widest({name: moment.count for name, moment in each.items()}, known)
    boundless = tuple(loop for moment in each.values() for loop in moment.boundless)
    moments = [each[name] for name in chosen]
    holders = tuple(holder for moment in moments for holder in moment.holders)
    conditions = _conditions(each, chosen, known, conditional)
    rough = not exact or len(conditions) > 1 or any(moment.rough for moment in moments)
    return Peak(holders, boundless, rough, bool(conditions), moments[0].loop if len(moments) == 1 else None)


def _conditions(
    each: Mapping[str, Peak],
    chosen: Sequence[str],
    edges: Sequence[tuple[str, str]],
    conditional: Collection[str],
) -> set[frozenset[str]]:
    """What has to hold for each of the chosen: conditions of their own, of what they wait for, or within them.

    Those that stand on the same ones run together, so more than one are more than one set of them.
    """
    before: dict[str, list[str]] = {}
    for one, other in edges if conditional else ():
        before.setdefault(other, []).append(one)
    if len(chosen) * len(edges) > _MOST_STEPS and before:
        return {frozenset({name}) for name in chosen}
    found: set[frozenset[str]] = set()
    for name in chosen:
        waiting = {name: None}
        for task in (reached := [name]):  # grows while it is read
            new = [other for other in before.get(task, ()) if other not in waiting]
            waiting |= dict.fromkeys(new)
            reached += dict.fromkeys(new)
        inner = {name} if each[name].guarded else set()
        found.add(frozenset(inner.union(task for task in reached if task in conditional)))
    return found - {frozenset()}


def heaviest(moments: Sequence[Peak]) -> Peak:
    """Of moments that exclude each other the widest; any that has no bound tells so."""
    boundless = tuple(each for moment in moments for each in moment.boundless)
    return replace(max(moments, key=lambda each: each.count, default=Peak()), boundless=boundless)
