"""A plan as a comment on a pull request: the sentence, what stands against it, a table, and long values folded.

It fits into one comment, however much changes; what is left out for that is said, with the command that shows it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from kfgit import plan as plans
from kfgit.plan import Change, Difference, Plan, Unchanged
from kfgit.render.markdown import fields as values
from kfgit.render.markdown.blocks import alert, folded, listed, table
from kfgit.render.markdown.fitting import LEVELS, Detail, fitted, shortened
from kfgit.render.markdown.inline import code, html, prose
from kfgit.render.plans import costs
from kfgit.render.plans.remaps import sentences
from kfgit.render.plans.words import Notes, cause, counted, field_cause, fields, sentence, strangers

_FEW = 3
_DESTRUCTIVE = {"delete", "replace"}


def _of_a_plan(left_out: str) -> str:
    return left_out.removeprefix("pictures and ").replace("each resource", "each object")


_LEVELS = tuple(replace(level, left_out=_of_a_plan(level.left_out)) for level in LEVELS)


def markdown(plan: Plan, notes: Notes) -> str:
    """The page, at most `fitting.LIMIT` long. `notes` are more lines for single objects."""
    return fitted(partial(_blocks, plan, notes), _LEVELS)


def _blocks(plan: Plan, notes: Notes, detail: Detail) -> Iterator[str]:
    yield f"### {_title(plan)}"
    yield from shortened(detail, _command(plan))
    if plan.remarks:
        shown = plan.remarks[: max(detail.rows, 5)]
        yield alert("WARNING", [line for remark in shown for line in (prose(remark), "")][:-1])
    remapped = list(map(prose, sentences(plans.remaps(plan), plan.environment, max(detail.rows, 5))))
    remapped += map(prose, costs.sentences(plan))
    if remapped:
        yield listed(remapped)
    told = [change for change in plan.changes if not isinstance(change, Unchanged) or change.notes]
    if told and detail.rows:
        yield from (_table(told, notes, detail) if detail.table else _names(told, detail))
    if detail.folds:
        yield from islice(_folds(told, detail), detail.folds)
    if plan.foreign:
        yield prose(strangers(plan))
    if plan.pending:
        yield f"<sub>{' · '.join(_origin(plan))}</sub>"


def _title(plan: Plan) -> str:
    if not plan.pending:
        return prose(sentence(plan))
    return f"Plan for {code(plan.environment, 60)}: {counted(plan)}"


def _origin(plan: Plan) -> Iterator[str]:
    """Where the plan comes from, and what it takes no part in."""
    yield code(_command(plan), 300)
    if not plan.is_local:
        yield code(plan.place)
    if plan.summary["unchanged"]:
        yield f"{plan.summary['unchanged']} unchanged"
    if plan.requests:
        yield f"{plan.requests} API {'request' if plan.requests == 1 else 'requests'}"


def _table(told: Sequence[Change], notes: Notes, detail: Detail) -> Iterator[str]:
    rows = [_row(change, notes, detail) for change in told[: detail.rows]]
    yield table(("", "object", "what changes"), rows)
    if len(told) > detail.rows:
        yield f"and {len(told) - detail.rows} more"


def _names(told: Sequence[Change], detail: Detail) -> Iterator[str]:
    for action in plans.ACTIONS:
        names = [code(_name(change)) for change in told if plans.action(change) == action]
        more = f" and {len(names) - detail.rows} more" if len(names) > detail.rows else ""
        if names:
            yield f"{action}: {', '.join(names[: detail.rows])}{more}"


def _command(plan: Plan) -> str:
    commit = f" --rev {plan.commit[:10]}" if plan.commit is not None and not plan.is_local else ""
    return f"kfgit plan -e {shlex.quote(plan.environment)}{commit}"


def _row(change: Change, notes: Notes, detail: Detail) -> tuple[str, str, str]:
    kind, name = plans.subject(change)
    action, why = plans.action(change), cause(change)
    word = "keep" if isinstance(change, Unchanged) else f"**{action}**" if action in _DESTRUCTIVE else action
    short, found = _short(change), fields(change)
    told = [values.counted(len(found))] if found and not detail.fields else short or values.named(found)
    told = [*told, *(prose(note, 300) for note in (*change.notes, *notes.get((kind, name), ())))]
    return f"{word} ({why})" if why else word, code(_name(change)), "<br>".join(told)


def _name(change: Change) -> str:
    kind, name = plans.subject(change)
    return f"{kind.lower()}/{name}"


def _short(change: Change) -> list[str] | None:
    """The fields within the row, where these are few and short."""
    found = fields(change)
    told = [_inline(field, change) for field in found[:_FEW]]
    short = [text for text in told if text is not None]
    return short if len(short) == len(found) else None


def _inline(field: Difference, change: Change) -> str | None:
    text = values.inline(field)
    return None if text is None else f"{text}{field_cause(field, change)}"


def _folds(changes: Sequence[Change], detail: Detail) -> Iterator[str]:
    """What does not fit into a row."""
    for change in changes:
        found = fields(change)
        if _short(change) is None:
            named = [(f"{field.path}{field_cause(field, change)}", field) for field in found]
            summary = f"{plans.action(change)} {html(_name(change))}: {values.counted(len(found))}"
            yield folded(summary, [values.changes(named, detail)], unfolded=len(changes) == 1)
