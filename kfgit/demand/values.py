"""What is held at the widest moment, and how moments are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from kfgit.demand.widest import widest
from kfgit.model import Profile
from kfgit.source import Span

_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Devices:
    """What one task holds while it runs: `count` devices of an extended resource, which it has by a `profile`.

    The `resource` is "" where a compiled package leaves it to the run.
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
class Peak:
    """The widest moment. Of what is `boundless` the `holders` have one iteration, or one device."""

    holders: tuple[Holder, ...] = ()
    boundless: tuple[Boundless, ...] = ()

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
        return f"at most {what} at once{self._reserve()}: {', '.join(told[:_SHOWN])}{more}"

    def _reserve(self) -> str:
        """What the number leaves open."""
        if not self.boundless:
            return ""
        first, *others = self.boundless
        where = f"one iteration of `{first.path}`" if first.is_loop else f"one device in `{first.path}`"
        more = f" and {len(others)} more" if others else ""
        return f" with {where}{more} (only the run knows how many there are)"

    def below(self, above: str) -> Peak:
        """The same as a part of something larger."""
        holders = tuple(replace(each, path=f"{above}{each.path}") for each in self.holders)
        return Peak(holders, tuple(each._replace(path=f"{above}{each.path}") for each in self.boundless))

    def repeated(self, times: int | None, path: str, span: Span) -> Peak:
        """The same so often side by side; `times` is None where nobody knows, and then `path` and `span` tell why."""
        if times is None:
            endless = (*self.boundless, Boundless(path, span))
            return replace(self, boundless=endless) if self.holders else self
        if not times:
            return Peak()
        return replace(self, holders=tuple(replace(each, times=each.times * times) for each in self.holders))


def _told(holder: Holder) -> str:
    return f"{holder.path} {f'{holder.times} × ' if holder.times > 1 else ''}{holder.count}"


def beside(each: Mapping[str, Peak], edges: Iterable[tuple[str, str]]) -> Peak:
    """The widest moment of tasks of which some wait for others."""
    chosen = widest({name: moment.count for name, moment in each.items()}, edges)
    boundless = tuple(loop for moment in each.values() for loop in moment.boundless)
    return Peak(tuple(holder for name in chosen for holder in each[name].holders), boundless)


def heaviest(moments: Sequence[Peak]) -> Peak:
    """Of moments that exclude each other the widest; any that has no bound tells so."""
    boundless = tuple(each for moment in moments for each in moment.boundless)
    return replace(max(moments, key=lambda each: each.count, default=Peak()), boundless=boundless)
