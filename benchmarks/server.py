"""The local server under load: 1, 16 and 64 clients that post, get and list experiments in turn.

Beside it the floor, the same libraries with nothing behind them. KFP's own figures cannot be had in the same run,
since it needs a cluster: they were taken once (2.17.0 on MariaDB, on two such cores that it shared with the clients).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from benchmarks import projects, serving
from benchmarks.bench import Bench, Samples
from benchmarks.serving import Server
from benchmarks.table import Aim, Row, size

# Clients, and the requests per second that KFP answered.
_KFP = {1: 600, 16: 1_100, 64: 780}
_KFP_BYTES = 250e6
_SECONDS, _THOROUGH_SECONDS = 5.0, 60.0


def measure(bench: Bench) -> Iterator[Row]:
    """The time of one request, half of them and all but a hundredth, and the memory. Nothing may be lost or refused."""
    seconds = _THOROUGH_SECONDS if bench.thorough else _SECONDS
    with serving.kfgit(bench, projects.empty(bench.folder("server"))) as ours, serving.bare(bench) as floor:
        ours.load(bench, 1, 0.5)
        begin = ours.memory, floor.memory
        for clients, known in _KFP.items():
            taken = bench.interleaved(
                f"server, {clients} clients",
                [
                    partial(_figures, bench, "kfgit", ours, clients, seconds),
                    partial(_figures, bench, "floor", floor, clients, seconds),
                ],
                1 if bench.thorough else 2,
            )
            yield from _rows(clients, known, taken)
        end = ours.memory, floor.memory
    yield Row(
        "memory after the load",
        Samples(end[0], end[0]),
        "the bare server",
        Samples(end[1], end[1]),
        Aim(f"≤ {size(_KFP_BYTES)}", end[0] <= _KFP_BYTES),
        size,
    )
    yield Row(
        "… more than before", _more(begin[0], end[0]), "the bare server", _more(begin[1], end[1]), None, size
    )


def _figures(bench: Bench, who: str, server: Server, clients: int, seconds: float) -> Mapping[str, float]:
    told = server.load(bench, clients, seconds)
    bench.say(f"  {who}: {_told(told)}")
    return {
        f"{who} request": told["seconds"] / told["requests"],
        f"{who} p50": told["p50"],
        f"{who} p99": told["p99"],
    }


def _told(told: Mapping[str, Any]) -> str:
    rate = told["requests"] / told["seconds"]
    half, most, longest = (f"{told[name] * 1000:.1f} ms" for name in ("p50", "p99", "worst"))
    return (
        f"{rate:,.0f} requests per second, p50 {half}, p99 {most}, longest {longest}; "
        f"{told['requests']:,} requests, {told['made']:,} experiments, none lost or refused"
    )


def _rows(clients: int, known: int, taken: Mapping[str, Samples]) -> Iterator[Row]:
    whose = f"{clients} client{'s' if clients > 1 else ''}"
    ours = taken["kfgit request"]
    rate = 1 / ours.least
    aim = Aim(f"≥ {known:,}/s, as KFP 2.17", rate >= known)
    yield Row(f"a request, {whose} ({rate:,.0f}/s)", ours, "a bare server", taken["floor request"], aim)
    yield Row("… p50", taken["kfgit p50"], "… p50", taken["floor p50"])
    yield Row("… p99", taken["kfgit p99"], "… p99", taken["floor p99"])


def _more(before: int, after: int) -> Samples:
    return Samples(max(after - before, 0), max(after - before, 0))
