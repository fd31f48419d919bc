"""Runs as people follow them and look back at them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from kfgit.events import Artifact, RunRecord, TaskChanged, TaskRecord
from kfgit.render.style import Style, ago, clean, duration, one_line, table

_SIGNS = {
    "PENDING": "·", "RUNNING": "▸", "SUCCEEDED": "✔", "FAILED": "✘", "CANCELING": "▾", "CANCELED": "■", "SKIPPED": "○",
}  # fmt: skip


def sign(state: str, style: Style) -> str:
    """A mark for a state."""
    paint = {"SUCCEEDED": style.green, "FAILED": style.red, "RUNNING": style.cyan, "CANCELED": style.yellow}.get(state, style.dim)
    return paint(_SIGNS.get(state, "?"))


def word(state: str, style: Style) -> str:
    """A state in its colour."""
    paint = {"SUCCEEDED": style.green, "FAILED": style.red, "RUNNING": style.cyan, "CANCELED": style.yellow}.get(state, style.dim)
    return paint(state)


def took(record: TaskRecord | RunRecord) -> float | None:
    """Seconds from start to end."""
    if record.started_at is None or record.finished_at is None:
        return None
    return (record.finished_at - record.started_at).total_seconds()


def progress(event: TaskChanged, style: Style) -> str:
    """One line about a task's new state; on failure the end of its log and where the rest is."""
    task = event.task
    how = "cached" if task.cached else duration(took(task))
    attempts = f" (attempt {task.attempts})" if task.attempts > 1 else ""
    line = f"  {sign(task.state, style)} {clean(task.path):<36} {word(task.state, style):<9}{attempts} {style.dim(how)}".rstrip()
    if task.state != "FAILED":
        return line + "\n"
    lines = [line, f"    {style.red(clean(task.error or 'it failed'))}"]
    lines += [f"    {style.dim('│')} {clean(text)}" for text in event.log_tail]
    if event.log_path:
        lines.append(f"    {style.dim('└ the whole log: ' + clean(event.log_path))}")
    return "\n".join(lines) + "\n"


def ending(run: RunRecord, style: Style) -> str:
    """How a run ended, what it gave out and what it noted."""
    lines = [f"{sign(run.state, style)} run {run.name} {word(run.state, style)} {style.dim('in ' + duration(took(run)))}  {style.dim(run.id)}"]
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
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else str(value) if isinstance(value, Artifact) else value


def listing(runs: Sequence[RunRecord], now: datetime, style: Style) -> str:
    """A table of runs."""
    rows = [
        [f"{sign(r.state, style)} {word(r.state, style)}", r.id[:8], r.name, r.pipeline, ago(r.created_at, now), duration(took(r))]
        for r in runs
    ]
    return table(rows, ("STATE", "ID", "NAME", "PIPELINE", "CREATED", "TOOK"), style)


def show(run: RunRecord, now: datetime, style: Style) -> str:
    """One run, whole."""
    facts = [
        ("run", f"{run.name}  {run.id}"),
        ("state", f"{sign(run.state, style)} {word(run.state, style)}"),
        ("pipeline", run.pipeline + (f" ({run.version})" if run.version else "")),
        ("experiment", run.experiment),
        ("created", ago(run.created_at, now)),
        ("took", duration(took(run))),
    ]
    text = table([(style.dim(name), value) for name, value in facts if value])
    if run.error:
        text += f"\n{style.red(clean(run.error))}\n"
    for title, values in (("inputs", run.inputs), ("outputs", run.outputs)):
        if values:
            text += f"\n{style.dim(title)}\n" + "".join(f"  {clean(k)} = {shown(v)}\n" for k, v in values.items())
    return text + f"\n{style.dim('tasks')}\n" + "".join(_tasks(run, style))


def _tasks(run: RunRecord, style: Style) -> Iterator[str]:
    for task in run.tasks:
        depth = task.path.count("/")
        how = "cached" if task.cached else duration(took(task))
        attempts = f"{task.attempts} attempts" if task.attempts > 1 else ""
        name = "  " * depth + task.path
        yield f"  {sign(task.state, style)} {clean(name):<40} {clean(task.component or ''):<20} {style.dim(' '.join(filter(None, (how, attempts))))}".rstrip() + "\n"
        if task.error:
            yield f"    {style.red(clean(task.error))}\n"
