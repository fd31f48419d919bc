"""Compiled packages as pipelines of a repository: planned, applied, run, scheduled, nested and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.door import Project

# As a compiler of KFP's writes it, with programs that every machine has.
PACKAGE = """
components:
  comp-for-loop-1:
    dag:
      tasks:
        say:
          cachingOptions: {enableCache: true}
          componentRef: {name: comp-say}
          inputs:
            parameters:
              word: {componentInputParameter: pipelinechannel--words-loop-item}
          taskInfo: {name: say}
    inputDefinitions:
      parameters:
        pipelinechannel--words: {parameterType: LIST}
        pipelinechannel--words-loop-item: {parameterType: STRING}
  comp-count:
    executorLabel: exec-count
    inputDefinitions:
      parameters:
        words: {parameterType: LIST}
    outputDefinitions:
      parameters:
        size: {parameterType: NUMBER_INTEGER}
  comp-say:
    executorLabel: exec-say
    inputDefinitions:
      parameters:
        word: {parameterType: STRING}
deploymentSpec:
  executors:
    exec-count:
      container:
        image: example.com/count:1
        command: [sh, -ec, 'mkdir -p "$(dirname "$1")"; printf %s "${#0}" > "$1"']
        args: ["{{$.inputs.parameters['words']}}", "{{$.outputs.parameters['size'].output_file}}"]
    exec-say:
      container: {image: "example.com/say:1", command: [echo], args: ["{{$.inputs.parameters['word']}}", 1e-4]}
pipelineInfo: {name: theirs, description: Counts words.}
root:
  dag:
    outputs:
      parameters:
        size: {valueFromParameter: {outputParameterKey: size, producerSubtask: count}}
    tasks:
      count:
        cachingOptions: {enableCache: true}
        componentRef: {name: comp-count}
        dependentTasks: [for-loop-1]
        inputs:
          parameters:
            words: {componentInputParameter: words}
        taskInfo: {name: count}
      for-loop-1:
        componentRef: {name: comp-for-loop-1}
        inputs:
          parameters:
            pipelinechannel--words: {componentInputParameter: words}
        parameterIterator:
          itemInput: pipelinechannel--words-loop-item
          items: {inputParameter: pipelinechannel--words}
        taskInfo: {name: for-loop-1}
  inputDefinitions:
    parameters:
      words: {parameterType: LIST, defaultValue: [a, b], isOptional: true}
  outputDefinitions:
    parameters:
      size: {parameterType: NUMBER_INTEGER}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
"""


@pytest.fixture
def packaged(project: Project) -> Project:
    project.write("packages/words.yaml", PACKAGE)
    project.pipeline("words", "package: ../packages/words.yaml")
    return project


def test_a_package_is_run_by_its_name(packaged: Project) -> None:
    run = packaged.run("words", "-p", 'words=["x", "yy", "z"]')
    assert (run.state, run.document["pipeline"]) == ("SUCCEEDED", "words")
    assert run.outputs == {"size": len('["x","yy","z"]')}
    assert set(run.states) == {"count", "for-loop-1", *(f"for-loop-1/{n}/say" for n in range(3))}
    assert packaged.log(run, "for-loop-1/1/say").strip() == "yy 1e-4"
    refused = packaged.kfgit("run", "words", "-p", "words=3", code=64)
    assert "`words` must be list" in refused.err
    assert "did you mean `words`" in packaged.kfgit("run", "words", "-p", "word=[]", code=64).err


def test_a_package_is_planned_and_applied(packaged: Project) -> None:
    packaged.document("Run", "now", "pipeline: words\ninputs: {words: [one]}\ntrigger: onChange")
    packaged.document("Schedule", "nightly", 'pipeline: words\ncron: "0 2 * * *"\ninputs: {words: [night]}')
    plan = packaged.kfgit("plan", "-o", "json").json
    changes = {(change["kind"], change["name"]): change["action"] for change in plan["changes"]}
    assert changes[("Pipeline", "words")] == changes[("Schedule", "nightly")] == "create"
    packaged.kfgit("apply", "--wait")
    assert packaged.latest().outputs == {"size": len('["one"]')}
    assert packaged.kfgit("plan", "-o", "json").json["summary"]["create"] == 0
    packaged.write("packages/words.yaml", PACKAGE.replace("say:1", "say:2"))
    summary = packaged.kfgit("plan", "-o", "json").json["summary"]
    assert (summary["create"] + summary["update"] + summary["replace"]) > 0


def test_a_package_is_a_task_of_another_pipeline(packaged: Project) -> None:
    packaged.component(
        "double",
        """
        inputs: {n: {type: int}}
        outputs: {twice: {type: int}}
        container: {image: example.com/double:1, script: "printf %s $(( $(inputs.n) * 2 )) > $(outputs.twice.path)"}
        """,
    )
    packaged.pipeline(
        "around",
        """
        outputs: {twice: {type: int, from: $(tasks.double.outputs.twice)}}
        tasks:
          count: {pipeline: words, inputs: {words: [abc]}}
          double: {component: double, inputs: {n: $(tasks.count.outputs.size)}}
        """,
    )
    run = packaged.run("around")
    assert run.outputs == {"twice": 2 * len('["abc"]')}
    assert {"count", "count/count", "count/for-loop-1/0/say", "double"} <= set(run.states)


def test_a_package_is_drawn_and_given_back(packaged: Project) -> None:
    drawn = packaged.kfgit("graph", "words", "-o", "json").json
    assert "for-loop-1" in json.dumps(drawn)
    assert "for each of words" in packaged.kfgit("graph", "words").out
    compiled = packaged.kfgit("compile", "words").out
    Path(packaged.root / "again.yaml").write_text(compiled)
    packaged.pipeline("words", "package: ../again.yaml")
    assert packaged.kfgit("compile", "words").out == compiled
    assert "package: ../again.yaml" in packaged.kfgit("render", "pipeline/words").out


def test_what_is_wrong_in_a_package_is_told_in_its_file(packaged: Project) -> None:
    packaged.write("packages/words.yaml", PACKAGE.replace("producerSubtask: count", "producerSubtask: cuont"))
    told = packaged.kfgit("validate", "-o", "json", code=1).json["diagnostics"]
    assert [(d["code"], d["file"]) for d in told] == [("unknown-task", "packages/words.yaml")]
    assert "did you mean `count`?" in told[0]["help"]
    assert "cuont" in packaged.kfgit("run", "words", code=1).err
