"""The nodes of KFP's workflows in the author's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.cluster.history import nodes
from kfgit.backends.cluster.history.places import is_same
from kfgit.backends.cluster.history.run_records import record, state_of, tasks_of
from kfgit.backends.cluster.kfp import messages as kfp_objects
from kfgit.backends.cluster.kfp.translate import Names
from kfgit.events import TaskRecord
from kfgit.ir import Package
from tests import compiling
from tests.cluster.workflows import details, fnv, run

HEAD = "apiVersion: kfgit.dev/v1\n"
GREET = (
    HEAD
    + """\
kind: Component
metadata: {name: greet}
spec:
  inputs: {name: {type: string, default: world}}
  outputs: {text: {type: string}, card: {type: Markdown}}
  container: {image: alpine:3.20, script: "printf x > $(outputs.text.path); printf x > $(outputs.card.path)"}
"""
)
FLOW = (
    HEAD
    + """\
kind: Pipeline
metadata: {name: flow}
spec:
  inputs: {name: {type: string, default: world}, big: {type: bool, default: true}}
  onExit: {component: greet}
  tasks:
    first: {component: greet, inputs: {name: $(inputs.name)}, retry: {max: 2}}
    sweep:
      forEach: [a, b]
      tasks:
        train: {component: greet, inputs: {name: $(item)}}
        check: {component: greet, inputs: {name: $(tasks.train.outputs.text)}}
    gate:
      switch:
        - when: $(inputs.big) == true
          tasks: {full: {component: greet}}
        - tasks: {small: {component: greet}}
    last: {component: greet, when: $(inputs.name) == "world", after: [sweep]}
"""
)
TWICE = (
    HEAD
    + """\
kind: Pipeline
metadata: {name: inner}
spec:
  tasks:
    work: {component: greet}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: twice}
spec:
  tasks:
    one: {pipeline: inner}
    two: {pipeline: inner}
    data: {import: {uri: "s3://b/x", type: Dataset}}
"""
)


@cache
def package(name: str) -> Package:
    files = {"components/g.yaml": GREET, "pipelines/f.yaml": FLOW, "pipelines/t.yaml": TWICE}
    return compiling.texts(files, Path())[name]


Nodes = Mapping[str, tuple[str, Sequence[str]]]


def tasks(
    name: str, told: Nodes, state: str = "SUCCEEDED", package_: Package | None = None
) -> dict[str, TaskRecord]:
    found = kfp_objects.run(run(details(f"{name}-x7k2p", told), state))
    return {
        one.record.path: one.record for one in tasks_of(found, package_ or package(name), state_of(found))
    }


def states(found: Mapping[str, TaskRecord]) -> dict[str, str]:
    return {path: task.state for path, task in found.items()}


def leaf(path: str, state: str = "SUCCEEDED", then: Sequence[str] = (), executor: str = "") -> dict[str, Any]:
    """A program as KFP makes it: its driver, the group around its pod, the pod; what comes next hangs on the pod."""
    return {
        f"{path}-driver": ("SUCCEEDED", [path]),
        path: (state, [f"{path}.executor"]),
        f"{path}.executor": (executor or state, list(then)),
    }


H = "root.exit-handler-1"
LOOP = f"{H}.for-loop-3"
GATE = f"{H}.condition-branches-4"


def flow() -> dict[str, Any]:
    """All of it, the first branch, and the guarded task left out."""
    rounds: dict[str, Any] = {}
    for n in (0, 1):
        item = f"{LOOP}.iteration-iterations({n}:{n}).iteration-item"
        rounds |= {
            f"{LOOP}.iteration-iterations({n}:{n})": ("SUCCEEDED", [f"{item}-driver"]),
            f"{item}-driver": ("SUCCEEDED", [item]),
            item: ("SUCCEEDED", [f"{item}.train-driver"]),
            **leaf(f"{item}.train", then=[f"{item}.check-driver"], executor="SKIPPED" if n else ""),
            **leaf(f"{item}.check"),
        }
    return {
        "": ("SUCCEEDED", ["root-driver"]),
        "root-driver": ("SUCCEEDED", ["root"]),
        "root": ("SUCCEEDED", ["root.exit-handler-1-driver"]),
        "root.exit-handler-1-driver": ("SUCCEEDED", [H]),
        H: ("SUCCEEDED", [f"{H}.first-driver", LOOP, f"{GATE}-driver", f"{H}.onExit"]),
        f"{H}.first-driver": ("SUCCEEDED", [f"{H}.first"]),
        f"{H}.first": ("SUCCEEDED", [f"{H}.first.executor"]),
        f"{H}.first.executor": ("SUCCEEDED", [f"{H}.first.executor(0)", f"{H}.first.executor(1)"]),
        f"{H}.first.executor(0)": ("FAILED", []),
        f"{H}.first.executor(1)": ("SUCCEEDED", []),
        LOOP: ("SUCCEEDED", [f"{LOOP}.iteration-driver"]),
        f"{LOOP}.iteration-driver": ("SUCCEEDED", [f"{LOOP}.iteration-iterations"]),
        f"{LOOP}.iteration-iterations": (
            "SUCCEEDED", [f"{LOOP}.iteration-iterations(0:0)", f"{LOOP}.iteration-iterations(1:1)"],
        ),
        **rounds,
        f"{GATE}-driver": ("SUCCEEDED", [GATE]),
        GATE: ("SUCCEEDED", [f"{GATE}.condition-5-driver", f"{GATE}.condition-6-driver"]),
        f"{GATE}.condition-5-driver": ("SUCCEEDED", [f"{GATE}.condition-5"]),
        f"{GATE}.condition-5": ("SUCCEEDED", [f"{GATE}.condition-5.full-driver"]),
        **leaf(f"{GATE}.condition-5.full"),
        f"{GATE}.condition-6-driver": ("SUCCEEDED", [f"{GATE}.condition-6"]),
        f"{GATE}.condition-6": ("SKIPPED", []),
        f"{H}.condition-7-driver": ("SUCCEEDED", [f"{H}.condition-7"]),
        f"{H}.condition-7": ("SKIPPED", []),
        f"{H}.onExit": ("SUCCEEDED", [f"{H}.onExit.greet-driver"]),
        **leaf(f"{H}.onExit.greet"),
    }  # fmt: skip


@pytest.mark.parametrize(("text", "hash_"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_ids_are_hashes_that_others_reckon_too(text: str, hash_: int) -> None:
    assert fnv(text) == hash_


def test_a_whole_workflow_is_told_as_its_author_wrote_it() -> None:
    found = tasks("flow", flow())
    assert states(found) == {
        "first": "SUCCEEDED",
        "sweep": "SUCCEEDED",
        "sweep/0/train": "SUCCEEDED",
        "sweep/0/check": "SUCCEEDED",
        "sweep/1/train": "SUCCEEDED",
        "sweep/1/check": "SUCCEEDED",
        "gate": "SUCCEEDED",
        "gate/full": "SUCCEEDED",
        "gate/small": "SKIPPED",
        "last": "SKIPPED",
        "onExit": "SUCCEEDED",
    }
    assert {path for path, task in found.items() if task.component is None} == {"sweep", "gate"}
    assert found["first"].attempts == 2
    assert {path for path, task in found.items() if task.cached} == {"sweep/1/train"}
    assert found["sweep/1/train"].attempts == 0


def test_without_labels_the_names_are_kfps_and_groups_are_left_out() -> None:
    bare = Package("flow", package("flow").spec, package("flow").platform)
    found = tasks("flow", flow(), package_=bare)
    assert set(found) == {
        "first", "for-loop-3", "for-loop-3/0/train", "for-loop-3/0/check", "for-loop-3/1/train",
        "for-loop-3/1/check", "full", "small", "last", "greet",
    }  # fmt: skip


def test_logs_are_asked_for_by_the_names_of_pods() -> None:
    found = kfp_objects.run(run(details("flow-x7k2p", flow())))
    logs = {one.record.path: one.logs for one in tasks_of(found, package("flow"), "SUCCEEDED")}
    pod = "flow-x7k2p-{}-{}".format
    first = f"flow-x7k2p.{H}.first.executor"
    assert logs["first"] == tuple(
        pod("retry-system-container-impl", fnv(f"{first}({attempt})")) for attempt in (0, 1)
    )
    full = fnv(f"flow-x7k2p.{GATE}.condition-5.full.executor")
    assert logs["gate/full"] == (pod("system-container-impl", full),)


def test_tasks_of_one_name_are_told_apart_by_what_is_below_them() -> None:
    told = {
        "": ("RUNNING", ["root-driver"]),
        "root-driver": ("SUCCEEDED", ["root"]),
        "root": ("RUNNING", ["root.one-driver", "root.two-driver", "root.data"]),
        "root.two-driver": ("SUCCEEDED", ["root.two"]),
        "root.two": ("FAILED", ["root.two.work-driver"]),
        **leaf("root.two.work", "FAILED"),
        "root.one-driver": ("SUCCEEDED", ["root.one"]),
        "root.one": ("RUNNING", ["root.one.work-driver"]),
        **leaf("root.one.work", "RUNNING"),
        "root.data": ("SUCCEEDED", []),
    }
    found = tasks("twice", told, "RUNNING")
    assert states(found) == {
        "one": "RUNNING", "one/work": "RUNNING", "two": "FAILED", "two/work": "FAILED", "data": "SUCCEEDED",
    }  # fmt: skip
    assert found["one/work"].finished_at is None


def test_a_driver_that_failed_is_its_tasks_failure() -> None:
    told = flow()
    del told[f"{GATE}.condition-5.full"], told[f"{GATE}.condition-5.full.executor"]
    told[f"{GATE}.condition-5.full-driver"] = ("FAILED", [])
    found = tasks("flow", told, "FAILED")
    assert found["gate/full"].state == "FAILED"
    assert "driver" in (found["gate/full"].error or "")
    whole = record(kfp_objects.run(run(details("flow-x7k2p", told), "FAILED")), "prod", Names())
    assert whole.error is None, "without its tasks nobody knows why"


def test_what_had_not_ended_when_the_run_did_is_told_so() -> None:
    told = flow()
    told[f"{H}.first"] = ("RUNNING", [f"{H}.first.executor"])
    told[f"{GATE}.condition-5.full"] = ("", [f"{GATE}.condition-5.full.executor"])  # Argo's Omitted
    found = tasks("flow", told, "FAILED")
    assert (found["first"].state, found["gate/full"].state) == ("FAILED", "SKIPPED")
    assert tasks("flow", told, "RUNNING")["gate/full"].state == "PENDING"


def test_nothing_is_pending_but_what_was_not_reached_yet() -> None:
    found = tasks("flow", {"": ("RUNNING", ["root-driver"]), "root-driver": ("RUNNING", [])}, "RUNNING")
    assert set(states(found).values()) == {"PENDING"}
    assert "sweep/0/train" not in found, "nobody knows how often it will run"


def test_ids_that_are_none_of_argos_leave_the_names() -> None:
    """As in `tests/conformance/kfp-api/run-life.json`, where somebody made a workflow up."""
    told: list[Mapping[str, Any]] = [
        {"run_id": "r", "task_id": "1", "display_name": "work", "state": "RUNNING"},
        {
            "run_id": "r", "task_id": "2", "display_name": "twice-w9522", "state": "RUNNING",
            "child_tasks": [{"pod_name": "twice-w9522-1"}],
        },
    ]  # fmt: skip
    found = kfp_objects.run(run(told, "RUNNING"))
    told_states = {one.record.path: one.record.state for one in tasks_of(found, package("twice"), "RUNNING")}
    assert told_states["one/work"] == "RUNNING"
    bare = tasks_of(found, None, "RUNNING")
    assert [(one.record.path, one.record.state) for one in bare] == [("work", "RUNNING")]


def test_a_run_of_a_kfgit_that_serves_has_its_tasks_by_their_parents() -> None:
    def row(id_: str, name: str, parent: str = "", state: str = "SUCCEEDED") -> dict[str, Any]:
        return {"run_id": "r", "task_id": id_, "display_name": name, "parent_task_id": parent, "state": state}

    told = [
        row("w", "flow"),
        row("h", "exit-handler-1", "w"),
        row("f", "first", "h"),
        row("l", "for-loop-3", "h"),
        row("t0", "train", "l"), row("c0", "check", "l"),
        row("t1", "train", "l"), row("c1", "check", "l", "CANCELED"),
        row("e", "greet", "w"),
    ]  # fmt: skip
    found = kfp_objects.run(run(told, "FAILED"))
    assert state_of(found) == "CANCELED"
    told_ = tasks_of(found, package("flow"), "CANCELED")
    assert {one.record.path: one.logs for one in told_ if one.logs} == {
        "first": ("f",), "sweep": ("l",), "onExit": ("e",),
        "sweep/0/train": ("t0",), "sweep/0/check": ("c0",), "sweep/1/train": ("t1",), "sweep/1/check": ("c1",),
    }  # fmt: skip


@pytest.mark.parametrize(
    "details_",
    ["text", 7, ["text"], [{"display_name": 7}], [{"child_tasks": 7, "display_name": "x"}]],
    ids=str,
)
def test_a_message_that_kfp_does_not_send_is_told(details_: Any) -> None:
    with pytest.raises(kfp_objects.Odd, match="its "):
        nodes.seen(run([]) | {"run_details": {"task_details": details_}}, package("flow"))


def test_a_pipeline_that_contains_itself_ends() -> None:
    task = {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}}
    spec = {
        "root": {"dag": {"tasks": {"a": task}}},
        "components": {"comp-a": {"dag": {"tasks": {"a": task}}}},
    }
    found = kfp_objects.run(run(details("x", {"": ("RUNNING", ["root"])}), "RUNNING"))
    assert len(tasks_of(found, Package("x", spec), "RUNNING")) > 1


def test_a_package_is_the_same_whether_the_cache_is_asked_or_not() -> None:
    spec = package("twice").spec
    work = spec["components"]["comp-one"]["dag"]["tasks"]
    changed = {name: {**task, "cachingOptions": {}} for name, task in work.items()}
    other = {**spec, "components": {**spec["components"], "comp-one": {"dag": {"tasks": changed}}}}
    assert is_same(package("twice"), Package("twice", other))
    assert not is_same(package("twice"), package("flow"))
