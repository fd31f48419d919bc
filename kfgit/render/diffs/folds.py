"""What is folded: each resource that has more to tell than a row, with the picture of its DAG and its fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from kfgit.diff.values import ResourceChange, TaskChange
from kfgit.render.diffs.drawing import Picture, drawn
from kfgit.render.diffs.merging import Told
from kfgit.render.diffs.words import bounded, dependence, field_counts, joined, many, name_of
from kfgit.render.markdown import fields
from kfgit.render.markdown.blocks import fenced, folded, listed
from kfgit.render.markdown.fitting import Detail
from kfgit.render.markdown.inline import code, html

_TASKS: Final = 6
_FEW: Final = 2
_VARIANTS: Final = 6
_COLOURS: Final = {
    "added": "green is added",
    "changed": "amber is changed",
    "removed": "dashed red is removed",
}


def folds(changes: Sequence[Told[ResourceChange]], detail: Detail) -> Iterator[str]:
    """The folds, as many pictures in them as `detail` allows; a fold that is alone is open."""
    pictures, left = detail.pictures, detail.folds
    for told in changes:
        change = told.what
        picture = drawn(change) if pictures else None
        pictures -= picture is not None
        blocks = list(_unfolded(told, picture, detail)) if left else []
        left -= bool(blocks)
        if blocks:
            yield folded(_summary(told, picture), blocks, unfolded=len(changes) == 1)


def task_sentence(task: TaskChange) -> str:
    """What became of a task: its name, what it waits for, its own fields."""
    name, words = code(task.path), dependence(task, code)
    if task.action != "changed":
        return f"{name} {task.action}{f', {words}' if words else ''}"
    own = ", ".join(fields.few(task.fields, 1) or fields.named(task.fields))
    if words:
        return f"{name} {words}{f'; {own}' if own else ''}"
    return f"{name}: {own}" if own else f"{name} changed"


def _summary(told: Told[ResourceChange], picture: Picture | None) -> str:
    parts = [*field_counts(told.what), *(["picture"] if picture is not None else [])]
    where = "" if told.everywhere else f" in {joined([html(name, 60) for name in told.environments])}"
    return f"{html(name_of(told.what))} {told.what.action}{where}: {', '.join(parts)}"


def _unfolded(told: Told[ResourceChange], picture: Picture | None, detail: Detail) -> Iterator[str]:
    change = told.what
    if picture is not None:
        yield fenced(picture.text.rstrip("\n").split("\n"), "mermaid")
        legend = _legend(told, picture)
        if legend:
            yield f"<sub>{legend}</sub>"
    if len(change.tasks) > _TASKS:
        yield listed(bounded(list(map(task_sentence, change.tasks[: detail.fields])), len(change.tasks)))
    named = [(field.path, field) for field in change.fields]
    named += [(f"task {task.path}: {field.path}", field) for task in change.tasks for field in task.fields]
    if named and not _is_in_its_row(change):
        yield fields.changes(named, detail)


def _is_in_its_row(change: ResourceChange) -> bool:
    """Whether the table has said it all."""
    if change.action != "changed" or len(change.tasks) > _FEW or len(change.because) > 1:
        return False
    all_short = all(fields.few(task.fields, 1) is not None for task in change.tasks)
    return all_short and fields.few(change.fields, _FEW) is not None


def _legend(told: Told[ResourceChange], picture: Picture) -> str:
    parts = [_COLOURS[state] for state in picture.states if state]
    if picture.left_out:
        parts.append(f"{many(picture.left_out, 'other task is', 'other tasks are')} not drawn")
    if len(told.variants) > 1 and any(drawn(each) != picture for each in told.variants[1:_VARIANTS]):
        parts.append(f"drawn as {code(told.environments[0], 60)} has it")
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""
