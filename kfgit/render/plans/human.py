"""A plan on a terminal, and what became of each change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kfgit import plan as plans
from kfgit.events import ChangeFinished
from kfgit.plan import Change, Plan, Unchanged
from kfgit.render.plans import costs
from kfgit.render.plans.remaps import sentences
from kfgit.render.plans.words import SHOWN, Notes, cause, field_cause, fields, sentence, strangers
from kfgit.render.style import Style, clean, one_line

_REMAPS = 20
_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "adopt": "=", "unchanged": " "}


def human(plan: Plan, notes: Notes, style: Style, *, kept: bool = True) -> str:
    """The changes with their fields, and a line that sums them up. `notes` are more lines for single objects.

    `kept` shows also what is left alone for a reason.
    """
    lines: list[str] = []
    for change in plan.changes:
        kind, name = plans.subject(change)
        more = (*change.notes, *notes.get((kind, name), ()))
        if isinstance(change, Unchanged) and not (change.notes and kept):
            continue
        lines.append(_head(change, style))
        lines += [f"      {style.dim(clean(note))}" for note in more]
        lines += _differences(change, style)
    lines.append(sentence(plan))
    lines += [f"{clean(each)}." for each in sentences(plans.remaps(plan), plan.environment, _REMAPS)]
    lines += [f"{clean(each)}." for each in costs.sentences(plan)]
    if plan.foreign and kept:
        lines.append(style.dim(strangers(plan)))
    lines += [style.yellow(f"! {clean(remark)}") for remark in plan.remarks]
    return "\n".join(lines) + "\n"


def _head(change: Change, style: Style) -> str:
    word = plans.action(change)
    kind, name = plans.subject(change)
    colours = {"create": style.green, "delete": style.red, "unchanged": style.dim}
    paint = colours.get(word, style.yellow)
    told = cause(change)
    why = f" {style.dim(f'({told})')}" if told else ""
    shown = "keep" if isinstance(change, Unchanged) else word
    return f"  {paint(_SIGNS[word])} {paint(f'{shown:<8}')} {clean(kind.lower())}/{clean(name)}{why}"


def result(event: ChangeFinished, style: Style) -> str:
    """One line about a change that was carried out, or was not."""
    signs = {"done": style.green("✔"), "failed": style.red("✘"), "skipped": style.dim("○")}
    word = plans.PAST.get(event.action, event.action) if event.state == "done" else event.action
    error = f": {style.red(clean(event.error))}" if event.error else ""
    return f"  {signs[event.state]} {word:<8} {clean(event.kind.lower())}/{clean(event.name)}{error}"


def _differences(change: Change, style: Style) -> list[str]:
    shown = fields(change)
    lines = [
        f"      {clean(d.path)}: {style.red(_short(d.before))} → {style.green(_short(d.after))}"
        f"{style.dim(field_cause(d, change))}"
        for d in shown[:SHOWN]
    ]
    if len(shown) > SHOWN:
        lines.append(style.dim(f"      and {len(shown) - SHOWN} more fields"))
    return lines


def outcome(results: Sequence[ChangeFinished]) -> str:
    """One line: `Applied: 3 created, 1 deleted; 1 failed, 2 skipped.`."""
    done = [plans.PAST.get(r.action, r.action) for r in results if r.state == "done"]
    parts = [f"{done.count(word)} {word}" for word in plans.PAST.values() if word in done]
    rest = [
        f"{count} {state}"
        for state in ("failed", "skipped")
        if (count := sum(r.state == state for r in results))
    ]
    return f"Applied: {'; '.join(filter(None, (', '.join(parts) or 'nothing', ', '.join(rest))))}.\n"


def _short(value: Any) -> str:
    if value is None:
        return "none"
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 48)
