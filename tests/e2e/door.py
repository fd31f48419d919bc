"""kfgit as a person uses it: a folder of documents, commands typed into a shell, and what they answer."""

from __future__ import annotations

import json
import os
import pty
import select
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

# Long enough for a machine that does other things at the same time.
PATIENCE = 300.0

_PROJECT = """
    apiVersion: kfgit.dev/v1
    kind: Project
    metadata: {name: demo}
"""
_LOCAL = """
    apiVersion: kfgit.dev/v1
    kind: Environment
    metadata: {name: local}
    spec:
      target: {type: local, executor: process}
"""

_BEGIN = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('kfgit', run_name='__main__', alter_sys=True)"
)
# Makes standard input the terminal that sends SIGHUP when it is closed.
_OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Run:
    """The `Run` object of `-o json`, and what stood beside it on stderr."""

    document: Mapping[str, Any]
    err: str = ""

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def state(self) -> str:
        return str(self.document["state"])

    @property
    def error(self) -> str:
        return str(self.document["error"])

    @property
    def outputs(self) -> dict[str, Any]:
        return dict(self.document["outputs"])

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        tasks = {task["path"]: task for task in self.document["tasks"]}
        assert len(tasks) == len(self.document["tasks"]), "a path is told twice"
        return tasks

    @property
    def states(self) -> dict[str, str]:
        return {path: task["state"] for path, task in self.tasks.items()}

    def out(self, path: str, name: str) -> Any:
        return self.tasks[path]["outputs"][name]

    def span(self, path: str) -> tuple[datetime, datetime]:
        task = self.tasks[path]
        return datetime.fromisoformat(task["startedAt"]), datetime.fromisoformat(task["finishedAt"])


def most_at_once(spans: list[tuple[datetime, datetime]]) -> int:
    """How many spans overlap at the worst moment; one that ends when another begins does not meet it."""
    edges = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    now = most = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


class Project:
    """A project in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def new(cls, root: Path) -> Project:
        root.mkdir(parents=True, exist_ok=True)
        project = cls(root)
        project.write("kfgit.yaml", _PROJECT)
        project.write("environments/local.yaml", _LOCAL)
        return project

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"))
        return file

    def document(self, kind: str, name: str, spec: str) -> None:
        head = f"apiVersion: kfgit.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n"
        body = textwrap.indent(textwrap.dedent(spec).strip("\n"), "  ")
        self.write(f"pipelines/{kind.lower()}-{name}.yaml", f"{head}{body}\n")

    def pipeline(self, name: str, spec: str) -> None:
        self.document("Pipeline", name, spec)

    def component(self, name: str, spec: str) -> None:
        self.document("Component", name, spec)

    def secret(self, name: str, text: str, kind: str = "secrets") -> None:
        self.write(f".kfgit/{kind}/{name}.env", text)

    def kfgit(self, *args: str, code: int | None = 0) -> Answer:
        """Types a command; `code` is what it must end with, None is anything."""
        done = subprocess.run(
            command_line(*args), cwd=self.root, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert code is None or done.returncode == code, (
            f"{args} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        assert not any(line.startswith("Traceback") for line in done.stderr.splitlines()), done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    def run(self, *args: str, code: int = 0) -> Run:
        answer = self.kfgit("run", *args, "-o", "json", code=code)
        return Run(answer.json, answer.err)

    def show(self, run_id: str) -> Run:
        return Run(self.kfgit("runs", "show", run_id, "-o", "json").json)

    def latest(self) -> Run:
        return self.show("latest")

    def running(self) -> set[str]:
        """The tasks that the store says to be running."""
        return self.tasks_in("RUNNING")

    def tasks_in(self, state: str) -> set[str]:
        """The tasks that the store says to be in a state; asked of the file, since a command takes its time."""
        file = self.root / ".kfgit" / "local" / "state.db"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            return {path for (path,) in db.execute("SELECT path FROM tasks WHERE state = ?", (state,))}

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.kfgit("runs", "list", "-o", "json").json["items"]
        return found

    def log(self, run: Run, path: str) -> str:
        return self.kfgit("runs", "logs", run.id, path).out

    def artifact(self, value: Mapping[str, Any]) -> Path:
        return Path(value["uri"])

    @contextmanager
    def started(self, *args: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on while the test does; whatever happens, it is gone afterwards."""
        process = subprocess.Popen(
            command_line(*args), cwd=self.root, env=environment(), stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.communicate()

    @contextmanager
    def typed(self, *args: str) -> Iterator[Terminal]:
        """A command in a terminal of its own; whatever happens, both are gone afterwards."""
        master, inner = pty.openpty()
        with os.fdopen(inner) as end:
            process = subprocess.Popen(
                [sys.executable, "-c", _OWN_TERMINAL, *command_line(*args)], cwd=self.root, env=environment(),
                stdin=end, stdout=end, stderr=end, start_new_session=True,
            )  # fmt: skip
        terminal = Terminal(process, master)
        try:
            yield terminal
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
            with suppress(OSError):
                terminal.close()


@dataclass(frozen=True, slots=True)
class Terminal:
    """A window with a command in it."""

    process: subprocess.Popen[bytes]
    screen: int

    def shows(self, text: str) -> None:
        """Waits until a text is there."""
        seen = b""
        while text.encode() not in seen:
            ready, _, _ = select.select([self.screen], [], [], PATIENCE)
            assert ready, f"waited in vain for {text}: {seen.decode()}"
            seen += os.read(self.screen, 4096)

    def close(self) -> None:
        """As a person closes the window."""
        os.close(self.screen)


def command_line(*args: str) -> list[str]:
    """A shell's background job, as a test run may be, has Ctrl-C turned off, and what it starts inherits that."""
    return [sys.executable, "-c", _BEGIN, *args]


def environment() -> dict[str, str]:
    """The tester's environment without the settings of kfgit, but with its cache: environments are made once."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("KFGIT_") or n == "KFGIT_CACHE"}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(Path(__file__).parents[2])}


def until(condition: Callable[[], Any], what: str = "it") -> None:
    """Waits for something that another process does; how long it takes is no part of any test."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be noticed by its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def mentioning(text: str) -> list[int]:
    """The processes whose command line or environment holds a text."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if text.encode() in told and alive(int(entry.name)):
                found.append(int(entry.name))
    return found
