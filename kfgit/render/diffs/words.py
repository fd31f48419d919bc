"""The sentences that every form of a difference has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence

from kfgit.diff.values import Diff, EnvironmentDiff, ResourceChange, Side, TaskChange
from kfgit.source import Span

ACTIONS = ("added", "changed", "removed")
SIGNS = {"added": "+", "changed": "~", "removed": "-"}
_SHORT = 10
_CHANGED = " changed"
_PART = re.compile(rf"\S+{_CHANGED}")


def counts(found: EnvironmentDiff) -> list[str]:
    """What an environment's difference comes to: `1 added, 2 changed`, `1 run starts`, `1 breaking change`."""
    actions = [change.action for change in found.changes]
    parts = [", ".join(f"{actions.count(word)} {word}" for word in ACTIONS if word in actions)]
    runs = sum(firing.kind == "Run" for firing in found.firings)
    schedules = len(found.firings) - runs
    parts += [many(runs, "run starts", "runs start")] if runs else []
    parts += [many(schedules, "schedule fires otherwise", "schedules fire otherwise")] if schedules else []
    parts += [many(len(found.breaks), "breaking change", "breaking changes")] if found.breaks else []
    errors = sum(fault.severity == "error" for fault in found.faults)
    parts += [many(errors, "error", "errors")] if errors else []
    return [part for part in parts if part] or ["nothing changes"]


def many(count: int, one: str, more: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {one if count == 1 else more}"


def joined(names: Sequence[str], most: int = 6) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b and 7 more`; nothing for none."""
    shown = list(names) if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return "".join(shown) if len(shown) < 2 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def dependence(task: TaskChange, shown: Callable[[str], str]) -> str:
    """What a task waits for now, or does not any more; nothing where that is as it was. `shown` is a path in a form."""
    now = "now depends on" if task.action == "changed" else "depends on"
    gone = "no longer depends on" if task.action == "changed" else "depended on"
    needs, needed = (joined(list(map(shown, paths))) for paths in (task.needs, task.needs_no_more))
    if needs and needed:
        return f"{now} {needs}, no longer on {needed}"
    return f"{now} {needs}" if needs else f"{gone} {needed}" if needed else ""


def reasons(because: Sequence[str]) -> list[str]:
    """Why a resource means something else, those parts in one sentence that only changed."""
    parts = [reason.removesuffix(_CHANGED) for reason in because if _PART.fullmatch(reason)]
    others = [reason for reason in because if not _PART.fullmatch(reason)]
    return [*([f"{joined(parts)}{_CHANGED}"] if parts else []), *others]


def place(span: Span) -> str:
    """The line of something, as people and editors write it."""
    return f"{span.file}:{span.line}"


def side(each: Side) -> tuple[str, str]:
    """A side's name, and its commit where that is not said by it."""
    short, label = (each.commit or "")[:_SHORT], each.label.partition("...")[0] or each.label
    is_commit = len(label) >= 7 and (each.commit or "").startswith(label)
    return (short, "") if is_commit else (label, short)


def command(diff: Diff) -> str:
    """What to type for all of it."""
    base, head = diff.base, diff.head
    if diff.is_across:
        names = f"--from-env {shlex.quote(base.label)} --to-env {shlex.quote(head.label)}"
        return f"kfgit diff {names} {(head.commit or '')[:_SHORT]}".rstrip()
    return " ".join(
        ("kfgit diff", *(shlex.quote((each.commit or "")[:_SHORT] or each.label) for each in (base, head)))
    )


def name_of(change: ResourceChange) -> str:
    """A resource as commands name it: `pipeline/train`."""
    return f"{change.kind.lower()}/{change.name}"


def field_counts(change: ResourceChange) -> list[str]:
    """How much differs: `2 tasks`, `3 fields`, those of tasks with them."""
    count = len(change.fields) + sum(len(task.fields) for task in change.tasks)
    parts = [many(len(change.tasks), "task", "tasks")] if change.tasks else []
    return [*parts, many(count, "field", "fields")] if count else parts


def bounded(shown: Sequence[str], count: int) -> list[str]:
    """What is shown, and how many more there are."""
    return [*shown, f"and {count - len(shown)} more"] if count > len(shown) else list(shown)
