"""The widest moments of a pipeline in words: its devices, each resource by itself, and its price by the hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kfgit.demand.hourly import Hourly, amount, hourly
from kfgit.demand.peaks import Held, peak
from kfgit.demand.values import Devices, Holder, Peak, of_resource
from kfgit.graph import CheckedProject

_SHOWN = 4


def widest_sentences(checked: CheckedProject, pipeline: str, held: Held | None = None) -> tuple[str, ...]:
    """What a run holds at once, as `at most 8 GPUs at once: sweep/train 4 × 2`, and costs in an hour at most.

    Nothing of a pipeline without devices and prices. `held` spares the next pipelines of the same project some work.
    """
    known: Held = {} if held is None else held
    moments, others = _devices(checked, pipeline, known)
    told = [moment.sentence(name) for name, moment in moments]
    if others:
        told.append(f"and some of {others} more resources")
    money = _money(hourly(checked, pipeline, known), [moment for _, moment in moments])
    return (*(["; ".join(told)] if told else []), *money)


def _devices(
    checked: CheckedProject, pipeline: str, held: Held
) -> tuple[Sequence[tuple[str | None, Peak]], int]:
    """The first resources by the names that people have for them, and how many others there are."""
    resources: dict[str, None] = {}

    def note(found: Devices) -> int:
        if found.count > 0:
            resources[found.resource] = None
        return found.count

    whole = peak(checked, pipeline, weigh=note, held=held)
    if not whole.holders:
        return (), 0
    if len(resources) == 1:
        return ((_named(next(iter(resources))), whole),), 0
    first = [*resources][:_SHOWN]
    each = [
        (name or "devices", peak(checked, pipeline, weigh=of_resource(name), held=held)) for name in first
    ]
    return [(name, moment) for name, moment in each if moment.holders], len(resources) - len(first)


def _named(resource: str) -> str | None:
    """How the only resource is called: whole GPUs of any vendor are what everybody calls so."""
    return None if resource.endswith("/gpu") else resource or "devices"


def _money(prices: Mapping[str, Hourly], devices: Sequence[Peak]) -> Iterator[str]:
    """One line; whose money it is only where these are not the ones that hold the devices."""
    if not prices:
        return
    told = [
        f"{amount(found.price)} {currency} per hour{found.moment.reserve()}"
        for currency, found in prices.items()
    ]
    of_devices = {_place(each) for moment in devices for each in moment.holders}
    of_money = {_place(each): None for found in prices.values() for each in found.moment.holders}
    who = "" if of_money.keys() == of_devices else f": {_some([*of_money])}"
    yield f"at most {' and '.join(told)}{who}"


def _place(holder: Holder) -> tuple[str, int]:
    return holder.path, holder.times


def _some(holders: Sequence[tuple[str, int]]) -> str:
    told = [f"{path}{f' × {times}' if times > 1 else ''}" for path, times in holders[:_SHOWN]]
    return ", ".join(told) + (f" and {len(holders) - _SHOWN} more tasks" if len(holders) > _SHOWN else "")
