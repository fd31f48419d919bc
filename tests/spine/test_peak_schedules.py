"""The widest moment of a pipeline equals the most that any schedule of it comes to: every one of them is played.

A schedule is what a run may do: start a task that waits for nothing, end one that runs, take a branch, pass over a
task with `when`, and begin another iteration while fewer run than may. The states it can be in are all visited.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

from hypothesis import HealthCheck, assume, event, given, settings, strategies as st

from kfgit import driver
from kfgit.demand import Peak, of_resource, peak
from kfgit.demand.packaged import of_package
from kfgit.demand.values import every_device
from kfgit.packages.compiled import Compiled
from kfgit.source import whole_file
from tests.spine.test_demand import PROFILES
from tests.spine.test_peaks import loaded

RESOURCES = {"nvidia.com/gpu": {"gpu": 1, "four": 4}, "google.com/tpu": {"tpu": 8}}
COUNTS = {profile: count for held in RESOURCES.values() for profile, count in held.items()}
# All states of so many tasks are visited; each of them waits, runs, or has ended.
MOST = 9

COMPONENT = {
    "inputs": {"i": {"type": "string", "default": ""}},
    "outputs": {"x": {"type": "string"}},
    "container": {"image": "e.com/a:1", "script": "echo $(inputs.i) > $(outputs.x.path)"},
}
Tasks: TypeAlias = Mapping[str, Mapping[str, Any]]
State: TypeAlias = tuple[Any, ...]
WAITS: State = ("waits",)
ENDED: State = ("ended",)


# --- small pipelines, as documents write them


@st.composite
def scopes(draw: st.DrawFn, depth: int, outer: tuple[str, ...] = ()) -> dict[str, Any]:
    """Tasks of one scope; each may stand after earlier ones, or read what an earlier one of it or around it made."""
    found: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 3))):
        name = f"n{depth}{len(outer)}{number}"
        made = tuple(each for each, task in found.items() if "component" in task and "when" not in task)
        kinds = [leaves((*outer, *made))]
        if depth:
            kinds += [groups(depth - 1, (*outer, *made)), st.just({"pipeline": "inner"})]
        task = draw(st.one_of(kinds))
        after = draw(st.lists(st.sampled_from(list(found)), unique=True, max_size=2)) if found else []
        found[name] = {**task, **({"after": after} if after else {})}
    return found


@st.composite
def leaves(draw: st.DrawFn, made: tuple[str, ...] = ()) -> dict[str, Any]:
    """A task that runs something."""
    task: dict[str, Any] = {"component": COMPONENT}
    profile = draw(st.sampled_from([None, *COUNTS]))
    source = draw(st.sampled_from([None, *made]))
    if profile is not None:
        task["profile"] = profile
    if source is not None:
        task["inputs"] = {"i": f"$(tasks.{source}.outputs.x)"}
    if draw(st.integers(0, 4)) == 0:
        task["when"] = "1 == 1"
    return task


@st.composite
def groups(draw: st.DrawFn, depth: int, outer: tuple[str, ...]) -> dict[str, Any]:
    """A loop or a switch."""
    if draw(st.booleans()):
        bound = draw(st.integers(1, 3) | st.none())
        items = list(range(draw(st.integers(1, 3))))
        return {
            "forEach": items,
            **({"parallelism": bound} if bound else {}),
            "tasks": draw(scopes(depth, outer)),
        }
    one, other = draw(scopes(depth, outer)), draw(scopes(depth, (*outer, "")))
    other = json.loads(json.dumps(other).replace("$(tasks..outputs.x)", ""))
    return {"switch": [{"when": "1 == 1", "tasks": one}, {"tasks": other}]}


@st.composite
def projects(draw: st.DrawFn) -> dict[str, Any]:
    """The pipeline `p`, which may run `inner`; either may have an exit task."""
    found = {"inner": {"tasks": draw(scopes(0))}, "p": {"tasks": draw(scopes(2))}}
    for spec in found.values():
        if draw(st.integers(0, 2)) == 0:
            spec["onExit"] = {key: value for key, value in draw(leaves()).items() if key != "when"}
    assume(instances(found["p"], found) <= MOST)
    return found


def instances(spec: Mapping[str, Any], all_: Mapping[str, Any]) -> int:
    """How many tasks may run something in a run, iterations counted."""

    def of(task: Mapping[str, Any]) -> int:
        if "pipeline" in task:
            return instances(all_[task["pipeline"]], all_)
        if "switch" in task:
            return max(sum(map(of, branch["tasks"].values())) for branch in task["switch"])
        if "forEach" in task:
            return len(task["forEach"]) * sum(map(of, task["tasks"].values()))
        return 1

    return sum(map(of, spec["tasks"].values())) + ("onExit" in spec)


# --- what a run may do


class Runs:
    """A run as a machine: from a state the states that one step leads to."""

    def __init__(self, pipelines: Mapping[str, Any]) -> None:
        self.pipelines = pipelines
        self.tasks: dict[int, Tasks] = {}

    def pipeline(self, name: str) -> State:
        return "pipeline", name, self.scope(self.pipelines[name]["tasks"])

    def scope(self, tasks: Tasks) -> State:
        self.tasks[id(tasks)] = tasks
        return "scope", id(tasks), (WAITS,) * len(tasks)

    def starts(self, task: Mapping[str, Any]) -> Iterator[State]:
        """What a task becomes that need not wait any longer."""
        if "when" in task:
            yield ENDED
        if "pipeline" in task:
            yield self.pipeline(task["pipeline"])
        elif "switch" in task:
            yield from (self.scope(branch["tasks"]) for branch in task["switch"])
        elif "forEach" in task:
            each = tuple(WAITS for _ in task["forEach"])
            yield "loop", task.get("parallelism") or len(each), self.scope(task["tasks"]), each
        else:
            yield "leaf", task.get("profile")

    def steps(self, state: State) -> Iterator[State]:
        match state:
            case ("leaf", _):
                yield ENDED
            case ("scope", key, inner):
                for new in self._of_scope(self.tasks[key], inner):
                    yield ENDED if all(each == ENDED for each in new) else ("scope", key, new)
            case ("loop", most, body, inner):
                running = sum(each not in {WAITS, ENDED} for each in inner)
                for place, one in enumerate(inner):
                    may = [body] if one == WAITS and running < most else self.steps(one)
                    for each in may:
                        # Which iteration is where makes no difference: fewer states to visit.
                        new = tuple(sorted((*inner[:place], each, *inner[place + 1 :]), key=repr))
                        yield ENDED if all(each == ENDED for each in new) else ("loop", most, body, new)
            case ("pipeline", name, inner):
                for new in self.steps(inner):
                    leave = self.pipelines[name].get("onExit")
                    after = next(self.starts(leave)) if new == ENDED and leave is not None else new
                    # Once the exit task runs there is nothing but it.
                    yield after if new == ENDED else ("pipeline", name, new)
            case _:
                assert state in {WAITS, ENDED}

    def _of_scope(self, tasks: Tasks, inner: tuple[State, ...]) -> Iterator[tuple[State, ...]]:
        ended = {name for name, each in zip(tasks, inner, strict=True) if each == ENDED}
        for place, (task, one) in enumerate(zip(tasks.values(), inner, strict=True)):
            may = self.steps(one)
            if one == WAITS and waits_for(task) & tasks.keys() <= ended:
                may = self.starts(task)
            yield from ((*inner[:place], each, *inner[place + 1 :]) for each in may)


def waits_for(task: Mapping[str, Any]) -> set[str]:
    """What a task stands after, and what it or something in it reads: a group begins when all of that is there."""
    found = set(task.get("after", ()))
    found |= {text.split(".")[1] for text in task.get("inputs", {}).values() if text}
    branches = task.get("switch", [task] if "tasks" in task else [])
    inner = chain.from_iterable(branch["tasks"].values() for branch in branches)
    return found.union(*map(waits_for, inner))


def held(state: State) -> dict[str, int]:
    """The devices that run, by profile."""
    match state:
        case ("leaf", str() as profile):
            return {profile: COUNTS[profile]}
        case ("scope", _, inner) | ("loop", _, _, inner):
            parts = [held(each) for each in inner]
            return {name: sum(part.get(name, 0) for part in parts) for part in parts for name in part}
        case ("pipeline", _, inner):
            return held(inner)
        case _:
            return {}


def played(pipelines: Mapping[str, Any]) -> dict[str, int]:
    """The most of each resource, and of all together (``), that any state of any run holds."""
    runs = Runs(pipelines)
    most: dict[str, int] = {}
    waiting = [runs.pipeline("p")]
    seen = set(waiting)
    while waiting:
        state = waiting.pop()
        now = held(state)
        by = {name: sum(now.get(each, 0) for each in profiles) for name, profiles in RESOURCES.items()}
        most = {name: max(most.get(name, 0), count) for name, count in (*by.items(), ("", sum(now.values())))}
        new = [each for each in runs.steps(state) if each not in seen]
        seen.update(new)
        waiting += dict.fromkeys(new)
    event(f"{len(str(len(seen)))} digits of states")
    return most


# --- what kfgit says of them


def checked(pipelines: Mapping[str, Any]) -> driver.Checkout:
    texts = {
        "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n",
        "components/profiles.yaml": PROFILES,
    }
    for name, spec in pipelines.items():
        head = {"apiVersion": "kfgit.dev/v1", "kind": "Pipeline", "metadata": {"name": name}}
        texts[f"pipelines/{name}.yaml"] = json.dumps({**head, "spec": spec})
    found = driver.check(loaded(texts), "local")
    assert [d for d in driver.mistakes(found) if d.severity == "error"] == []
    return found.value


def reckoned(checkout: driver.Checkout) -> dict[str, int]:
    weights = {name: of_resource(name) for name in RESOURCES} | {"": every_device}
    found: dict[str, Peak] = {
        name: peak(checkout.project, "p", weigh=weight) for name, weight in weights.items()
    }
    assert not any(each.boundless for each in found.values())
    return {name: each.count for name, each in found.items()}


SLOW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@SLOW
@given(projects())
def test_a_pipeline_holds_what_its_widest_schedule_comes_to(pipelines: dict[str, Any]) -> None:
    assert reckoned(checked(pipelines)) == played(pipelines)


@SLOW
@given(projects())
def test_its_package_holds_the_same_and_of_a_switch_all_branches(pipelines: dict[str, Any]) -> None:
    spec = driver.compile_all(checked(pipelines))["p"].spec
    package = cast("Compiled", SimpleNamespace(spec=spec, span=whole_file("p.yaml")))
    most = played(pipelines)
    for name in RESOURCES:
        count = of_package(package, of_resource(name)).count
        assert count >= most[name]
        assert count == most[name] or "switch" in json.dumps(pipelines)
    assert of_package(package).count >= most[""]
