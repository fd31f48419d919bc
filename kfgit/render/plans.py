"""A plan as people read it, on a terminal and in a pull request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kfgit import plan as plans
from kfgit.events import ChangeFinished
from kfgit.plan import LOCAL_TARGET, Change, Create, Difference, Plan, Replace, Unchanged, Update
from kfgit.render.style import Style, clean, one_line

Notes = Mapping[tuple[str, str], Sequence[str]]

_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "adopt": "=", "unchanged": " "}
_PAST = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "adopt": "adopted",
}
_SHOWN = 8


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
    if plan.foreign and kept:
        lines.append(style.dim(strangers(plan)))
    lines += [style.yellow(f"! {clean(remark)}") for remark in plan.remarks]
    return "\n".join(lines) + "\n"


def strangers(plan: Plan) -> str:
    """One line about what is not ours: `Not ours, left alone: pipeline/churn, schedule/weekly and 3 more.`."""
    names = [f"{each.kind.lower()}/{clean(each.name)}" for each in plan.foreign]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"Not ours, left alone: {', '.join(names[:_SHOWN])}{more}."


def sentence(plan: Plan) -> str:
    """One line: `Plan for local: 3 to create, 1 to update; 4 unchanged`."""
    counts = plan.summary
    parts = [f"{counts[name]} to {name}" for name in plans.ACTIONS if name != "unchanged" and counts[name]]
    target = f" ({clean(plan.place)})" if plan.target not in {plan.environment, LOCAL_TARGET} else ""
    commit = f" at commit {plan.commit[:10]}" if plan.commit is not None and not plan.is_local else ""
    where = f"{clean(plan.environment)}{target}{commit}"
    if not parts:
        count = counts["unchanged"]
        known = {0: "there is nothing", 1: "the one object is as it should be"}
        told = known.get(count, f"{count} objects are as they should be")
        return f"Nothing to do in {where}: {told}{_requests(plan)}."
    rest = f"; {counts['unchanged']} unchanged" if counts["unchanged"] else ""
    return f"Plan for {where}: {', '.join(parts)}{rest}{_requests(plan)}."


def _requests(plan: Plan) -> str:
    """What it took to see the target; a local one takes none."""
    count = plan.requests
    return f" ({count} API {'request' if count == 1 else 'requests'})" if count else ""


def _head(change: Change, style: Style) -> str:
    word = plans.action(change)
    kind, name = plans.subject(change)
    colours = {"create": style.green, "delete": style.red, "unchanged": style.dim}
    paint = colours.get(word, style.yellow)
    told = _cause(change)
    cause = f" {style.dim(f'({told})')}" if told else ""
    shown = "keep" if isinstance(change, Unchanged) else word
    return f"  {paint(_SIGNS[word])} {paint(f'{shown:<8}')} {kind.lower()}/{clean(name)}{cause}"


def _cause(change: Change) -> str | None:
    """Why something changes, where the source is not the reason."""
    match change:
        case Create(cause=cause) | Update(cause=cause) | Replace(cause=cause):
            return None if cause == "source" else cause
        case _:
            return None


def _field_cause(found: Difference, change: Change) -> str:
    """Of a field, where it is not what the line of the change says."""
    return " (drift)" if found.drift and _cause(change) != "drift" else ""


def result(event: ChangeFinished, style: Style) -> str:
    """One line about a change that was carried out, or was not."""
    signs = {"done": style.green("✔"), "failed": style.red("✘"), "skipped": style.dim("○")}
    word = _PAST.get(event.action, event.action) if event.state == "done" else event.action
    error = f": {style.red(clean(event.error))}" if event.error else ""
    return f"  {signs[event.state]} {word:<8} {event.kind.lower()}/{clean(event.name)}{error}"


def _differences(change: Change, style: Style) -> list[str]:
    shown = _fields(change)
    lines = [
        f"      {clean(d.path)}: {style.red(_short(d.before))} → {style.green(_short(d.after))}"
        f"{style.dim(_field_cause(d, change))}"
        for d in shown[:_SHOWN]
    ]
    if len(shown) > _SHOWN:
        lines.append(style.dim(f"      and {len(shown) - _SHOWN} more fields"))
    return lines


def outcome(results: Sequence[ChangeFinished]) -> str:
    """One line: `Applied: 3 created, 1 deleted; 1 failed, 2 skipped.`."""
    done = [_PAST.get(r.action, r.action) for r in results if r.state == "done"]
    parts = [f"{done.count(word)} {word}" for word in _PAST.values() if word in done]
    rest = [
        f"{count} {state}"
        for state in ("failed", "skipped")
        if (count := sum(r.state == state for r in results))
    ]
    return f"Applied: {'; '.join(filter(None, (', '.join(parts) or 'nothing', ', '.join(rest))))}.\n"


def _fields(change: Change) -> Sequence[Difference]:
    """What differs; a digest only where nothing else tells it."""
    diff: Sequence[Difference] = getattr(change, "diff", ())
    return [d for d in diff if d.path != "digest"] or diff


def _short(value: Any) -> str:
    if value is None:
        return "none"
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 48)


def markdown(plan: Plan, notes: Notes) -> str:
    """The same for a pull request."""
    lines = [f"### {_escape(sentence(plan))}", ""]
    shown = [change for change in plan.changes if not isinstance(change, Unchanged) or change.notes]
    if shown:
        lines += ["| | object | what changes |", "|---|---|---|"]
    for change in shown:
        kind, name = plans.subject(change)
        diff = _fields(change)
        fields = [
            f"`{_code(d.path)}`: `{_code(_short(d.before))}` → `{_code(_short(d.after))}`{_field_cause(d, change)}"
            for d in diff[:_SHOWN]
        ]
        more = [_escape(note) for note in (*change.notes, *notes.get((kind, name), ()))]
        if len(diff) > _SHOWN:
            more.append(f"and {len(diff) - _SHOWN} more fields")
        cause = _cause(change)
        word = "keep" if isinstance(change, Unchanged) else plans.action(change)
        sign = f"{word} ({cause})" if cause else word
        lines.append(f"| {sign} | `{_code(kind.lower())}/{_code(name)}` | {'<br>'.join([*fields, *more])} |")
    if plan.foreign:
        lines += ["", _escape(strangers(plan))]
    lines += [line for remark in plan.remarks for line in ("", f"> {_escape(remark)}")]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    plain = clean(text)
    for char in "\\`*_[]<>|@#":
        plain = plain.replace(
            char, f"\\{char}" if char not in "<>@" else {"<": "&lt;", ">": "&gt;", "@": "@\u200b"}[char]
        )
    return plain


def _code(text: str) -> str:
    return clean(text).replace("`", "'").replace("|", "\\|").replace("\n", " ")
