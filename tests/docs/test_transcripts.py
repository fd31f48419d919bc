"""What README and docs/local.md show on a terminal is what happens: the commands are run and the output compared.

Left out is what installs packages or kills kfgit: `make demo` and `tests/e2e` do that. Times, dates and ids may differ,
and `…` stands for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.markdown import ROOT, Fence, fences

# The pipelines that docs/local.md tells of without showing them.
LOCAL = {
    "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: docs}\n",
    "pipelines/needs-token.yaml": """
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: needs-token}
spec:
  tasks:
    call:
      component:
        container:
          image: docker.io/library/alpine:3.20
          script: echo "token is $TOKEN"
          env: {TOKEN: {secret: store, key: token}}
""",
    "pipelines/nightly.yaml": """
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: nightly}
spec:
  tasks:
    fetch:
      component: {container: {image: "docker.io/library/alpine:3.20", script: "echo working; echo broken; exit 3"}}
      retry: {max: 1}
    load:
      component: {container: {image: "docker.io/library/alpine:3.20", script: echo loaded}}
      after: [fetch]
  onExit:
    component: {container: {image: "docker.io/library/alpine:3.20", script: echo over}}
""",
    "environments/local.yaml": """
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: local}
spec: {target: {type: local, executor: process}}
""",
}
# Each is a session: what comes before in the same session has happened.
SESSIONS = {
    "README.md": ("kfgit init demo",),
    "docs/local.md": ("kfgit run needs-token", "kfgit run nightly"),
}
_VARYING = (
    (r"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d UTC", r"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d UTC"),
    (r"\d{8}-\d{6}", r"\d{8}-\d{6}"),
    (r"\b[0-9a-f]{6,8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", r"[0-9a-f-]{36}"),
    (r"\b(?=[a-f]*\d)[0-9a-f]{6,8}\b", r"[0-9a-f]{6,8}"),
    (r"\b\d+(?:\.\d+)?s\b", r"[0-9.]+s"),
    ("…", ".*"),
)


class Step(NamedTuple):
    command: str
    output: str


def steps(fence: Fence) -> Iterator[Step]:
    for part in re.split(r"^\$ ", fence.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Step(command, output)


def pattern(output: str) -> str:
    """What matches an output that is like the shown one."""
    return "".join(
        r"(?:.*\n)*" if line.strip() == "…" else f"{_line(line)} *\n" for line in output.splitlines()
    )


def _line(line: str) -> str:
    varying = "|".join(f"({shown})" for shown, _ in _VARYING)
    pieces, end = [], 0
    for found in re.finditer(varying, line):
        pieces += [re.escape(line[end : found.start()]), _VARYING[(found.lastindex or 1) - 1][1]]
        end = found.end()
    return "".join([*pieces, re.escape(line[end:])])


@pytest.mark.parametrize("page", SESSIONS)
def test_it_happens_as_it_is_shown(page: str, tmp_path: Path) -> None:
    shown = [
        fence
        for fence in fences(ROOT / page)
        if fence.language == "console"
        and fence.text.startswith(tuple(f"$ {begin}" for begin in SESSIONS[page]))
    ]
    assert len(shown) == len(SESSIONS[page])
    if page == "docs/local.md":
        for path, text in LOCAL.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
        (tmp_path / ".kfgit" / "secrets").mkdir(parents=True)
    folder = tmp_path
    for step in (step for fence in shown for step in steps(fence)):
        output = happened(step.command, folder, tmp_path)
        folder = folder / step.command.partition("&& cd ")[2]
        assert re.fullmatch(pattern(step.output), output), f"$ {step.command}\n{output}"


def happened(command: str, folder: Path, home: Path) -> str:
    """What a command of a shell prints there. An id that is shown is the latest run's."""
    (home / "bin").mkdir(exist_ok=True)
    program = home / "bin" / "kfgit"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m kfgit "$@"\n')
    program.chmod(0o755)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KFGIT_")}
    ended = subprocess.run(
        re.sub(r"^(kfgit runs \w+) [0-9a-f]{6,8}$", r"\1 latest", command),
        shell=True,
        cwd=folder,
        env={**ours, "PATH": f"{program.parent}:{ours['PATH']}", "COLUMNS": "140", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode in {0, 7}, ended.stdout
    # On a terminal the line of a task that runs is written over when it has ended.
    return re.sub(r"^ +▸ .* RUNNING\n", "", ended.stdout, flags=re.MULTILINE)


def test_what_differs_is_found() -> None:
    assert re.fullmatch(pattern("ok in 1.5s, 12 tasks\n…\nend\n"), "ok in 22.1s, 12 tasks\nmore\nend\n")
    assert not re.fullmatch(pattern("ok in 1.5s, 12 tasks\n"), "ok in 1.5s, 13 tasks\n")
    assert not re.fullmatch(pattern("ok\n"), "ok\nmore\n")
