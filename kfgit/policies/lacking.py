"""What a target lacks that tasks of the environment need: their changes are refused where that is found out.

What only profiles want that no task uses is left out of the plan instead, and the plan says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kfgit.demand import asks
from kfgit.diagnostics import Diagnostic, ordered
from kfgit.graph import CheckedProject
from kfgit.graph.sharing import place
from kfgit.ir import Resource
from kfgit.model import Path, Profile
from kfgit.plan import Create, Lack, Plan, Replace, Update, subject
from kfgit.source import Span

_KUEUE = "kueue.x-k8s.io"
_SHOWN = 5
# What starts runs: kinds of `Lack` that are of one of them alone.
_STARTING = ("Run", "Schedule")


def check_lacks(checked: CheckedProject, plan: Plan) -> tuple[Diagnostic, ...]:
    """A refusal for each place where a profile of some task says what the target has not.

    What only one run or schedule lacks is told of its document, as long as that is something to be done.
    """
    of_runs = [lack for lack in plan.lacks if lack.kind in _STARTING]
    of_target = [lack for lack in plan.lacks if lack.kind not in _STARTING]
    used = _used(checked) if of_target else {}
    return ordered(
        (
            *(fault for lack in of_target for fault in _told(checked, lack, used)),
            *(fault for lack in of_runs for fault in _of_documents(checked, plan, lack)),
        )
    )


def _of_documents(checked: CheckedProject, plan: Plan, lack: Lack) -> Iterator[Diagnostic]:
    for change in plan.pending:
        if subject(change) == (lack.kind, lack.name) and isinstance(change, Create | Update | Replace):
            documents = checked.project.runs if lack.kind == "Run" else checked.project.schedules
            for name in change.desired.documents:
                message = f"`{name}` cannot run here: {lack.message}"
                yield Diagnostic("target-lacks", message, documents[name].span, lack.help)


def left_out(
    checked: CheckedProject, desired: Sequence[Resource], lacks: Sequence[Lack]
) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """What is wanted, without what the target cannot have and no task needs; and what to say of that."""
    used = _used(checked) if lacks else {}
    idle = [lack for lack in lacks if lack.kind is None and not any(_needing(lack, used))]
    groups = {lack.group for lack in idle}
    gone = [each for each in desired if _group(each) in groups]
    kept = tuple(each for each in desired if _group(each) not in groups)
    return kept, tuple(_remark(lack, [each for each in gone if _group(each) == lack.group]) for lack in idle)


def _remark(lack: Lack, gone: Sequence[Resource]) -> str:
    names = [f"{each.kind.lower()}/{each.name}" for each in gone]
    told = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"{lack.message}, and no task uses a profile that needs it: left out are {told}"


def _group(resource: Resource) -> str:
    return str(resource.spec.get("apiVersion", "")).partition("/")[0]


def _told(checked: CheckedProject, lack: Lack, used: Mapping[str, Profile]) -> Iterator[Diagnostic]:
    places: dict[Span, list[str]] = {}
    for profile, path in _needing(lack, used):
        places.setdefault(place(checked.project, profile, path), []).append(profile.name)
    for span, names in places.items():
        who = ", ".join(f"`{name}`" for name in names)
        yield Diagnostic("target-lacks", f"{lack.message}, and tasks of {who} need it", span, lack.help)


def _needing(lack: Lack, used: Mapping[str, Profile]) -> Iterator[tuple[Profile, Path]]:
    """The profiles of tasks that need what is missing, each with where it says so."""
    for name in sorted(used):
        profile = used[name]
        queue = profile.placement.queue
        match lack.kind:
            case None if lack.group == _KUEUE:
                if queue is not None:
                    yield profile, ("queue",)
            case None | "DeviceClass":
                if _asks_by_class(profile, lack.name):
                    yield profile, ("deviceClass",)
            case "LocalQueue":
                if queue == lack.name:
                    yield profile, ("queue", "localQueue")
            case _:
                if queue is not None and profile.placement.priority == lack.name:
                    yield profile, ("priority", "class")


def _asks_by_class(profile: Profile, name: str | None) -> bool:
    """Whether tasks get their devices by a DeviceClass, or that of a name."""
    class_ = profile.device_class
    return class_ is not None and class_.extended_resource is not None and name in (None, class_.name)


def _used(checked: CheckedProject) -> dict[str, Profile]:
    """The profiles that tasks of the environment run with, by name."""
    found = (ask.profile for pipeline in checked.pipelines for ask in asks(checked, pipeline))
    return {profile.name: profile for profile in found if profile is not None}
