"""Notebook components: the function that kfgit writes, and one that is given."""

from pathlib import Path

from kfp import dsl
from kfp.dsl import *  # noqa: F403 - as in the program that carries the function
from typing import *  # noqa: F403, I001

REPORT = str(Path(__file__).parent / "notebooks" / "report.ipynb")


@dsl.notebook_component(notebook_path=REPORT)
def report(
    day: str,
    table: Input[Dataset],
    many: List[float],
    summary: Output[Markdown],
    total: OutputPath(int),
    scale: int = 1,
    older: Input[Dataset] = None,
):
    dsl.run_notebook(
        day=day,
        table=table.path,
        many=many,
        scale=scale,
        older=older.path if older is not None else None,
        summary=summary.path,
        total=total,
    )


@dsl.notebook_component(
    notebook_path=REPORT,
    base_image="python:3.12",
    packages_to_install=["nbclient", "ipykernel", "jupyter_client", "pandas==2.2.3"],
    pip_index_urls=["https://example.com/simple"],
)
def given(day: str, table: Input[Dataset]) -> float:
    dsl.run_notebook(day=day, table=table.path, summary="summary.md", total="total.txt")
    with open("total.txt") as file:
        return float(file.read())


@dsl.component
def numbers(table: Output[Dataset]):
    with open(table.path, "w") as file:
        file.write("1 2 3")


@dsl.pipeline(name="notebook")
def pipeline(scale: int = 2) -> float:
    table = numbers().outputs["table"]
    report(day="monday", table=table, many=[0.5], scale=scale)
    return given(day="tuesday", table=table).outputs["Output"]
