"""Mistakes as data: every case under `tests/cases/diagnostics` says on its faulty lines what must be told there.

A case is one YAML file: `# error[code]: fragment` or `# warning[code]: fragment` at the end of a line wants a
diagnostic that starts on that very line; `# error[code](text): …` also wants the source there to begin with `text`, and
`# error[code@env]: …` that it is said of one environment. `# --- file: PATH` begins another file; what stands before
is `pipelines/case.yaml`. Each has the components of `tests/cases/library.yaml`. Nothing more may be told than what is
wanted, and nothing less.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kfgit import driver, explanations, project
from kfgit.diagnostics import Diagnostic

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "tests/cases/diagnostics").glob("*.yaml"))
LIBRARY = "components/library.yaml"
PROJECT = "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: case}\n"

_FILE = re.compile(r"# --- file: (\S+)\s*\Z")
_WANTED = re.compile(
    r"# (?P<severity>error|warning)\[(?P<code>[a-z0-9.-]+)(@(?P<environment>[a-z0-9-]+))?\](\((?P<at>.*?)\))?: "
    r"(?P<said>.*?)\s*(?=# error\[|# warning\[|\Z)"
)


class Wanted(NamedTuple):
    """What a line of a case asks for."""

    file: str
    line: int
    severity: str
    code: str
    said: str
    at: str | None
    environment: str | None

    def is_met_by(self, told: Diagnostic, text: str) -> bool:
        found = (told.span.file, told.span.line, told.severity, told.code)
        return (
            found == (self.file, self.line, self.severity, self.code)
            and self.said in told.message
            and (self.at is None or text[told.span.column - 1 :].startswith(self.at))
            and (self.environment is None or self.environment == told.environment)
        )


def files_of(case: Path) -> dict[str, str]:
    files: dict[str, list[str]] = {}
    lines = files.setdefault("pipelines/case.yaml", [])
    for line in case.read_text(encoding="utf-8").splitlines(keepends=True):
        begun = _FILE.match(line)
        if begun:
            lines = files.setdefault(begun.group(1), [])
        else:
            lines.append(line)
    return {path: "".join(lines) for path, lines in files.items() if lines}


def wanted_in(files: dict[str, str]) -> Iterator[Wanted]:
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), start=1):
            for match in _WANTED.finditer(line):
                found = match.groupdict()
                yield Wanted(
                    path,
                    number,
                    found["severity"],
                    found["code"],
                    found["said"],
                    found["at"],
                    found["environment"],
                )


def written(root: Path, files: dict[str, str]) -> Path:
    for path, text in {
        project.PROJECT_FILE: PROJECT,
        LIBRARY: (ROOT / "tests/cases/library.yaml").read_text(),
        **files,
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8", newline="")
    return root


def told_of(root: Path) -> tuple[Diagnostic, ...]:
    repository = driver.load(root)
    return driver.validate(repository, repository.environments)


def shown(told: Diagnostic) -> str:
    where = f"@{told.environment}" if told.environment else ""
    return f"{told.span.start()} {told.severity}[{told.code}{where}]: {told.message} | {told.help}"


def difference(files: dict[str, str], told: tuple[Diagnostic, ...]) -> list[str]:
    """What was told but not wanted (`+`), and the other way round (`-`)."""
    lines = {path: text.split("\n") for path, text in files.items()}
    left = list(told)
    missing = []
    for wanted in wanted_in(files):
        line = lines[wanted.file][wanted.line - 1]
        met = next((d for d in left if wanted.is_met_by(d, line)), None)
        if met is None:
            missing.append(
                f"- {wanted.file}:{wanted.line} {wanted.severity}[{wanted.code}]: {wanted.said} {wanted.at or ''}"
            )
        else:
            left.remove(met)
    return [*missing, *(f"+ {shown(d)}" for d in left)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_exactly_what_is_wanted_is_told(case: Path, tmp_path: Path) -> None:
    files = files_of(case)
    told = told_of(written(tmp_path, files))
    assert difference(files, told) == []
    assert [d.span for d in told] == sorted(d.span for d in told)
    assert [shown(d) for d in told if not is_well_told(d)] == []


def is_well_told(told: Diagnostic) -> bool:
    """One lower-case sentence in one line, and a way out."""
    return bool(told.help) and not re.search(r"^[A-Z][a-z]|\n|\.\Z", told.message)


def test_thirty_mistakes_are_thirty_messages(tmp_path: Path) -> None:
    [case] = [case for case in CASES if case.stem == "thirty-mistakes"]
    assert len(told_of(written(tmp_path, files_of(case)))) == 30


def unreadable(root: Path) -> None:
    (root / "pipelines").mkdir(exist_ok=True)
    os.mkfifo(root / "pipelines/pipe.yaml")


def linked_folder(root: Path) -> None:
    (root / "elsewhere").mkdir()
    (root / "pipelines").mkdir(exist_ok=True)
    (root / "pipelines/shared").symlink_to(root / "elsewhere", target_is_directory=True)


def linked_out(root: Path) -> None:
    outside = root.parent / "outside.yaml"
    outside.write_text(PROJECT)
    (root / "pipelines").mkdir(exist_ok=True)
    (root / "pipelines/out.yaml").symlink_to(outside)


def content(text: bytes) -> Callable[[Path], None]:
    def put(root: Path) -> None:
        (root / "pipelines").mkdir(exist_ok=True)
        (root / "pipelines/x.yaml").write_bytes(text)

    return put


def many_environments(root: Path) -> None:
    (root / "environments").mkdir(exist_ok=True)
    for number in range(101):
        head = f"apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {{name: e{number:03}}}\n"
        (root / f"environments/e{number:03}.yaml").write_text(f"{head}spec: {{mode: production}}\n")


def long_script(root: Path) -> None:
    (root / "components").mkdir(exist_ok=True)
    head = "apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: c}\n"
    spec = "spec:\n  container:\n    image: e.com/c:1\n    script: |\n" + "      echo a\n" * 20_000
    (root / "components/c.yaml").write_text(head + spec)


def long_python(root: Path) -> None:
    (root / "components").mkdir(exist_ok=True)
    (root / "components/c.py").write_text("def f() -> None:\n    pass\n" + "# a comment\n" * 13_000)
    head = "apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: c}\n"
    (root / "components/c.yaml").write_text(f"{head}spec:\n  python: {{file: c.py, function: f}}\n")


def large_notebook(root: Path) -> None:
    (root / "components").mkdir(exist_ok=True)
    picture = base64.b64encode(random.Random(1).randbytes(150_000)).decode()
    cell = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [{"data": {"image/png": picture}}],
        "source": ["x = 1"],
    }
    (root / "components/c.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}))
    head = "apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: c}\n"
    (root / "components/c.yaml").write_text(f"{head}spec:\n  notebook: {{file: c.ipynb}}\n")


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


# What no text file can hold: the code, what makes it so, and where it is told.
def profiles(count: int, spec: str) -> Callable[[Path], None]:
    """So many profiles of a cluster, a line each, with `%` for the number and `@` for the one before."""
    head = "--- {apiVersion: kfgit.dev/v1, kind: "
    target = "{type: cluster, namespace: ml, kfp: {endpoint: https://kfp.example.com}}"
    one = head + "ResourceProfile, metadata: {name: p%}, spec: {" + spec + "}}\n"
    text = "".join(one.replace("%", str(n)).replace("@", str(n - 1)) for n in range(count))
    prod = head + "Environment, metadata: {name: prod}, spec: {target: " + target + "}}\n"

    def make(root: Path) -> None:
        content(text.replace("extends: p-1", "").encode())(root)
        (root / "environments").mkdir(exist_ok=True)
        (root / "environments/prod.yaml").write_text(prod)

    return make


def listed(text: str, count: int) -> str:
    return ", ".join(text.replace("#", str(n)) for n in range(count))


MADE: list[tuple[str, Callable[[Path], None], str]] = [
    ("yaml-encoding", content(b"a: b\nc: \xe9t\xe9\n"), "pipelines/x.yaml:2:4"),
    ("yaml-character", content(b"a: b\nc: 'x\x07'\n"), "pipelines/x.yaml:2:6"),
    ("yaml-too-deep", content(b"a: " + b"[" * 200 + b"]" * 200), "pipelines/x.yaml:1:103"),
    ("yaml-too-large", content(b"a: " + b"x" * 3_000_000), "pipelines/x.yaml:1:1"),
    ("yaml-too-large", content(b"a: [" + b"1," * 150_000 + b"]"), "pipelines/x.yaml:1:199983"),
    ("too-many-environments", many_environments, "environments/e100.yaml:3:18"),
    ("argument-too-long", long_script, "components/c.yaml:7:13"),
    ("python-too-large", long_python, "components/c.yaml:5:34"),
    ("notebook-too-large", large_notebook, "components/c.yaml:5:20"),
    ("unreadable-file", unreadable, "pipelines/pipe.yaml:1:1"),
    ("symlink", linked_folder, "pipelines/shared:1:1"),
    ("path-outside", linked_out, "pipelines/out.yaml:1:1"),
    ("lfs-pointer", content(POINTER), "pipelines/x.yaml:1:1"),
    ("profile-too-deep", profiles(33, "extends: p@"), "pipelines/x.yaml:33:94"),
    ("quota-too-large", profiles(1, f"quota: {{{listed('a.b/c#: 1', 65)}}}"), "pipelines/x.yaml:1:84"),
    (
        "placement-too-large",
        profiles(1, f"node: {{selector: {{{listed('l#: v', 501)}}}}}"),
        "pipelines/x.yaml:1:84",
    ),
    (
        "queue-too-large",
        profiles(65, "queue: {localQueue: l, clusterQueue: q}, quota: {a.b/c: 1}"),
        "pipelines/x.yaml:1:140",
    ),
]


@pytest.mark.parametrize(
    ("code", "make", "place"), MADE, ids=[f"{code}-{n}" for n, (code, _, _) in enumerate(MADE)]
)
def test_what_no_text_file_can_hold(
    code: str, make: Callable[[Path], None], place: str, tmp_path: Path
) -> None:
    root = tmp_path / "project"
    make(written(root, {}))
    assert [(d.code, d.span.start()) for d in told_of(root)] == [(code, place)]


# Told only after reading 50,000 files, after 500 mistakes (tests/hostile), and of commits (tests/project); at a time,
# of a plan, after very many steps, and by `kfgit policy test` (tests/spine/policies, tests/cli/test_policies.py); of
# what a target has (tests/cluster/test_queues.py) or tells of its runs (tests/cluster/test_costs.py).
UNTRIED = {"too-many-files", "too-many-mistakes", "submodule"} | {
    "policy-freeze", "policy-protected", "policy-rules-too-costly", "policy-test", "too-many-pins",
    "policy-budget-per-month", "target-lacks",
}  # fmt: skip


def used_in(path: Path) -> Iterator[str]:
    """The codes in a module: what a teller of diagnostics is called with, and words of that form beside it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if name in TELLERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


TELLERS = set("Diagnostic fault warn error diagnostic _tell _fault Problem TemplateFault".split())
FRONT_END = (
    "document", "overlay", "resolve", "graph", "packages", "schema", "lightweight", "template", "references", "shell",
    "policies", "driver", "reading", "project", "diagnostics", "notebook", "pinning",
)  # fmt: skip


def front_end() -> Iterator[Path]:
    for name in FRONT_END:
        folder = ROOT / "kfgit" / name
        yield from folder.rglob("*.py") if folder.is_dir() else (folder.with_suffix(".py"),)


def test_every_code_that_is_used_is_explained() -> None:
    used = {code for path in front_end() for code in used_in(path)}
    assert sorted(used - set(explanations.EXPLANATIONS)) == []


def test_every_code_that_is_explained_is_used() -> None:
    words = {
        node.value
        for path in front_end()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    built = {"unknown-component", "unknown-pipeline"}  # f"unknown-{what}"
    assert sorted(set(explanations.EXPLANATIONS) - words - built) == []


def test_every_code_has_a_case() -> None:
    tried = {wanted.code for case in CASES for wanted in wanted_in(files_of(case))} | {
        code for code, _, _ in MADE
    }
    assert sorted(set(explanations.EXPLANATIONS) - tried - UNTRIED) == []
    assert sorted(tried - set(explanations.EXPLANATIONS)) == []


def test_the_page_of_codes_is_made_from_the_table() -> None:
    assert (ROOT / "docs/diagnostics.md").read_text(encoding="utf-8") == explanations.as_markdown()


def test_a_code_is_explained_with_both_examples() -> None:
    text = explanations.explain("cycle")
    assert text is not None
    assert text.startswith("cycle: ")
    assert "Wrong:" in text
    assert "Right:" in text
    assert explanations.explain("nonsense") is None
