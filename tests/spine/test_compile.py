"""What `tests/sdk/pairs` cannot show of the compiler: small projects and the IR that they become.

`tests/cases/compile/NAME/project` is compiled in each of its environments; `expected/ENVIRONMENT` has the packages and
the labels of their tasks. `pytest --accept` writes them anew; what changed then stands in the diff of the commit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kfgit import ir
from tests import compiling

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "compile"
NAMES = sorted(path.name for path in CASES.iterdir())


def golden(name: str) -> dict[str, str]:
    """What belongs into `expected`, by path."""
    found = {}
    for environment, pipeline, package in compiling.environments(CASES / name / "project"):
        found[f"{environment}/{pipeline}.yaml"] = package.to_yaml()
        found[f"{environment}/{pipeline}.labels.yaml"] = yaml.safe_dump(dict(package.labels), sort_keys=True)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_project_compiles_to_what_is_expected(name: str, *, accept: bool) -> None:
    folder = CASES / name / "expected"
    found = golden(name)
    if accept:
        for path in folder.rglob("*.yaml"):
            path.unlink()
        for file, text in found.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
    expected = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.yaml")}
    assert found.keys() == expected.keys(), "run `pytest --accept`, and look at the diff"
    for file, text in found.items():
        assert text == expected[file], f"{file}: run `pytest --accept`, and look at the diff"


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "import sys; sys.path.insert(0, '.')\n"
        "from pathlib import Path\nfrom tests import compiling\n"
        "for name in sorted(Path('tests/cases/compile').iterdir()):\n"
        "    for _, _, package in compiling.environments(name / 'project'):\n"
        "        print(package.to_yaml(), sorted(package.labels.items()), package.digest)\n"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0]


@pytest.mark.parametrize(
    "text",
    [
        "y",
        "N",
        "1e5",
        "0x1F",
        "0X1F",
        "0o17",
        "-0o17",
        "1_0.5e3",
        "1_000",
        "no",
        "~",
        ".inf",
        "1:30",
        "2001-01-01",
        "<<",
        "=",
        "",
    ],
)
def test_texts_that_other_readers_take_for_something_else_are_quoted(text: str) -> None:
    written = ir.Package("x", {"key": text, text: 1}).to_yaml()
    assert f"key: '{text}'" in written
    assert f"'{text}': 1" in written


@pytest.mark.parametrize(
    "text", ["a\nb\n", "a\n\n\nb", " a\n b", "a \nb", "tab\t\nx", "\n", "é\n😀", "#\n- a", "a\r\nb", "x\n "]
)
def test_texts_of_several_lines_are_what_they_were(text: str) -> None:
    assert yaml.safe_load(ir.Package("x", {"key": text}).to_yaml()) == {"key": text}
