"""The door as tests use it: `kfgit(…)` gives code, stdout and stderr; `project({…})` makes a project to work on."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kfgit.cli import run

KFGIT = (sys.executable, "-m", "kfgit")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Kfgit = Callable[..., Outcome]
MakeProject = Callable[[Mapping[str, str]], Path]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    """No variable and no project of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(("KFGIT_", "_KFGIT"))]:
        monkeypatch.delenv(name)
    for name in ("NO_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KFGIT_CACHE", str(cache))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    found = stream.detach()
    assert isinstance(found, io.BytesIO)
    return found.getvalue().decode()


@pytest.fixture
def kfgit(monkeypatch: pytest.MonkeyPatch) -> Kfgit:
    """One use of the command line, in this process."""

    def use(*argv: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Outcome:
        out, err = _stream(), _stream()
        with monkeypatch.context() as patch:
            if cwd is not None:
                patch.chdir(cwd)
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(argv)
        told = Outcome(code, _text(out), _text(err))
        assert "Traceback" not in told.err
        assert "mistake in kfgit" not in told.err
        return told

    return use


@pytest.fixture
def process() -> Kfgit:
    """The same as a process of its own."""

    def use(*argv: str | bytes, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Outcome:
        done = subprocess.run(
            [*KFGIT, *argv], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, check=False
        )
        err = done.stderr.decode()
        assert "Traceback" not in err
        assert "mistake in kfgit" not in err
        return Outcome(done.returncode, done.stdout.decode(), err)

    return use


@pytest.fixture
def project(tmp_path: Path) -> MakeProject:
    """A project with these files; `kfgit.yaml` and a local environment without containers come with it."""

    def make(files: Mapping[str, str]) -> Path:
        root = tmp_path / "project"
        for path, text in {"kfgit.yaml": PROJECT, "environments/local.yaml": LOCAL, **files}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return root

    return make


PROJECT = """\
apiVersion: kfgit.dev/v1
kind: Project
metadata: {name: demo}
"""
LOCAL = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: local}
spec:
  target: {type: local, executor: process}
"""
STAGING = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: staging}
spec:
  target: {type: local, executor: process}
"""
CLUSTER = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  target: {type: cluster, namespace: ml}
"""
GREET = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: greet, description: Say hello.}
spec:
  inputs:
    name: {type: string, default: world}
  outputs:
    text: {type: string}
    card: {type: Markdown}
  container:
    image: alpine:3.20
    script: |
      echo "greeting $(inputs.name)"
      printf 'Hello, %s!' "$(inputs.name)" > $(outputs.text.path)
      printf '# Hello' > $(outputs.card.path)
"""
HELLO = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: hello, description: Greet somebody.}
spec:
  inputs:
    name: {type: string, default: world}
  outputs:
    text: {type: string, from: $(tasks.greet.outputs.text)}
  tasks:
    greet:
      component: greet
      inputs: {name: $(inputs.name)}
"""
BREAK = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: break}
spec:
  container:
    image: alpine:3.20
    script: |
      echo first
      echo it is broken >&2
      exit 3
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: broken}
spec:
  tasks:
    fall: {component: break}
"""
WRONG = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: wrong}
spec:
  tasks:
    one: {component: gret}
"""
NIGHTLY = """\
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: nightly}
spec:
  pipeline: hello
  cron: 0 2 * * *
"""
COURSE = """\
apiVersion: kfgit.dev/v1
kind: Experiment
metadata: {name: course}
spec: {description: All of it.}
"""
TYPES = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: show}
spec:
  inputs:
    count: {type: int, min: 1}
    rate: {type: float, default: 0.5}
    names: {type: list, default: []}
    yes: {type: bool, default: true}
    data: {type: Dataset, optional: true}
  container:
    image: alpine:3.20
    script: echo $(inputs.count) $(inputs.rate) $(inputs.names) $(inputs.yes)
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: typed}
spec:
  inputs:
    count: {type: int, min: 1}
    rate: {type: float, default: 0.5}
    names: {type: list, default: []}
    mood: {type: string, default: good, enum: [good, bad]}
  tasks:
    show:
      component: show
      inputs: {count: $(inputs.count), rate: $(inputs.rate), names: $(inputs.names)}
"""
BASE = {"components/greet.yaml": GREET, "pipelines/hello.yaml": HELLO}


def run_document(
    trigger: str, *, pipeline: str = "hello", name: str = "smoke", inputs: str = "{}", more: str = ""
) -> str:
    return f"""\
apiVersion: kfgit.dev/v1
kind: Run
metadata: {{name: {name}}}
spec: {{pipeline: {pipeline}, trigger: {trigger}, inputs: {inputs}{more}}}
"""
