"""An environment on two sides, or two environments, compared resource by resource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kfgit.diff.breaks import breaks
from kfgit.diff.causes import Causes
from kfgit.diff.fields import fields, text
from kfgit.diff.firings import apart, later
from kfgit.diff.remaps import remaps
from kfgit.diff.sides import ENVIRONMENT, Key, Plain, Seen, hidden
from kfgit.diff.tasks import task_changes, without_tasks
from kfgit.diff.values import Action, EnvironmentDiff, ResourceChange, TaskChange
from kfgit.graph import CheckedPipeline
from kfgit.model import Environment
from kfgit.overlay import Located
from kfgit.plan import Difference

# In this order they are told.
_KINDS = (
    "Pipeline",
    "Component",
    "Schedule",
    "Run",
    "Experiment",
    "ResourceProfile",
    "Environment",
    "Project",
)
_NEW = "the environment is new"
_GONE = "the environment is removed: nothing applies it any more, and what is live there stays"

# So many refusals are told one by one.
_SHOWN = 3
_ELSEWHERE = (
    "the target is written otherwise: if it is another one, all of the environment is made there anew, each of its "
    "runs starts, and what is live on the old one stays and goes on firing"
)
_UNREAD = "the older side cannot be read: what differs is not known"


def between(before: Seen, after: Seen) -> EnvironmentDiff:
    """What an environment has otherwise in `after`, and what follows from it."""
    return _unread(before, after) or _between(before, after)


def added(after: Seen) -> EnvironmentDiff:
    """An environment that only the newer side has."""
    before = after.emptied()
    changes = _changes(before, after)
    told = later(before, after, _keys(changes))
    return EnvironmentDiff(after.environment, changes, told, (), after.faults, (_NEW, *_refused(after)))


def removed(before: Seen) -> EnvironmentDiff:
    """An environment that only the older side has. Its schedules go on, for nobody applies that they shall not."""
    return EnvironmentDiff(before.environment, _changes(before, before.emptied()), notes=(_GONE,))


def across(before: Seen, after: Seen) -> EnvironmentDiff:
    """What the environment `after` has otherwise than another one."""
    return _unread(before, after) or _across(before, after)


def _unread(before: Seen, after: Seen) -> EnvironmentDiff | None:
    if after.is_lost:
        return EnvironmentDiff(after.environment, faults=after.faults)
    if before.is_lost:
        return EnvironmentDiff(after.environment, faults=after.faults, notes=(_UNREAD,))
    return None


def _between(before: Seen, after: Seen) -> EnvironmentDiff:
    changes = _changes(before, after)
    told = later(before, after, _keys(changes))
    found = breaks(before, after)
    notes = (*_notes(before), *_moved(before, after), *_refused(after))
    profiles = remaps(before, after)
    return EnvironmentDiff(after.environment, changes, told, found, after.faults, notes, profiles)


def _across(before: Seen, after: Seen) -> EnvironmentDiff:
    changes = _changes(before, after)
    notes = (*_notes(before), *_refused(after))
    fires, profiles = apart(before, after), remaps(before, after)
    return EnvironmentDiff(after.environment, changes, fires, (), after.faults, notes, profiles)


def _notes(before: Seen) -> tuple[str, ...]:
    count = len(before.faults)
    if not count:
        return ()
    mistakes = "a mistake" if count == 1 else f"{count} mistakes"
    return (f"the older side has {mistakes}: only what is sound there is compared",)


def _refused(after: Seen) -> tuple[str, ...]:
    """What the policies of the environment refuse, which is no mistake: what is compared is sound."""
    found = after.breaches
    told = [
        f"a policy refuses this ({each.code}): {each.message} ({each.span.file}:{each.span.line})"
        for each in found[:_SHOWN]
    ]
    more = [f"policies refuse {len(found) - _SHOWN} more things; kfgit validate tells all"]
    return (*told, *(more if len(found) > _SHOWN else ()))


def _moved(before: Seen, after: Seen) -> tuple[str, ...]:
    """Whether the target may be another one, on which nothing of what is compared is live yet."""
    one, other = (side.checked.project.environment for side in (before, after))
    return () if ENVIRONMENT in hidden(before, after) or _target(one) == _target(other) else (_ELSEWHERE,)


def _target(found: Environment) -> tuple[object, ...]:
    """What says where an environment is, and not how one gets there."""
    cluster = found.cluster
    if cluster is None:
        return (found.target,)
    kfp = cluster.kfp
    server = (
        (kfp.endpoint,)
        if kfp.endpoint is not None
        else (kfp.service, kfp.service_namespace, kfp.service_port)
    )
    return (found.target, cluster.context, cluster.namespace, kfp.namespace, *server)


def _keys(changes: tuple[ResourceChange, ...]) -> frozenset[Key]:
    """The resources that are others on a target, which knows nothing of labels."""
    return frozenset((change.kind, change.name) for change in changes if not _is_label(change))


def _is_label(change: ResourceChange) -> bool:
    told = [each.path for each in change.fields]
    is_more = change.action != "changed" or change.tasks or change.because
    return not is_more and all(path.startswith("metadata.labels") for path in told)


class _Pair(NamedTuple):
    """A document on both sides."""

    key: Key
    before: Located | None
    after: Located | None


def _changes(before: Seen, after: Seen) -> tuple[ResourceChange, ...]:
    if before is after:
        return ()
    pairs = list(_pairs(before, after))
    written = {pair.key: found for pair in pairs if (found := _written(pair, before, after)) is not None}
    causes = Causes(before, after, frozenset(written))
    changes = (_change(pair, written.get(pair.key), before, after, causes) for pair in pairs)
    return tuple(change for change in changes if change is not None)


def _written(pair: _Pair, before: Seen, after: Seen) -> tuple[Plain, Plain] | None:
    """A document as both sides write it, where they do that differently."""
    if pair.before is None or pair.after is None or pair.before.node is pair.after.node:
        return None
    one, other = before.plain(pair.before), after.plain(pair.after)
    return None if one is None or other is None or text(one) == text(other) else (one, other)


def _pairs(before: Seen, after: Seen) -> Iterator[_Pair]:
    """The documents of both sides, without those of which one side cannot know whether it has them."""
    unknown = hidden(before, after)
    for key in sorted({*before.documents, *after.documents} - unknown, key=_place):
        pair = _Pair(key, before.documents.get(key), after.documents.get(key))
        is_one_sided = pair.before is None or pair.after is None
        # The project itself comes with no environment and goes with none.
        if not (key[0] == "Project" and is_one_sided):
            yield pair


def _place(key: Key) -> tuple[int, str]:
    return _KINDS.index(key[0]), key[1]


def _change(
    pair: _Pair, written: tuple[Plain, Plain] | None, before: Seen, after: Seen, causes: Causes
) -> ResourceChange | None:
    kind, name = pair.key
    name = name or after.environment
    one, other = _sound(pair.key, before), _sound(pair.key, after)
    there = pair.after or pair.before
    if pair.before is None or pair.after is None:
        assert there is not None
        action: Action = "removed" if pair.after is None else "added"
        return ResourceChange(action, kind, name, there.name_span, before=one, after=other)
    because = causes.of(pair.key)
    if written is None and not because:
        return None
    told, tasks = _differences(kind, written, one, other) if written else ((), ())
    if not (told or tasks or because):
        return None  # of a document without form some parts are neither a field nor a task
    return ResourceChange("changed", kind, name, pair.after.name_span, told, tasks, because, one, other)


def _differences(
    kind: str, written: tuple[Plain, Plain], one: CheckedPipeline | None, other: CheckedPipeline | None
) -> tuple[tuple[Difference, ...], tuple[TaskChange, ...]]:
    """What is written otherwise, of a pipeline its tasks for themselves."""
    if kind != "Pipeline":
        return tuple(fields(*written)), ()
    before, after = written
    told = tuple(fields(without_tasks(before), without_tasks(after)))
    return told, task_changes(before, after, one, other)


def _sound(key: Key, seen: Seen) -> CheckedPipeline | None:
    return seen.pipeline(key[1]) if key[0] == "Pipeline" else None
