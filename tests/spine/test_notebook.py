"""Notebooks: what cannot run is told where it stands, and the archive is the same everywhere."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from kfgit import driver, notebook
from kfgit.diagnostics import Diagnostic
from kfgit.notebook.archive import tar_gz
from kfgit.source import MAX_BYTES, SourceFile
from tests import compiling

SAMPLE = Path(__file__).parents[1] / "sdk" / "pairs" / "notebooks" / "report.ipynb"
CODE = {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["x = 1\n"]}


def told(content: str | bytes) -> list[tuple[str, int, int, str]]:
    given = content.encode() if isinstance(content, str) else content
    read = notebook.read(SourceFile("a/x.ipynb", given))
    assert all(d.span.file == "a/x.ipynb" for d in read.diagnostics)
    assert (read.value is None) == (not read.ok)
    return [(d.code, d.span.line, d.span.column, d.message) for d in read.diagnostics]


def written(*cells: Any, **more: Any) -> str:
    return json.dumps(
        {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}, indent=1
    )


def cell(source: Any, **more: Any) -> dict[str, Any]:
    return {**CODE, "source": source, **more}


@pytest.mark.parametrize(
    ("content", "code", "line", "said"),
    [
        ("", "bad-notebook", 1, "this is no JSON: expecting value"),
        ('{\n "cells": [,]\n}', "bad-notebook", 2, "this is no JSON"),
        (b"\xff\xfe{}", "bad-notebook", 1, "UTF-8"),
        ("[1]", "bad-notebook", 1, "a JSON object with `cells`"),
        ("[" * 100_000, "bad-notebook", 1, "nested too deep"),
        ('{"a": ' + "9" * 5_000 + "}", "bad-notebook", 1, "a number is too large"),
        ('{"cells": []}', "bad-notebook", 1, "does not say its `nbformat`"),
        ('{"cells": [],\n "nbformat": 5}', "bad-notebook", 2, "has the format 5"),
        ('{"nbformat": 4,\n "cells": {}}', "bad-notebook", 2, "no list of `cells`"),
        (written(CODE, 3), "bad-notebook", 11, "cell 2 is no JSON object"),
        (written(cell(["a"], cell_type="table")), "bad-notebook", 4, "cell 1 has no `cell_type`"),
        (written(cell([1])), "bad-notebook", 7, "cell 1 has no text"),
        (written(cell(["a"], metadata=1)), "bad-notebook", 5, "the `metadata` of cell 1"),
        (written(cell(["a = 1\n", "b = (\n"])), "python-syntax", 9, "cell 1 is not python: '(' was never closed"),
        (written(cell("def f(:")), "python-syntax", 7, "cell 1 is not python"),
        (written(CODE, metadata={"kernelspec": {"language": "R"}}), "bad-notebook", 14, "is written in R"),
        (written(CODE, metadata={"language_info": {"name": "julia"}}), "bad-notebook", 14, "is written in julia"),
        (written(cell(["# T"], cell_type="markdown")), "bad-notebook", 2, "no cell with code"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_told_at_its_place(content: str | bytes, code: str, line: int, said: str) -> None:
    (found,) = told(content)
    assert found[:2] == (code, line)
    assert said in found[3]


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\nx = 1",
        "!pip list",
        "files = !ls",
        "x?",
        "%%bash\necho $HOME",
        "await f()",
        "print('\\d')",
        "",
    ],
)
def test_what_ipython_adds_is_no_mistake(source: str) -> None:
    assert told(written(cell(source.splitlines(keepends=True)))) == []


def test_older_formats_are_left_to_jupyter() -> None:
    assert told('{"nbformat": 3, "worksheets": [{"cells": []}], "metadata": {}}') == []


def test_a_huge_file_is_not_read() -> None:
    content = written(cell(["x = 1\n"] * 150_000)).encode()
    assert len(content) > MAX_BYTES
    assert [found[0] for found in told(content)] == ["bad-notebook"]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 60_000, 65_535, 200_000])
def test_an_archive_is_read_by_anybody_and_knows_no_time(size: int) -> None:
    content = random.Random(size).randbytes(size)
    made = tar_gz("a b.ipynb", content)
    assert made == tar_gz("a b.ipynb", content)
    with tarfile.open(fileobj=io.BytesIO(made), mode="r:gz") as archive:
        (member,) = archive.getmembers()
        file = archive.extractfile(member)
        assert file is not None
        assert (member.name, member.mtime, member.mode, file.read()) == ("a b.ipynb", 0, 0o644, content)


def test_the_program_carries_the_notebook() -> None:
    text = notebook.helper("report.ipynb", SAMPLE.read_bytes())
    compile(f"dsl = None\n{text}", "helper", "exec")
    packed = re.search(
        "__KFP_EMBEDDED_ARCHIVE_B64 = '([^']*)'\n__KFP_NOTEBOOK_REL_PATH = 'report.ipynb'\n", text
    )
    assert packed is not None
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed.group(1))), mode="r:gz") as archive:
        file = archive.extractfile("report.ipynb")
        assert file is not None
        assert file.read() == SAMPLE.read_bytes()


COMPONENT = "apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: c}\nspec:\n"
PIPELINE = (
    "---\napiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {name: p}\nspec: {tasks: {a: {component: c}}}\n"
)


def faults(root: Path, spec: str, content: str = "") -> list[Diagnostic]:
    (root / "pipelines").mkdir()
    (root / "kfgit.yaml").write_text("apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: p}\n")
    (root / "pipelines" / "x.ipynb").write_text(content or written(CODE))
    (root / "pipelines" / "c.yaml").write_text(COMPONENT + spec)
    return list(driver.validate(driver.load(root), ("local",)))


OTHER = """  inputs: {b: {type: int}}
  notebook:
    file: x.ipynb
    python:
      function: f
      source: |
        def f(a: int):
            dsl.run_notebook(a=a)
"""


@pytest.mark.parametrize(
    ("spec", "code", "said"),
    [
        ("  notebook: {file: x.txt}\n", "bad-format", "`x.txt` is no notebook"),
        ("  notebook: {file: y.ipynb}\n", "file-not-found", "no readable file `pipelines/y.ipynb`"),
        ("  notebook: {file: ../../x.ipynb}\n", "path-outside", "outside the repository"),
        ("  notebook: {file: x.ipynb, packages: [pandas]}\n", "notebook-packages", "`nbclient` is not among them"),
        ("  inputs: {class: {type: int}}\n  notebook: {file: x.ipynb}\n", "bad-name", "`class` cannot be a variable"),
        ("  inputs: {dsl: {type: int}}\n  notebook: {file: x.ipynb}\n", "bad-name", "`dsl` cannot be a variable"),
        ("  inputs: {a: {type: int}}\n  outputs: {a: {type: int}}\n  notebook: {file: x.ipynb}\n", "bad-name", "`a`"),
        (OTHER, "signature-mismatch", "`a` of `f` is not declared"),
        ("  notebook: {file: x.ipynb, kernel: r}\n", "unknown-key", "unknown key `kernel`"),
        ("  notebook: {file: x.ipynb, python: {function: f}}\n", "missing-key", "exactly one of"),
    ],
)  # fmt: skip
def test_what_is_wrong_around_a_notebook(tmp_path: Path, spec: str, code: str, said: str) -> None:
    found = faults(tmp_path, spec)
    assert [fault.code for fault in found][:1] == [code]
    assert said in found[0].message


def test_a_notebook_outside_through_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.ipynb").write_text(written(CODE))
    root = tmp_path / "project"
    (root / "pipelines").mkdir(parents=True)
    (root / "pipelines" / "y.ipynb").symlink_to(tmp_path / "elsewhere.ipynb")
    (root / "kfgit.yaml").write_text("apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: p}\n")
    (root / "pipelines" / "c.yaml").write_text(f"{COMPONENT}  notebook: {{file: y.ipynb}}\n")
    (found,) = driver.validate(driver.load(root), ("local",))
    assert (found.code, found.span.file) == ("path-outside", "pipelines/c.yaml")
    assert "symbolic link" in found.message


def test_one_that_linux_cannot_pass_on_is_told(tmp_path: Path) -> None:
    noise = base64.b64encode(random.Random(1).randbytes(150_000)).decode()
    content = written(cell(["x = 1\n"], outputs=[{"data": {"image/png": noise}}]))
    (found,) = faults(tmp_path, "  notebook: {file: x.ipynb}\n", content)
    assert (found.code, found.severity) == ("notebook-too-large", "error")


def test_equal_notebooks_give_equal_packages(tmp_path: Path) -> None:
    assert faults(tmp_path, f"  notebook: {{file: x.ipynb}}\n{PIPELINE}") == []
    first = compiling.folder(tmp_path)["p"]
    (tmp_path / "pipelines" / "x.ipynb").write_text(written(CODE))
    assert compiling.folder(tmp_path)["p"].digest == first.digest
    (tmp_path / "pipelines" / "x.ipynb").write_text(written(cell(["x = 2\n"])))
    assert compiling.folder(tmp_path)["p"].digest != first.digest
