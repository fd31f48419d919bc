"""The widest moment of a pipeline equals the most that any schedule of it comes to: every one of them is played.

A schedule is what a run may do: start a task that waits for nothing, end one that runs, take a branch, pass over a
task with `when`, and begin another iteration while fewer run than may. The states it can be in are all visited.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

from hypothesis import HealthCheck, assume, event, given, settings, strategies as st

from kfgit import driver
from kfgit.demand import Peak, hourly, of_resource, peak
from kfgit.demand.packaged import of_package
from kfgit.demand.values import every_device
from kfgit.packages.compiled import Compiled
from kfgit.source import whole_file
from tests.spine.test_demand import PROFILES
from tests.spine.test_peaks import loaded

# What a task has by its profile: devices, and what an hour of it costs in hundredths.
PROFILE: Mapping[str, Mapping[str, int]] = {
    "gpu": {"nvidia.com/gpu": 1, "USD": 250},
    "four": {"nvidia.com/gpu": 4, "USD": 990},
    "tpu": {"google.com/tpu": 8, "EUR": 700},
    "cheap": {"USD": 10},
}
RESOURCES = ("nvidia.com/gpu", "google.com/tpu", "amd.com/gpu")
CURRENCIES = ("USD", "EUR")
# All states of so many tasks are visited; each of them waits, runs, or has ended.
MOST = 9
# Where only the run knows the items, one more than may run side by side shows what a `parallelism` is for.
OPEN = "$(inputs.of)"

COMPONENT = {
    "inputs": {"i": {"type": "string", "default": ""}},
    "outputs": {"x": {"type": "string"}},
    "container": {"image": "e.com/a:1", "script": "echo $(inputs.i) > $(outputs.x.path)"},
}
IMPORT = {"import": {"uri": "s3://a/b", "type": "Dataset"}}
Tasks: TypeAlias = Mapping[str, Mapping[str, Any]]
State: TypeAlias = tuple[Any, ...]
WAITS: State = ("waits",)
ENDED: State = ("ended",)


# --- small pipelines, as documents write them


@st.composite
def scopes(
    draw: st.DrawFn, depth: int, outer: tuple[str, ...] = (), *, nests: bool = True, least: int = 1
) -> dict[str, Any]:
    """Tasks of one scope; each may stand after earlier ones, or read what an earlier one of it or around it made."""
    found: dict[str, Any] = {}
    for number in range(draw(st.integers(least, least + 2))):
        name = f"n{depth}{len(outer)}{number}"
        made = tuple(each for each, task in found.items() if "component" in task and "when" not in task)
        kinds = [leaves((*outer, *made)), st.just(IMPORT)] if number else [leaves((*outer, *made))]
        if depth:
            kinds += [groups(depth - 1, (*outer, *made), nests=nests)] * 2
            kinds += [st.just({"pipeline": "inner"})] if nests else []
        task = draw(st.one_of(kinds))
        after = draw(st.lists(st.sampled_from(list(found)), unique=True, max_size=2)) if found else []
        guard = draw(guards((*outer, *made))) if "when" not in task else {}
        found[name] = {**task, **guard, **({"after": after} if after else {})}
    return found


@st.composite
def guards(draw: st.DrawFn, made: tuple[str, ...]) -> dict[str, Any]:
    """A condition, if any; one that looks at what a task made waits for it."""
    if draw(st.integers(0, 4)):
        return {}
    source = draw(st.sampled_from([None, *filter(None, made)]))
    return {"when": "1 == 1" if source is None else f"$(tasks.{source}.outputs.x) == 'a'"}


@st.composite
def leaves(draw: st.DrawFn, made: tuple[str, ...] = ()) -> dict[str, Any]:
    """A task that runs something, with devices by its profile, by itself, or more of them than its profile says."""
    task: dict[str, Any] = {"component": COMPONENT}
    profile = draw(st.sampled_from([None, *PROFILE]))
    source = draw(st.sampled_from([None, *made]))
    own: dict[str, Any] = draw(
        st.sampled_from([{}, {}, {"count": 3}, {"resource": "amd.com/gpu", "count": 2}])
    )
    if profile is not None:
        task["profile"] = profile
    if source is not None:
        task["inputs"] = {"i": f"$(tasks.{source}.outputs.x)"}
    if own and ("resource" in own or profile in {"gpu", "four", "tpu"}):
        task["resources"] = {"accelerator": own}
    if draw(st.integers(0, 4)) == 0:
        task["retry"] = {"max": 2}
    return task


@st.composite
def groups(draw: st.DrawFn, depth: int, outer: tuple[str, ...], *, nests: bool) -> dict[str, Any]:
    """A loop or a switch."""
    if draw(st.booleans()):
        bound = draw(st.integers(1, 3) | st.none())
        items: Any = list(range(draw(st.integers(0, 3))))
        if bound and draw(st.booleans()):
            items = OPEN
        return {
            "forEach": items,
            **({"parallelism": bound} if bound else {}),
            "tasks": draw(scopes(depth, outer, nests=nests)),
        }
    one, other = draw(scopes(depth, outer, nests=nests)), draw(scopes(depth, (*outer, ""), nests=nests))
    other = json.loads(json.dumps(other).replace("$(tasks..outputs.x)", ""))
    first = {"when": "1 == 1", **draw(guards(outer)), "tasks": one}
    return {"switch": [first, {"tasks": other}] if draw(st.booleans()) else [first]}


def items(loop: Mapping[str, Any]) -> int:
    """How many items a loop is played with."""
    return loop["parallelism"] + 1 if loop["forEach"] == OPEN else len(loop["forEach"])


@st.composite
def projects(draw: st.DrawFn) -> dict[str, Any]:
    """The pipeline `p`, which may run `inner`; either may have an exit task."""
    inputs = {"of": {"type": "list", "default": [1]}}
    inner = draw(scopes(draw(st.integers(0, 1)), nests=False))
    found: dict[str, Any] = {"inner": {"tasks": inner}, "p": {"tasks": draw(scopes(2, least=2))}}
    for spec in found.values():
        spec["inputs"] = inputs
        if draw(st.integers(0, 2)) == 0:
            spec["onExit"] = draw(leaves())
        default = draw(st.sampled_from([None, None, *PROFILE]))
        if default is not None:
            spec["defaults"] = {"profile": default}
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
            return items(task) * sum(map(of, task["tasks"].values()))
        return 1

    return sum(map(of, spec["tasks"].values())) + ("onExit" in spec)


# --- what a run may do


class Runs:
    """A run as a machine: from a state the states that one step leads to."""

    def __init__(self, pipelines: Mapping[str, Any]) -> None:
        self.pipelines = pipelines
        self.tasks: dict[int, tuple[Tasks, str]] = {}

    def pipeline(self, name: str) -> State:
        return "pipeline", name, self.scope(self.pipelines[name]["tasks"], name)

    def scope(self, tasks: Tasks, pipeline: str) -> State:
        self.tasks[id(tasks)] = tasks, pipeline
        return "scope", id(tasks), (WAITS,) * len(tasks)

    def starts(self, task: Mapping[str, Any], pipeline: str) -> Iterator[State]:
        """What a task becomes that need not wait any longer."""
        if "when" in task:
            yield ENDED
        if "pipeline" in task:
            yield self.pipeline(task["pipeline"])
        elif "switch" in task:
            yield from (self.scope(branch["tasks"], pipeline) for branch in task["switch"])
            if "when" in task["switch"][-1]:
                yield ENDED
        elif "forEach" in task:
            each = (WAITS,) * items(task)
            most = task.get("parallelism") or len(each)
            yield ("loop", most, self.scope(task["tasks"], pipeline), each) if each else ENDED
        elif "import" in task:
            yield "leaf", ()
        else:
            default = self.pipelines[pipeline].get("defaults", {}).get("profile")
            yield "leaf", tuple(sorted(has(task, default).items()))

    def leaves(self, pipeline: str) -> State:
        """The exit task, for which defaults do not hold."""
        return "leaf", tuple(sorted(has(self.pipelines[pipeline]["onExit"], None).items()))

    def steps(self, state: State) -> Iterator[State]:
        match state:
            case ("leaf", _):
                yield ENDED
            case ("scope", key, inner):
                for new in self._of_scope(*self.tasks[key], inner):
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
                    # Once the exit task runs there is nothing but it.
                    leave = self.leaves(name) if "onExit" in self.pipelines[name] else ENDED
                    yield leave if new == ENDED else ("pipeline", name, new)
            case _:
                assert state in {WAITS, ENDED}

    def _of_scope(self, tasks: Tasks, pipeline: str, inner: tuple[State, ...]) -> Iterator[tuple[State, ...]]:
        ended = {name for name, each in zip(tasks, inner, strict=True) if each == ENDED}
        for place, (task, one) in enumerate(zip(tasks.values(), inner, strict=True)):
            may = self.steps(one)
            if one == WAITS and waits_for(task) & tasks.keys() <= ended:
                may = self.starts(task, pipeline)
            yield from ((*inner[:place], each, *inner[place + 1 :]) for each in may)


def has(task: Mapping[str, Any], default: str | None) -> dict[str, int]:
    """What a task holds, by resource, and costs in an hour, by currency: its own devices go over its profile's."""
    found = dict(PROFILE.get(task.get("profile", default), {}))
    own = task.get("resources", {}).get("accelerator")
    if own is not None:
        theirs = next((name for name in found if name in RESOURCES), None)
        if theirs is not None:
            del found[theirs]
        found[own.get("resource", theirs)] = own["count"]
    return found


def waits_for(task: Mapping[str, Any]) -> set[str]:
    """What a task stands after, and what it or something in it reads: a group begins when all of that is there."""
    found = set(task.get("after", ()))
    texts = [*task.get("inputs", {}).values(), task.get("when", "")]
    branches = task.get("switch", [task] if "tasks" in task else [])
    texts += [branch.get("when", "") for branch in task.get("switch", ())]
    found |= {text.split(".")[1] for text in texts if "$(tasks." in text}
    inner = chain.from_iterable(branch["tasks"].values() for branch in branches)
    return found.union(*map(waits_for, inner))


def held(state: State) -> Counter[str]:
    """What is held, by resource and currency."""
    match state:
        case ("leaf", has):
            return Counter(dict(has))
        case ("scope", _, inner) | ("loop", _, _, inner):
            return sum(map(held, inner), Counter())
        case ("pipeline", _, inner):
            return held(inner)
        case _:
            return Counter()


def played(pipelines: Mapping[str, Any]) -> Counter[str]:
    """The most of each resource, of all together (``), and of each currency that any state of any run holds."""
    runs = Runs(pipelines)
    most: Counter[str] = Counter()
    waiting = [runs.pipeline("p")]
    seen = set(waiting)
    while waiting:
        state = waiting.pop()
        now = held(state)
        now[""] = sum(now[name] for name in RESOURCES)
        most |= now
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


def reckoned(checkout: driver.Checkout) -> Counter[str]:
    weights = {name: of_resource(name) for name in RESOURCES} | {"": every_device}
    found: dict[str, Peak] = {
        name: peak(checkout.project, "p", weigh=weight) for name, weight in weights.items()
    }
    assert not any(each.boundless for each in found.values())
    counts = {name: each.count for name, each in found.items()}
    prices = {name: int(each.price * 100) for name, each in hourly(checkout.project, "p").items()}
    return +Counter(counts | prices)


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


# --- what is no rough guess


ABOVE = (("p", ""), ("inner", "inner:"))


def needs(
    tasks: Tasks, pipelines: Mapping[str, Any], around: frozenset[str], above: str
) -> Iterator[frozenset[str]]:
    """For each task that runs something the conditions that must hold for it, by the paths of what has them."""
    own: dict[str, frozenset[str]] = {}
    for name, task in tasks.items():
        path = f"{above}{name}"
        upstream = (own[each] for each in waits_for(task) if each in own)
        own[name] = frozenset({path} if "when" in task else ()).union(*upstream)
        here = around | own[name]
        if "pipeline" in task:
            yield from needs(pipelines["inner"]["tasks"], pipelines, here, "inner:")
        elif "switch" in task:
            for branch in task["switch"]:
                yield from needs(branch["tasks"], pipelines, here | {path}, f"{path}/")
        elif "forEach" in task:
            yield from needs(task["tasks"], pipelines, here, f"{path}/")
        else:
            yield here


def only(tasks: Tasks, on: frozenset[str], above: str) -> Tasks:
    """The tasks that run if these conditions hold and no others; whoever stands after a skipped one is skipped, too."""
    found: dict[str, Any] = {}
    for name, task in tasks.items():
        path, waits = f"{above}{name}", waits_for(task) & tasks.keys()
        if not waits <= found.keys() or ("when" in task and path not in on):
            continue
        left = {key: value for key, value in task.items() if key != "when"} | {"after": sorted(waits)}
        if "forEach" in task:
            left["tasks"] = only(task["tasks"], on, f"{path}/")
        elif "switch" in task:
            branches = [only(branch["tasks"], on, f"{path}/") for branch in task["switch"] if path in on]
            left["switch"] = [{"tasks": each} for each in branches]
        # A group in which nothing runs has ended when it may begin.
        is_empty = not left.get("tasks", True) or not left.get("switch", True)
        found[name] = {**IMPORT, "after": sorted(waits)} if is_empty else left
    return found or {"nothing": IMPORT}


@SLOW
@given(projects())
def test_a_moment_that_is_no_rough_guess_comes_where_the_conditions_of_one_task_hold(
    pipelines: dict[str, Any],
) -> None:
    found = peak(checked(pipelines).project, "p")
    event(f"rough: {found.rough}, guarded: {found.guarded}")
    if found.rough:
        return
    conditions = {frozenset(), *needs(pipelines["p"]["tasks"], pipelines, frozenset(), "")}
    holding = (
        {
            name: {**spec, "tasks": only(spec["tasks"], on, above)}
            for name, above in ABOVE
            for spec in [pipelines[name]]
        }
        for on in conditions
    )
    assert any(played(each)[""] == found.count for each in holding)
