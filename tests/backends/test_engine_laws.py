"""The engine's laws over random pipelines, random outcomes and a random order of signals.

No task is executed twice in an attempt, none before its upstreams ended; every run ends; how it ended agrees with how
its tasks ended; what the engine says of a step (`changes`) is what changed; the same signals give the same run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from kfgit.backends.local import engine
from kfgit.backends.local.protocol import (
    Begin,
    Cancel,
    Execute,
    Failed,
    Import,
    Outputs,
    Signal,
    Started,
    Stop,
    Succeeded,
    Tick,
)
from kfgit.events import FINAL
from kfgit.ir import Package
from tests.backends.test_engine_play import (
    INT,
    LIST,
    T0,
    Worker,
    const,
    context,
    dag,
    each,
    gave,
    job,
    out,
    outer,
    package,
    param,
    task,
)

WORK = job({"x": param(INT, 1), "xs": param(LIST, optional=True)}, {"Output": INT})
CONDITION = "int(inputs.parameter_values['x']) > 1"
LAWS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(slots=True)
class Builder:
    """Draws DAGs; nested ones become components of their own."""

    draw: Any
    components: dict[str, Any]

    def dag(self, depth: int) -> dict[str, Any]:
        tasks: dict[str, Any] = {}
        lists: set[str] = set()
        for index in range(self.draw(st.integers(1, 4))):
            name = f"t{index}"
            tasks[name] = self.task(depth, sorted(tasks), lists, name)
        last = max(tasks)
        spec = dag(tasks, {"x": INT}, {"Output": (LIST if last in lists else INT, last)})
        self.components[f"d{len(self.components)}"] = spec
        return spec

    def guarded(self, component: str) -> str:
        """A pipeline whose tasks are those of the component, with an exit task after them."""
        status = {"taskFinalStatus": {"producerTask": "exit-handler-1"}}
        self.components["bye"] = job({"s": param("TASK_FINAL_STATUS", optional=True)})
        type_ = self.components[component]["outputDefinitions"]["parameters"]["Output"]["parameterType"]
        tasks = {
            "exit-handler-1": task(component, {"x": outer("x")}),
            "bye": task("bye", {"s": status}, after=["exit-handler-1"], always=True),
        }
        name = f"d{len(self.components)}"
        self.components[name] = dag(tasks, {"x": INT}, {"Output": (type_, "exit-handler-1")})
        return name

    def task(self, depth: int, before: list[str], lists: set[str], name: str) -> dict[str, Any]:
        kind = self.draw(st.sampled_from(["work", "work", "dag", "loop"])) if depth else "work"
        more: dict[str, Any] = {"always": self.draw(st.sampled_from([False, False, False, True]))}
        if self.draw(st.sampled_from([True, False, False])):
            more["when"] = CONDITION
        if self.draw(st.booleans()):
            delay = self.draw(st.sampled_from(["0s", "5s"]))
            more["retryPolicy"] = {"maxRetryCount": self.draw(st.integers(0, 2)), "backoffDuration": delay}
        after = [one for one in before if self.draw(st.sampled_from([True, False, False]))]
        x: Any = self.draw(st.sampled_from([const(1), const(2), outer("x")]))
        sources = [one for one in before if one not in lists]
        if sources and self.draw(st.booleans()):
            x = out(self.draw(st.sampled_from(sources)))
        if kind == "work":
            return task("work", {"x": x}, after=after, **more)
        self.dag(depth - 1)
        component = f"d{len(self.components) - 1}"
        inner = self.components[component]["outputDefinitions"]["parameters"]["Output"]["parameterType"]
        if inner == LIST:
            lists.add(name)
        if self.draw(st.booleans()):
            component = self.guarded(component)
        if kind == "dag":
            return task(component, {"x": x}, after=after, **more)
        lists.add(name)
        more.pop("when", None)
        items = self.draw(st.sampled_from(["[]", "[1]", "[1, 2, 3]"]))
        return task(component, {}, after=after, **more, **each(items, "x", self.draw(st.integers(0, 2))))


@st.composite
def packages(draw: st.DrawFn) -> Package:
    """Random pipelines of DAGs in DAGs, loops, conditions, hooks, retries and exit handlers at any depth."""
    builder = Builder(draw, {"work": WORK})
    root = builder.dag(2)
    if draw(st.booleans()):
        builder.components["body"] = root
        root = builder.components[builder.guarded("body")]
    return package(builder.components, {**root, "inputDefinitions": {"parameters": {"x": param(INT, 2)}}})


class Watched(Worker):
    """A worker that holds every started attempt to the laws."""

    __slots__ = ()

    def send(self, signal: Signal) -> tuple[Any, ...]:
        done = {(c.key, c.attempt) for c in self.log if isinstance(c, Execute)}
        commands = Worker.send(self, signal)
        states = {record.key: record.state for record in engine.records(self.state)}
        for command in commands:
            if isinstance(command, Execute | Import):
                assert (command.key, getattr(command, "attempt", 0)) not in done
                self.check_upstreams(command.key, states)
        return commands

    def check_upstreams(self, key: str, states: Mapping[str, str]) -> None:
        """Along the way to a task, each DAG's task waited for its upstreams."""
        program = self.state.program
        component, place = program.root, ""
        for name in key.split("/"):
            tasks = getattr(component.body, "tasks", {})
            here = f"{place}/{name}" if place else name
            if name in tasks:
                for upstream in tasks[name].upstream:
                    state = states[f"{place}/{upstream}" if place else upstream]
                    late = tasks[name].always and state in ("PENDING", "SKIPPED")
                    wanted = FINAL if tasks[name].always else {"SUCCEEDED"}
                    assert late or state in wanted, f"{here} began while {upstream} was {state}"
                component = program.components[tasks[name].component]
            place = here


@LAWS
@given(packages(), st.data())
def test_every_run_keeps_the_laws(pack: Package, data: st.DataObject) -> None:
    program = engine.load(pack)
    worker = Watched(engine.start(program, context(), {}, {}))
    worker.begin()
    canceled = False
    for _ in range(2000):
        if engine.outcome(worker.state) is not None:
            break
        moves = [
            *sorted(worker.running),
            *(["sleep"] if worker.wakes else []),
            *([] if canceled else ["cancel"]),
        ]
        move = data.draw(st.sampled_from(moves))
        # Cancel rarely, else few runs go far.
        if move == "cancel" and data.draw(st.integers(0, 9)):
            continue
        if move == "cancel":
            canceled = True
            stopped = worker.cancel()
            assert {c.key for c in stopped if isinstance(c, Stop)} <= set(worker.running)
        elif move == "sleep":
            worker.sleep()
        else:
            good = data.draw(st.sampled_from([True, True, True, False]))
            worker.finish(move, gave(Output=data.draw(st.integers(1, 3))) if good else "no luck")
        assert worker.running or worker.wakes or engine.outcome(worker.state)
    ended(worker, canceled=canceled)


def ended(worker: Worker, *, canceled: bool) -> None:
    """The end agrees with the tasks."""
    outcome = engine.outcome(worker.state)
    assert outcome is not None
    assert not worker.running
    records = engine.records(worker.state)
    states = [record.state for record in records]
    assert set(states) <= FINAL
    assert len({record.key for record in records}) == len(records)
    if canceled:
        assert outcome.state == "CANCELED"
    else:
        assert outcome.state == ("FAILED" if "FAILED" in states else "SUCCEEDED")
        assert "CANCELED" not in states
    assert (outcome.error is not None) == ("FAILED" in states)
    for record in records:
        assert (
            record.finished_at is None or record.started_at is None or record.started_at <= record.finished_at
        )
        assert (record.attempts > 0) <= (record.state != "SKIPPED")
    assert engine.advance(worker.state, Cancel(worker.at)) == (worker.state, ())


KEYS = st.sampled_from(
    ["t0", "t1", "t2", "t0/t0", "t0/0/t0", "t1/t0", "t1/0/t0", "exit-handler-1/t0", "bye", "x"]
)
SIGNALS: st.SearchStrategy[Signal] = st.one_of(
    st.just(Begin(T0)),
    st.just(Cancel(T0)),
    st.just(Tick(T0)),
    st.builds(Started, KEYS, st.integers(0, 2), st.just(T0)),
    st.builds(Failed, KEYS, st.just("e"), st.just(T0)),
    st.builds(Succeeded, KEYS, st.just(Outputs({"Output": 2})), st.just(T0), st.booleans()),
    st.builds(Succeeded, KEYS, st.just(Outputs()), st.just(T0)),
)


@LAWS
@given(packages(), st.lists(SIGNALS, max_size=40))
def test_any_signals_at_all_never_raise_and_replay_to_the_same_state(
    pack: Package, signals: list[Signal]
) -> None:
    program = engine.load(pack)
    seen: set[tuple[str, int]] = set()
    first = again = engine.start(program, context(), {}, {})
    for signal in signals:
        over = engine.outcome(first)
        before = first
        first, commands = engine.advance(first, signal)
        assert (first, commands) == engine.advance(before, signal)
        for command in commands:
            if isinstance(command, Execute):
                assert (command.key, command.attempt) not in seen
                seen.add((command.key, command.attempt))
        if over is not None:
            assert (engine.outcome(first), commands) == (over, ())
    for signal in signals:
        again, _ = engine.advance(again, signal)
    assert engine.records(first) == engine.records(again)
