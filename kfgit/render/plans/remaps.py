"""Profiles that mean something else: `gpu-default: A100 → L4 in staging affects 3 pipelines, 5 tasks`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kfgit.plan import Difference, Remap
from kfgit.render.style import one_line

_WORD = 60
_FIELDS = 3
_TASKS = 6
# Of these only a digest is kept: they are no texts.
_STRUCTURED = ("node.affinity", "node.tolerations")


def sentence(remap: Remap, where: str) -> str:
    """What a name means now, and how much gets something else by that; `where` are the environments."""
    pipelines = _many(len(remap.pipelines), "pipeline")
    return (
        f"{_word(remap.name)}: {_change(remap)} in {where} affects {pipelines}, {_many(remap.tasks, 'task')}"
    )


def sentences(remaps: Sequence[Remap], where: str, most: int) -> Iterator[str]:
    """So many of them, and how many more there are."""
    yield from (sentence(remap, where) for remap in remaps[:most])
    if len(remaps) > most:
        yield f"and {len(remaps) - most} more profiles"


def notes(remaps: Sequence[Remap]) -> Mapping[str, tuple[str, ...]]:
    """What to say of each pipeline: which of its own tasks get something else."""
    found: dict[str, tuple[str, ...]] = {}
    for remap in remaps:
        for each in remap.pipelines:
            tasks = [_word(path) for path in each.tasks[:_TASKS]]
            more = f" and {_many(len(each.tasks) - _TASKS, 'more task')}" if len(each.tasks) > _TASKS else ""
            told = f"profile {_word(remap.name)}: {_change(remap)} in {', '.join(tasks)}{more}"
            found[each.pipeline] = (*found.get(each.pipeline, ()), told)
    return found


def as_json(remap: Remap) -> dict[str, Any]:
    """A remap in the JSON of plans and diffs."""
    before, after = (
        {"profile": each.profile, "model": each.model, "devices": each.devices}
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
    return one_line(text, _WORD)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
