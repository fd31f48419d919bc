"""A store that grows: lists, memory, ticks and retention with 1,000, 10,000 and 100,000 runs and 1,000 schedules.

What matters is that the figures do not grow with the store, so each stands beside the one with 1,000 runs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from benchmarks import filling, projects, serving
from benchmarks.bench import Bench, Broken, Samples
from benchmarks.serving import Server
from benchmarks.table import Aim, Row, at_most, size
from kfgit.backends.local import firing, removing, retention
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.store import removal
from kfgit.model import Retention

_SIZES = (1_000, 10_000, 100_000)
_SCHEDULES = 1_000
_PAGE_SECONDS = 0.05
_PAGES = 250
_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
_RUNS = "/apis/v2beta1/runs"
_NEWEST = "sort_by=created_at%20desc"


@dataclass(frozen=True, slots=True)
class _Figures:
    """What was measured with so many runs: seconds, or bytes where a name says so."""

    pages: Mapping[str, Samples]
    memory: tuple[int, int]
    store: int
    tick: Samples
    longest: Samples
    sweep: Samples


def measure(bench: Bench) -> Iterator[Row]:
    """Pages of 20 through the API, the server's memory over many pages of 200, one pass of the scheduler, one sweep."""
    root = projects.empty(bench.folder("scale"))
    found: dict[int, _Figures] = {}
    begin = 0
    for runs in _SIZES:
        bench.say(f"scale: filling a store with {runs:,} runs")
        backend = filling.opened(root)
        filling.fill(backend, begin, runs)
        if not begin:
            filling.schedule(backend, _SCHEDULES, _SINCE)
        begin = runs
        found[runs] = _figures(bench, root, backend, runs)
        backend.close()
    for runs, figures in found.items():
        yield from _rows(runs, figures, found[_SIZES[0]])


def _figures(bench: Bench, root: Path, backend: LocalBackend, runs: int) -> _Figures:
    bench.say(f"scale: measuring with {runs:,} runs")
    with serving.kfgit(bench, root, "--no-engine", "--no-scheduler") as server:
        server.get(f"{_RUNS}?{_NEWEST}&page_size=200")
        before = server.memory
        deep = _walk(server)
        memory = before, server.memory
        pages = {
            what: Samples.of([server.get(path)[0] for _ in range(bench.asked_runs or 10)])
            for what, path in _paths(server, deep).items()
        }
    # The clock of the schedules goes on with the size, so that each is due once more.
    fired, longest = _tick(backend, _SINCE + timedelta(minutes=runs))
    return _Figures(pages, memory, _bytes(backend), fired, longest, _sweep(backend))


def _paths(server: Server, deep: str) -> Mapping[str, str]:
    experiments = server.get("/apis/v2beta1/experiments?page_size=200")[1]["experiments"]
    one = next(each["experiment_id"] for each in experiments if each["display_name"] == "experiment-7")
    return {
        "the newest runs": f"{_RUNS}?{_NEWEST}",
        "the oldest runs": _RUNS,
        "runs deep inside": f"{_RUNS}?page_token={deep}&page_size=20",
        "runs of an experiment": f"{_RUNS}?{_NEWEST}&experiment_id={one}",
        "failed runs": f"{_RUNS}?{_NEWEST}&filter={_equals('state', 'FAILED')}",
        "runs by name": f"{_RUNS}?filter={_equals('name', 'run-471')}",
        "schedules": "/apis/v2beta1/recurringruns?page_size=20",
    }


def _equals(key: str, value: str) -> str:
    return quote(json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "string_value": value}]}))


def _walk(server: Server) -> str:
    """Asks for page after page, and returns the token of the deepest that is not the last."""
    token, following = "", ""
    for _ in range(_PAGES):
        answer = server.get(f"{_RUNS}?{_NEWEST}&page_size=200&page_token={following}")[1]
        token, following = following, answer.get("next_page_token", "")
        if not following:
            break
    return token


def _bytes(backend: LocalBackend) -> int:
    with backend.database.read() as db:
        return int(
            db.execute("PRAGMA page_count").fetchone()[0] * db.execute("PRAGMA page_size").fetchone()[0]
        )


def _tick(backend: LocalBackend, now: datetime) -> tuple[Samples, Samples]:
    """All passes in which all schedules fire, and the longest; the runs that come of it are removed again."""
    passes, fired = list[float](), list[str]()
    while True:
        began = time.perf_counter()
        done = firing.fire(backend.database, "local", now)
        passes.append(time.perf_counter() - began)
        fired += done.fired
        if done.looked < firing.BATCH:
            break
    if len(fired) != _SCHEDULES:
        raise Broken(f"{len(fired):,} of {_SCHEDULES:,} schedules fire")
    removing.remove(backend.database, backend.folders, fired, removal.EXECUTED)
    return _once(sum(passes)), _once(max(passes))


def _sweep(backend: LocalBackend) -> Samples:
    """A sweep that finds nothing to remove, as most do."""
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        retention.sweep(backend, Retention(count=10**6, age=10**9), datetime.now(UTC))
        taken.append(time.perf_counter() - began)
    return Samples.of(taken)


def _rows(runs: int, figures: _Figures, first: _Figures) -> Iterator[Row]:
    base = f"with {_SIZES[0]:,}"
    for what, taken in figures.pages.items():
        yield Row(f"{runs:,} runs: {what}", taken, base, first.pages[what], at_most(taken, _PAGE_SECONDS))
    before, after = figures.memory
    yield Row(
        f"{runs:,} runs: memory after many pages",
        _once(after),
        "before",
        _once(before),
        Aim(f"≤ +{size(10e6)}", after - before <= 10e6),
        size,
    )
    yield Row(f"{runs:,} runs: {_SCHEDULES:,} schedules fire", figures.tick, base, first.tick)
    yield Row("… the longest pass", figures.longest, base, first.longest)
    yield Row(f"{runs:,} runs: a sweep that removes none", figures.sweep, base, first.sweep)
    yield Row(f"{runs:,} runs: the store", _once(figures.store), base, _once(first.store), None, size)


def _once(amount: float) -> Samples:
    return Samples(amount, amount)
