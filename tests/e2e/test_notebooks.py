"""Notebooks, run for real: parameters and artifacts go in, outputs come out, and a failure names its cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.door import Project

SAMPLE = (
    Path(__file__).parents[2].parent / "shared/conformance/kfp-ir/critical/notebook_component_simple.yaml"
)

NUMBERS = """
python:
  function: numbers
  source: |
    def numbers(table: Output[Dataset], n: int = 3):
        with open(table.path, "w") as file:
            file.write(" ".join(str(i) for i in range(n + 1)))
"""
PIPELINE = """
inputs: {day: {type: string, default: monday}, scale: {type: int, default: 2}}
outputs:
  total: {type: int, from: $(tasks.report.outputs.total)}
  page: {type: Markdown, from: $(tasks.report.outputs.page)}
tasks:
  numbers: {component: numbers}
  report:
    component: report
    inputs: {day: $(inputs.day), scale: $(inputs.scale), names: [a, "b'c"], table: $(tasks.numbers.outputs.table)}
"""


def notebook(*cells: str, tagged: str = "") -> str:
    made: list[dict[str, Any]] = [{"cell_type": "markdown", "metadata": {}, "source": ["# Numbers\n"]}]
    for text in (tagged, *cells):
        tags = {"tags": ["parameters"]} if text and text == tagged else {}
        made.append(
            {
                "cell_type": "code",
                "execution_count": None,
                "metadata": tags,
                "outputs": [],
                "source": text.splitlines(keepends=True),
            }
        )
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}, indent=1)


def with_notebook(project: Project, *cells: str, tagged: str = "") -> None:
    project.component("numbers", NUMBERS)
    project.component(
        "report",
        """
        inputs:
          day: {type: string}
          scale: {type: int, default: 1}
          names: {type: list}
          table: {type: Dataset}
          older: {type: Dataset, optional: true}
        outputs: {page: {type: Markdown}, total: {type: int}}
        notebook: {file: report.ipynb}
        """,
    )
    project.pipeline("daily", PIPELINE)
    (project.root / "pipelines" / "report.ipynb").write_text(notebook(*cells, tagged=tagged))


def test_a_notebook_runs(project: Project) -> None:
    with_notebook(
        project,
        "numbers = [scale * int(n) for n in open(table).read().split()]\nprint('the', day, names)\nsum(numbers)",
        "assert older is None\nwith open(page, 'w') as file:\n    file.write(f'# {day}: {sum(numbers)}')",
        "%time open(total, 'w').write(str(sum(numbers)))",
        tagged="day = 'nothing'\nscale = 0",
    )
    run = project.run("daily", "-p", "scale=3")
    assert (run.state, run.outputs["total"]) == ("SUCCEEDED", 18)
    assert project.artifact(run.outputs["page"]).read_text() == "# monday: 18"
    log = project.log(run, "report")
    assert "the monday ['a', \"b'c\"]" in log
    assert "18" in log.split()
    again = project.run("daily", "-p", "scale=3")
    assert again.tasks["report"]["cached"]


def test_a_notebook_that_fails_names_its_cell(project: Project) -> None:
    with_notebook(project, "value = 1", "print(day)\nraise ValueError(f'{day} is too late')")
    run = project.run("daily", code=7)
    assert run.states == {"numbers": "SUCCEEDED", "report": "FAILED"}
    log = project.log(run, "report")
    assert "cell 4 of report.ipynb failed: ValueError: monday is too late" in log
    assert "raise ValueError" in log


def test_a_notebook_with_the_function_of_the_dsl(project: Project) -> None:
    project.component(
        "report",
        """
        notebook:
          file: report.ipynb
          python:
            function: report
            source: |
              def report(day: str, metrics: Output[Metrics]) -> int:
                  dsl.run_notebook(day=day, target="length.txt")
                  with open(__KFP_EMBEDDED_ASSET_DIR + "/length.txt") as file:
                      length = int(file.read())
                  metrics.log_metric("length", length)
                  return length
        """,
    )
    project.pipeline("daily", "tasks: {report: {component: report, inputs: {day: sunday}}}")
    text = notebook("with open(target, 'w') as file:\n    file.write(str(len(day)))")
    (project.root / "pipelines" / "report.ipynb").write_text(text)
    run = project.run("daily")
    assert run.out("report", "Output") == 6
    assert run.out("report", "metrics")["metadata"] == {"length": 6}


@pytest.mark.skipif(
    not SAMPLE.is_file(), reason="the folder ../shared/conformance is not beside this checkout"
)
def test_a_notebook_that_the_sdk_compiled(project: Project) -> None:
    run = project.run(str(SAMPLE), "-p", "text=hello")
    assert set(run.states.values()) == {"SUCCEEDED"}
