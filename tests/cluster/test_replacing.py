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
from kfgit.backends.cluster.changes import replacing
from kfgit.backends.cluster.changes.replacing import Count, Create, Delete, Disable, Done, Enable, Standing

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

    def meddle(self, what: str) -> None:
        """Somebody goes to KFP's dashboard between two applies."""
        for each in self.there.values():
            if what == "on" or (what == "off" and each.enabled):
                self.switch(each.id, enabled=what == "on")

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
                assert sum(each.enabled for each in world.there.values()) == 1
            case Count(id=id_):
                counted.add(id_)
            case Create(start=start):
                counted.add(world.make(wish, start))
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


@dataclass(frozen=True)
class Try:
    """An apply that is killed after `steps` steps with a `pause` after each, what somebody does then, and some time."""

    wish: Wish
    steps: int
    pause: int
    hand: str
    later: int

    def play(self, world: World, wish: Wish | None = None) -> None:
        """Lets it happen."""
        attempt(world, wish or self.wish, self.steps, self.pause)
        world.wait(self.later)
        if self.hand:
            world.meddle(self.hand)
            world.wait(self.later)


tries = st.lists(
    st.builds(
        Try,
        wish=wishes,
        steps=st.integers(0, 7),
        pause=st.sampled_from((0, 1, 7, 40, 333, 1700)),
        hand=st.sampled_from(("", "", "off")),
        later=st.integers(0, 4000),
    ),
    max_size=6,
)


@settings(max_examples=300)
@given(first=wishes, begun=st.integers(0, 5000), cut=tries, hand=st.sampled_from(("", "on")), last=wishes)
def test_killed_anywhere_it_ends_with_one(
    first: Wish, begun: int, cut: list[Try], hand: str, last: Wish
) -> None:
    world = World()
    world.make(first, None, enabled=first.enabled)
    world.wait(begun)
    for each in cut:
        each.play(world)
    world.meddle(hand)
    assert attempt(world, last, 40, 3)
    (one,) = world.there.values()
    assert one.enabled == last.enabled
    assert (one.wish.trigger, one.wish.inputs, one.wish.catchup) == (last.trigger, last.inputs, last.catchup)


@settings(max_examples=300)
@given(
    trigger=st.sampled_from(TRIGGERS),
    catchup=st.booleans(),
    begun=st.integers(1, 9000),
    cut=tries,
)
def test_the_count_of_ticks_goes_on(
    *, trigger: ticks.Trigger, catchup: bool, begun: int, cut: list[Try]
) -> None:
    """Where only inputs change, as often as one likes, all fires as if nothing had been replaced."""
    world = World()
    world.make(Wish(trigger, 0, catchup), None, enabled=True)
    world.wait(begun)
    for each in cut:
        each.play(world, Wish(trigger, each.wish.inputs, catchup))
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


@settings(max_examples=200)
@given(
    trigger=st.sampled_from(TRIGGERS),
    other=st.sampled_from(TRIGGERS),
    begun=st.integers(1, 9000),
    killed=st.integers(0, 3),
    later=st.integers(0, 9000),
)
def test_a_trigger_that_was_never_on_leaves_no_trace(
    trigger: ticks.Trigger, other: ticks.Trigger, begun: int, killed: int, later: int
) -> None:
    """Switched off, counted, made: before the fourth step the new one has fired nothing."""
    world = World()
    world.make(Wish(trigger, 0, catchup=True), None, enabled=True)
    world.wait(begun)
    attempt(world, Wish(other, 1, catchup=True), killed, 1)
    world.wait(later)
    assert attempt(world, Wish(trigger, 2, catchup=True), 40, 1)
    world.wait(7200)
    assert [tick for _, tick in world.fired] == list(_all(trigger, NOON, world.now))


@settings(max_examples=200)
@given(trigger=st.sampled_from(TRIGGERS), begun=st.integers(1, 9000), reign=st.integers(1, 9000))
def test_a_trigger_that_was_on_counts_also_if_it_never_fired(
    trigger: ticks.Trigger, begun: int, reign: int
) -> None:
    """The apply that switched it on was killed before it deleted the old one."""
    world, rare = World(), ticks.Every(10**6)
    world.make(Wish(trigger, 0, catchup=True), None, enabled=True)
    world.wait(begun)
    off = world.now
    attempt(world, Wish(rare, 0, catchup=True), 4, 0)
    assert [each.wish.trigger for each in world.there.values() if each.enabled] == [rare]
    world.wait(reign)
    on = world.now
    assert attempt(world, Wish(trigger, 2, catchup=True), 40, 0)
    world.wait(7200)
    found = [tick for _, tick in world.fired]
    assert found == [*_all(trigger, NOON, off), *_all(trigger, on, world.now)]


MINUTES = st.integers(0, 90).map(lambda minutes: NOON + timedelta(minutes=minutes))
OFF = st.builds(
    Standing,
    id=st.uuids().map(str),
    enabled=st.just(value=False),
    fits=st.booleans(),
    continues=st.booleans(),
    created=MINUTES,
    start=st.none() | MINUTES,
    stopped=st.none() | MINUTES,
    last=st.none() | MINUTES,
    counted=st.just(value=True),
    dead=st.booleans(),
)


@given(st.lists(OFF, min_size=1, max_size=4), st.booleans())
def test_what_was_made_is_used(there: list[Standing], enabled: bool) -> None:  # noqa: FBT001 - drawn
    """Nothing is made again and again."""
    step = replacing.next_step(there, enabled=enabled)
    if isinstance(step, Create):
        made = Standing(
            "made", enabled=False, fits=True, continues=True, created=NOON + timedelta(hours=2),
            start=step.start, counted=True,
        )  # fmt: skip
        there.append(made)
        while isinstance(step := replacing.next_step(there, enabled=enabled), Delete):
            there = [each for each in there if each.id != step.id]
        assert step == (Enable if enabled else Done)("made")


@settings(max_examples=300)
@given(first=wishes, cut=tries)
def test_no_tick_fires_twice(first: Wish, cut: list[Try]) -> None:
    """Whatever is wanted in between, also what was there before."""
    world = World()
    world.make(first, None, enabled=first.enabled)
    for each in cut:
        each.play(world)
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


def test_of_two_that_are_on_the_fitting_one_stays() -> None:
    """Somebody has switched on what an apply that was cut off left behind."""
    old = Standing("old", enabled=True, fits=False, continues=True, created=NOON)
    new = replace(old, id="new", fits=True, created=NOON + timedelta(hours=1))
    assert replacing.next_step([new, old], enabled=True) == Disable("old")
    assert replacing.next_step([new, replace(old, enabled=False)], enabled=True) == Delete("old")
    other = replace(new, fits=False)
    assert replacing.next_step([other, old], enabled=True) == Disable("old")


def test_what_is_dead_is_deleted_before_another_is_on() -> None:
    old = Standing("old", enabled=True, fits=True, continues=True, created=NOON, dead=True, counted=True)
    assert replacing.next_step([old], enabled=True) == Create(NOON)
    new = replace(old, id="new", start=NOON, created=NOON + timedelta(hours=1), enabled=False, dead=False)
    assert replacing.next_step([old, new], enabled=True) == Delete("old")
    assert replacing.next_step([new], enabled=True) == Enable("new")


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
