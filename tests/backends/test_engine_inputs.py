"""What goes into a task: types, placeholders, defaults, and what a run's own inputs must be."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from kfgit.backends.local import engine
from kfgit.backends.local.engine.values import coerce, text
from tests.backends.test_engine_play import (
    BOOL,
    INT,
    LIST,
    STR,
    STRUCT,
    T0,
    artifact,
    by_name,
    const,
    dag,
    gave,
    job,
    out,
    outer,
    package,
    param,
    play,
    slot,
    task,
)

DOUBLE = "NUMBER_DOUBLE"


def given(type_: Any, value: Any, **facts: Any) -> Any:
    """What a component with the input `x` gets when a task is given a constant; a text on failure is the error."""
    worker = play(package({"c": job({"x": type_})}, dag({"a": task("c", {"x": const(value)})})), **facts)
    return worker.command("a").parameters.get("x") if worker.executed else worker.record("a").error


@pytest.mark.parametrize(
    ("type_", "value", "seen"),
    [
        (INT, 3.0, 3),
        (INT, 3, 3),
        (INT, 3.5, "input `x` expects an integer, got a number (3.5)"),
        (INT, "3", "input `x` expects an integer, got a string"),
        (INT, True, "input `x` expects an integer, got a boolean"),
        (DOUBLE, 3, 3.0),
        (DOUBLE, 0.5, 0.5),
        (BOOL, False, False),
        (BOOL, 1, "input `x` expects a boolean, got a number (1)"),
        (LIST, [1.0, [2.0], {"a": 3.0}, 1.5], [1, [2], {"a": 3}, 1.5]),
        (LIST, {"a": 1}, "input `x` expects a list, got a struct"),
        (STRUCT, {"a": 1.0}, {"a": 1}),
        (STRUCT, [], "input `x` expects a struct, got a list"),
        (STR, "x", "x"),
        (STR, "", ""),
        (STR, 3.0, "3"),
        (STR, True, "true"),
        (STR, {"b": [1.0], "a": "é"}, '{"a":"é","b":[1]}'),
        (STR, None, "input `x` has neither a value nor a default"),
        (param(STR, optional=True), None, None),
        (param(STR, literals=["a", "b"]), "b", "b"),
        (param(STR, literals=["a", "b"]), "c", "input `x` must be one of `a`, `b`, got `c`"),
        (param(INT, literals=[1.0, 2.0]), 2, 2),
        (param(INT, literals=[1.0]), 2, "input `x` must be one of `1`, got `2`"),
    ],
)
def test_types(type_: Any, value: Any, seen: Any) -> None:
    found = given(type_, value)
    assert found == seen
    assert type(found) is type(seen)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1e-7, "0.0000001"),
        (1.5e-10, "0.00000000015"),
        (0.1, "0.1"),
        (1e21, "1000000000000000000000"),
        (-0.0, "0"),
        (math.nan, "NaN"),
        (-math.inf, "-Inf"),
        (None, ""),
        (2**60, str(2**60)),
        (123.456, "123.456"),
    ],
)
def test_texts_have_no_exponents(value: Any, shown: str) -> None:
    assert text(value) == shown


def test_an_unknown_type_takes_what_comes() -> None:
    assert coerce("", [1.0]) == [1]


def test_placeholders_of_other_inputs_are_replaced_once_also_inside_structs() -> None:
    components = {"make": job(gives={"Output": STR}), "c": job({"x": STRUCT, "y": STR, "n": param(INT, 5)})}
    constant = {"{{$.inputs.parameters['ch']}}": ["<{{$.inputs.parameters['ch']}}>", 1.0]}
    tasks = {
        "make": task("make"),
        "c": task(
            "c",
            {
                "x": const(constant),
                "y": const("{{$.inputs.parameters['n']}} {{$.inputs.parameters['none']}}"),
                "ch": out("make"),
            },
        ),
    }
    hostile = "{{$.inputs.parameters['n']}}"
    worker = play(package(components, dag(tasks)), by_name(make=gave(Output=hostile)))
    assert worker.command("c").parameters == {
        "x": {hostile: [f"<{hostile}>", 1]},
        "y": "5 {{$.inputs.parameters['none']}}",
        "ch": hostile,
    }
    assert "ch" not in worker.record("c").inputs


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pipeline_job_name", "my run"),
        ("pipeline_job_resource_name", "p-1234"),
        ("pipeline_job_uuid", "1234"),
        ("pipeline_task_name", "a"),
        ("pipeline_job_create_time_utc", "2026-11-22T12:00:00Z"),
        ("pipeline_job_schedule_time_utc", "2026-11-22T12:00:00Z"),
        ("pipeline_root", "/root"),
        ("workspace_path", "/ws"),
        ("something_else", "{{$.something_else}}"),
    ],
)
def test_job_placeholders(name: str, value: str) -> None:
    assert given(STR, f"{{{{$.{name}}}}}", workspace="/ws") == value
    assert given(LIST, [f"at {{{{$.{name}}}}}"], workspace="/ws") == [f"at {value}"]


def test_the_schedule_time_and_a_missing_workspace() -> None:
    later = T0 + timedelta(hours=1)
    time = given(STR, "{{$.pipeline_job_schedule_time_utc}}", scheduled_at=later)
    assert time == "2026-11-22T13:00:00Z"
    assert given(STR, "{{$.workspace_path}}/x") == "it uses the workspace, and the pipeline has none"
    first, second = (given(STR, "{{$.pipeline_task_uuid}}", run_id=run) for run in ("1", "2"))
    assert first != second


def test_optional_inputs_without_a_value_are_absent_all_the_way_down() -> None:
    components = {
        "c": job({"x": param(STR, optional=True), "y": param(STR, "dy")}),
        "n": dag(
            {"c": task("c", {"x": outer("u"), "y": outer("v")})},
            {"u": param(STR, optional=True), "v": param(STR, "dv")},
        ),
    }
    root = dag(
        {
            "n": task("n", {"u": outer("p")}),
            "m": task("n", {"v": outer("p")}),
            "c": task("c", {"y": outer("q")}),
        },
        {"p": param(STR, optional=True), "q": param(STR, "dq")},
    )
    worker = play(package(components, root))
    assert worker.command("n/c").parameters == {"y": "dv"}
    assert worker.command("m/c").parameters == {"y": "dv"}
    assert worker.command("c").parameters == {"y": "dq"}


def test_a_required_input_whose_source_was_not_given_fails_and_says_so() -> None:
    root = dag({"a": task("c", {"x": outer("p")})}, {"p": param(STR, optional=True)})
    worker = play(package({"c": job({"x": STR})}, root))
    assert worker.record("a").error == "input `x` has no value: `p` was not given"


def test_optional_artifacts_may_be_missing_and_others_not() -> None:
    components = {"c": job(arts={"a": slot(optional=True)}), "d": job(arts={"a": slot()})}
    source = {"a": {"componentInputArtifact": "in"}}
    root = dag({"c": task("c", arts=source), "d": task("d", arts=source)}, arts={"in": slot(optional=True)})
    worker = play(package(components, root))
    assert worker.states == {"c": "SUCCEEDED", "d": "FAILED"}
    assert worker.record("d").error == "input artifact `a` has no value"
    both = play(package(components, root), artifacts={"in": (artifact("1"),)})
    assert both.command("d").artifacts == {"a": (artifact("1"),)}


def test_absurd_values_fail_their_task_and_nothing_else() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    for type_ in (LIST, STR):
        components = {"make": job(gives={"Output": LIST}), "c": job({"x": type_})}
        tasks = {"make": task("make"), "c": task("c", {"x": out("make")})}
        worker = play(package(components, dag(tasks)), by_name(make=gave(Output=deep)))
        assert worker.states == {"make": "SUCCEEDED", "c": "FAILED"}
    nan = {"make": job(gives={"Output": DOUBLE}), "c": job({"x": DOUBLE})}
    cached = {"make": task("make"), "c": task("c", {"x": out("make")}, cachingOptions={"enableCache": True})}
    worker = play(package(nan, dag(cached)), by_name(make=gave(Output=math.nan)))
    assert worker.command("c").fingerprint is None


# ---- the inputs of a run


def problems(parameters: Any, artifacts: Any = None) -> tuple[str, ...]:
    root = dag(
        {},
        {
            "epochs": INT,
            "name": param(STR, "x"),
            "kind": param(STR, "a", literals=["a", "b"]),
            "rates": param(LIST, optional=True),
        },
        arts={"data": slot(), "extra": slot(many=True, optional=True)},
    )
    return engine.check_inputs(
        engine.load(package({}, root)), parameters, artifacts or {"data": [artifact("1")]}
    )


@pytest.mark.parametrize(
    ("parameters", "artifacts", "expected"),
    [
        ({"epochs": 3}, None, ()),
        (
            {"epochs": 3.0, "rates": [1], "extra": None},
            None,
            ("the input `extra` is an artifact, not a parameter",),
        ),
        ({}, None, ("the input `epochs` is required and was not given",)),
        ({"epochs": None}, None, ("the input `epochs` is required and was not given",)),
        ({"epochs": 1, "epoch": 2}, None, ("the pipeline has no input `epoch`; did you mean `epochs`?",)),
        ({"epochs": "1"}, None, ("the input `epochs` expects an integer, got a string",)),
        ({"epochs": 1, "name": 3}, None, ("the input `name` expects a string, got a number",)),
        ({"epochs": 1, "kind": "c"}, None, ("the input `kind` must be one of `a`, `b`, got `c`",)),
        ({"epochs": 1}, {"data": []}, ("the input artifact `data` takes one artifact, got 0",)),
        ({"epochs": 1}, {"extra": []}, ("the input artifact `data` is required and was not given",)),
        (
            {"epochs": 1},
            {"data": [artifact("1")], "name": []},
            ("the input `name` is a parameter, not an artifact",),
        ),
    ],
)
def test_problems_of_run_inputs(parameters: Any, artifacts: Any, expected: tuple[str, ...]) -> None:
    assert problems(parameters, artifacts) == expected
