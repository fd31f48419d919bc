"""`python -m tests.cluster.matrix`: every request of every scenario with every fault, and storms of faults by chance.

Prints how many cases were played and what went wrong, and ends with 1 if anything did. `make test-faults` runs it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import random
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any, TypeAlias

from tests.cluster import binaries, faults
from tests.cluster.cases import Broken, Case, Outcome, Prepared, Theatre, storm
from tests.cluster.cluster import joined
from tests.cluster.scenarios import SCENARIOS
from tests.cluster.stand import stand

# What a worker tells: a scenario with the number of its requests, a case that was played, or why it gave up.
News: TypeAlias = tuple[str, int] | Outcome | str
# Workers wait for servers and for pauses between tries, so there are more of them than processors.
_EACH = 2
_STORM = 0.05
# Seconds between two lines about how far it is.
_TELL = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be played."""

    scenarios: tuple[str, ...]
    faults: tuple[str, ...]
    seed: int
    share: float
    storms: int
    workers: int


@dataclass(slots=True)
class Report:
    """What was played so far."""

    wanted: Wanted
    requests: dict[str, int] = field(default_factory=dict)
    played: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    wrong: list[Outcome] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    told: float = 0.0

    def add(self, news: News) -> None:
        """One more; what is wrong is told at once."""
        match news:
            case Outcome(case=case):
                key = (case.scenario, case.fault)
                self.played[key] += 1
                self.missed[key] += not news.hit
                self.codes[news.code] += 1
                if news.wrong:
                    self.wrong.append(news)
                    _say(f"WRONG {case} (exit {news.code})", *(f"    {line}" for line in news.wrong))
            case (name, count):
                self.requests.setdefault(name, count)
            case str():
                self.broken.append(news)
                _say(f"BROKEN {news}")

    def show_progress(self, news: News) -> None:
        """A line now and then."""
        now = time.monotonic()
        if isinstance(news, Outcome) and now > self.told + _TELL:
            self.told = now
            _say(f"{sum(self.played.values())} cases, {len(self.wrong)} wrong, {now - self.began:.0f} s")

    @property
    def good(self) -> bool:
        """Whether everything was played and nothing went wrong."""
        return not self.wrong and not self.broken and bool(self.played)

    def table(self) -> str:
        """Cases by scenario and fault."""
        columns = sorted({fault for _, fault in self.played}, key=[*faults.MATRIX, "storm"].index)
        lines = [["", "requests", *columns, "cases", "wrong"]]
        for name in dict.fromkeys(name for name, _ in self.played):
            counts = [self.played[name, fault] for fault in columns]
            bad = sum(each.case.scenario == name for each in self.wrong)
            lines.append([name, *map(str, (self.requests.get(name, ""), *counts, sum(counts), bad))])
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
        )

    def summary(self) -> str:
        """All of it in a few lines."""
        seconds = time.monotonic() - self.began
        total = sum(self.played.values())
        ends = ", ".join(f"{count} × {code}" for code, count in sorted(self.codes.items()))
        return (
            f"{self.table()}\n\nSEED={self.wanted.seed}: {total} cases in {seconds:.0f} s ({total / seconds:.1f}/s), "
            f"{sum(self.missed.values())} of them never met their request; "
            f"{len(self.wrong)} wrong, {len(self.broken)} broken; the disturbed applies ended with {ends}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays what is asked for."""
    wanted = _parsed(arguments)
    report = Report(wanted)
    context = multiprocessing.get_context("spawn")
    news: Queue[News | None] = context.Queue()
    with (
        tempfile.TemporaryDirectory(prefix="kfgit-faults-") as folder,
        joined(Path(folder) / "cluster", binaries.folder()),
    ):
        workers = [
            context.Process(target=_work, args=(number, wanted, folder, news))
            for number in range(wanted.workers)
        ]
        for worker in workers:
            worker.start()
        for each in _news(news, workers):
            report.add(each)
            report.show_progress(each)
        for worker in workers:
            worker.join()
    print(report.summary())
    return 0 if report.good else 1


def _news(news: Queue[News | None], workers: Sequence[Any]) -> Iterator[News]:
    """What workers tell until the last has ended; one that dies without a word is told as well."""
    going = len(workers)
    while going:
        try:
            told = news.get(timeout=5)
        except queue.Empty:
            if not any(worker.is_alive() for worker in workers):
                yield "a worker died"
                return
            continue
        if told is None:
            going -= 1
        else:
            yield told


def _work(number: int, wanted: Wanted, folder: str, news: Queue[News | None]) -> None:
    place = Path(folder) / f"worker-{number}"
    place.mkdir()
    try:
        with (
            joined(Path(folder) / "cluster", binaries.folder()) as cluster,
            stand(cluster, place) as own,
            own.forks() as forks,
        ):
            _play(Theatre(own, forks), number, wanted, news)
    except Exception as fault:  # noqa: BLE001 - told by the parent
        news.put(f"worker {number}: {fault!r}")
    finally:
        news.put(None)


def _play(theatre: Theatre, number: int, wanted: Wanted, news: Queue[News | None]) -> None:
    ready: list[Prepared] = []
    for name in wanted.scenarios:
        try:
            prepared = theatre.prepare(name, SCENARIOS[name])
        except Broken as fault:
            news.put(f"{fault}")
            continue
        ready.append(prepared)
        news.put((name, len(prepared.records)))
        for case in prepared.cases(wanted.faults):
            _check_parent()
            if _number(wanted.seed, str(case)) % wanted.workers != number:
                continue
            if random.Random(f"{wanted.seed} {case}").random() < wanted.share:
                news.put(theatre.play(prepared, case))
    for storm_ in range(number, wanted.storms if ready else 0, wanted.workers):
        _check_parent()
        news.put(stormy(theatre, ready, f"{wanted.seed}/{storm_}"))


def _check_parent() -> None:
    """Whoever started this may have been killed, and nobody listens any more."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        raise SystemExit


def stormy(theatre: Theatre, ready: Sequence[Prepared], seed: str) -> Outcome:
    """A scenario in which much goes wrong, in up to three applies one after the other."""
    chance = random.Random(seed)
    prepared = chance.choice(ready)
    decisions = [storm(f"{seed}/{each}", _STORM) for each in range(chance.randint(1, 3))]
    told, records, wrong = theatre.disturbed(prepared, *decisions)
    hit = any(record.treatment for record in records)
    return Outcome(
        Case(prepared.name, f"storm {seed}", reads=False, fault="storm"), hit, told.code, tuple(wrong)
    )


def _number(seed: int, text: str) -> int:
    return zlib.crc32(f"{seed} {text}".encode())


def _parsed(arguments: Sequence[str] | None) -> Wanted:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.matrix", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only these")
    parser.add_argument("--fault", action="append", choices=faults.MATRIX, help="only these")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or 1))
    parser.add_argument("--share", type=float, default=1.0, help="so many of all cases, chosen by the seed")
    parser.add_argument("--storms", type=int, default=60, help="so many applies in which much goes wrong")
    parser.add_argument("--workers", type=int, default=_EACH * (os.cpu_count() or 1))
    told = parser.parse_args(arguments)
    return Wanted(
        tuple(told.scenario or SCENARIOS), tuple(told.fault or faults.MATRIX), told.seed, told.share, told.storms,
        told.workers,
    )  # fmt: skip


def _say(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
