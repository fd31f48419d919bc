"""The replacement of schedules as a law: killed anywhere, as often as one likes, also while the wish changes, it ends
with one schedule, on if that is wanted; never two are on; no tick fires twice, and none that is owed is lost.

The world is a model of KFP: its recurring runs, and its controller as `kfgit.ticks` has it, which the recorded ticks of
the real one hold to the truth (tests/conformance/schedules).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis import given, settings

from kfgit import cron, ticks
from kfgit.backends.cluster import replacing
from kfgit.backends.cluster.replacing import Count, Create, Delete, Disable, Done, Enable, Standing

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOURLY = ticks.Times(cron.parse("0 0 * * * *"), "UTC")
QUARTERLY = ticks.Times(cron.parse("0 */15 * * * *"), "UTC")
TRIGGERS = (HOURLY, QUARTERLY, ticks.Every(600), ticks.Every(1500))


@dataclass(frozen=True)
class Wish:
    """What the document says: `inputs` stand for all that is not the trigger."""

    trigger: ticks.Trigger
    inputs: int
    catchup: bool
    enabled: bool = True


@dataclass
class Recurring:
    """A recurring run on the server."""

    id: str
    wish: Wish
    start: datetime | None
    created: datetime
    enabled: bool = False
    updated: datetime | None = None
    last: datetime | None = None


@dataclass
class World:
    """A server with its controller; `fired` is every tick that became a run, with the trigger that it belongs to."""

    now: datetime = NOON
    lag: int = 3
    there: dict[str, Recurring] = field(default_factory=dict)
    fired: list[tuple[ticks.Trigger, datetime]] = field(default_factory=list)
    made: int = 0

    def wait(self, seconds: int) -> None:
        """Time passes; the controller looks `lag` seconds after something is due, or was switched on."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            wakes = [self._rule(each)[2] for each in self.there.values() if each.enabled]
            first = min((wake for wake in wakes if wake is not None), default=until)
            self.now = min(until, max(self.now, first) + timedelta(seconds=self.lag))
            for each in self.there.values():
                self._look(each)

    def _rule(self, one: Recurring) -> tuple[ticks.Rule, ticks.Standing, datetime | None]:
        rule = ticks.Rule(one.wish.trigger, start=one.start, catchup=one.wish.catchup, enabled=one.enabled)
        standing = ticks.Standing(one.created, one.last)
        found = ticks.decide(rule, standing, self.now, 1000)
        return rule, standing, self.now if found.due else found.wake

    def _look(self, one: Recurring) -> None:
        rule, standing, _ = self._rule(one)
        for tick in ticks.decide(rule, standing, self.now, 1000).due:
            self.fired.append((one.wish.trigger, tick))
            one.last = tick

    def make(self, wish: Wish, start: datetime | None, *, enabled: bool = False) -> str:
        """A new one, whose id says nothing about its age."""
        self.made += 1
        id_ = f"{(self.made * 7919) % 1000:03}"
        self.there[id_] = Recurring(id_, wish, start, self.now, enabled, self.now)
        return id_

    def switch(self, id_: str, *, enabled: bool) -> None:
        """As ChangeJobMode in KFP's job_store.go: the time changes only where the mode does."""
        one = self.there[id_]
        if one.enabled != enabled:
            one.enabled, one.updated = enabled, self.now
        assert sum(each.enabled for each in self.there.values()) <= 1

    def standings(self, wish: Wish, counted: set[str], resting: frozenset[str]) -> list[Standing]:
        """What an apply sees."""
        return [
            Standing(
                each.id,
                enabled=each.enabled,
                fits=(each.wish.trigger, each.wish.inputs, each.wish.catchup)
                == (wish.trigger, wish.inputs, wish.catchup),
                continues=each.wish.trigger == wish.trigger,
                created=each.created,
                start=each.start,
                stopped=None if each.enabled or each.id in resting else each.updated,
                last=each.last if each.id in counted else None,
                counted=each.id in counted,
            )
            for each in self.there.values()
        ]


def attempt(world: World, wish: Wish, steps: int, pause: int, resting: frozenset[str] = frozenset()) -> bool:
    """Follows `steps` steps and is killed then; whether it came to the end before."""
    counted: set[str] = set()
    for _ in range(steps):
        match replacing.next_step(world.standings(wish, counted, resting), enabled=wish.enabled):
            case Disable(id=id_):
                world.switch(id_, enabled=False)
            case Enable(id=id_):
                world.switch(id_, enabled=True)
            case Count(id=id_):
                counted.add(id_)
            case Create(start=start):
                counted.clear()
                world.make(wish, start)
            case Delete(id=id_):
                del world.there[id_]
            case Done():
                return True
        world.wait(pause)
    return False


wishes = st.builds(
    Wish,
    trigger=st.sampled_from(TRIGGERS),
    inputs=st.integers(0, 1),
    catchup=st.booleans(),
    enabled=st.booleans(),
)
attempts = st.tuples(
    wishes, st.integers(0, 7), st.sampled_from((0, 1, 7, 40, 333, 1700)), st.integers(0, 4000)
)


@settings(max_examples=300)
@given(first=wishes, begun=st.integers(0, 5000), tries=st.lists(attempts, max_size=5), last=wishes)
def test_killed_anywhere_it_ends_with_one(
    first: Wish, begun: int, tries: list[tuple[Wish, int, int, int]], last: Wish
) -> None:
    world = World()
    world.make(first, None, enabled=first.enabled)
    world.wait(begun)
    for wish, steps, pause, later in tries:
        attempt(world, wish, steps, pause)
        world.wait(later)
    assert attempt(world, last, 40, 3)
    (one,) = world.there.values()
    assert one.enabled == last.enabled
    assert (one.wish.trigger, one.wish.inputs, one.wish.catchup) == (last.trigger, last.inputs, last.catchup)


@settings(max_examples=300)
@given(
    trigger=st.sampled_from(TRIGGERS),
    catchup=st.booleans(),
    begun=st.integers(1, 9000),
    tries=st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 7), st.sampled_from((0, 1, 40, 333, 1700)), st.integers(0, 4000)
        ),
        max_size=6,
    ),
)
def test_the_count_of_ticks_goes_on(
    *, trigger: ticks.Trigger, catchup: bool, begun: int, tries: list[tuple[int, int, int, int]]
) -> None:
    """Where only inputs change, as often as one likes, all fires as if nothing had been replaced."""
    world = World()
    world.make(Wish(trigger, 0, catchup), None, enabled=True)
    world.wait(begun)
    for inputs, steps, pause, later in tries:
        attempt(world, Wish(trigger, inputs, catchup), steps, pause)
        world.wait(later)
    assert attempt(world, Wish(trigger, 9, catchup), 40, 0)
    world.wait(7200)
    assert not [tick for tick, count in Counter(world.fired).items() if count > 1]
    found = [tick for _, tick in world.fired]
    assert found == sorted(found)
    if catchup:
        assert found == list(_all(trigger, NOON, world.now))
    elif isinstance(trigger, ticks.Times):
        # What is owed for a gap is its newest tick.
        assert set(found) <= set(_all(trigger, NOON, world.now))
        assert found[-1] == _all(trigger, NOON, world.now)[-1]


@settings(max_examples=300)
@given(first=wishes, tries=st.lists(attempts, max_size=6))
def test_no_tick_fires_twice(first: Wish, tries: list[tuple[Wish, int, int, int]]) -> None:
    """Whatever is wanted in between, also a trigger that was there before."""
    world = World()
    world.make(first, None, enabled=first.enabled)
    for wish, steps, pause, later in tries:
        attempt(world, wish, steps, pause)
        world.wait(later)
    assert not [tick for tick, count in Counter(world.fired).items() if count > 1]


@settings(max_examples=300)
@given(old=wishes, new=wishes, begun=st.integers(0, 9000), killed=st.integers(0, 8), gap=st.integers(0, 5000))
def test_a_new_trigger_counts_from_the_switching_off(
    old: Wish, new: Wish, begun: int, killed: int, gap: int
) -> None:
    old, new = replace(old, enabled=True), replace(new, enabled=True, catchup=True)
    if old.trigger == new.trigger:
        return
    world = World()
    world.make(old, None, enabled=True)
    world.wait(begun)
    off = world.now
    attempt(world, new, killed, 0)
    if killed == 0:
        off += timedelta(seconds=gap)
    world.wait(gap)
    assert attempt(world, new, 40, 0)
    world.wait(7200)
    mine = [tick for trigger, tick in world.fired if trigger == new.trigger]
    assert mine == list(_all(new.trigger, off, world.now))


def test_what_was_off_owes_nothing_to_a_new_trigger() -> None:
    world = World()
    id_ = world.make(Wish(HOURLY, 0, catchup=True), None)
    world.wait(100_000)
    assert attempt(world, Wish(QUARTERLY, 0, catchup=True), 40, 0, frozenset({id_}))
    world.wait(10)
    assert not world.fired


def _all(trigger: ticks.Trigger, since: datetime, until: datetime) -> tuple[datetime, ...]:
    rule = ticks.Rule(trigger, catchup=True)
    return ticks.decide(rule, ticks.Standing(since), until, 10_000).due
