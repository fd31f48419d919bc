"""How apply goes and ends: told on a terminal and elsewhere, asked to end, and when its end cannot be written down."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kfgit.backend import MachineFault, Refused
from kfgit.cli.apply import agree, perform
from kfgit.cli.door import Door
from kfgit.cli.ending import finishing
from kfgit.cli.progress import Progress
from kfgit.cli.session import Session
from kfgit.cli.source import Source
from kfgit.events import AppliedRun, ApplyRecord, ChangeFinished, ChangeStarted
from kfgit.ir import Resource
from kfgit.model import ClusterTarget, Environment
from kfgit.plan import Change, Create, Plan
from kfgit.project.commits import opened
from kfgit.render.style import Style
from kfgit.source import whole_file
from tests.project.repository import repository


@dataclass
class Target:
    """A target in memory: `trouble` may do something while a change is carried out."""

    trouble: dict[str, object] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    written: list[dict[str, int]] = field(default_factory=list)
    parallelism: int = 1
    unwritable: bool = False
    last: ApplyRecord | None = None

    def begin_apply(self, _plan: Plan, _who: str) -> int:
        return 1

    def perform(self, change: Change) -> str:
        assert isinstance(change, Create)
        self.begun.append(change.desired.name)
        action = self.trouble.get(change.desired.name)
        if callable(action):
            action()
        return change.desired.name

    def end_apply(
        self, _number: int, results: Sequence[ChangeFinished], _runs: Sequence[AppliedRun] = ()
    ) -> None:
        if self.unwritable:
            raise MachineFault("the server at x is gone")
        self.written.append({state: sum(r.state == state for r in results) for state in ("done", "skipped")})

    def last_apply(self) -> ApplyRecord | None:
        return self.last


def plan(count: int, target: str = "https://x") -> Plan:
    wanted = [Resource("Experiment", f"e{n:02}", {}, f"d{n}") for n in range(count)]
    return Plan("prod", target, tuple(map(Create, wanted)))


def session(*, live: bool = False, output: str = "human", asks: bool = False) -> Session:
    return Session(Path(), Door(output), Style(), Style(), live=live, asks=asks)


@contextmanager
def said() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        yield out, err


def test_lines_elsewhere() -> None:
    target = Target()
    with said() as (out, err):
        done = perform(session(), plan(3), target)  # type: ignore[arg-type]
    assert (done.code, len(done.results)) == (0, 3)
    assert err.getvalue().splitlines() == [f"  ✔ created  experiment/e{n:02}" for n in range(3)]
    assert out.getvalue() == "Applied: 3 created.\n"
    assert target.written == [{"done": 3, "skipped": 0}]


def test_a_line_that_moves_on_a_terminal() -> None:
    progress = Progress(session(live=True), 2)
    with said() as (_, err):
        progress.tell(ChangeStarted("create", "Run", "a"))
        progress.tell(ChangeStarted("create", "Run", "b"))
        progress.tell(ChangeFinished("create", "Run", "a", "1", "done"))
        progress.tell(ChangeFinished("create", "Run", "b", "1", "done"))
        progress.wipe()
    clear = "\r\x1b[K"
    assert err.getvalue() == (
        f"  ▸ 0 of 2: run/a{clear}  ▸ 0 of 2: run/a, run/b{clear}"
        f"  ✔ created  run/a\n  ▸ 1 of 2: run/b{clear}  ✔ created  run/b\n"
    )


@pytest.mark.parametrize("parallelism", [1, 2])
def test_what_was_begun_is_finished(parallelism: int) -> None:
    target = Target({"e02": lambda: os.kill(os.getpid(), signal.SIGINT)}, parallelism=parallelism)
    with said() as (out, err):
        done = perform(session(), plan(20), target)  # type: ignore[arg-type]
    states = {state: sum(r.state == state for r in done.results) for state in ("done", "skipped")}
    assert done.code == 130
    assert states["done"] == len(target.begun) >= 3
    assert states["done"] + states["skipped"] == 20
    assert states["skipped"] > 0
    assert target.written == [states]
    assert err.getvalue().count("what was begun is finished") == 1
    assert "skipped" in out.getvalue()


def test_a_second_time_ends_at_once() -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with said(), pytest.raises(KeyboardInterrupt):
        perform(session(), plan(3), Target({"e01": twice}))  # type: ignore[arg-type]
    assert signal.getsignal(signal.SIGINT) is before


def test_ended_after_the_last_change_it_is_done() -> None:
    target = Target({"e02": lambda: os.kill(os.getpid(), signal.SIGINT)})
    with said():
        assert perform(session(), plan(3), target).code == 0  # type: ignore[arg-type]


def test_other_threads_listen_to_nothing() -> None:
    from concurrent.futures import ThreadPoolExecutor

    def inside() -> bool:
        with finishing(lambda: None) as ending:
            return ending()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result() is False


def test_an_end_that_cannot_be_written_down() -> None:
    with said() as (out, err):
        done = perform(session(), plan(2), Target(unwritable=True))  # type: ignore[arg-type]
    assert (done.code, [r.state for r in done.results]) == (8, ["done", "done"])
    assert "the server at x is gone; apply again" in err.getvalue()
    assert out.getvalue() == "Applied: 2 created.\n"


# --- questions


def test_who_is_asked() -> None:
    agree(session(), plan(0), "human")
    agree(session(), plan(3, "local"), "human")
    with pytest.raises(Refused, match=r"--yes.*--plan FILE"):
        agree(session(), plan(3), "human")


@pytest.mark.parametrize(
    ("answer", "goes"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_what_counts_as_yes(monkeypatch: pytest.MonkeyPatch, answer: str, *, goes: bool) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    with said() as (out, err):
        if goes:
            agree(session(asks=True), plan(1), "json")
        else:
            with pytest.raises(Refused, match="nothing was changed"):
                agree(session(asks=True), plan(1), "json")
    assert "create   experiment/e00" in err.getvalue(), (
        "the result on stdout is JSON, so the plan is shown here"
    )
    assert out.getvalue() == ""


# --- what the target remembers


def test_doubts_are_for_clusters_alone(tmp_path: Path) -> None:
    git = repository(tmp_path / "repo")
    head = git("rev-parse", "HEAD")
    git.commit({"a": "b"})
    (git.root / "kfgit.yaml").write_text("changed")
    last = ApplyRecord(1, "demo", git("rev-parse", "HEAD"), "d", "ada", datetime.now(UTC), None, {})
    from kfgit import driver

    here = Environment("local", whole_file("kfgit.yaml"), branch="other")
    there = Environment(
        "prod", whole_file("kfgit.yaml"), target="cluster", cluster=ClusterTarget(), branch="other"
    )
    with opened(git.root, head) as commit:
        pinned = Source(driver.load_from(commit), "prod", commit)
        assert [d.flag for d in pinned.doubts(there)] == ["--allow-branch"]
        assert [d.flag for d in pinned.more_doubts(there, Target(last=last))] == ["--allow-older"]  # type: ignore[arg-type]
        assert pinned.more_doubts(there, Target()) == ()  # type: ignore[arg-type]
        assert pinned.doubts(here) == pinned.more_doubts(here, Target(last=last)) == ()  # type: ignore[arg-type]
    assert Source(driver.load(git.root), "prod").doubts(there) == ()
