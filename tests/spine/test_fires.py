"""How often schedules fire in a span: the count is what walking from time to time comes to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings, strategies as st

from kfgit import cron, ticks
from kfgit.demand import fires
from kfgit.ticks import Every, Rule, Standing, Times

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MONTH = timedelta(days=30)
# With a leap of an hour by day, at midnight, of half an hour, with odd offsets and with none.
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "America/Havana", "Asia/Beirut",
    "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns",
)  # fmt: skip
MINUTES = st.sampled_from(["0", "59", "*/20", "7,8", "0-3"])
CRONS = st.builds(
    "{} {} {} {} {} {}".format,
    st.sampled_from(["0", "30", "0,59"]),
    MINUTES,
    st.sampled_from(["0", "1", "2", "23", "0,12", "*/6"]),
    st.sampled_from(["*", "1", "31", "*/3", "28-31"]),
    st.sampled_from(["*", "3", "10-11"]),
    st.sampled_from(["*", "0", "1-5"]),
)
# Around the days on which clocks leap, and on others.
INSTANTS = st.builds(
    lambda month, day, second: datetime(2026, month, day, tzinfo=UTC) + timedelta(seconds=second),
    st.integers(1, 12), st.integers(1, 28), st.integers(0, 86_399),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(text=CRONS, zone=st.sampled_from(ZONES), now=INSTANTS, days=st.integers(1, 30))
def test_a_cron_is_counted_as_it_is_walked(text: str, zone: str, now: datetime, days: int) -> None:
    times, until = cron.parse(text), now + timedelta(days=days)
    walked = cron.next_times(times, now, zone, 900)
    assume(len(walked) < 900 or walked[-1] > until)
    assert fires.count(Rule(Times(times, zone)), now, until) == sum(at <= until for at in walked)


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.integers(3600, 10**6),
    start=st.none() | st.integers(-(10**7), 10**7),
    end=st.none() | st.integers(-(10**6), 10**7),
    catchup=st.booleans(),
)
def test_an_interval_too(seconds: int, start: int | None, end: int | None, *, catchup: bool) -> None:
    begin, over = (None if at is None else NOW + timedelta(seconds=at) for at in (start, end))
    rule = Rule(Every(seconds), begin, over, catchup)
    walked = [at for at in ticks.upcoming(rule, Standing(NOW), NOW, 800) if at <= NOW + MONTH]
    assert fires.count(rule, NOW, NOW + MONTH) == len(walked)


def test_every_second_of_a_month_is_only_counted() -> None:
    assert (
        fires.count(Rule(Times(cron.parse("* * * * * *"), "Europe/Berlin")), NOW, NOW + MONTH) == 30 * 86_400
    )
    assert fires.count(Rule(Every(1)), NOW, NOW + MONTH) == 30 * 86_400


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        (None, None, 30),
        (NOW + timedelta(days=10), None, 20),
        (None, NOW + timedelta(days=10), 10),
        (NOW + timedelta(days=40), None, 0),
        (None, NOW - timedelta(days=1), 0),
    ],
)
def test_start_and_end(start: datetime | None, end: datetime | None, count: int) -> None:
    rule = Rule(Times(cron.parse("0 2 * * *"), "UTC"), start, end)
    assert fires.count(rule, NOW, NOW + MONTH) == count


def test_what_is_off_or_never_fires() -> None:
    for rule in (
        Rule(Every(60), enabled=False),
        Rule(Times(cron.parse("0 0 30 2 *"), "UTC")),
        Rule(Times(cron.parse(", * * * *"), "UTC")),
    ):
        assert fires.count(rule, NOW, NOW + MONTH) == 0
    assert fires.count(Rule(ticks.Once()), NOW, NOW + MONTH) == 0
