"""Exit tasks of pipelines in pipelines, run for real: when they run, what they hear, and what becomes of the rest."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.door import Project, Run, until
from tests.e2e.stages import let, nothing_runs, reached, waiting

SAY = """
inputs: {text: {type: string, default: hi}}
outputs: {said: {type: string}}
container:
  image: alpine
  script: |
    test "$(inputs.text)" != bad
    printf %s "$(inputs.text)" > $(outputs.said.path)
"""
HEAR = """
inputs: {of: {type: string}, status: {type: TaskFinalStatus}}
outputs: {heard: {type: dict}}
container: {image: alpine, script: 'printf %s $(inputs.status) > $(outputs.heard.path)'}
"""
INNER = """
inputs: {text: {type: string}}
outputs: {said: {type: string, from: $(tasks.second.outputs.said)}}
tasks:
  first: {component: say, inputs: {text: $(inputs.text)}}
  second: {component: say, inputs: {text: "$(tasks.first.outputs.said)!"}}
onExit: {component: hear, inputs: {of: inner, status: $(run.status)}, cache: false}
"""
OUTER = """
inputs: {text: {type: string, default: hello}}
outputs: {said: {type: string, from: $(tasks.last.outputs.said)}}
tasks:
  call: {pipeline: inner, inputs: {text: $(inputs.text)}}
  each:
    forEach: [a, b]
    tasks: {call2: {pipeline: inner, inputs: {text: $(item)}, after: [call]}}
  guarded: {pipeline: inner, when: $(inputs.text) == 'hello', inputs: {text: guarded}}
  never: {pipeline: inner, when: $(inputs.text) == 'nobody', inputs: {text: never}}
  last: {component: say, inputs: {text: "<$(tasks.call.outputs.said)>"}}
onExit: {pipeline: farewell, inputs: {text: bye}}
"""
FAREWELL = """
inputs: {text: {type: string}}
tasks: {call: {pipeline: inner, inputs: {text: $(inputs.text)}}}
onExit: {component: hear, inputs: {of: farewell, status: $(run.status)}, cache: false}
"""


@pytest.fixture
def nested(project: Project) -> Project:
    project.component("say", SAY)
    project.component("hear", HEAR)
    for name, spec in (("inner", INNER), ("farewell", FAREWELL), ("outer", OUTER)):
        project.pipeline(name, spec)
    return project


def heard(run: Run, path: str) -> tuple[str, Any]:
    status = run.tasks[path]["outputs"]["heard"]
    return status["state"], status["error"].get("message")


def test_each_call_ends_with_its_exit_task(nested: Project) -> None:
    run = nested.run("outer")
    assert run.state == "SUCCEEDED", run.err
    assert run.outputs == {"said": "<hello!>"}
    ended = {path for path, state in run.states.items() if path.endswith("onExit") and state == "SUCCEEDED"}
    assert ended == {
        "call/onExit", "each/0/call2/onExit", "each/1/call2/onExit", "guarded/onExit",
        "onExit", "onExit/call/onExit", "onExit/onExit",
    }  # fmt: skip
    assert (run.states["never"], run.states["never/onExit"]) == ("SKIPPED", "SKIPPED")
    for path in ended - {"onExit"}:
        assert heard(run, path) == ("COMPLETE", None)
    # What follows a call waits for its exit task, and so does the exit task around it.
    for first, then in (("call/second", "call/onExit"), ("call/onExit", "last"), ("last", "onExit/call/first"),
                        ("onExit/call/onExit", "onExit/onExit")):  # fmt: skip
        assert run.span(first)[1] <= run.span(then)[0], (first, then)


def test_a_failure_is_told_to_the_exit_tasks_from_the_inside_out(nested: Project) -> None:
    run = nested.run("outer", "-p", "text=bad", code=7)
    told = "task `call/first` failed: it ended with exit code 1"
    assert (run.state, run.error) == ("FAILED", told)
    assert heard(run, "call/onExit") == ("FAILED", told)
    assert run.states["call"] == "FAILED"
    assert run.states["last"] == "SKIPPED"
    assert run.states["onExit/onExit"] == "SUCCEEDED"
    # The exit pipeline's own tasks went well, and that is what its exit task hears.
    assert heard(run, "onExit/onExit") == ("COMPLETE", None)


def test_an_exit_task_that_fails_fails_its_call_and_the_run(nested: Project) -> None:
    nested.pipeline(
        "inner",
        """
        inputs: {text: {type: string}}
        outputs: {said: {type: string, from: $(tasks.first.outputs.said)}}
        tasks: {first: {component: say, inputs: {text: $(inputs.text)}}}
        onExit: {component: say, inputs: {text: bad}}
        """,
    )
    run = nested.run("outer", code=7)
    assert (run.states["call/first"], run.states["call"]) == ("SUCCEEDED", "FAILED")
    assert run.states["last"] == "SKIPPED"
    assert run.states["onExit/call/onExit"] == "FAILED"
    assert heard(run, "onExit/onExit")[0] == "FAILED"


STAGES = """
tasks:
  one: {component: wait, inputs: {stage: one}}
  late: {component: wait, inputs: {stage: late}, after: [one]}
onExit: {component: wait, inputs: {stage: inner-exit}, cache: false}
"""
AROUND = """
tasks:
  call: {pipeline: stages}
  beside: {component: wait, inputs: {stage: beside}}
  next: {component: wait, inputs: {stage: next}, after: [call, beside]}
onExit: {component: wait, inputs: {stage: exit}, cache: false}
"""


@pytest.fixture
def marks(project: Project) -> Path:
    folder = waiting(project)
    project.pipeline("stages", STAGES)
    project.pipeline("around", AROUND)
    return folder


def test_being_asked_to_stop_lets_every_exit_task_run(project: Project, marks: Path) -> None:
    let(marks, "inner-exit", "exit")
    with project.started("run", "around", "-o", "json") as process:
        reached(marks, "one", "beside", process=process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    shown = Run(json.loads(out))
    assert shown.state == "CANCELED"
    assert shown.states == {
        "call": "CANCELED", "call/one": "CANCELED", "call/late": "SKIPPED", "call/onExit": "SUCCEEDED",
        "beside": "CANCELED", "next": "SKIPPED", "onExit": "SUCCEEDED",
    }  # fmt: skip
    nothing_runs(marks)


def test_a_nested_exit_task_that_runs_is_let_be(project: Project, marks: Path) -> None:
    let(marks, "one", "late", "exit")
    with project.started("run", "around", "-o", "json") as process:
        reached(marks, "inner-exit", "beside", process=process)
        until(lambda: {"call/onExit", "beside"} <= project.running(), "the store to know it")
        project.kfgit("runs", "cancel", "latest")
        until(lambda: project.running() == {"call", "call/onExit"}, "the rest to be stopped")
        let(marks, "inner-exit")
        out, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    shown = Run(json.loads(out))
    assert shown.state == "CANCELED"
    assert (shown.states["call"], shown.states["call/onExit"]) == ("SUCCEEDED", "SUCCEEDED")
    assert (shown.states["next"], shown.states["onExit"]) == ("SKIPPED", "SUCCEEDED")


def test_a_kfgit_killed_in_a_nested_exit_task_is_written_off_and_goes_on_from_its_cache(
    project: Project, marks: Path
) -> None:
    let(marks, "one", "late", "beside")
    with project.started("run", "around") as process:
        reached(marks, "inner-exit", process=process)
        until(lambda: "call/onExit" in project.running(), "the store to know it")
        process.send_signal(signal.SIGKILL)
        process.wait()
        nothing_runs(marks)
    shown = project.latest()
    assert shown.state == "FAILED"
    assert (shown.states["call/late"], shown.states["call/onExit"]) == ("SUCCEEDED", "FAILED")
    assert (shown.states["next"], shown.states["onExit"]) == ("SKIPPED", "SKIPPED")
    let(marks, "inner-exit", "next", "exit")
    again = project.run("around")
    assert again.state == "SUCCEEDED"
    assert {path for path, task in again.tasks.items() if task["cached"]} == {
        "call/one", "call/late", "beside",
    }  # fmt: skip


def test_pictures_show_the_exit_task_of_each_pipeline(nested: Project) -> None:
    (nested.root / "pipelines").mkdir(exist_ok=True)
    nested.kfgit("compile", "inner", "--out", "pipelines/inner.ir.yaml")
    nested.pipeline("packaged", "package: inner.ir.yaml")
    nested.pipeline("calls", "{tasks: {call: {pipeline: packaged, inputs: {text: x}}}}")
    drawn = nested.kfgit("graph", "outer", "-o", "json").json
    last = {node["id"]: (node["detail"], node["parent"], node["wave"]) for node in exits(drawn)}
    assert last == {
        "call/onExit": ("hear", "call", None),
        "each/call2/onExit": ("hear", "each/call2", None),
        "guarded/onExit": ("hear", "guarded", None),
        "never/onExit": ("hear", "never", None),
        "onExit": ("farewell", None, None),
    }
    assert nested.kfgit("graph", "outer").out.count("■ onExit") == len(last)
    (of_package,) = exits(nested.kfgit("graph", "calls", "-o", "json").json)
    assert (of_package["id"], of_package["parent"]) == ("call/hear", "call")
    flowchart = nested.kfgit("graph", "outer", "-o", "mermaid").out
    assert '  n_call_second -.->|"always runs"| n_call_onExit\n' in flowchart
    assert '  pipeline -. "always runs" .-> n_onExit\n' in flowchart


def exits(graph: Any) -> list[Any]:
    return [node for node in graph["nodes"] if node["kind"] == "exit"]


def test_a_pipeline_hears_of_the_status_and_decides(nested: Project) -> None:
    nested.component(
        "state",
        """
        inputs: {status: {type: dict}}
        outputs: {failed: {type: bool}}
        container:
          image: alpine
          script: |
            case $(inputs.status) in *FAILED*) printf true;; *) printf false;; esac > $(outputs.failed.path)
        """,
    )
    nested.pipeline(
        "judge",
        """
        inputs: {status: {type: TaskFinalStatus}, word: {type: string}}
        tasks:
          seen: {component: state, inputs: {status: $(inputs.status)}}
          again:
            forEach: [1]
            tasks: {seen2: {component: state, inputs: {status: $(inputs.status)}}}
          alarm: {component: say, when: $(tasks.seen.outputs.failed), inputs: {text: $(inputs.word)}}
        """,
    )
    nested.pipeline(
        "judged",
        """
        inputs: {text: {type: string}}
        tasks: {work: {component: say, inputs: {text: $(inputs.text)}}}
        onExit: {pipeline: judge, inputs: {status: $(run.status), word: alarm}}
        """,
    )
    good, bad = nested.run("judged", "-p", "text=good"), nested.run("judged", "-p", "text=bad", code=7)
    assert good.states["onExit/alarm"] == "SKIPPED"
    assert good.tasks["onExit/again/0/seen2"]["outputs"] == {"failed": False}
    assert (bad.states["work"], bad.states["onExit/alarm"]) == ("FAILED", "SUCCEEDED")
    assert bad.tasks["onExit/again/0/seen2"]["outputs"] == {"failed": True}

    refused = nested.kfgit("run", "judge", "-p", "word=x", code=64).err
    assert "`judge` asks for the final status; run a pipeline that has it as `onExit`" in refused
    # It is live like any other pipeline, and a second apply has nothing to do.
    nested.kfgit("apply")
    assert nested.kfgit("plan", "--exit-code").code == 0
    assert {row["id"] for row in exits(nested.kfgit("graph", "judged", "-o", "json").json)} == {"onExit"}
    assert nested.kfgit("compile", "judge").out.count("TASK_FINAL_STATUS") == 1
