"""kfgit without its start-up: a process that has everything imported, and forks one command after the other.

A command is the same code as `kfgit …` in a process of its own, with its own id to be killed by. The process that
forks has no threads and does nothing else.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Told:
    """How a command ended, a signal as a negative number, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Forks:
    """One command at a time."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kfgit-forks-")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KFGIT_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.forks"], cwd=ROOT,
            env={**kept, "NO_COLOR": "1", "COLUMNS": "100", "TZ": "UTC", **variables},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._outs: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def start(self, folder: Path, *commands: Sequence[str]) -> int:
        """Begins commands that one process carries out, up to the first that fails; returns its id."""
        base = Path(self._folder.name)
        outs = [str(base / f"{name}-{number}") for number in range(len(commands)) for name in ("out", "err")]
        self._outs = outs
        self._ask({"folder": str(folder), "commands": commands, "outs": outs})
        return int(self._heard())

    def end(self) -> list[Told]:
        """Waits for it. A command that never began is not told."""
        status = int(self._heard())
        codes = [int(code) for code in self._heard().split()]
        if status:
            codes.append(status)
        told = []
        for number, code in enumerate(codes):
            out, err = (Path(path).read_text() for path in self._outs[2 * number : 2 * number + 2])
            told.append(Told(code, out, err))
        return told

    def run(self, folder: Path, *commands: Sequence[str]) -> list[Told]:
        """Begins and ends."""
        self.start(folder, *commands)
        return self.end()

    def _ask(self, question: Mapping[str, Any]) -> None:
        ask: IO[str] | None = self._process.stdin
        assert ask is not None
        ask.write(json.dumps(question) + "\n")
        ask.flush()

    def _heard(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def main() -> None:
    """Forks for whoever writes to standard input."""
    sys.path.insert(0, str(ROOT))
    _warm()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        notes, news = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(notes)
            _live(asked, news)
        os.close(news)
        print(child, flush=True)
        with os.fdopen(notes) as told:
            codes = told.read()
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
        print(codes, flush=True)


def _warm() -> None:
    """Imports what a command on a cluster imports, by letting one fail on a cluster that is not there."""
    from kfgit.cli import run

    told = os.environ.get("KUBECONFIG", "")
    with tempfile.TemporaryDirectory() as name, _silence():
        folder = Path(name)
        for path, text in _WARM.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
        git = ("git", "-C", name, "-c", "user.name=tests", "-c", "user.email=tests@example.com")
        for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "warm")):
            subprocess.run([*git, *words], check=True)
        os.environ["KUBECONFIG"] = str(folder / "kubeconfig")
        run(["-C", name, "apply", "-e", "prod", "--yes"])
    os.environ["KUBECONFIG"] = told


@contextmanager
def _silence() -> Iterator[None]:
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    for descriptor in (1, 2):
        _redirect(descriptor, os.devnull)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, old in zip((1, 2), kept, strict=True):
            os.dup2(old, descriptor)
            os.close(old)


def _live(asked: Mapping[str, Any], news: int) -> None:
    """The life of the child; it never returns."""
    code = 70
    try:
        from kfgit.cli import run

        os.chdir(asked["folder"])
        code = 0
        for number, command in enumerate(asked["commands"]):
            for descriptor in (1, 2):
                _redirect(descriptor, asked["outs"][2 * number + descriptor - 1])
            ended = run(command)
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(news, f"{ended} ".encode())
            if ended:
                break
    finally:
        os._exit(code)


def _redirect(descriptor: int, path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, descriptor)
    os.close(file)


_WARM = {
    "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: warm}\n",
    "environments/prod.yaml": """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec: {target: {type: cluster, context: tests, kfp: {endpoint: "http://127.0.0.1:1"}}}
""",
    "kubeconfig": """\
apiVersion: v1
kind: Config
current-context: tests
clusters: [{name: tests, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: tests, user: {token: none}}]
contexts: [{name: tests, context: {cluster: tests, user: tests, namespace: tests}}]
""",
}

if __name__ == "__main__":
    main()
