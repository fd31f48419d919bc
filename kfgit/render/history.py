"""Past applies: who brought which commit to a target, when, what it did there, and how its runs came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kfgit.events import FINAL, AppliedRun, ApplyRecord
from kfgit.plan import ACTIONS, PAST
from kfgit.render.style import Style, ago, instant, one_line, table

# How wide the subject of a commit is: what is left of the line, within bounds.
_WIDEST, _NARROWEST = 60, 30
_STATES = ("FAILED", "CANCELED", "SKIPPED", "SUCCEEDED")


def human(
    records: Sequence[ApplyRecord], subjects: Mapping[str, str], style: Style, now: datetime, *, going: bool
) -> str:
    """A line for each apply, newest first. `subjects` are those of commits; `going`: the newest is under way."""
    rows = [
        (
            ago(record.started_at, now),
            _commit(record),
            _text(record.branch, 30),
            one_line(record.who),
            _result(record, style, going=going and number == 0),
            _runs(record, style),
        )
        for number, record in enumerate(records)
    ]
    head = ("WHEN", "COMMIT", "BRANCH", "WHO", "RESULT", "RUNS")
    # A column that nobody fills tells nothing.
    shown = [
        column for column in range(len(head)) if column not in {2, 5} or any(row[column] for row in rows)
    ]
    plain = [[row[column] for column in shown] for row in rows]
    names = [head[column] for column in shown]
    told = [subjects.get(record.commit or "", "") for record in records]
    room = style.width - max(map(len, table(plain, names).splitlines()), default=0) - 2
    if any(told):
        room = max(min(room, _WIDEST), _NARROWEST)
        plain = [[*row, _text(subject, room)] for row, subject in zip(plain, told, strict=True)]
        names = [*names, "SUBJECT"]
    return table(plain, names, style)


def as_json(record: ApplyRecord, subject: str | None = None) -> dict[str, Any]:
    """One past apply."""
    return {
        "id": record.id,
        "verb": record.verb,
        "commit": record.commit,
        "folder": record.folder,
        "subject": subject,
        "branch": record.branch,
        "who": record.who,
        "startedAt": instant(record.started_at),
        "finishedAt": instant(record.finished_at),
        "digest": record.digest,
        "result": dict(record.result),
        "changes": dict(record.changes),
        "green": is_green(record),
        "runs": [run_as_json(run) for run in record.runs],
        "unlisted": record.unlisted,
    }


def run_as_json(run: AppliedRun) -> dict[str, Any]:
    """A run that a commit wanted."""
    return {
        "name": run.name,
        "pipeline": run.pipeline,
        "digest": run.digest,
        "id": run.id or None,
        "state": run.state,
    }


def is_green(record: ApplyRecord) -> bool:
    """Whether all that the commit wanted was done, and every run that it wanted has succeeded."""
    whole = record.applied is not None and not record.unlisted
    return whole and all(run.state == "SUCCEEDED" for run in record.runs)


def _commit(record: ApplyRecord) -> str:
    if record.commit is None:
        return "-"
    return one_line(record.commit[:10]) + (" (folder)" if record.folder else "")


def _text(text: str | None, limit: int) -> str:
    return one_line(text, limit) if text else ""


def _result(record: ApplyRecord, style: Style, *, going: bool) -> str:
    if record.finished_at is None:
        return style.cyan("going on") if going else style.yellow("cut off")
    done = [f"{count} {PAST[name]}" for name in ACTIONS if (count := record.changes.get(name, 0))]
    if not done and record.result.get("done"):
        # An older kfgit did not write down what they were.
        done = [f"{record.result['done']} changed"]
    bad = [(name, record.result.get(name, 0)) for name in ("failed", "skipped")]
    failed = [style.red(f"{count} {name}") for name, count in bad if count]
    text = ", ".join([*done, *failed]) or "nothing to do"
    return f"destroy: {text}" if record.verb == "destroy" else text


def _runs(record: ApplyRecord, style: Style) -> str:
    """How the runs came out; those that went wrong first."""
    if record.unlisted:
        return f"{record.unlisted:,}, not kept"
    counts = Counter(str(run.state or "") for run in record.runs)
    parts = [_counted(counts[state], state, style) for state in _STATES if counts[state]]
    waiting = sum(count for state, count in counts.items() if state and state not in FINAL)
    parts += [style.cyan(f"{waiting} going on")] if waiting else []
    parts += [style.dim(f"{counts['']} not known")] if counts[""] else []
    return ", ".join(parts)


def _counted(count: int, state: str, style: Style) -> str:
    paint = {"SUCCEEDED": style.green, "FAILED": style.red, "CANCELED": style.yellow}.get(state, style.dim)
    return paint(f"{count} {state.lower()}")
