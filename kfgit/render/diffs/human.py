"""A difference on a terminal: everything, one line for each field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kfgit.diagnostics import Diagnostic
from kfgit.diff.values import Break, Diff, Firing, ResourceChange, Side, TaskChange
from kfgit.plan import Difference, Remap
from kfgit.render.diffs.merging import Merged, Told, merged
from kfgit.render.diffs.words import SIGNS, counts, dependence, joined, name_of, place, reasons, side
from kfgit.render.plans.remaps import sentence
from kfgit.render.style import Style, one_line

_VALUE = 60
_SENTENCE = 700


def human(diff: Diff, style: Style) -> str:
    """A sentence for each environment, then everything; what several environments share is told once."""
    names = f"{_side(diff.base)} with {_side(diff.head)}"
    found = merged(diff)
    lines = [style.dim(f"Compared {names}."), *_sentences(diff, style)]
    body = list(_lines(found, style))
    return "\n".join([*lines, *([""] if body else []), *body]) + "\n"


def _side(each: Side) -> str:
    label, commit = side(each)
    return f"{_told(label)}{f' ({commit})' if commit else ''}"


def _sentences(diff: Diff, style: Style) -> Iterator[str]:
    for each in diff.environments:
        yield f"{style.bold(_told(each.environment))}: {'; '.join(counts(each))}."
    if not diff.environments:
        yield "There is no environment to compare."


def _lines(found: Merged, style: Style) -> Iterator[str]:
    for note in found.notes:
        yield style.yellow(f"  ! {_told(note.what)}{_in(note)}")
    for fault in found.faults:
        yield from _fault(fault, style)
    for broken in found.breaks:
        yield from _break(broken, style)
    for remap in found.profiles:
        yield from _remap(remap, style)
    for change in found.changes:
        yield from _change(change, style)
    for firing in found.firings:
        yield _firing(firing, style)


def _in(told: Told[Any]) -> str:
    """Where something is true, if that is not so everywhere."""
    return "" if told.everywhere else f" (in {_told(joined(told.environments, 20))})"


def _fault(told: Told[Diagnostic], style: Style) -> Iterator[str]:
    fault = told.what
    paint = style.red if fault.severity == "error" else style.yellow
    where = style.dim(_told(place(fault.span)))
    yield f"  {paint(f'{fault.severity}[{_told(fault.code)}]')} {_told(fault.message)}{_in(told)} {where}"
    if fault.help:
        yield f"      {_told(fault.help)}"


def _break(told: Told[Break], style: Style) -> Iterator[str]:
    found, where = told.what, style.dim(_told(place(told.what.span)))
    message = f"pipeline/{_told(found.pipeline)}: {_told(found.message)}"
    yield f"  {style.red('! breaks')}   {message}{_in(told)} {where}"
    if found.callers:
        yield f"      {style.dim(f'called by {_told(joined(found.callers, 12))}')}"


def _remap(told: Told[Remap], style: Style) -> Iterator[str]:
    yield f"  {style.cyan('» profile')}  {_told(sentence(told.what, joined(told.environments, 20)))}"
    yield f"      {style.dim(_told(joined([each.pipeline for each in told.what.pipelines], 12)))}"


def _change(told: Told[ResourceChange], style: Style) -> Iterator[str]:
    change = told.what
    paint = {"added": style.green, "removed": style.red}.get(change.action, style.yellow)
    head = f"{SIGNS[change.action]} {change.action:<8}"
    where = style.dim(_told(place(change.span)))
    yield f"  {paint(head)} {_told(name_of(change))}{_in(told)} {where}"
    yield from (f"      {style.dim(_told(reason))}" for reason in reasons(change.because))
    yield from (_field(field, style, "      ") for field in change.fields)
    for task in change.tasks:
        yield from _task(task, style)


def _task(task: TaskChange, style: Style) -> Iterator[str]:
    paint = {"added": style.green, "removed": style.red}.get(task.action, style.yellow)
    words = dependence(task, _told)
    sentence = f" {words}" if words else ""
    yield f"      {paint(SIGNS[task.action])} task {paint(_told(task.path))}{sentence}"
    yield from (_field(field, style, "          ") for field in task.fields)


def _field(field: Difference, style: Style, indent: str) -> str:
    before, after = (_short(value) for value in (field.before, field.after))
    return f"{indent}{_told(field.path)}: {style.red(before)} → {style.green(after)}"


def _firing(told: Told[Firing], style: Style) -> str:
    firing = told.what
    name = _told(f"{firing.kind.lower()}/{firing.name}")
    return f"  {style.cyan('» fires')}    {name}: {_told(firing.why)}{_in(told)}"


def _short(value: Any) -> str:
    if value is None:
        return "none"
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _VALUE)


def _told(text: str) -> str:
    """Words and names, on one line and safe to print."""
    return one_line(text, _SENTENCE)
