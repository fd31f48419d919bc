"""What documents mean beyond their text: the code of components, the profiles of tasks, the pipelines inside others.

A document that stays as it is may mean something else, since what it names has changed. What it names is followed
here, in the model, where places in the text are no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

from kfgit.graph.nesting import nested
from kfgit.model import Component, Name, Pipeline, Project, Python, UseComponent
from kfgit.source import Span

Key = tuple[str, str]


def alike(one: Any, other: Any) -> bool:
    """Whether two values of the model are the same but for the places where they were written."""
    if one is other or isinstance(one, Span):
        return True
    if type(one) is not type(other):
        return False
    match one:
        case Mapping():
            return one.keys() == other.keys() and all(alike(item, other[key]) for key, item in one.items())
        case tuple() | list():
            return len(one) == len(other) and all(map(alike, one, other))
        case _ if is_dataclass(one):
            return all(alike(getattr(one, name), getattr(other, name)) for name in _names(one.__class__))
        case _:
            return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN


@lru_cache(maxsize=256)
def _names(class_: type) -> tuple[str, ...]:
    """The fields that say something; spans with another name are told by their own kind."""
    return tuple(each.name for each in fields(class_) if not each.name.endswith(("span", "spans")))


def used(pipeline: Pipeline, project: Project) -> frozenset[Key]:
    """Components, pipelines and profiles that a pipeline stands on, however far below."""
    found: set[Key] = set()
    pending = [pipeline]
    while pending:
        for key in _used_by(pending.pop(), project):
            if key in found:
                continue
            found.add(key)
            if key[0] == "Pipeline" and key[1] in project.pipelines:
                pending.append(project.pipelines[key[1]])
    return frozenset(found)


def _used_by(pipeline: Pipeline, project: Project) -> Iterator[Key]:
    for task in pipeline.all_tasks():
        if isinstance(task.action, UseComponent) and task.action.inline is None:
            yield "Component", task.action.name.text
        yield from _profile(task.settings.profile, project)
    yield from _profile(pipeline.defaults.profile, project)
    yield from (("Pipeline", name.text) for name in nested(pipeline))


def _profile(name: Name | None, project: Project) -> Iterator[Key]:
    found = project.profile_of(name)
    if found is not None:
        yield "ResourceProfile", found.name


def code(before: Component, after: Component) -> Iterator[str]:
    """What differs of a component that its document does not say: its files were changed."""
    one, other = before.implementation, after.implementation
    if isinstance(one, Python) and isinstance(other, Python):
        if one.helper != other.helper:
            yield "the notebook changed"
        elif (one.function, one.source) != (other.function, other.source):
            yield "the function's code changed"
    for what, mine, theirs in (
        ("inputs", before.inputs, after.inputs),
        ("outputs", before.outputs, after.outputs),
    ):
        if not alike(mine, theirs):
            yield f"its {what} changed"
