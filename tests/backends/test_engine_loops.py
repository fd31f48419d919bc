"""Loops and what is collected from them; conditions inside, branches and OneOf."""

from __future__ import annotations

from typing import Any

from kfgit.backends.local import engine
from kfgit.backends.local.protocol import Execute, Import, Outputs, Stop, Succeeded
from tests.backends.test_engine_play import (
    INT,
    LIST,
    STR,
    STRUCT,
    T0,
    Worker,
    art,
    artifact,
    by_name,
    const,
    dag,
    each,
    gave,
    job,
    out,
    outer,
    package,
    param,
    play,
    ready,
    slot,
    task,
)

ECHO = job({"x": INT}, {"Output": INT})
DOUBLE = {"sum": job({"xs": LIST}), "double": ECHO}


def doubled(command: Execute | Import) -> Outputs:
    assert isinstance(command, Execute)
    return gave(Output=2 * command.parameters["x"])


def sweep(body: dict[str, Any], **more: Any) -> Any:
    """A loop over [1, 2, 3] whose `double`s are collected by `sum`."""
    loop = dag(body, {"i": INT}, {"all": (LIST, "double")})
    tasks = {
        "loop": task("loop", **each("[1, 2, 3]", "i", **more)),
        "sum": task("sum", {"xs": out("loop", "all")}),
    }
    return package({**DOUBLE, "loop": loop}, dag(tasks))


def test_iterations_run_at_once_and_are_collected_in_their_order() -> None:
    worker = ready(sweep({"double": task("double", {"x": outer("i")})}), by_name(double=doubled))
    for index in (2, 0, 1):
        worker.finish(f"loop/{index}/double")
    worker.to_end()
    assert worker.command("sum").parameters == {"xs": [2, 4, 6]}
    assert list(worker.states) == ["loop", "loop/0/double", "loop/1/double", "loop/2/double", "sum"]


def test_the_limit_bounds_iterations_and_a_failure_keeps_the_rest_from_starting() -> None:
    worker = ready(sweep({"double": task("double", {"x": outer("i")})}, limit=2), by_name(double=doubled))
    assert list(worker.running) == ["loop/0/double", "loop/1/double"]
    worker.finish("loop/1/double")
    assert list(worker.running) == ["loop/0/double", "loop/2/double"]
    failing = ready(sweep({"double": task("double", {"x": outer("i")})}, limit=2))
    failing.finish("loop/0/double", "no")
    assert list(failing.running) == ["loop/1/double"]
    assert failing.to_end().error == "task `loop/0/double` failed: no"
    assert failing.states == {
        "loop": "FAILED",
        "loop/0/double": "FAILED",
        "loop/1/double": "SUCCEEDED",
        "sum": "SKIPPED",
    }


def test_iterations_that_began_go_on_after_a_failure_beside_them() -> None:
    body = {"double": task("double", {"x": outer("i")}), "then": task("double", {"x": out("double")})}
    worker = ready(sweep(body))
    worker.finish("loop/0/double", "no")
    worker.finish("loop/1/double")
    assert list(worker.running) == ["loop/2/double", "loop/1/then"]


def test_the_value_of_a_skipped_iteration_is_left_out() -> None:
    when = "int(inputs.parameter_values['x']) != 2"
    worker = play(sweep({"double": task("double", {"x": outer("i")}, when=when)}), by_name(double=doubled))
    assert worker.command("sum").parameters == {"xs": [2, 6]}
    assert worker.states["loop/1/double"] == "SKIPPED"


def test_an_empty_list_succeeds_and_collects_nothing() -> None:
    loop = dag({"double": task("double", {"x": outer("i")})}, {"i": INT}, {"all": (LIST, "double")})
    tasks = {
        "loop": task("loop", {"l": const([])}, **each("@l", "i")),
        "sum": task("sum", {"xs": out("loop", "all")}),
    }
    worker = play(package({**DOUBLE, "loop": {**loop}}, dag(tasks)))
    assert worker.command("sum").parameters == {"xs": []}


def test_nested_loops_are_collected_as_one_flat_list_and_lists_in_it_stay_lists() -> None:
    inner = dag(
        {"c": task("c", {"x": outer("i"), "y": outer("j")})}, {"i": INT, "j": INT}, {"all": (LIST, "c")}
    )
    middle = dag(
        {"inner": task("inner", {"i": outer("i")}, **each("[10, 20]", "j"))},
        {"i": INT},
        {"all": (LIST, ("inner", "all"))},
    )
    nested = dag({"m": task("middle", **each("[1, 2]", "i"))}, {}, {"all": (LIST, ("m", "all"))})
    components = {
        "c": job({"x": INT, "y": INT}, {"Output": LIST}),
        "inner": inner,
        "middle": middle,
        "nested": nested,
        "sum": job({"xs": LIST}),
    }
    tasks = {"n": task("nested"), "s": task("sum", {"xs": out("n", "all")})}

    def pair(command: Execute | Import) -> Outputs:
        assert isinstance(command, Execute)
        return gave(Output=[command.parameters["x"], command.parameters["y"]])

    worker = play(package(components, dag(tasks, gives={"o": (LIST, ("n", "all"))})), by_name(c=pair))
    flat = [[1, 10], [1, 20], [2, 10], [2, 20]]
    assert worker.command("s").parameters == {"xs": flat}
    assert worker.states["n/m/1/inner/0/c"] == "SUCCEEDED"
    assert engine.outcome(worker.state) == engine.Outcome("SUCCEEDED", {"o": flat}, None)


def test_items_come_from_an_output_also_as_json_text_and_a_field_is_selected() -> None:
    loop = dag({"c": task("c", {"x": outer("i", 'parseJson(string_value)["a"]')})}, {"l": STR, "i": STRUCT})
    components = {"make": job(gives={"Output": STR}), "c": job({"x": INT}), "loop": loop}
    tasks = {"make": task("make"), "loop": task("loop", {"l": out("make")}, **each("@l", "i"))}
    worker = play(package(components, dag(tasks)), by_name(make=gave(Output='[{"a": 1}, {"a": 2.0}]')))
    assert [worker.command(f"loop/{i}/c").parameters["x"] for i in (0, 1)] == [1, 2]


def test_an_item_of_the_wrong_type_fails_its_iteration_and_no_list_fails_the_loop() -> None:
    loop = dag({"c": task("double", {"x": outer("i")})}, {"i": INT})
    worker = play(package({**DOUBLE, "loop": loop}, dag({"l": task("loop", **each('[1, "b"]', "i"))})))
    outcome = engine.outcome(worker.state)
    assert outcome is not None
    assert outcome.error == "task `l/1` failed: input `i` expects an integer, got a string"
    assert worker.states == {"l": "FAILED", "l/0/c": "SUCCEEDED", "l/1/c": "SKIPPED"}
    wrong = dag({"l": task("loop", {"items": const("no list")}, **each("@items", "i"))})
    outcome = engine.outcome(play(package({**DOUBLE, "loop": loop}, wrong)).state)
    assert outcome is not None
    assert outcome.error == "task `l` failed: the loop runs over `items`, which is text and not a JSON list"


def test_a_loop_over_artifacts_and_artifacts_from_a_loop() -> None:
    make = job({"x": INT}, makes={"Output": slot()})
    makes = dag(
        {"make": task("make", {"x": outer("i")})}, {"i": INT}, makes={"all": (slot(many=True), "make")}
    )
    reads = dag(
        {"read": task("read", arts={"a": {"componentInputArtifact": "a"}})},
        arts={"as": slot(many=True), "a": slot()},
    )
    read_all = job(arts={"as": slot(many=True)})
    tasks = {
        "m": task("makes", **each("[1, 2]", "i")),
        "all": task("read-all", arts={"as": art("m", "all")}),
        "r": task(
            "reads",
            arts={"as": art("m", "all")},
            artifactIterator={"itemInput": "a", "items": {"inputArtifact": "as"}},
        ),
    }
    components = {"make": make, "makes": makes, "read": job(arts={"a": slot()}), "reads": reads}
    worker = play(package({**components, "read-all": read_all}, dag(tasks)))
    both = (artifact("m/0/make.Output"), artifact("m/1/make.Output"))
    assert worker.command("all").artifacts == {"as": both}
    assert worker.record("all").inputs == {"as": both}
    assert worker.command("r/1/read").artifacts == {"a": (both[1],)}
    assert worker.record("r/1/read").inputs == {"a": both[1]}


def test_a_loop_over_a_component_without_a_dag() -> None:
    tasks = {"l": task("double", **each("[1, 2]", "x", limit=1)), "s": task("sum", {"xs": out("l")})}
    worker = play(package(DOUBLE, dag(tasks)), lambda c: doubled(c) if "l/" in c.key else Outputs())
    assert worker.executed == ["l/0", "l/1", "s"]
    assert worker.command("s").parameters == {"xs": [2, 4]}
    assert worker.states == {"l": "SUCCEEDED", "l/0": "SUCCEEDED", "l/1": "SUCCEEDED", "s": "SUCCEEDED"}


def test_a_skipped_loop_and_a_loop_in_a_branch_not_taken() -> None:
    loop = dag({"c": task("double", {"x": outer("i")})}, {"i": INT})
    branch = dag({"l": task("loop", **each("[1]", "i"))})
    tasks = {"b": task("branch", when="1 == 2"), "l": task("loop", when="1 == 2", **each("[1]", "i"))}
    worker = play(package({**DOUBLE, "loop": loop, "branch": branch}, dag(tasks)))
    assert worker.states == {"b": "SKIPPED", "b/l": "SKIPPED", "l": "SKIPPED"}


# ---- branches

COIN = {
    "flip": job(gives={"Output": STR}),
    "say": job({"x": STR}, {"Output": STR}, makes={"a": slot()}),
    "heads": dag(
        {"h": task("say", {"x": const("h")})},
        {"c": STR},
        {"o": (STR, "h")},
        makes={"a": (slot(), ("h", "a"))},
    ),
    "tails": dag(
        {"t": task("say", {"x": const("t")})},
        {"c": STR},
        {"o": (STR, "t")},
        makes={"a": (slot(), ("t", "a"))},
    ),
    "both": dag(
        {
            "heads": task("heads", {"c": outer("c")}, when="inputs.parameter_values['c'] == 'heads'"),
            "tails": task("tails", {"c": outer("c")}, when="inputs.parameter_values['c'] == 'tails'"),
        },
        {"c": STR},
        {"one": (STR, [("heads", "o"), ("tails", "o")])},
        makes={"art": (slot(), [("heads", "a"), ("tails", "a")])},
    ),
    "read": job({"x": param(STR, "d")}, arts={"a": slot()}),
}
SWITCH = {
    "flip": task("flip"),
    "gate": task("both", {"c": out("flip")}),
    "read": task("read", {"x": out("gate", "one")}, {"a": art("gate", "art")}),
}


def flipped(side: str) -> Worker:
    answers = by_name(flip=gave(Output=side))
    return play(package(COIN, dag(SWITCH), {"both/tails": "", "both/heads": "heads"}), answers)


def test_one_of_takes_the_branch_that_ran() -> None:
    worker = flipped("tails")
    assert worker.command("read").parameters == {"x": "text"}
    assert worker.command("read").artifacts == {"a": (artifact("gate/tails/t.a"),)}
    assert worker.states == {
        "flip": "SUCCEEDED",
        "gate": "SUCCEEDED",
        "gate/heads": "SKIPPED",
        "gate/heads/h": "SKIPPED",
        "gate/t": "SUCCEEDED",
        "read": "SUCCEEDED",
    }


def test_a_value_that_no_branch_made_fails_its_reader() -> None:
    worker = flipped("edge")
    assert worker.states["gate"] == "SUCCEEDED"
    assert worker.states["gate/t"] == "SKIPPED"
    error = worker.record("read").error
    assert error == "output `one` of task `gate` has no value: what makes it was skipped or gave none"


def test_ten_thousand_iterations_take_no_quadratic_time() -> None:
    loop = dag({"c": task("double", {"x": outer("i")})}, {"i": INT}, {"all": (LIST, "c")})
    count = 10_000
    items = "[" + ",".join(map(str, range(count))) + "]"
    pack = package({**DOUBLE, "loop": loop}, dag({"l": task("loop", **each(items, "i"))}))
    state = ready(pack).state
    for index in range(count):
        before = state
        state, _ = engine.advance(state, Succeeded(f"l/{index}/c", gave(Output=1), T0))
        assert len(engine.changes(before, state)) == 1 or index == count - 1
    assert engine.outcome(state) == engine.Outcome("SUCCEEDED", {}, None)


def test_cancel_reaches_into_loops() -> None:
    worker = ready(sweep({"double": task("double", {"x": outer("i")})}, limit=2))
    worker.finish("loop/0/double")
    assert [command.key for command in worker.cancel() if isinstance(command, Stop)] == [
        "loop/1/double",
        "loop/2/double",
    ]
    assert worker.to_end().state == "CANCELED"
    assert worker.states == {
        "loop": "CANCELED",
        "loop/0/double": "SUCCEEDED",
        "loop/1/double": "CANCELED",
        "loop/2/double": "CANCELED",
        "sum": "SKIPPED",
    }


def test_a_selector_that_fails_fails_the_task_that_reads() -> None:
    for selector in ('parseJson(string_value)["b"]', "parseJson(", "1 / 0"):
        loop = dag({"c": task("double", {"x": outer("i", selector)})}, {"i": STRUCT})
        components = {**DOUBLE, "loop": loop}
        worker = play(package(components, dag({"l": task("loop", **each('[{"a": 1}]', "i"))})))
        error = worker.record("l/0/c").error
        assert error is not None
        assert error.startswith("the selector of input `x`")


def test_values_of_every_kind_can_be_selected_from() -> None:
    for value in (True, 2.5, [1], {"a": 1}):
        loop = dag({"c": task("any", {"x": outer("i", "parseJson(string_value)")})}, {"i": param("")})
        components = {"any": job({"x": param("")}), "loop": loop}
        root = dag({"l": task("loop", {"l": const([value])}, **each("@l", "i"))})
        assert play(package(components, root)).command("l/0/c").parameters == {"x": value}
