"""What profiles make of a document in an environment: for `render --explain`, beside the values that stand in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from kfgit.demand.folded import Value, values
from kfgit.demand.given import Given, given
from kfgit.document import at
from kfgit.model import Name, Profile, Project
from kfgit.overlay import Located
from kfgit.render.documents import Note, Path, inline, place, place_of, pointer

# A longer text is cut.
_LONGEST = 1_000


def notes(project: Project, document: Located) -> Mapping[Path, Sequence[Note]]:
    """Comments by the place that they belong to: what a profile inherits, what a task's profile means and gives it."""
    found: dict[Path, Sequence[Note]] = {}
    match document.kind:
        case "ResourceProfile" if document.name in project.profiles:
            profile = project.profiles[document.name]
            inherited = [
                each for each in values(project, profile) if each.profile not in {profile.name, None}
            ]
            if inherited:
                found["spec",] = (Note("# inherits:"), *map(_value, inherited))
        case "Pipeline" if document.name in project.pipelines:
            pipeline = project.pipelines[document.name]
            default = pipeline.defaults.profile
            if default is not None:
                found["spec", "defaults", "profile"] = _meaning(project, default)
            for each in given(project, pipeline, document.node):
                if each.name is not None:
                    found[*each.place, "profile"] = _meaning(project, each.name)
                if _is_told(each, document):
                    found[each.place] = (Note("# gets:"), *map(_value, each.values))
        case _:
            pass
    return found


def as_json(project: Project, document: Located) -> dict[str, Any]:
    """The same for machines: `values` of a profile, or `tasks` of a pipeline, each with its `values`."""
    match document.kind:
        case "ResourceProfile" if document.name in project.profiles:
            return {"values": [*map(_item, values(project, project.profiles[document.name]))]}
        case "Pipeline" if document.name in project.pipelines:
            tasks = given(project, project.pipelines[document.name], document.node)
            return {"tasks": [_task(project, each) for each in tasks]}
        case _:
            return {}


def _is_told(task: Given, document: Located) -> bool:
    """Whether a task gets anything that its own block of `resources` does not say."""
    is_own = at(document.node, (*task.place, "resources")) is not None
    return bool(task.values) and (task.profile is not None or not is_own)


def _value(found: Value) -> Note:
    where = place(found.span) if found.span is not None else "the default"
    of = f" of {inline(found.profile)}" if found.profile is not None else ""
    return Note(f"#   {pointer(found.path)}: {_line(found.value)}", f"{where}{of}")


def _line(value: Any) -> str:
    text = inline(_short(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _short(value: Any) -> Any:
    """A value that is not long: each task that has it tells it again."""
    match value:
        case str() if len(value) > _LONGEST:
            return f"{value[: _LONGEST - 1]}…"
        case tuple() | list() if sum(len(each) for each in value if isinstance(each, str)) > _LONGEST:
            return f"{len(value)} texts"
        case _:
            return value


def _meaning(project: Project, name: Name) -> Sequence[Note]:
    profile, mapped = _means(project, name)
    if profile is None:
        return ()
    said = place(mapped.span if mapped is not None else profile.span)
    return (Note(f"# means {inline(profile.name)} in {inline(project.environment.name)}", said),)


def _means(project: Project, name: Name) -> tuple[Profile | None, Name | None]:
    return project.profile_of(name), project.environment.profiles.get(name.text)


def _task(project: Project, task: Given) -> dict[str, Any]:
    told: dict[str, Any] = {"path": pointer(task.place), "profile": None}
    if task.name is not None and task.profile is not None:
        _, mapped = _means(project, task.name)
        span = mapped.span if mapped is not None else task.profile.span
        told["profile"] = {"name": task.name.text, "means": task.profile.name, **place_of(span)}
    return told | {"values": [*map(_item, task.values)]}


def _item(found: Value) -> dict[str, Any]:
    return {
        "path": pointer(found.path),
        "value": float(found.value) if isinstance(found.value, Decimal) else _short(found.value),
        "profile": found.profile,
        **place_of(found.span),
    }
