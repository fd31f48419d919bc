"""Laws of comparisons, over random pipelines."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from kfgit import diff
from kfgit.diff import Action, EnvironmentDiff, ResourceChange, Seen, TaskChange
from kfgit.diff.fields import text
from kfgit.plan import Difference
from tests.comparing import seen
from tests.pipelines import LIBRARY, pipelines

MIRRORED: dict[str, Action] = {"added": "removed", "removed": "added", "changed": "changed"}
SLOW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def side(pipeline: dict[str, Any], commit: str, *, indent: int | None = None, reverse: bool = False) -> Seen:
    """A project with a pipeline and all that it may use, written in one way or another."""
    texts = [json.dumps(document, indent=indent) for document in (*LIBRARY, pipeline)]
    found = seen({"pipelines/all.yaml": "\n---\n".join(texts[::-1] if reverse else texts)}, commit=commit)
    assert found.faults == ()
    return found


def mirrored(found: EnvironmentDiff) -> dict[str, Any]:
    """What differs the other way round, without what has a direction of its own and without places."""
    return {
        f"{each.kind}/{each.name}": (
            MIRRORED[each.action],
            [_turned(field) for field in each.fields],
            {task.path: _task(task) for task in each.tasks},
        )
        for each in found.changes
    }


def as_it_is(found: EnvironmentDiff) -> dict[str, Any]:
    """The same, not turned."""
    turned = replace(found, changes=tuple(_change(each) for each in found.changes))
    return mirrored(turned)


def _change(found: ResourceChange) -> ResourceChange:
    tasks = (
        TaskChange(
            task.path,
            MIRRORED[task.action],
            task.needs_no_more,
            task.needs,
            tuple(_turned(field) for field in task.fields),
        )
        for task in found.tasks
    )
    return replace(
        found,
        action=MIRRORED[found.action],
        fields=tuple(_turned(field) for field in found.fields),
        tasks=tuple(tasks),
    )


def _task(task: TaskChange) -> tuple[Any, ...]:
    return MIRRORED[task.action], task.needs_no_more, task.needs, [_turned(field) for field in task.fields]


def _turned(field: Difference) -> Difference:
    return Difference(field.path, field.after, field.before)


@SLOW
@given(pipelines())
def test_nothing_differs_however_it_is_written(pipeline: dict[str, Any]) -> None:
    one, other = side(pipeline, "a" * 40), side(pipeline, "b" * 40, indent=2, reverse=True)
    found = diff.between(one, other)
    assert (found.changes, found.breaks, found.firings) == ((), (), ())


@SLOW
@given(pipelines(), pipelines())
def test_both_ways_tell_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    before, after = side(one, "a" * 40), side(other, "b" * 40)
    assert as_it_is(diff.between(before, after)) == mirrored(diff.between(after, before))


@SLOW
@given(pipelines(), pipelines())
def test_nothing_is_overlooked(one: dict[str, Any], other: dict[str, Any]) -> None:
    """A pipeline that compiles to something else is told, and so is what no text says of it."""
    before, after = side(one, "a" * 40), side(other, "b" * 40)
    told = {each.name for each in diff.between(before, after).changes if each.kind == "Pipeline"}
    compiled = {name for name in after.checked.pipelines if before.digest(name) != after.digest(name)}
    assert compiled <= told
    assert ("p" in told) is (text(one) != text(other))


@SLOW
@given(pipelines(), st.sampled_from(["c", "py", "command", "status"]))
def test_a_component_changes_exactly_the_pipelines_that_stand_on_it(
    pipeline: dict[str, Any], name: str
) -> None:
    before = side(pipeline, "a" * 40)
    texts = [
        json.dumps(document)
        .replace('"image": "c"', '"image": "c2"' if name == "c" else '"image": "c"')
        .replace('"image": "d"', '"image": "d2"' if name == "command" else '"image": "d"')
        .replace('"image": "e"', '"image": "e2"' if name == "status" else '"image": "e"')
        .replace('"pandas"', '"pandas2"' if name == "py" else '"pandas"')
        for document in (*LIBRARY, pipeline)
    ]
    after = seen({"pipelines/all.yaml": "\n---\n".join(texts)}, commit="b" * 40)
    found = diff.between(before, after)
    compiled = {each for each in after.checked.pipelines if before.digest(each) != after.digest(each)}
    assert {each.name for each in found.changes if each.kind == "Pipeline"} == compiled
    assert {each.name for each in found.changes if each.kind == "Component"} == {name}
