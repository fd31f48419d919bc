"""Tasks that differ: what they say, and what they wait for, also in loops, switches and nested groups."""

from __future__ import annotations

from kfgit.diff import TaskChange
from tests.comparing import between, change

STEP = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: step}
spec:
  inputs: {text: {type: string, default: x}}
  outputs: {text: {type: string}}
  container: {image: "alpine:3.20", script: "echo $(inputs.text) > $(outputs.text.path)"}
"""
HEAD = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: p}
spec:
"""
LINE = """\
  tasks:
    load: {component: step}
    check: {component: step}
    train: {component: step, inputs: {text: $(tasks.load.outputs.text)}}
"""
NESTED = """\
  tasks:
    load: {component: step}
    sweep:
      forEach: [a, b]
      tasks:
        train: {component: step, inputs: {text: $(item)}}
        score: {component: step, inputs: {text: $(tasks.train.outputs.text)}}
    gate:
      switch:
        - when: $(tasks.load.outputs.text) == "x"
          tasks:
            full: {component: step}
            told: {component: step, after: [full]}
        - tasks:
            short: {component: step}
  onExit: {component: step}
"""


BRANCH = """\
        - when: $(tasks.load.outputs.text) == "z"
          tasks:
            third: {component: step}
"""


def tasks(before: str, after: str) -> dict[str, TaskChange]:
    """The tasks that differ between two specs, by path."""
    files = ({"components/step.yaml": STEP, "pipelines/p.yaml": f"{HEAD}{spec}"} for spec in (before, after))
    found = between(next(files), next(files))
    assert found.faults == ()
    return {task.path: task for task in change(found, "pipeline/p").tasks}


def needs(task: TaskChange) -> tuple[str, tuple[str, ...], tuple[str, ...], list[str]]:
    return task.action, task.needs, task.needs_no_more, [each.path for each in task.fields]


def test_a_task_in_between() -> None:
    after = LINE.replace(
        "check: {component: step}", "check: {component: step, inputs: {text: $(tasks.load.outputs.text)}}"
    )
    after = after.replace(
        "train: {component: step, inputs: {text: $(tasks.load",
        "train: {component: step, inputs: {text: $(tasks.check",
    )
    found = tasks(LINE, after)
    assert {path: needs(task) for path, task in found.items()} == {
        "check": ("changed", ("load",), (), ["inputs"]),
        "train": ("changed", ("check",), ("load",), ["inputs.text"]),
    }


def test_tasks_come_and_go() -> None:
    after = LINE.replace("check: {component: step}", "proof: {component: step, after: [load]}")
    found = tasks(LINE, after)
    assert {path: needs(task) for path, task in found.items()} == {
        "proof": ("added", ("load",), (), []),
        "check": ("removed", (), (), []),
    }
    back = tasks(after, LINE)
    assert needs(back["proof"]) == ("removed", (), ("load",), [])


def test_an_edge_without_data() -> None:
    found = tasks(LINE, LINE.replace("check: {component: step}", "check: {component: step, after: [load]}"))
    assert {path: needs(task) for path, task in found.items()} == {
        "check": ("changed", ("load",), (), ["after"])
    }


def test_a_reference_out_of_a_loop_counts_for_the_loop() -> None:
    after = NESTED.replace("{text: $(item)}", '{text: "$(item) $(tasks.load.outputs.text)"}')
    found = tasks(NESTED, after)
    assert {path: needs(task) for path, task in found.items()} == {
        "sweep": ("changed", ("load",), (), []),
        "sweep/train": ("changed", (), (), ["inputs.text"]),
    }


def test_edges_inside_groups() -> None:
    after = NESTED.replace("{text: $(tasks.train.outputs.text)}", "{text: y}").replace(
        "after: [full]", "cache: false"
    )
    found = tasks(NESTED, after)
    assert {path: needs(task) for path, task in found.items()} == {
        "sweep/score": ("changed", (), ("sweep/train",), ["inputs.text"]),
        "gate/told": ("changed", (), ("gate/full",), ["after", "cache"]),
    }


def test_groups_have_keys_of_their_own() -> None:
    after = NESTED.replace("[a, b]", "[a, b, c]").replace('== "x"', '== "y"')
    after = after.replace("onExit: {component: step}", "onExit: {component: step, cache: false}")
    found = tasks(NESTED, after)
    assert {path: needs(task) for path, task in found.items()} == {
        "sweep": ("changed", (), (), ["forEach"]),
        "gate": ("changed", (), (), ["switch[0].when"]),
        "onExit": ("changed", (), (), ["cache"]),
    }


def test_a_branch_that_comes() -> None:
    after = NESTED.replace("        - tasks:\n", f"{BRANCH}        - tasks:\n")
    found = tasks(NESTED, after)
    assert {path: task.action for path, task in found.items()} == {"gate": "changed", "gate/third": "added"}
    assert [(each.path, each.before) for each in found["gate"].fields] == [("switch[1]", None)]


def test_a_task_that_moves_to_another_branch() -> None:
    told, short = (f"            {name}: {{component: step}}\n" for name in ("told", "short"))
    before = NESTED.replace(", after: [full]", "")
    assert told in before
    found = tasks(before, before.replace(told, "").replace(short, short + told))
    assert [(path, needs(task)) for path, task in found.items()] == [
        ("gate/told", ("changed", (), (), ["branch"]))
    ]


def test_what_stands_beside_the_tasks_is_the_pipelines() -> None:
    files = (
        {"components/step.yaml": STEP, "pipelines/p.yaml": f"{HEAD}  defaults: {{cache: {on}}}\n{LINE}"}
        for on in ("true", "false")
    )
    found = change(between(next(files), next(files)), "pipeline/p")
    assert ([each.path for each in found.fields], found.tasks) == (["spec.defaults.cache"], ())
