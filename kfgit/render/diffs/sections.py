"""The parts of the page: mistakes, what breaks, a table of resources, what fires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kfgit.diagnostics import Diagnostic
from kfgit.diff.values import Break, Firing, ResourceChange, TaskChange
from kfgit.plan import Remap
from kfgit.render.diffs.folds import folds, task_sentence
from kfgit.render.diffs.merging import Merged, Told
from kfgit.render.diffs.words import ACTIONS, bounded, field_counts, joined, many, name_of, place, reasons
from kfgit.render.markdown import fields
from kfgit.render.markdown.blocks import alert, listed, table
from kfgit.render.markdown.fitting import Detail
from kfgit.render.markdown.inline import code, prose
from kfgit.render.plans.remaps import sentence

_GIST: Final = 5
_CALLERS: Final = 5
_MOST: Final = 50


def sections(found: Merged, detail: Detail) -> Iterator[str]:
    """The blocks, those that matter most first."""
    if not detail.rows:
        return
    most = detail.bounded(_MOST)
    if found.faults:
        yield from _faults(found.faults, most)
    if found.breaks:
        yield alert("WARNING", _breaks(found.breaks, most))
    if found.notes:
        yield listed(
            bounded(
                [f"{prose(note.what)}{_aside(*_in(note))}" for note in found.notes[:most]], len(found.notes)
            )
        )
    if found.profiles:
        yield "**Profiles**"
        yield listed(bounded([_remap(each) for each in found.profiles[:most]], len(found.profiles)))
    if found.changes:
        yield from (_resources if detail.table else _names)(found.changes, detail)
    if found.firings:
        yield "**When this is applied**"
        yield listed(bounded([_firing(each) for each in found.firings[:most]], len(found.firings)))
    if detail.folds:
        yield from folds(found.changes, detail)


def _remap(told: Told[Remap]) -> str:
    """Environments by name, since profiles are what these have of their own."""
    names = joined([each.pipeline for each in told.what.pipelines], _CALLERS)
    return prose(f"{sentence(told.what, joined(told.environments))}: {names}", 600)


def _in(told: Told[Any]) -> list[str]:
    """Where something is true, if that is not so everywhere."""
    return [] if told.everywhere else [f"in {_environments(told)}"]


def _environments(told: Told[Any]) -> str:
    return joined([code(name, 60) for name in told.environments])


def _aside(*parts: str) -> str:
    """What stands behind a sentence, in one pair of parentheses."""
    return f" ({', '.join(parts)})" if parts else ""


def _faults(faults: Sequence[Told[Diagnostic]], most: int) -> Iterator[str]:
    errors = sum(fault.what.severity == "error" for fault in faults)
    if errors:
        count = many(errors, "error", "errors")
        yield alert("CAUTION", [f"**{count}.** The rest of this page tells only what is sound."])
    rows = [(code(place(each.what.span), 160), _fault(each)) for each in faults[:most]]
    yield table(("where", "what is wrong"), rows)
    if len(faults) > most:
        yield f"and {len(faults) - most} more"


def _fault(told: Told[Diagnostic]) -> str:
    fault = told.what
    severity = "" if fault.severity == "error" else "warning: "
    help_ = f"<br>{prose(fault.help, 300)}" if fault.help else ""
    return f"{severity}{prose(fault.message, 300)}{_aside(code(fault.code), *_in(told))}{help_}"


def _breaks(found: Sequence[Told[Break]], most: int) -> list[str]:
    head = f"**{many(len(found), 'change breaks callers', 'changes break callers')}**"
    return [head, *listed(bounded([_break(each) for each in found[:most]], len(found))).split("\n")]


def _break(told: Told[Break]) -> str:
    found = told.what
    callers = joined([code(caller, 80) for caller in found.callers], _CALLERS)
    called = f" – called by {callers}" if callers else ""
    message = f"{code(f'pipeline/{found.pipeline}')}: {prose(found.message, 300)}"
    return f"{message}{called}{_aside(code(place(found.span), 160), *_in(told))}"


def _resources(changes: Sequence[Told[ResourceChange]], detail: Detail) -> Iterator[str]:
    rows = [(_action(each), _where(each.what), _gist(each.what, detail)) for each in changes[: detail.rows]]
    yield table(("", "resource", "what changes"), rows)
    if len(changes) > detail.rows:
        yield f"and {many(len(changes) - detail.rows, 'more resource', 'more resources')}"


def _names(changes: Sequence[Told[ResourceChange]], detail: Detail) -> Iterator[str]:
    for action in ACTIONS:
        found = dict.fromkeys(name_of(each.what) for each in changes if each.what.action == action)
        if found:
            yield f"{action}: {joined([code(name) for name in found], detail.rows)}"


def _action(told: Told[ResourceChange]) -> str:
    names = (
        "" if told.everywhere else f"<br><sub>{joined([code(name, 60) for name in told.environments])}</sub>"
    )
    return f"{told.what.action}{names}"


def _where(change: ResourceChange) -> str:
    return f"{code(name_of(change))}<br><sub>{code(place(change.span), 160)}</sub>"


def _gist(change: ResourceChange, detail: Detail) -> str:
    """In a few words: reasons, tasks, and fields where these are short."""
    if not detail.fields:
        return ", ".join(field_counts(change))
    told = [prose(reason, 300) for reason in reasons(change.because)]
    count = len(told)
    if change.action == "changed":
        few = _few(change)
        count += len(change.tasks) + len(few)
        told += [*map(_task, change.tasks[: _GIST + 1]), *few]
    elif change.action == "added" and change.after is not None:
        told.append(many(len(change.after.pipeline.tasks), "task", "tasks"))
    return "<br>".join([*told[:_GIST], f"and {count - _GIST} more"] if count > _GIST + 1 else told)


def _task(task: TaskChange) -> str:
    return f"task {task_sentence(task)}"


def _few(change: ResourceChange) -> list[str]:
    """The fields where they are few and short, else which or how many they are."""
    return fields.few(change.fields, 2) or fields.named(change.fields)


def _firing(told: Told[Firing]) -> str:
    firing = told.what
    return f"{code(f'{firing.kind.lower()}/{firing.name}')}: {prose(firing.why, 300)}{_aside(*_in(told))}"
