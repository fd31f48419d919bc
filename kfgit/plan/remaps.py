"""Profiles that mean something else than before, and the tasks that this concerns.

A remap is told of a task that has the profile's name before and after, and gets something else in the end because what
the name means has changed. What a task says otherwise by itself is a change of its pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from kfgit.ir import Use
from kfgit.model import Cost
from kfgit.plan.differences import difference, shown
from kfgit.plan.uses import USES, read
from kfgit.plan.values import Difference, Plan, Replace, Update

_MODEL, _DEVICE, _COUNT = "accelerator.model", "accelerator.resource", "accelerator.count"
# What the numbers of JSON have about at most.
_DIGITS = 300
_PRICE, _CURRENCY = "cost.perHour", "cost.currency"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name stands for: a profile, and in short what devices come with it (`2 × nvidia.com/gpu`).

    `cost` is what an hour of a task costs, where that is known.
    """

    profile: str
    model: str | None = None
    devices: str | None = None
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Concerned:
    """A pipeline and those of its tasks that a remap is about."""

    pipeline: str
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remap:
    """A name of a profile that means something else; `fields` are those of the profile that differ."""

    name: str
    before: Meaning
    after: Meaning
    fields: tuple[Difference, ...]
    pipelines: tuple[Concerned, ...]

    @property
    def tasks(self) -> int:
        """How many tasks it is about."""
        return sum(len(each.tasks) for each in self.pipelines)


# The uses of a pipeline's tasks, before and after.
Sides = tuple[Sequence[Use], Sequence[Use]]
_Key = tuple[str, Meaning, Meaning, tuple[Difference, ...]]


def remaps(plan: Plan) -> tuple[Remap, ...]:
    """What a plan changes for the tasks of pipelines, as far as the last apply wrote down what they got before."""
    return between(dict(_sides(plan)))


def between(pipelines: Mapping[str, Sides]) -> tuple[Remap, ...]:
    """The remaps of some pipelines, by the name of each; equal ones are one."""
    found: dict[_Key, list[Concerned]] = {}
    for pipeline, (before, after) in sorted(pipelines.items()):
        for key, tasks in _moved(before, after):
            found.setdefault(key, []).append(Concerned(pipeline, tasks))
    remapped = (Remap(*key, tuple(concerned)) for key, concerned in found.items())
    return tuple(sorted(remapped, key=lambda each: (each.name, each.before.profile, each.after.profile)))


def _sides(plan: Plan) -> Iterator[tuple[str, Sides]]:
    """The pipelines that become others, with what their tasks used and will use."""
    for change in plan.changes:
        match change:
            case Update(desired=desired, live=live) | Replace(desired=desired, live=live):
                # Where only something beside the package changes, the tasks get what they got.
                if desired.kind == "Pipeline" and desired.spec.get("digest") != live.spec.get("digest"):
                    yield desired.name, (read(live.detail.get(USES)), desired.uses)
            case _:
                pass


def _moved(before: Sequence[Use], after: Sequence[Use]) -> Iterator[tuple[_Key, tuple[str, ...]]]:
    known = {use.name: use for use in before}
    for use in after:
        was = known.get(use.name)
        if was is None or (was.profile == use.profile and _without_cost(was) == _without_cost(use)):
            continue
        got = {path: digest for digest, paths in was.tasks.items() for path in paths}
        gets = {path: digest for digest, paths in use.tasks.items() for path in paths}
        tasks = tuple(path for path in gets if path in got and got[path] != gets[path])
        if tasks:
            fields = tuple(difference(_without_cost(was), _without_cost(use)))
            yield (use.name, _meaning(was), _meaning(use), fields), tasks


def _without_cost(use: Use) -> Mapping[str, str]:
    """What a task gets; the price is told apart, and older applies did not write it down."""
    return {path: text for path, text in use.settings.items() if not path.startswith("cost.")}


def _meaning(use: Use) -> Meaning:
    settings = shown("", use.settings)
    device, count = settings.get(_DEVICE), settings.get(_COUNT, "1")
    has_any = device is not None and count != "0"
    devices = f"{count} × {device}" if has_any else None
    return Meaning(use.profile, settings.get(_MODEL), devices, _cost(use))


def _cost(use: Use) -> Cost | None:
    """As it was written down; None where it was not, or is none."""
    try:
        price = Decimal(use.settings[_PRICE])
    except (KeyError, InvalidOperation):
        return None
    # A text of a few letters can be a number of a billion digits.
    is_price = price.is_finite() and price >= 0 and abs(price.adjusted()) < _DIGITS
    return Cost(price, use.settings.get(_CURRENCY, "USD")) if is_price else None
