"""One case of the fault matrix: apply while one request goes wrong, apply again in peace, and look at what is there."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kfgit.backends.local import firing
from kfgit.backends.local.store import Database
from tests.cluster import faults, foreign, looking
from tests.cluster.forks import Forks, Told
from tests.cluster.looking import Seen, Strangers
from tests.cluster.proxy import Decide, Record
from tests.cluster.requests import Request
from tests.cluster.scenarios import Scenario
from tests.cluster.stand import Stand, State

# What docs/commands.md promises, and the two signals.
_ENDS = {0, 4, 6, 8, 130, -9, -15}
_AGAIN = {"too_many", "delayed", "expired"}
# Sent again where a request changes nothing.
_AGAIN_FOR_READS = {"cut_before", "cut_after", "late", "doubled", "broken", "broken_after", "away", *_AGAIN}


@dataclass(frozen=True, slots=True)
class Case:
    """The request of that name, and what becomes of it."""

    scenario: str
    request: str
    reads: bool
    fault: str

    def __str__(self) -> str:
        return f"{self.scenario}: {self.fault} at {self.request}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case. `wrong` is empty where everything holds; `hit` says whether its request came at all."""

    case: Case
    hit: bool
    code: int
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scenario at a stand: where it begins, what its requests are, and what must come of it."""

    name: str
    scenario: Scenario
    folder: Path
    state: State
    known: frozenset[str]
    strangers: Strangers
    records: tuple[Record, ...]
    final: Seen

    @property
    def command(self) -> tuple[str, ...]:
        """What goes wrong."""
        return (
            *self.scenario.command,
            *(word for each in self.scenario.confirm for word in ("--confirm", each)),
        )

    def cases(self, which: Sequence[str] = tuple(faults.MATRIX)) -> Iterator[Case]:
        """Every request with every fault."""
        for record in self.records:
            for fault in which:
                yield Case(self.name, record.request.name, record.request.reads, fault)


class Broken(Exception):
    """A scenario does not even work in peace."""


class Theatre:
    """Plays cases at one stand. `bare` is the stand with what strangers made, and nothing of kfgit's."""

    def __init__(self, stand: Stand, forks: Forks) -> None:
        self.stand, self.forks = stand, forks
        self.strangers = foreign.settle_in(stand)
        self.bare = stand.take()

    def prepare(self, name: str, scenario: Scenario) -> Prepared:
        """Applies what is before, and what is after; raises `Broken` where that fails in peace."""
        commits = [files for files in (scenario.before, scenario.after) if files is not None]
        folders = self.stand.repository(*commits)
        self.stand.put(self.bare)
        strangers = self.strangers
        if scenario.before is not None:
            self._peace(name, self.forks.run(folders[0], ("apply", "-e", "prod", "--yes"))[0])
            # Names of schedules are not unique: who comes later may take one that we have.
            names = ("nightly", "hourly") if scenario.namesakes else ()
            namesakes = foreign.namesakes(self.stand, *names)
            strangers = looking.strangers(self.stand, *self.strangers.ids, *namesakes)
        if scenario.ticks:
            self._tick()
        state, known = self.stand.take(), looking.times(self.stand)
        # What happens from now on happens in another second, so that its times are told from those before.
        time.sleep(1.1)
        self.stand.proxy.begin()
        prepared = Prepared(name, scenario, folders[-1], state, known, strangers, (), {})
        (told,) = self.forks.run(prepared.folder, prepared.command)
        records = tuple(self.stand.proxy.settle())
        self._peace(name, told)
        for again in self.forks.run(prepared.folder, *scenario.then):
            self._peace(f"{name}, after it", again)
        final = looking.look(self.stand, strangers, known)
        return replace(prepared, records=records, final=final)

    def play(self, prepared: Prepared, case: Case) -> Outcome:
        """One case."""
        decide = faults.once(case.request, faults.MATRIX[case.fault])
        told, records, wrong = self.disturbed(prepared, decide)
        hit = any(record.treatment for record in records)
        if hit and told.code != 0 and case.fault in (_AGAIN_FOR_READS if case.reads else _AGAIN):
            wrong = (f"exit {told.code}, where asking again is all it takes: {told.err}", *wrong)
        return Outcome(case, hit, told.code, tuple(wrong))

    def disturbed(self, prepared: Prepared, *decisions: Decide) -> tuple[Told, list[Record], Sequence[str]]:
        """Applies once for each decision, then in peace; what the first said and asked, and what is wrong."""
        self.stand.put(prepared.state)
        first: tuple[Told, list[Record]] | None = None
        wrong: list[str] = []
        for decide in decisions:
            told, records = self._once(prepared, decide)
            first = first or (told, records)
            wrong += _ended(told)
        assert first is not None
        wrong += self._recovered(prepared)
        return *first, wrong

    def _once(self, prepared: Prepared, decide: Decide) -> tuple[Told, list[Record]]:
        proxy = self.stand.proxy
        proxy.begin(decide)
        proxy.meet(self.forks.start(prepared.folder, prepared.command))
        (told,) = self.forks.end()
        records = proxy.settle()
        return told, records

    def _recovered(self, prepared: Prepared) -> Iterator[str]:
        yield from (f"the proxy: {fault}" for fault in self.stand.proxy.faults)
        self.stand.proxy.begin()
        commands = (prepared.command, *prepared.scenario.then)
        for command, told in zip(commands, self.forks.run(prepared.folder, *commands), strict=False):
            yield from _ended(told)
            if told.code:
                yield f"{' '.join(command)}, in peace, ends with {told.code}: {told.out[-1500:]}{told.err[-1500:]}"
        self.stand.proxy.settle()
        yield from self.stand.watched()
        yield from looking.touched(self.stand, prepared.strangers)
        yield from looking.differences(
            prepared.final, looking.look(self.stand, prepared.strangers, prepared.known)
        )

    def _peace(self, name: str, told: Told) -> None:
        self.stand.proxy.settle()
        if told.code:
            raise Broken(f"{name} ends with {told.code} in peace:\n{told.out[-3000:]}\n{told.err[-3000:]}")

    def _tick(self) -> None:
        """Ours are two days and a bit old, and a server that was away fires what they owe."""
        self.stand.age(timedelta(days=2, minutes=20))
        with closing(Database(self.stand.server.state / "state.db")) as database:
            firing.fire(database, "local", datetime.now(UTC))


def _ended(told: Told) -> Iterator[str]:
    if told.code not in _ENDS:
        yield f"exit {told.code}: {told.out[-1500:]}{told.err[-1500:]}"
    if "Traceback" in told.err or "mistake in kfgit" in told.err:
        yield told.err[-3000:]


def storm(seed: str, share: float) -> Decide:
    """Each request has that chance to go wrong, in any way."""
    chance = random.Random(seed)
    names = sorted(faults.MATRIX)

    def decide(_request: Request) -> faults.Fault | None:
        return faults.MATRIX[chance.choice(names)] if chance.random() < share else None

    return decide
