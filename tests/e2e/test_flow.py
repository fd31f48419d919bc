"""Order, loops, branches, nesting and exit tasks, run for real and told by the paths that the author wrote."""

from __future__ import annotations

import json

import pytest

from tests.e2e.door import Project, Run, most_at_once

SAY = """
inputs: {text: {type: string, default: hi}}
outputs: {said: {type: string}, size: {type: int}}
container:
  image: alpine
  script: |
    printf %s "$(inputs.text)" > $(outputs.said.path)
    printf %s "$(inputs.text)" | wc -m > $(outputs.size.path)
"""
FAIL = """
inputs: {code: {type: int, default: 3}}
outputs: {said: {type: string}}
container: {image: alpine, script: 'echo "about to fail"; exit $(inputs.code)'}
"""


@pytest.fixture
def project(project: Project) -> Project:
    project.component("say", SAY)
    project.component("fail", FAIL)
    return project


def groups(run: Run) -> set[str]:
    return {path for path, task in run.tasks.items() if task["component"] is None}


def before(run: Run, first: str, second: str) -> bool:
    return bool(run.span(first)[1] <= run.span(second)[0])


def test_references_texts_and_order(project: Project) -> None:
    project.pipeline(
        "order",
        """
        inputs: {who: {type: string, default: you}, n: {type: int, default: 4}, l: {type: list, default: [1, {a: b}]}}
        outputs: {last: {type: string, from: $(tasks.c.outputs.said)}}
        tasks:
          c:
            component: say
            inputs:
              text: "$(tasks.a.outputs.said)|$(inputs.n)|$(inputs.l)|$(tasks.a.outputs.size)|$(run.name)"
            after: [b]
          b: {component: say, after: [a]}
          a: {component: say, inputs: {text: "hello $(inputs.who)"}}
        """,
    )
    run = project.run("order", "-p", "who=me")
    assert list(run.states) == ["a", "b", "c"]
    assert run.outputs == {"last": f'hello me|4|[1,{{"a":"b"}}]|8|{run.document["name"]}'}
    assert before(run, "a", "b")
    assert before(run, "b", "c")
    assert run.tasks["a"]["inputs"] == {"text": "hello me"}
    assert run.tasks["c"]["inputs"] == {"text": run.outputs["last"]}
    assert run.document["inputs"] == {"who": "me"}


def test_nested_pipelines_have_inputs_and_outputs(project: Project) -> None:
    project.pipeline(
        "inner",
        """
        inputs: {text: {type: string}, suffix: {type: string, default: "!"}}
        outputs: {said: {type: string, from: $(tasks.both.outputs.said)}}
        tasks:
          one: {component: say, inputs: {text: $(inputs.text)}}
          both: {component: say, inputs: {text: "$(tasks.one.outputs.said)$(inputs.suffix)"}}
        """,
    )
    project.pipeline(
        "middle",
        """
        inputs: {text: {type: string}}
        outputs: {said: {type: string, from: $(tasks.inside.outputs.said)}}
        tasks: {inside: {pipeline: inner, inputs: {text: "<$(inputs.text)>"}}}
        """,
    )
    project.pipeline(
        "outer",
        """
        outputs: {said: {type: string, from: $(tasks.end.outputs.said)}}
        tasks:
          nest: {pipeline: middle, inputs: {text: deep}}
          twice: {pipeline: inner, inputs: {text: $(tasks.nest.outputs.said), suffix: "?"}}
          end: {component: say, inputs: {text: $(tasks.twice.outputs.said)}}
        """,
    )
    run = project.run("outer")
    assert run.outputs == {"said": "<deep>!?"}
    assert list(run.states) == [
        "nest", "nest/inside", "nest/inside/one", "nest/inside/both", "twice", "twice/one", "twice/both", "end",
    ]  # fmt: skip
    assert groups(run) == {"nest", "nest/inside", "twice"}
    assert run.tasks["nest"]["outputs"] == {"said": "<deep>!"}
    assert run.tasks["nest"]["inputs"] == {"text": "deep"}


def test_loops_over_everything(project: Project) -> None:
    project.component(
        "list",
        """
        outputs: {items: {type: "list<string>"}}
        container: {image: alpine, script: "printf '[\\"x\\", \\"y\\"]' > $(outputs.items.path)"}
        """,
    )
    project.component(
        "sum",
        """
        inputs: {texts: {type: list}}
        outputs: {all: {type: list}}
        container: {image: alpine, script: "printf %s $(inputs.texts) > $(outputs.all.path)"}
        """,
    )
    project.pipeline(
        "loops",
        """
        inputs: {names: {type: "list<string>", default: [p, q]}}
        outputs: {flat: {type: list, from: $(tasks.flat.outputs.all)}}
        tasks:
          make: {component: list}
          literal: {forEach: [1, 2], tasks: {each: {component: say, inputs: {text: "n$(item)"}}}}
          given: {forEach: $(inputs.names), tasks: {each: {component: say, inputs: {text: $(item)}}}}
          made: {forEach: $(tasks.make.outputs.items), tasks: {each: {component: say, inputs: {text: $(item)}}}}
          dicts:
            forEach: [{name: a, lr: 0.1}, {name: b, lr: 1}]
            tasks: {each: {component: say, inputs: {text: "$(item.name)=$(item.lr)"}}}
          empty: {forEach: [], tasks: {each: {component: say}}}
          outer:
            forEach: [1, 2]
            tasks:
              first: {component: say, inputs: {text: "o$(item)"}}
              inner:
                forEach: $(inputs.names)
                tasks:
                  each: {component: say, inputs: {text: "$(loops.outer.item)$(item)$(tasks.first.outputs.said)"}}
          flat: {component: sum, inputs: {texts: $(tasks.outer.inner.each.outputs.said.*)}}
          sums: {component: sum, inputs: {texts: $(tasks.dicts.each.outputs.said.*)}}
          none: {component: sum, inputs: {texts: $(tasks.empty.each.outputs.said.*)}}
        """,
    )
    run = project.run("loops")
    assert run.state == "SUCCEEDED"
    said = {path: task["outputs"]["said"] for path, task in run.tasks.items() if "said" in task["outputs"]}
    assert {path: text for path, text in said.items() if not path.startswith("outer/")} == {
        "literal/0/each": "n1", "literal/1/each": "n2", "given/0/each": "p", "given/1/each": "q", "made/0/each": "x",
        "made/1/each": "y", "dicts/0/each": "a=0.1", "dicts/1/each": "b=1",
    }  # fmt: skip
    assert run.outputs == {"flat": ["1po1", "1qo1", "2po2", "2qo2"]}
    assert run.out("sums", "all") == ["a=0.1", "b=1"]
    assert run.out("none", "all") == []
    assert groups(run) == {
        "literal",
        "given",
        "made",
        "dicts",
        "empty",
        "outer",
        "outer/0/inner",
        "outer/1/inner",
    }
    assert run.states["empty"] == "SUCCEEDED"
    assert said["outer/1/inner/0/each"] == "2po2"


def test_a_loop_over_artifacts_runs_here(project: Project) -> None:
    project.component(
        "file",
        """
        inputs: {text: {type: string}}
        outputs: {data: {type: Dataset}}
        container: {image: alpine, script: "printf %s $(inputs.text) > $(outputs.data.path)"}
        """,
    )
    project.component(
        "read",
        """
        inputs: {data: {type: Dataset}}
        outputs: {text: {type: string}}
        container: {image: alpine, script: "cat $(inputs.data.path) > $(outputs.text.path)"}
        """,
    )
    project.pipeline(
        "artifacts",
        """
        tasks:
          make: {forEach: [a, b], tasks: {file: {component: file, inputs: {text: $(item)}}}}
          use: {forEach: $(tasks.make.file.outputs.data.*), tasks: {read: {component: read, inputs: {data: $(item)}}}}
        """,
    )
    run = project.run("artifacts")
    assert [run.out(f"use/{index}/read", "text") for index in (0, 1)] == ["a", "b"]
    assert run.tasks["use/1/read"]["inputs"]["data"]["uri"] == run.out("make/1/file", "data")["uri"]


def test_parallelism_is_kept_and_used(project: Project) -> None:
    project.component("nap", "container: {image: alpine, script: sleep 0.4}")
    project.pipeline(
        "naps",
        """
        tasks:
          two:
            forEach: [1, 2, 3, 4, 5]
            parallelism: 2
            tasks: {nap: {component: nap}, then: {component: nap, after: [nap]}}
          free: {forEach: [1, 2, 3], tasks: {nap: {component: nap}}}
        """,
    )
    run = project.run("naps")
    spans = [run.span(path) for path in run.tasks if path.startswith("two/")]
    iterations = [(run.span(f"two/{i}/nap")[0], run.span(f"two/{i}/then")[1]) for i in range(5)]
    assert most_at_once(iterations) == 2
    assert most_at_once(spans) == 2
    assert most_at_once([run.span(f"free/{i}/nap") for i in range(3)]) > 1


def test_guards_skip_and_so_does_what_follows(project: Project) -> None:
    project.pipeline(
        "guards",
        """
        inputs: {n: {type: int, default: 2}, words: {type: list, default: [a, b]}}
        tasks:
          make: {component: say, inputs: {text: abc}}
          yes: {component: say, when: $(tasks.make.outputs.size) == 3 && $(inputs.n) < 2.5 and not ($(inputs.n) > 7)}
          no: {component: say, when: '$(tasks.make.outputs.said) == "x" || "z" in $(inputs.words)'}
          member: {component: say, when: '"a" in $(inputs.words)'}
          reads: {component: say, inputs: {text: $(tasks.no.outputs.said)}}
          waits: {component: say, after: [no]}
          further: {component: say, after: [waits, yes]}
          other: {component: say, after: [yes]}
          loop: {forEach: [1, 2], tasks: {some: {component: say, when: $(item) == 2}}}
          skipped: {forEach: [1, 2], when: $(inputs.n) == 3, tasks: {never: {component: say}}}
          nested: {pipeline: inner, when: $(inputs.n) == 3}
        """,
    )
    project.pipeline("inner", "tasks: {deep: {component: say}}")
    run = project.run("guards")
    assert run.state == "SUCCEEDED"
    assert run.states == {
        "make": "SUCCEEDED", "yes": "SUCCEEDED", "no": "SKIPPED", "member": "SUCCEEDED", "reads": "SKIPPED",
        "waits": "SKIPPED", "further": "SKIPPED", "other": "SUCCEEDED", "loop": "SUCCEEDED", "loop/0/some": "SKIPPED",
        "loop/1/some": "SUCCEEDED", "skipped": "SKIPPED", "nested": "SKIPPED", "nested/deep": "SKIPPED",
    }  # fmt: skip
    assert {run.tasks[path]["attempts"] for path, state in run.states.items() if state == "SKIPPED"} == {0}


@pytest.mark.parametrize(("score", "branch"), [(0.99, "full"), (0.9, "canary"), (0.1, "keep")])
def test_a_switch_takes_one_branch_and_its_outputs(project: Project, score: float, branch: str) -> None:
    project.pipeline(
        "gates",
        """
        inputs: {score: {type: float}}
        outputs: {said: {type: string, from: $(tasks.gate.outputs.said)}}
        tasks:
          gate:
            switch:
              - when: $(inputs.score) >= 0.95
                tasks: {full: {component: say, inputs: {text: full}}}
                outputs: {said: $(tasks.full.outputs.said)}
              - when: $(inputs.score) >= 0.5
                tasks: {before: {component: say}, canary: {component: say, inputs: {text: canary}, after: [before]}}
                outputs: {said: $(tasks.canary.outputs.said)}
              - tasks: {keep: {component: say, inputs: {text: keep}}}
                outputs: {said: $(tasks.keep.outputs.said)}
          one:
            switch: [{when: $(inputs.score) > 0.95, tasks: {only: {component: say}}}]
          tell: {component: say, inputs: {text: "took $(tasks.gate.outputs.said)"}}
        """,
    )
    run = project.run("gates", "-p", f"score={score}")
    assert run.outputs == {"said": branch}
    assert run.out("tell", "said") == f"took {branch}"
    branches = {path: state for path, state in run.states.items() if path.startswith("gate/")}
    taken = {f"gate/{branch}", *(["gate/before"] if branch == "canary" else [])}
    assert branches == {
        path: "SUCCEEDED" if path in taken else "SKIPPED"
        for path in ("gate/full", "gate/before", "gate/canary", "gate/keep")
    }
    assert (run.states["gate"], run.tasks["gate"]["component"]) == ("SUCCEEDED", None)
    only = "SUCCEEDED" if branch == "full" else "SKIPPED"
    assert (run.states["one"], run.states["one/only"]) == (only, only)


def test_a_switch_in_a_loop_is_collected(project: Project) -> None:
    project.component(
        "sum",
        """
        inputs: {texts: {type: list}}
        outputs: {all: {type: list}}
        container: {image: alpine, script: "printf %s $(inputs.texts) > $(outputs.all.path)"}
        """,
    )
    project.pipeline(
        "branches",
        """
        tasks:
          each:
            forEach: [1, 2, 3]
            tasks:
              gate:
                switch:
                  - when: $(item) == 1
                    tasks: {one: {component: say, inputs: {text: one}}}
                    outputs: {said: $(tasks.one.outputs.said)}
                  - tasks:
                      deeper:
                        switch:
                          - when: $(item) == 2
                            tasks: {two: {component: say, inputs: {text: two}}}
                            outputs: {said: $(tasks.two.outputs.said)}
                          - tasks: {more: {component: say, inputs: {text: more}}}
                            outputs: {said: $(tasks.more.outputs.said)}
                    outputs: {said: $(tasks.deeper.outputs.said)}
          sum: {component: sum, inputs: {texts: $(tasks.each.gate.outputs.said.*)}}
        """,
    )
    run = project.run("branches")
    assert run.out("sum", "all") == ["one", "two", "more"]
    assert run.states["each/0/gate/one"] == run.states["each/2/gate/deeper/more"] == "SUCCEEDED"
    assert run.states["each/0/gate/deeper"] == run.states["each/1/gate/deeper/more"] == "SKIPPED"
    assert {"each", "each/0/gate", "each/1/gate", "each/1/gate/deeper"} <= groups(run)


REPORT = """
inputs: {status: {type: TaskFinalStatus}, who: {type: string, default: nobody}}
outputs: {report: {type: string}}
container: {image: alpine, script: 'printf %s "$(inputs.who) $(inputs.status)" > $(outputs.report.path)'}
"""


@pytest.mark.parametrize(("code", "word"), [(0, "COMPLETE"), (3, "FAILED")])
def test_the_exit_task_runs_last_and_knows_how_it_went(project: Project, code: int, word: str) -> None:
    project.component("report", REPORT)
    project.pipeline(
        "exits",
        """
        inputs: {code: {type: int}}
        tasks:
          work:
            component: {inputs: {code: {type: int}}, container: {image: alpine, script: exit $(inputs.code)}}
            inputs: {code: $(inputs.code)}
          then: {component: say, after: [work]}
        onExit: {component: report, inputs: {status: $(run.status), who: "exit $(inputs.code)"}}
        """,
    )
    run = project.run("exits", "-p", f"code={code}", code=7 if code else 0)
    assert run.states == {
        "work": "FAILED" if code else "SUCCEEDED",
        "then": "SKIPPED" if code else "SUCCEEDED",
        "onExit": "SUCCEEDED",
    }
    told = run.out("onExit", "report")
    assert told.startswith(f"exit {code} ")
    status = json.loads(told.removeprefix(f"exit {code} "))
    assert status["state"] == word
    assert run.state == ("FAILED" if code else "SUCCEEDED")
    assert before(run, "work", "onExit")


def test_an_exit_task_that_fails_fails_the_run(project: Project) -> None:
    project.pipeline("exits", "{tasks: {work: {component: say}}, onExit: {component: fail}}")
    run = project.run("exits", code=7)
    assert run.states == {"work": "SUCCEEDED", "onExit": "FAILED"}
    assert "onExit" in run.error


def test_a_failure_stops_its_dag_while_siblings_finish(project: Project) -> None:
    project.write(".kfgit/keep", "")
    go = project.root / "go"
    project.component(
        "wait",
        f"container: {{image: alpine, script: 'while ! [ -e {go} ]; do sleep 0.05; done'}}",
    )
    project.component(
        "open",
        f"container: {{image: alpine, script: 'touch {go}; exit 3'}}",
    )
    project.pipeline("inner", "tasks: {slow: {component: wait}, later: {component: say, after: [slow]}}")
    project.pipeline(
        "failing",
        """
        tasks:
          beside: {component: wait}
          never: {component: say, after: [beside]}
          nested: {pipeline: inner}
          broken: {component: open}
          reads: {component: say, after: [broken]}
          anyway: {component: say, after: [broken], ignoreUpstreamFailure: true}
        """,
    )
    run = project.run("failing", code=7)
    assert run.states == {
        "beside": "SUCCEEDED", "never": "SKIPPED", "nested": "SUCCEEDED", "nested/slow": "SUCCEEDED",
        "nested/later": "SUCCEEDED", "broken": "FAILED", "reads": "SKIPPED", "anyway": "SUCCEEDED",
    }  # fmt: skip
    assert run.error == "task `broken` failed: it ended with exit code 3"


def test_a_failure_in_a_loop_is_the_loops(project: Project) -> None:
    project.pipeline(
        "failing",
        """
        tasks:
          loop:
            forEach: [0, 4]
            tasks: {each: {component: fail, inputs: {code: $(item)}}}
          after: {component: say, after: [loop]}
        """,
    )
    run = project.run("failing", code=7)
    # The first iteration ends well as a process, but writes no output.
    assert run.states == {
        "loop": "FAILED",
        "loop/0/each": "FAILED",
        "loop/1/each": "FAILED",
        "after": "SKIPPED",
    }
    assert "`said`" in run.tasks["loop/0/each"]["error"]
    assert "exit code 4" in run.tasks["loop/1/each"]["error"]


def test_a_condition_without_a_value_fails_its_task(project: Project) -> None:
    project.pipeline(
        "valueless",
        """
        inputs: {maybe: {type: string, optional: true}}
        tasks: {guarded: {component: say, when: '$(inputs.maybe) == "x"'}, other: {component: say}}
        """,
    )
    run = project.run("valueless", code=7)
    assert run.states["guarded"] == "FAILED"
    assert "maybe" in run.tasks["guarded"]["error"]
    assert project.run("valueless", "-p", "maybe=x").states == {"guarded": "SUCCEEDED", "other": "SUCCEEDED"}
