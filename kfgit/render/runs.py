"""Runs as people follow them and look back at them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from kfgit.events import Artifact, RunRecord, TaskChanged, TaskRecord
from kfgit.render.style import Style, ago, clean, duration, one_line, pad, table

_SIGNS = {
    "PENDING": "·", "RUNNING": "▸", "SUCCEEDED": "✔", "FAILED": "✘", "CANCELING": "▾", "CANCELED": "■", "SKIPPED": "○",
}  # fmt: skip


def sign(state: str, style: Style) -> str:
    """A mark for a state."""
    return _painted(state, _SIGNS.get(state, "?"), style)


def word(state: str, style: Style) -> str:
    """A state in its colour."""
    return _painted(state, state, style)


def _painted(state: str, text: str, style: Style) -> str:
    paint = {"SUCCEEDED": style.green, "FAILED": style.red, "RUNNING": style.cyan, "CANCELED": style.yellow}
    return paint.get(state, style.dim)(text)


def took(record: TaskRecord | RunRecord, now: datetime | None = None) -> float | None:
    """Seconds from start to end, or until now."""
    end = record.finished_at or now
    return None if record.started_at is None or end is None else (end - record.started_at).total_seconds()


def beginning(run: RunRecord, style: Style) -> str:
    """That a run began."""
    return f"{sign('RUNNING', style)} run {style.bold(clean(run.name))} of {clean(run.pipeline)}  {style.dim(run.id)}"


def progress(event: TaskChanged, style: Style, since: datetime | None = None) -> str:
    """One line about a task's new state; on failure the end of its log and where the rest is.

    A task that ended before the run began, `since`, was kept when the run was retried.
    """
    task = event.task
    facts = [f"after {task.attempts} attempts"] if task.attempts > 1 and task.finished_at else []
    facts = ["cached" if task.cached else duration(took(task)), *facts]
    if since and task.finished_at and task.finished_at < since:
        facts = ["kept"]
    state = pad(word(task.state, style), 9)
    mark, path = sign(task.state, style), pad(clean(task.path), 36)
    line = f"  {mark} {path} {state} {style.dim(' '.join(facts).strip())}".rstrip()
    if task.state != "FAILED":
        return line
    lines = [line, f"    {style.red(clean(task.error or 'it failed'))}"]
    lines += [f"    {style.dim('│')} {clean(text)}" for text in event.log_tail]
    if event.log_path:
        lines.append(f"    {style.dim('└ the whole log: ' + clean(event.log_path))}")
    return "\n".join(lines)


def ending(run: RunRecord, style: Style) -> str:
    """How a run ended, what it gave out and what it noted."""
    seconds = took(run)
    time = f" {style.dim('in ' + duration(seconds))}" if seconds is not None else ""
    lines = [
        f"{sign(run.state, style)} run {clean(run.name)} {word(run.state, style)}{time}  {style.dim(run.id)}"
    ]
    if run.error:
        lines.append(f"  {style.red(clean(run.error))}")
    lines += [f"  {style.bold(clean(name))} = {shown(value)}" for name, value in run.outputs.items()]
    if run.notes:
        lines.append(style.dim("  differs from a cluster:"))
        lines += [style.dim(f"    {clean(note)}") for note in run.notes]
    return "\n".join(lines) + "\n"


def shown(value: Any) -> str:
    """A value on one line; an artifact by where it lies."""
    match value:
        case Artifact():
            return clean(value.uri)
        case tuple() | list() if value and all(isinstance(each, Artifact) for each in value):
            return f"{len(value)} artifacts"
        case str():
            return one_line(value, 80)
        case _:
            return one_line(json.dumps(_plain(value), ensure_ascii=False), 80)


def _plain(value: Any) -> Any:
    return (
        [_plain(each) for each in value]
        if isinstance(value, list | tuple)
        else str(value)
        if isinstance(value, Artifact)
        else value
    )


def listing(runs: Sequence[RunRecord], now: datetime, style: Style) -> str:
    """A table of runs."""
    rows = [
        [
            f"{sign(r.state, style)} {word(r.state, style)}",
            r.id[:8],
            r.name,
            r.pipeline,
            ago(r.created_at, now),
            duration(took(r, now)),
        ]
        for r in runs
    ]
    return table(rows, ("STATE", "ID", "NAME", "PIPELINE", "CREATED", "TOOK"), style)


def show(run: RunRecord, folder: str, now: datetime, style: Style) -> str:
    """One run, whole; `folder` is where its files are."""
    facts = [
        ("run", f"{run.name}  {run.id}"),
        ("state", f"{sign(run.state, style)} {word(run.state, style)}"),
        ("pipeline", run.pipeline + (f" ({run.version})" if run.version else "")),
        ("experiment", run.experiment),
        ("created", ago(run.created_at, now)),
        ("took", duration(took(run, now))),
        ("files", folder),
    ]
    text = table([(style.dim(name), value) for name, value in facts if value], style=style)
    if run.error:
        text += f"\n{style.red(clean(run.error))}\n"
    for title, values in (("inputs", run.inputs), ("outputs", run.outputs)):
        if values:
            text += f"\n{style.dim(title)}\n" + "".join(
                f"  {clean(k)} = {shown(v)}\n" for k, v in values.items()
            )
    return text + f"\n{style.dim('tasks')}\n" + "".join(_tasks(run, now, style))


def _tasks(run: RunRecord, now: datetime, style: Style) -> Iterator[str]:
    width = max((2 * t.path.count("/") + len(t.path) for t in run.tasks), default=0)
    names = max((len(t.component or "") for t in run.tasks), default=0)
    for task in run.tasks:
        until = now if task.state in {"RUNNING", "CANCELING"} else None
        how = "cached" if task.cached else duration(took(task, until))
        attempts = f"{task.attempts} attempts" if task.attempts > 1 else ""
        path = pad("  " * task.path.count("/") + clean(task.path), min(width, 48))
        component = pad(clean(task.component or ""), min(names, 28))
        facts = style.dim(" ".join(filter(None, (how, attempts))))
        yield f"  {sign(task.state, style)} {path}  {component}  {facts}".rstrip() + "\n"
        if task.error:
            yield f"    {style.red(clean(task.error))}\n"
