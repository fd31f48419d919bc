"""A repository, a target that is a table, and a clock that stands still: all that an agent touches, handed in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from kfgit.agent import Agent, Following, Numbers, Ports, Settings, Told
from kfgit.backend import Backend, Locked, MachineFault
from kfgit.driver import Repository
from kfgit.durations import RunTimes
from kfgit.events import AppliedRun, ApplyRecord, ChangeFinished, State, outcome
from kfgit.ir import Resource
from kfgit.model import Environment
from kfgit.plan import Adopt, Change, Create, Delete, Live, LiveObject, Plan, Replace, Update
from kfgit.project.mirror import Mirror, Remote

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROJECT = "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n"
PIPELINE = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: greet}
spec:
  container: {image: "alpine:3.20", command: [echo], args: [hello]}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: hello}
spec:
  tasks:
    greet: {component: greet}
"""
SCHEDULE = """\
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: nightly}
spec:
  pipeline: hello
  cron: "0 2 * * *"
"""


def environment(name: str = "prod", branch: str | None = None, *, cluster: bool = False) -> str:
    """The document of an environment."""
    target = "{type: cluster, namespace: ml}" if cluster else "{type: local}"
    git = f"  git: {{branch: {branch}}}\n" if branch else ""
    head = f"apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {{name: {name}}}\n"
    return f"{head}spec:\n  target: {target}\n{git}  prune: {{pipelines: delete, schedules: delete}}\n"


FILES = {
    "kfgit.yaml": PROJECT, "environments/prod.yaml": environment(), "pipelines/hello.yaml": PIPELINE,
    "pipelines/nightly.yaml": SCHEDULE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repo:
    """A git repository with a work tree, as people push to one."""

    root: Path

    @classmethod
    def make(cls, root: Path, files: Mapping[str, str] = FILES) -> Repo:
        root.mkdir(parents=True)
        made = cls(root)
        made.git("init", "--quiet", "--initial-branch=main")
        made.commit(files)
        return made

    def git(self, *words: str) -> str:
        """One git command, as somebody without a configuration."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        who = {f"GIT_{role}_{key}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **who}
        done = subprocess.run(
            ["git", *words], cwd=self.root, env={**clean, **own}, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str | None]) -> str:
        """Writes files, None for those that go, commits them and returns the commit."""
        for path, text in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                target.unlink()
            else:
                target.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")


@dataclass(slots=True, eq=False)
class Table:
    """A target that keeps what it is given. Tests change `live` as other people would, and let things fail."""

    live: dict[tuple[str, str], LiveObject] = field(default_factory=dict)
    known: dict[tuple[str, str], LiveObject] = field(default_factory=dict)
    fault: Callable[[str, Any], None] = lambda _what, _change: None
    identity: str = "local"
    environment: str = "prod"
    parallelism: int = 1
    records: list[ApplyRecord] = field(default_factory=list)
    locked_by: str | None = None
    looks: int = 0
    requests: int = 0
    did: list[str] = field(default_factory=list)
    unfinished: bool = False
    ended: dict[str, State] = field(default_factory=dict)
    ran: dict[str, tuple[RunTimes, ...]] = field(default_factory=dict)

    def observe(self, desired: Sequence[Resource] = (), *, refresh: bool = False) -> Live:  # noqa: ARG002
        self.looks += 1
        self.requests += 3
        self.fault("observe", None)
        vanished = frozenset(self.known.keys() - self.live.keys())
        last = self.records[0].applied if self.records else None
        return Live(tuple(self.live.values()), 3, vanished, unfinished=self.unfinished, last=last)

    @contextmanager
    def lock(self, owner: str) -> Iterator[None]:
        if self.locked_by is not None:
            raise Locked(f"{self.locked_by} applies")
        self.locked_by = owner
        try:
            yield
        finally:
            self.locked_by = None

    def begin_apply(self, plan: Plan, who: str) -> int:
        self.fault("begin", plan)
        self.did.append(f"begin {who}")
        self.unfinished = True
        self._commit = plan.commit
        return 1

    _commit: str | None = None

    def perform(self, change: Change) -> str:
        self.fault("perform", change)
        match change:
            case (
                Create(desired=desired)
                | Update(desired=desired)
                | Replace(desired=desired)
                | Adopt(desired=desired)
            ):
                key = (desired.kind, desired.name)
                made = LiveObject(
                    *key,
                    "id",
                    desired.spec,
                    desired.digest,
                    owned=True,
                    applied=desired.digest,
                    before=desired.spec,
                )
                self.live[key] = self.known[key] = made
            case Delete(live=live):
                key = (live.kind, live.name)
                self.live.pop(key)
                self.known.pop(key)
            case _:
                raise AssertionError(change)
        self.did.append(f"{type(change).__name__.lower()} {key[0].lower()}/{key[1]}")
        return "id"

    def end_apply(
        self,
        number: int,  # noqa: ARG002
        results: Sequence[ChangeFinished],
        runs: Sequence[AppliedRun] = (),
    ) -> None:
        self.fault("end", results)
        self.did.append("end")
        self.unfinished = False
        record = ApplyRecord(1, "demo", self._commit, "", "", NOON, NOON, outcome(results), runs=tuple(runs))
        self.records.insert(0, record)

    def last_apply(self) -> ApplyRecord | None:
        return self.records[0] if self.records else None

    def applies(self, limit: int = -1) -> tuple[ApplyRecord, ...]:
        self.requests += 1
        return tuple(self.records) if limit < 0 else tuple(self.records[:limit])

    def note_runs(self, ended: Mapping[str, State]) -> None:
        self.did.append(f"note {dict(ended)}")
        self.records = [
            replace(
                record, runs=tuple(replace(run, state=ended.get(run.id, run.state)) for run in record.runs)
            )
            for record in self.records
        ]

    @property
    def runs(self) -> Table:
        return self

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        self.requests += len(ids)
        return {id_: self.ended[id_] for id_ in ids if id_ in self.ended}

    def durations(self, pipelines: Sequence[str], count: int) -> Mapping[str, tuple[RunTimes, ...]]:
        self.requests += 1
        return {name: self.ran[name][:count] for name in pipelines if name in self.ran}

    def served(self) -> bool:
        return True

    def somebody_sets(self, kind: str, name: str, **fields: Any) -> None:
        """Somebody else changes fields of an object, behind our back."""
        found = self.live[kind, name]
        self.live[kind, name] = replace(
            found, spec={**found.spec, **fields}, digest=f"{found.digest}x{fields}"
        )

    def somebody_removes(self, kind: str, name: str) -> None:
        """Somebody else removes an object."""
        del self.live[kind, name]


@dataclass(slots=True, eq=False)
class Stage:
    """An agent, and everything around it."""

    repo: Repo
    table: Table
    agent: Agent
    numbers: Numbers
    told: list[Told]
    clock: list[float]
    sleeps: list[float]
    ending: list[bool]
    git: list[Exception]

    def turn(self, after: float = 0.0) -> str:
        """Some seconds later."""
        self.clock[0] += after
        return self.agent.turn()

    def events(self) -> list[str]:
        """What was told since the last time somebody asked."""
        names = [each.event for each in self.told]
        self.told.clear()
        return names

    def number(self, name: str, **labels: str) -> float:
        """A metric as Prometheus would read it."""
        wanted = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        line = f"{name}{{{wanted}}}" if wanted else name
        page = self.numbers.page().decode().splitlines()
        [found] = [each for each in page if each.startswith(f"{line} ")]
        return float(found.rpartition(" ")[2])


def stage(
    tmp_path: Path, files: Mapping[str, str] = FILES, *, heal: bool = True, branch: str | None = "main"
) -> Stage:
    """An agent that is about to begin."""
    repo = Repo.make(tmp_path / "repo", files)
    table, told = Table(), list[Told]()
    clock, sleeps, ending, git = [1000.0], list[float](), [False], list[Exception]()
    mirror = Mirror(tmp_path / "copy", Remote(str(repo.root)), os.environ, lambda: ending[0])
    following = Following(mirror, "prod", branch=branch)

    def fetch() -> Any:
        if git:
            raise git[0]
        return following.head()

    @contextmanager
    def reach(_repository: Repository, environment: Environment) -> Iterator[Backend]:
        table.identity = "local" if environment.cluster is None else "https://cluster ml"
        table.fault("reach", environment)
        table.requests = 0
        yield cast("Backend", table)

    numbers = Numbers("prod")
    ports = Ports(
        fetch, following.opened, cast("Callable[..., AbstractContextManager[Backend]]", reach), told.append,
        lambda: clock[0], lambda: 1.7e9, sleeps.append, lambda: 0.5, lambda: ending[0],
    )  # fmt: skip
    agent = Agent(Settings("prod", 60.0, "agent", heal=heal), ports, numbers)
    return Stage(repo, table, agent, numbers, told, clock, sleeps, ending, git)


def failing(
    what: str, times: int = 10**9, kind: type[Exception] = MachineFault
) -> Callable[[str, Any], None]:
    """A fault of the target, so many times."""
    left = [times]

    def fault(where: str, _change: Any) -> None:
        if where == what and left[0]:
            left[0] -= 1
            raise kind(f"{what} does not work")

    return fault
