"""Profiles that mean something else: `gpu-default: A100 → L4 in staging affects 3 pipelines, 5 tasks`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kfgit.demand import amount
from kfgit.plan import Difference, Meaning, Remap
from kfgit.render.style import one_line

# Pipelines, by the names of those that run them as tasks.
Nested = Mapping[str, Sequence[str]]

_WORD = 60
_FIELDS = 3
_SOME = 6
# Of these only a digest is kept: they are no texts.
_STRUCTURED = ("node.affinity", "node.tolerations")


def sentence(remap: Remap, where: str) -> str:
    """What a name means now, and how much gets something else by that; `where` are the environments."""
    pipelines = _many(len(remap.pipelines), "pipeline")
    return (
        f"{_word(remap.name)}: {_change(remap)} in {where} affects {pipelines}, {_many(remap.tasks, 'task')}"
        f"{_price(remap)}"
    )


def sentences(remaps: Sequence[Remap], where: str, most: int) -> Iterator[str]:
    """So many of them, and how many more there are."""
    yield from (sentence(remap, where) for remap in remaps[:most])
    if len(remaps) > most:
        yield f"and {len(remaps) - most} more profiles"


def notes(remaps: Sequence[Remap], nested: Nested | None = None) -> Mapping[str, tuple[str, ...]]:
    """What to say of each pipeline: which of its own tasks get something else, and what pipelines that it runs get.

    `nested` are these, by the pipelines that run them.
    """
    found: dict[str, list[str]] = {}
    for remap in remaps:
        meant = f"profile {_word(remap.name)}: {_change(remap)}"
        for each in remap.pipelines:
            told = f"{meant} in {_some(each.tasks, 'task')}{_price(remap)}"
            found.setdefault(each.pipeline, []).append(told)
    concerning: dict[str, list[int]] = {}
    for number, remap in enumerate(remaps):
        for each in remap.pipelines:
            concerning.setdefault(each.pipeline, []).append(number)
    for pipeline, inner in (nested or {}).items():
        through: dict[int, list[str]] = {}
        for name in inner:
            for number in concerning.get(name, ()):
                through.setdefault(number, []).append(name)
        for number, names in sorted(through.items()):
            meant = f"profile {_word(remaps[number].name)}: {_change(remaps[number])}"
            found.setdefault(pipeline, []).append(f"through {_some(names, 'pipeline')}: {meant}")
    return {pipeline: tuple(told) for pipeline, told in found.items()}


def _some(names: Sequence[str], what: str) -> str:
    more = f" and {_many(len(names) - _SOME, f'more {what}')}" if len(names) > _SOME else ""
    return f"{', '.join(map(_word, names[:_SOME]))}{more}"


def as_json(remap: Remap) -> dict[str, Any]:
    """A remap in the JSON of plans and diffs."""
    before, after = (
        {"profile": each.profile, "model": each.model, "devices": each.devices, "cost": _cost(each)}
        for each in (remap.before, remap.after)
    )
    return {
        "name": remap.name,
        "before": before,
        "after": after,
        "fields": [{"path": each.path, "before": each.before, "after": each.after} for each in remap.fields],
        "pipelines": [each.pipeline for each in remap.pipelines],
        "tasks": [
            {"pipeline": each.pipeline, "path": path} for each in remap.pipelines for path in each.tasks
        ],
    }


def _price(remap: Remap) -> str:
    """What an hour of a task costs now, where that is known of both and differs."""
    before, after = remap.before.cost, remap.after.cost
    if before is None or after is None or before == after:
        return ""
    was = amount(before.per_hour) + ("" if before.currency == after.currency else f" {before.currency}")
    return f", {was} → {amount(after.per_hour)} {after.currency} per hour"


def _cost(found: Meaning) -> dict[str, Any] | None:
    """As `kfgit profiles` has it in JSON."""
    if found.cost is None:
        return None
    return {"perHour": float(found.cost.per_hour), "currency": found.cost.currency}


def _change(remap: Remap) -> str:
    """The models, where these tell the two apart, else the profiles, else what the one profile says otherwise."""
    before, after = remap.before, remap.after
    if before.model and after.model and before.model != after.model:
        return f"{_word(before.model)} → {_word(after.model)}"
    if before.profile != after.profile:
        return f"{_word(before.profile)} → {_word(after.profile)}"
    told = ", ".join(map(_field, remap.fields[:_FIELDS]))
    more = len(remap.fields) - _FIELDS
    return f"{told} and {_many(more, 'more field')}" if more > 0 else told


def _field(found: Difference) -> str:
    if found.path in _STRUCTURED:
        return f"{found.path} changed"
    before, after = ("none" if value is None else _word(str(value)) for value in (found.before, found.after))
    return f"{_word(found.path)} {before} → {after}"


def _word(text: str) -> str:
    """A name, in quotes if it has spaces: a model may be any text, and none may go on as part of the sentence."""
    line = one_line(text, _WORD)
    return f'"{line}"' if " " in line else line


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
