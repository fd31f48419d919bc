"""Ticks: what KFP's controller was seen to fire, and laws that hold however one looks and whatever one missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from kfgit import cron, ticks
from kfgit.ticks import Delay, Every, Once, Rule, Standing, Times
from tests.counting import lines

RECORDED = Path(__file__).parents[1] / "conformance" / "schedules"
SITUATIONS: list[dict[str, Any]] = json.loads((RECORDED / "ticks.json").read_text())
# Drawn at random, and answered by KFP's own scheduling code; its note says how.
DRAWN: list[dict[str, Any]] = json.loads((RECORDED / "drawn.json").read_text())["situations"]
SECOND = timedelta(seconds=1)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def at(text: str) -> datetime:
    return instant(f"2026-03-01T{text}Z")


def told(times: Any) -> list[str]:
    return [time.astimezone(UTC).strftime("%H:%M:%S") for time in times]


def fired(rule: Rule, standing: Standing, now: datetime, slots: int) -> tuple[list[datetime], Standing]:
    due = list(ticks.decide(rule, standing, now, slots).due)
    return due, replace(standing, last=due[-1]) if due else standing


# --- what was recorded


def rule_of(situation: dict[str, Any]) -> Rule:
    text = situation.get("cron")
    return ticks.read(
        {
            "cron": ticks.from_api(text) if text else None,
            "every": situation.get("interval_second"),
            "timezone": situation["time_zone"],
            "start": situation.get("start_time"),
            "end": situation.get("end_time"),
            "catchup": not situation["no_catchup"],
        }
    )


def replayed(
    situation: dict[str, Any], *, each_look: bool
) -> tuple[list[tuple[datetime, datetime]], datetime | None]:
    """The controller's looks; without `each_look` those are left out that nothing can come of."""
    rule, standing = rule_of(situation), Standing(instant(situation["created_at"]))
    step, until = timedelta(seconds=situation["check_every_seconds"]), instant(situation["until"])
    down = [(instant(gap["From"]), instant(gap["To"])) for gap in situation.get("down", ())]
    found: list[tuple[datetime, datetime]] = []
    now, looks = standing.since, 0
    while now <= until and len(found) < 60:
        if any(begin <= now < end for begin, end in down):
            now += step
            continue
        looks += 1
        assert each_look or looks < 2000
        decision = ticks.decide(rule, standing, now, 1)
        for tick in decision.due:
            found.append((tick, now))
            standing = replace(standing, last=tick)
        if each_look or decision.due:
            now += step
        elif decision.wake is None:
            break
        else:
            now += -((now - decision.wake) // step) * step
    rest = ticks.decide(rule, standing, until, 1)
    return found, next(iter(rest.due), rest.wake)


def looked_at(situation: dict[str, Any]) -> tuple[list[tuple[datetime, datetime]], datetime | None]:
    """The controller's looks where the schedule is off for a while, or its runs take their time."""
    rule, made = rule_of(situation), instant(situation["created_at"])
    last = situation.get("last")
    standing = Standing(made, instant(last) if last else None)
    step, until = timedelta(seconds=situation["check_every_seconds"]), instant(situation["until"])
    down, off = (
        [(instant(begin), instant(end)) for begin, end in situation.get(name, ())] for name in ("down", "off")
    )
    ends: list[datetime] = []
    found: list[tuple[datetime, datetime]] = []
    now = made.replace(microsecond=0)
    while now <= until:
        if not any(begin <= now < end for begin, end in down):
            slots = situation.get("max", 1) - sum(end > now for end in ends)
            enabled = not any(begin <= now < end for begin, end in off)
            decision = ticks.decide(replace(rule, enabled=enabled), standing, now, min(slots, 1))
            for tick in decision.due:
                found.append((tick, now))
                ends.append(now + timedelta(seconds=situation.get("run_seconds", 0)))
                standing = replace(standing, last=tick)
        now += step
    rest = ticks.decide(rule, standing, until, 1)
    return found, next(iter(rest.due), rest.wake)


@pytest.mark.parametrize("number", range(len(DRAWN)))
def test_the_controllers_code_fires_these_ticks(number: int) -> None:
    situation = DRAWN[number]
    found, following = looked_at(situation)
    assert found == [(instant(tick), instant(when)) for tick, when in situation["ticks"]]
    assert following == (instant(situation["next"]) if situation["next"] != "never" else None)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s["name"])
def test_the_controller_fires_these_ticks(situation: dict[str, Any]) -> None:
    found, following = replayed(situation, each_look=False)
    assert found == [(instant(tick), instant(when)) for tick, when in situation["ticks"]]
    if "next" in situation:
        assert following == (instant(situation["next"]) if situation["next"] != "never" else None)


def test_every_situation_is_there() -> None:
    assert len(SITUATIONS) == 79
    assert len(DRAWN) > 100
    assert len({situation["time_zone"] for situation in DRAWN}) > 35


@pytest.mark.parametrize(
    "situation",
    [s for s in SITUATIONS if "down" in s or "checks slower" in s["name"]],
    ids=lambda s: s["name"],
)
def test_looks_that_find_nothing_change_nothing(situation: dict[str, Any]) -> None:
    assert replayed(situation, each_look=True) == replayed(situation, each_look=False)


# --- by example

HOURLY = Rule(Times(cron.parse("0 * * * *"), "UTC"))
MADE = Standing(at("00:00:30"))


def test_without_catch_up_the_newest_fires_and_the_others_are_told() -> None:
    found = ticks.decide(HOURLY, MADE, at("05:30:00"), 1)
    assert (told(found.due), told(found.missed), found.more) == (
        ["05:00:00"],
        ["01:00:00", "02:00:00", "03:00:00", "04:00:00"],
        False,
    )
    assert found.wake == at("06:00:00")


def test_with_catch_up_as_many_fire_as_may_begin() -> None:
    found = ticks.decide(replace(HOURLY, catchup=True), MADE, at("05:30:00"), 3)
    assert told(found.due) == ["01:00:00", "02:00:00", "03:00:00"]
    assert (found.waiting, found.wake, found.missed) == (at("04:00:00"), None, ())


@pytest.mark.parametrize(("catchup", "waits"), [(True, "01:00:00"), (False, "05:00:00")])
def test_without_a_slot_the_tick_waits(*, catchup: bool, waits: str) -> None:
    found = ticks.decide(replace(HOURLY, catchup=catchup), MADE, at("05:30:00"), 0)
    assert found == ticks.Decision(waiting=at(waits))
    assert ticks.decide(replace(HOURLY, catchup=catchup), MADE, at("05:30:00"), -3) == found


def test_a_late_interval_fires_now_and_counts_on_from_there() -> None:
    rule = Rule(Every(1800))
    found = ticks.decide(rule, MADE, at("02:20:10"), 1)
    assert (told(found.due), told(found.missed)) == (["02:20:10"], ["00:30:30", "01:00:30", "01:30:30"])
    assert found.wake == at("02:50:10")


def test_a_late_interval_fires_at_its_end_when_that_has_passed() -> None:
    rule = Rule(Every(1800), end=at("02:05:00"))
    found = ticks.decide(rule, MADE, at("09:00:00"), 1)
    assert (told(found.due), found.wake) == (["02:05:00"], None)
    assert ticks.decide(rule, replace(MADE, last=found.due[0]), at("09:00:00"), 1) == ticks.Decision()


def test_the_cron_of_an_interval_keeps_its_grid() -> None:
    found = ticks.decide(Rule(Delay(1800)), MADE, at("02:20:10"), 1)
    assert (told(found.due), told(found.missed)) == (["02:00:30"], ["00:30:30", "01:00:30", "01:30:30"])


def test_no_trigger_is_one_tick_at_once() -> None:
    rule = Rule(Once())
    assert ticks.decide(rule, MADE, at("00:00:29"), 1).wake == at("00:00:30")
    found = ticks.decide(rule, MADE, at("07:00:00"), 4)
    assert (told(found.due), found.wake) == (["00:00:30"], None)
    assert ticks.decide(rule, replace(MADE, last=found.due[0]), at("08:00:00"), 1) == ticks.Decision()
    assert ticks.decide(rule, MADE, at("07:00:00"), 0).waiting == at("00:00:30")
    assert ticks.upcoming(rule, MADE, at("00:00:00"), 3) == (at("00:00:30"),)
    assert ticks.upcoming(rule, MADE, at("00:00:30"), 3) == ()


@pytest.mark.parametrize("catchup", [True, False])
def test_a_disabled_one_never_fires(*, catchup: bool) -> None:
    rule = replace(HOURLY, catchup=catchup, enabled=False)
    assert ticks.decide(rule, MADE, at("05:00:00"), 1) == ticks.Decision()
    assert ticks.upcoming(rule, MADE, at("05:00:00"), 1) == ()


@pytest.mark.parametrize("catchup", [True, False])
@pytest.mark.parametrize("text", ["0 0 0 30 2 *", "0 0 0 , * *", ", * * * * *"])
def test_a_cron_that_never_fires_is_never_due(text: str, *, catchup: bool) -> None:
    rule = Rule(Times(cron.parse(text), "UTC"), catchup=catchup)
    for years in (0, 3, 30):
        assert ticks.decide(rule, MADE, MADE.since.replace(year=2026 + years), 1) == ticks.Decision()
    assert ticks.upcoming(rule, MADE, MADE.since, 5) == ()


def test_an_interval_of_millennia_is_never_due() -> None:
    assert ticks.decide(Rule(Every(10**15)), MADE, at("05:00:00"), 1) == ticks.Decision()


@pytest.mark.parametrize("catchup", [True, False])
@pytest.mark.parametrize(
    "text", ["* * * * * *", "* * * 1 1 *", "0,1 * * * * *", "*/7 1-50 * * * MON", "* 0 0 29 2 *"]
)
def test_a_look_after_ten_years_is_cheap(text: str, *, catchup: bool) -> None:
    rule, now = Rule(Times(cron.parse(text), "Europe/Oslo"), catchup=catchup), instant("2036-06-01T12:00:00Z")
    with lines() as counted:
        found = ticks.decide(rule, MADE, now, 10)
    print(f"{counted[0]:,} lines")
    assert counted[0] < 1_000_000  # there were 315 million seconds
    if catchup:
        assert (len(found.due), found.missed) == (10, ())
    else:
        assert (len(found.due), len(found.missed), found.more) == (1, ticks.TAIL, True)
        assert cron.next_times(cron.parse(text), found.due[0], "Europe/Oslo", 1)[0] > now


def test_what_is_passed_over_is_contiguous() -> None:
    rule = Rule(Times(cron.parse("* * * * * *"), "UTC"))
    found = ticks.decide(rule, MADE, at("23:00:00"), 1)
    chain = [*found.missed, *found.due]
    assert all(after - before == SECOND for before, after in pairwise(chain))
    assert chain[-1] == at("23:00:00")


def test_a_zone_whose_midnight_jumps_is_looked_at_in_bounded_time() -> None:
    rule = Rule(Times(cron.parse("* * * * * *"), "America/Santiago"))
    found = ticks.decide(rule, Standing(instant("2016-01-01T00:00:00Z")), instant("2026-09-06T04:00:10Z"), 1)
    assert found.due == (instant("2026-09-06T04:00:10Z"),)


def test_fractions_of_a_second_do_not_count() -> None:
    standing = Standing(at("00:00:30") + timedelta(microseconds=999_999))
    now = at("01:00:00") + timedelta(microseconds=1)
    assert told(ticks.decide(HOURLY, standing, now, 1).due) == ["01:00:00"]
    assert told(ticks.decide(Rule(Every(60)), standing, at("00:01:30"), 1).due) == ["00:01:30"]


@pytest.mark.parametrize("catchup", [True, False])
def test_an_interval_that_fired_before_its_start_fires_at_its_start(*, catchup: bool) -> None:
    rule = Rule(Every(3600), start=at("03:10:00"), catchup=catchup)
    standing = replace(MADE, last=at("02:00:30"))
    assert ticks.decide(rule, standing, at("02:30:00"), 1).wake == at("03:10:00")
    assert ticks.upcoming(rule, standing, at("02:30:00"), 2) == (at("03:10:00"), at("04:10:00"))
    found = ticks.decide(rule, standing, at("04:09:59"), 1)
    assert (found.due, found.wake) == ((at("03:10:00"),), at("04:10:00"))
    millennia = replace(rule, trigger=Every(9_000 * 365 * 86_400))
    assert ticks.decide(millennia, standing, at("09:00:00"), 1) == ticks.Decision()


# --- a wrong clock


@pytest.mark.parametrize("rule", [HOURLY, Rule(Every(3600)), replace(HOURLY, catchup=True)])
def test_a_clock_that_ran_ahead_does_not_silence_a_schedule(rule: Rule) -> None:
    standing = Standing(at("00:00:00"), instant("2031-01-01T00:00:00Z"))
    now = at("10:30:00")
    again = ticks.settled(rule, standing, now)
    assert again == replace(standing, last=now)
    wake = ticks.decide(rule, again, now, 1).wake
    assert wake is not None
    assert now < wake <= at("11:30:00")


@pytest.mark.parametrize("back", [SECOND, timedelta(hours=1), timedelta(hours=3)])
def test_a_clock_set_back_a_little_fires_nothing_twice(back: timedelta) -> None:
    standing = replace(MADE, last=at("10:00:00"))
    now = at("10:00:10") - back
    assert ticks.settled(HOURLY, standing, now) == standing
    assert ticks.decide(HOURLY, standing, now, 1) == ticks.Decision(wake=at("11:00:00"))


def test_what_was_made_under_a_wrong_clock_still_fires() -> None:
    made = Standing(instant("2031-01-01T00:00:00Z"))
    now = at("10:30:00")
    assert ticks.settled(HOURLY, made, now).last == now
    once = Rule(Once())
    assert ticks.decide(once, ticks.settled(once, made, now), now, 1).due == (now,)


def test_what_has_not_begun_under_a_wrong_clock_begins_as_a_new_one() -> None:
    rule = Rule(Every(3600), start=at("12:00:00"))
    standing = ticks.settled(rule, Standing(instant("2031-01-01T00:00:00Z")), at("10:30:00"))
    assert ticks.decide(rule, standing, at("10:30:00"), 1).wake == at("13:00:00")


# --- texts


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0 2 * * 1", "0 2 * * 1 *"),
        ("0 0 2 * * 1", "0 0 2 * * 1"),
        ("@hourly", "0 0 * * * *"),
        ("@daily", "0 0 0 * * *"),
        ("@every 45m", "@every 2700s"),
        ("@every 1h30m", "@every 5400s"),
        ("@every 1.5h", "@every 5400s"),
        ("@every 90s", "@every 90s"),
        ("@every 1500ms", "@every 1s"),
        ("@every 1us", "@every 1s"),
        ("@every -3h", "@every 1s"),
        ("@every +3s", "@every 3s"),
        ("@every 0", "@every 1s"),
        ("@every .5m", "@every 30s"),
    ],
)
def test_a_cron_of_the_api_is_read_as_kfp_reads_it(text: str, stored: str) -> None:
    assert ticks.from_api(text) == stored
    assert ticks.from_api(stored) == stored
    ticks.read({"cron": stored})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "61 * * * * *",
        "0 0 0 * * 7",
        "* * * *",
        "@sometimes",
        "@every",
        "@every ",
        "@every 5",
        "@every 5x",
        "@every 1h 3m",
        "@every .h",
        "@every --1s",
        "@every ٣s",
        "@every 3000000h",
        f"@every 1{'0' * 39}h",
    ],
)
def test_what_kfp_refuses_is_refused(text: str) -> None:
    with pytest.raises(cron.CronError):
        ticks.from_api(text)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(cron.CronError, match="no time zone"):
        ticks.read({"cron": "0 0 * * * *", "timezone": "Mars/Olympus"})


# --- laws

RULES = st.builds(
    Rule,
    trigger=st.one_of(
        st.sampled_from(
            ["0 * * * *", "30 */2 * * *", "*/20 * * * * *", "0 0 12,18 * * 1-5", "15 2 * * *"]
        ).flatmap(
            lambda text: st.sampled_from(["UTC", "Europe/Oslo", "Asia/Kathmandu"]).map(
                lambda zone: Times(cron.parse(text), zone)
            )
        ),
        st.integers(1, 9000).map(Every),
        st.integers(1, 9000).map(Delay),
        st.just(Once()),
    ),
    start=st.none() | st.integers(-90_000, 90_000).map(lambda s: at("00:00:00") + s * SECOND),
    end=st.none() | st.integers(-10_000, 250_000).map(lambda s: at("00:00:00") + s * SECOND),
    catchup=st.booleans(),
)
# Instants of looks, and how many runs may begin then.
LOOKS = st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 4)), min_size=1, max_size=12).map(
    lambda looks: [(at("00:00:00") + seconds * SECOND, slots) for seconds, slots in sorted(looks)]
)


def seen(rule: Rule, looks: list[tuple[datetime, int]]) -> Iterator[tuple[datetime, int, ticks.Decision]]:
    standing = MADE
    for now, slots in looks:
        decision = ticks.decide(rule, standing, now, slots)
        yield now, slots, decision
        if decision.due:
            standing = replace(standing, last=decision.due[-1])


@given(RULES, LOOKS)
def test_none_fires_twice_and_none_older_after_a_newer(rule: Rule, looks: list[tuple[datetime, int]]) -> None:
    found = [tick for _, _, decision in seen(rule, looks) for tick in decision.due]
    assert all(before < after for before, after in pairwise(found))


@given(RULES, LOOKS)
def test_none_fires_early_before_its_start_or_after_its_end(
    rule: Rule, looks: list[tuple[datetime, int]]
) -> None:
    for now, slots, decision in seen(rule, looks):
        assert len(decision.due) <= slots
        for tick in decision.due:
            assert tick <= now
            assert tick >= MADE.since or rule.start is not None
            if not isinstance(rule.trigger, Once):
                assert rule.end is None or tick <= rule.end
                assert rule.start is None or tick > rule.start


@given(RULES, LOOKS)
def test_the_wake_is_when_something_happens(rule: Rule, looks: list[tuple[datetime, int]]) -> None:
    """Before it nothing is due, at it something is; and nothing waits where there are slots."""
    standing = MADE
    for now, slots in looks:
        decision = ticks.decide(rule, standing, now, slots)
        if decision.due:
            standing = replace(standing, last=decision.due[-1])
        if decision.wake is not None:
            assert decision.wake > now
            assert not ticks.decide(rule, standing, decision.wake - SECOND, 1).due
            assert ticks.decide(rule, standing, decision.wake, 1).due == (decision.wake,)
        else:
            later = ticks.decide(rule, standing, now + timedelta(days=2000), 1)
            assert bool(later.due) == (decision.waiting is not None)
        if decision.waiting is not None:
            assert len(decision.due) == slots


@given(RULES, LOOKS, LOOKS)
def test_with_catch_up_it_does_not_matter_when_one_looked(
    rule: Rule, looks: list[tuple[datetime, int]], others: list[tuple[datetime, int]]
) -> None:
    rule = replace(rule, catchup=True)
    end = at("00:00:00") + 210_000 * SECOND
    both = []
    for cut in (looks, others):
        found = [tick for _, _, decision in seen(rule, [*cut, *[(end, 4)] * 20]) for tick in decision.due]
        both.append(found)
    shorter = min(len(found) for found in both)
    assert both[0][:shorter] == both[1][:shorter]


@given(RULES, LOOKS)
def test_without_catch_up_every_grid_time_fires_or_is_told_as_missed(
    rule: Rule, looks: list[tuple[datetime, int]]
) -> None:
    """For crons, whose times do not depend on when one looked."""
    rule = replace(rule, catchup=False)
    if not isinstance(rule.trigger, Times | Delay):
        return
    fired_at: set[datetime] = set()
    missed: set[datetime] = set()
    more = False
    for _, _, decision in seen(rule, looks):
        fired_at |= set(decision.due)
        missed |= set(decision.missed)
        more |= decision.more
    assert not fired_at & missed
    if fired_at and not more:
        every = replace(rule, catchup=True)
        chain = list(ticks.decide(every, MADE, max(fired_at), len(fired_at | missed) + 1).due)
        assert chain == sorted(fired_at | missed)


@given(RULES, LOOKS)
def test_a_look_that_fires_leaves_nothing_older_owed(rule: Rule, looks: list[tuple[datetime, int]]) -> None:
    rule = replace(rule, catchup=False)
    standing = MADE
    for now, slots in looks:
        due, standing = fired(rule, standing, now, slots)
        if due:
            assert fired(rule, standing, now, 9)[0] == []


@pytest.mark.parametrize("count", [1, 2, 24, 25, 26, 95, 96, 97, 98, 99, 120, 200, 1000, 86_000])
def test_of_so_many_the_newest_are_told(count: int) -> None:
    rule = Rule(Times(cron.parse("* * * * * *"), "UTC"))
    found = ticks.decide(rule, Standing(at("00:00:00")), at("00:00:00") + count * SECOND, 1)
    told = [*found.missed, *found.due]
    newest = range(max(1, count - ticks.TAIL), count + 1)
    assert told == [at("00:00:00") + n * SECOND for n in newest]
    assert found.more == (count > ticks.TAIL + 1)


@settings(max_examples=60)
@given(
    st.sampled_from(["*/3 * * * * *", "7 */2 * * * *", "* 1-5 3,4 * * *", "0 0 1 * * 1,2", "0 30 2 * * *"]),
    st.sampled_from(["UTC", "Europe/Oslo", "America/New_York"]),
    st.integers(1, 400_000),
)
def test_the_newest_tick_is_the_end_of_the_chain(text: str, zone: str, seconds: int) -> None:
    rule = Rule(Times(cron.parse(text), zone))
    made = Standing(instant("2026-03-27T12:34:56Z"))
    now = made.since + timedelta(seconds=seconds % (20_000 if text.startswith("*") else 400_000))
    whole = list(ticks.decide(replace(rule, catchup=True), made, now, 10_000).due)
    found = ticks.decide(rule, made, now, 1)
    assert [*found.missed, *found.due] == whole[-ticks.TAIL - 1 :]
    assert found.more == (len(whole) > ticks.TAIL + 1)


@given(RULES, st.integers(0, 200_000))
def test_what_is_told_as_upcoming_is_what_fires(rule: Rule, seconds: int) -> None:
    """A scheduler that looks now, and then whenever it is to wake, fires exactly those times."""
    now = at("00:00:00") + seconds * SECOND
    shown = ticks.upcoming(rule, MADE, now, 4)
    standing, found = MADE, list[datetime]()
    if rule.catchup and not isinstance(rule.trigger, Once):
        # What is owed from before says nothing of the times after now.
        newest = ticks.decide(replace(rule, catchup=False), MADE, now, 1).due
        if isinstance(rule.trigger, Every):
            newest = ticks.decide(
                replace(rule, catchup=False, trigger=Delay(rule.trigger.seconds)), MADE, now, 1
            ).due
        standing = replace(standing, last=newest[-1]) if newest else standing
    moment = now
    for _ in range(5):
        decision = ticks.decide(rule, standing, moment, 1)
        found += [tick for tick in decision.due if tick > now]
        standing = replace(standing, last=decision.due[-1]) if decision.due else standing
        if decision.wake is None:
            break
        moment = decision.wake
    assert list(shown) == found[:4]
