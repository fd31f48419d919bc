"""Mistakes as data: every case under `tests/cases/diagnostics` says on its faulty lines what must be told there.

A case is one YAML file: `# error[code]: fragment` or `# warning[code]: fragment` at the end of a line wants a diagnostic
that starts on that very line; `# error[code](text): …` also wants the source there to begin with `text`, and
`# error[code@env]: …` that it is said of one environment. `# --- file: PATH` begins another file; what stands before is
`pipelines/case.yaml`. Each has the components of `tests/cases/library.yaml`. Nothing more may be told than what is wanted, and nothing less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from kfgit import driver, project
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
                yield Wanted(path, number, found["severity"], found["code"], found["said"], found["at"], found["environment"])


def written(root: Path, files: dict[str, str]) -> Path:
    for path, text in {project.PROJECT_FILE: PROJECT, LIBRARY: (ROOT / "tests/cases/library.yaml").read_text(), **files}.items():
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
            missing.append(f"- {wanted.file}:{wanted.line} {wanted.severity}[{wanted.code}]: {wanted.said} {wanted.at or ''}")
        else:
            left.remove(met)
    return [*missing, *(f"+ {shown(d)}" for d in left)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_exactly_what_is_wanted_is_told(case: Path, tmp_path: Path) -> None:
    files = files_of(case)
    told = told_of(written(tmp_path, files))
    assert difference(files, told) == []
    assert [d.span for d in told] == sorted(d.span for d in told)
