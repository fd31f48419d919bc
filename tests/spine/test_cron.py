"""Crons: what is accepted, and when they fire, held to KFP's own library, its controller, croniter and brute force."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given, settings, strategies as st

from kfgit import cron

RECORDED = Path(__file__).parents[1] / "conformance" / "schedules"
# KFP 2.17.0's controller: which ticks a schedule fires. See `replayable` for those a cron alone explains.
SITUATIONS: list[dict[str, Any]] = json.loads((RECORDED / "ticks.json").read_text())
# robfig/cron v1.2.0 itself, asked for `count` times after an instant, in zones with all kinds of clock changes.
ANSWERS: list[dict[str, Any]] = json.loads((RECORDED / "robfig.json").read_text())


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def times(text: str, after: str, zone: str = "UTC", count: int = 3) -> list[str]:
    found = cron.next_times(cron.parse(text), instant(after), zone, count)
    return [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in found]


def as_kfp_reads_it(text: str) -> str:
    """KFP takes the first of five fields for seconds, and the day of the week for the missing one."""
    return f"{text} *" if len(text.split()) == 5 else text


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("0 2 * * *", "0 0 2 * * *"),
        ("  15,45   1-3 * jan MON-fri ", "0 15,45 1-3 * jan MON-fri"),
        ("*/30 0 2 * * *", "*/30 0 2 * * *"),
        ("0 0 9 ? * 2-6", "0 0 9 ? * 2-6"),
        ("0 5 +3 007 * *", "0 5 +3 007 * *"),
        ("@yearly", "0 0 0 1 1 *"),
        ("@annually", "0 0 0 1 1 *"),
        ("@monthly", "0 0 0 1 * *"),
        ("@weekly", "0 0 0 * * 0"),
        ("@daily", "0 0 0 * * *"),
        ("@midnight", "0 0 0 * * *"),
        ("@hourly", "0 0 * * * *"),
    ],
)
def test_six_fields_are_sent(text: str, sent: str) -> None:
    assert cron.six_fields(cron.parse(text)) == sent


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a cron has 5 fields, or 6 with seconds first; this has 0"),
        ("* * * *", "a cron has 5 fields, or 6 with seconds first; this has 4"),
        ("* * * * * * *", "a cron has 5 fields, or 6 with seconds first; this has 7"),
        ("60 * * * *", "minute: 60 is not between 0 and 59"),
        ("0 24 * * *", "hour: 24 is not between 0 and 23"),
        ("0 0 0 * *", "day of month: 0 is not between 1 and 31"),
        ("0 0 * 13 *", "month: 13 is not between 1 and 12"),
        ("0 0 * * 7", "day of week: 7 is not between 0 and 6; Sunday is 0"),
        ("0 0 * * FRI-MON", "day of week: the range `FRI-MON` runs backwards; write `5-6,0-1`"),
        ("0 22-2 * * *", "hour: the range `22-2` runs backwards; write `22-23,0-2`"),
        ("0 0 L * *", "day of month: `L` is not a number"),
        ("0 0 15W * *", "day of month: `15W` is not a number"),
        ("0 0 * * 5#2", "day of week: `5#2` is not a number or a name"),
        ("0 0 * MON *", "month: `MON` is not a number or a name"),
        ("H * * * *", "minute: `H` is not a number"),
        ("٣ * * * *", "minute: `٣` is not a number"),
        ("1" * 5000 + " * * * *", f"minute: `{'1' * 5000}` is not a number"),
        ("-5 * * * *", "minute: `` is not a number"),
        ("1-2-3 * * * *", "minute: `1-2-3` has more than two ends"),
        ("*/0 * * * *", "minute: the step of `*/0` must be at least 1"),
        ("1/2/3 * * * *", "minute: `1/2/3` has two steps"),
        ("TZ=UTC 0 0 * * *", "second: `TZ=UTC` is not a number"),
        ("@every 2h", "`@every` is written `every: 2h` instead of `cron`"),
        (
            "@Daily",
            "`@Daily` is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly",
        ),
    ],
)
def test_what_kfp_refuses_is_refused(text: str, message: str) -> None:
    with pytest.raises(cron.CronError) as refused:
        cron.parse(text)
    assert str(refused.value) == message


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "Europe", "../UTC", "/etc/passwd", "a\0b"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(cron.CronError, match="there is no time zone"):
        cron.zone_of(name)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: f"{a['cron']} after {a['after']} in {a['zone']}")
def test_the_library_of_kfp_says_the_same(answer: dict[str, Any]) -> None:
    text = as_kfp_reads_it(answer["cron"])
    if "error" in answer:
        with pytest.raises(cron.CronError):
            cron.parse(text)
    else:
        assert times(text, answer["after"], answer["zone"], answer["count"]) == answer["times"]


def replayable(situation: dict[str, Any]) -> bool:
    """Whether the ticks follow from the schedule alone: no gap to catch up with, no start in the past, no late look."""
    late = any(scheduled != fired for scheduled, fired in situation["ticks"])
    begins_early = instant(situation.get("start_time", situation["created_at"])) < instant(
        situation["created_at"]
    )
    return (
        "down" not in situation and not begins_early and (not late or situation["check_every_seconds"] == 10)
    )


def upcoming(situation: dict[str, Any], count: int) -> tuple[datetime, ...]:
    begin = instant(situation.get("start_time", situation["created_at"]))
    if "interval_second" in situation:
        return cron.next_every(situation["interval_second"], begin, begin, count)
    if situation["cron"].startswith("@every "):
        seconds = {"45m": 2700, "90s": 90}[situation["cron"].removeprefix("@every ")]
        return cron.next_every(seconds, begin, begin, count)
    return cron.next_times(
        cron.parse(as_kfp_reads_it(situation["cron"])), begin, situation["time_zone"], count
    )


REPLAYABLE = [situation for situation in SITUATIONS if replayable(situation)]


def test_most_situations_are_replayed() -> None:
    assert (len(SITUATIONS), len(REPLAYABLE)) == (79, 68)


@pytest.mark.parametrize("situation", REPLAYABLE, ids=lambda s: s["name"])
def test_the_controller_fires_these_ticks(situation: dict[str, Any]) -> None:
    ticks = [instant(scheduled) for scheduled, _ in situation["ticks"]]
    expected = [*ticks, instant(situation["next"])] if situation.get("next", "never") != "never" else ticks
    found = upcoming(situation, len(expected))
    assert list(found) == expected


def test_an_hour_that_is_left_out_skips_the_day() -> None:
    assert times("30 2 * * *", "2026-03-28T00:00:00Z", "Europe/Paris", 2) == [
        "2026-03-28T01:30:00Z",
        "2026-03-30T00:30:00Z",
    ]


def test_an_hour_that_comes_twice_fires_twice() -> None:
    assert times("30 2 * * *", "2026-10-24T12:00:00Z", "Europe/Paris", 2) == [
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:30:00Z",
    ]


def test_a_zone_that_left_out_a_day_does_not_stop_the_search() -> None:
    assert times("0 0 1 * *", "2011-12-29T00:00:00Z", "Pacific/Apia", 1) == ["2011-12-31T10:00:00Z"]


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "* , * * *", "0 0 , * ,"])
def test_what_never_fires_has_no_next_time(text: str) -> None:
    assert times(text, "2026-03-01T00:00:00Z") == []


@given(
    st.lists(st.integers(1, 31), max_size=3),
    st.integers(1, 12),
    st.sampled_from("*?0135"),
    st.sampled_from([[], ["*/30"]]),
)
def test_whether_it_ever_fires_is_known_without_looking_for_it(
    days: list[int], month: int, weekday: str, stars: list[str]
) -> None:
    of_month = ",".join([*map(str, days), *stars]) or ","
    found = cron.parse(f"0 12 {of_month} {month} {weekday}")
    for start in (datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)):
        evening = start.replace(hour=23)
        assert cron.fires_after(found, start.date()) == bool(cron.next_times(found, evening, "UTC", 1))


def test_the_calendar_ends() -> None:
    assert times("0 0 1 1 *", "9998-06-01T00:00:00Z") == ["9999-01-01T00:00:00Z"]


def test_fractions_of_a_second_are_dropped() -> None:
    assert times("* * * * * *", "2026-03-01T00:00:00.999999Z", count=1) == ["2026-03-01T00:00:01Z"]


@pytest.mark.parametrize(
    ("start", "after", "first"),
    [
        ("2026-03-01T00:00:30Z", "2026-03-01T00:00:30Z", "2026-03-01T01:00:30Z"),
        ("2026-03-01T00:00:30Z", "2026-03-01T01:00:29Z", "2026-03-01T01:00:30Z"),
        ("2026-03-01T00:00:30Z", "2026-03-01T01:00:30Z", "2026-03-01T02:00:30Z"),
        ("2026-03-01T00:00:30Z", "2026-02-01T00:00:00Z", "2026-03-01T01:00:30Z"),
    ],
)
def test_an_interval_is_counted_from_its_start(start: str, after: str, first: str) -> None:
    hour = timedelta(hours=1)
    assert cron.next_every(3600, instant(start), instant(after), 2) == (instant(first), instant(first) + hour)


def test_an_interval_of_nothing_is_refused() -> None:
    now = instant("2026-03-01T00:00:00Z")
    with pytest.raises(cron.CronError, match="at least one second"):
        cron.next_every(0, now, now, 1)


def test_an_interval_of_millennia_never_ends() -> None:
    now = instant("2026-03-01T00:00:00Z")
    assert cron.next_every(10**15, now, now, 1) == ()


# Laws. The clocks of these zones change at night but never at midnight, where robfig errs (see the recordings).
ZONES = st.sampled_from(["UTC", "Europe/Oslo", "America/New_York", "Asia/Kathmandu", "Asia/Seoul"])
ANY_INSTANT = st.integers(0, 6 * 365 * 86400).map(
    lambda s: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=s)
)
CHANGES = st.sampled_from(
    [instant(f"2026-{t}:00Z") for t in ("03-08T07:00", "03-29T01:00", "10-25T01:00", "11-01T06:00")]
)
NEAR_A_CHANGE = st.builds(lambda t, s: t + timedelta(seconds=s), CHANGES, st.integers(-2 * 86400, 2 * 3600))
INSTANTS = ANY_INSTANT | NEAR_A_CHANGE


@st.composite
def items(draw: st.DrawFn, low: int, high: int) -> str:
    begin = draw(st.integers(low, high))
    end = draw(st.integers(begin, high))
    shape = draw(
        st.sampled_from(["*", "?", f"{begin}", f"{begin}-{end}", f"{begin}-{end}/{draw(st.integers(1, 9))}"])
    )
    return draw(
        st.sampled_from([shape, f"*/{draw(st.integers(1, 20))}", f"{begin}/{draw(st.integers(1, 20))}"])
    )


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    return st.lists(items(low, high), min_size=1, max_size=3).map(",".join)


CRONS = st.tuples(
    fields(0, 59), fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6)
).map(lambda six: cron.parse(" ".join(six)))


def fires_at(schedule: cron.Cron, local: datetime) -> bool:
    """The meaning of the fields, said once more and plainly."""
    of_month = local.day in schedule.day_of_month.values
    of_week = (local.weekday() + 1) % 7 in schedule.day_of_week.values
    starred = schedule.day_of_month.star or schedule.day_of_week.star
    return (
        local.second in schedule.second.values
        and local.minute in schedule.minute.values
        and local.hour in schedule.hour.values
        and local.month in schedule.month.values
        and ((of_month and of_week) if starred else (of_month or of_week))
    )


def seconds_between(begin: datetime, end: datetime) -> Iterator[datetime]:
    return (begin + timedelta(seconds=n) for n in range(1, int((end - begin).total_seconds())))


@given(CRONS, INSTANTS, ZONES)
@settings(deadline=None)
def test_every_time_matches_the_fields_and_is_later_than_the_one_before(
    schedule: cron.Cron, after: datetime, zone: str
) -> None:
    found = cron.next_times(schedule, after, zone, 5)
    assert all(fires_at(schedule, time.astimezone(ZoneInfo(zone))) for time in found)
    assert all(earlier < later for earlier, later in pairwise([after, *found]))


@given(CRONS, INSTANTS, ZONES)
@settings(deadline=None, max_examples=60)
def test_no_second_that_matches_is_left_out(schedule: cron.Cron, after: datetime, zone: str) -> None:
    horizon = after + timedelta(minutes=40)
    found = [time for time in cron.next_times(schedule, after, zone, 60) if time < horizon]
    window = found[-1] + timedelta(seconds=1) if len(found) == 60 else horizon
    place = ZoneInfo(zone)
    assert found == [
        second for second in seconds_between(after, window) if fires_at(schedule, second.astimezone(place))
    ]


@given(CRONS)
def test_what_is_sent_means_the_same(schedule: cron.Cron) -> None:
    assert cron.parse(cron.six_fields(schedule)) == schedule


def understood(text: str) -> cron.Cron | str:
    try:
        return cron.parse(text)
    except cron.CronError as refused:
        return str(refused)


@given(st.text("0123456789*?,-/ @LWHMONJA", max_size=20))
def test_any_text_is_a_cron_or_a_sentence(text: str) -> None:
    match understood(text):
        case cron.Cron() as schedule:
            assert len(cron.six_fields(schedule).split()) == 6
        case sentence:
            assert sentence


@given(
    st.tuples(
        st.integers(0, 59).map(str),
        st.sampled_from(["*", "*/4", "2", "8-17"]),
        st.sampled_from(["*", "1", "10-20"]),
        st.sampled_from(["*", "1,7", "*/3"]),
        st.just("*"),
    ).map(" ".join),
    INSTANTS,
)
@settings(deadline=None)
def test_croniter_agrees_on_plain_crons(text: str, after: datetime) -> None:
    oracle = croniter(text, after)
    assert cron.next_times(cron.parse(text), after, "UTC", 4) == tuple(
        oracle.get_next(datetime) for _ in range(4)
    )
