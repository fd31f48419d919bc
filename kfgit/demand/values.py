"""What is held at the widest moment, and how moments are put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kfgit.demand.widest import widest
from kfgit.source import Span

_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Holder:
    """A task that holds devices at the widest moment, `times` side by side; `path` is its name as runs tell it."""

    path: str
    count: int
    times: int = 1


@dataclass(frozen=True, slots=True)
class Peak:
    """The widest moment. Of loops without a bound (`boundless`: path and place) `holders` has one iteration."""

    holders: tuple[Holder, ...] = ()
    boundless: tuple[tuple[str, Span], ...] = ()

    @property
    def count(self) -> int:
        """How many devices are held, one iteration counted of each loop without a bound."""
        return sum(holder.count * holder.times for holder in self.holders)

    def sentence(self) -> str:
        """One line, as `at most 8 GPUs at once: sweep/train 4 × 2`."""
        told = [_told(holder) for holder in self.holders]
        more = f" and {len(told) - _SHOWN} more tasks" if len(told) > _SHOWN else ""
        what = "GPU" if self.count == 1 else "GPUs"
        return f"at most {self.count} {what} at once: {', '.join(told[:_SHOWN])}{more}"

    def below(self, above: str) -> Peak:
        """The same as a part of something larger."""
        holders = tuple(replace(each, path=f"{above}{each.path}") for each in self.holders)
        return Peak(holders, tuple((f"{above}{path}", span) for path, span in self.boundless))

    def repeated(self, times: int | None, path: str, span: Span) -> Peak:
        """The same so often side by side; `times` is None where nobody knows, and then `path` and `span` tell why."""
        if times is None:
            return replace(self, boundless=(*self.boundless, (path, span))) if self.holders else self
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
