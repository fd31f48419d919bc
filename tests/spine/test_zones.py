"""Crons of one time zone in another: they fire at the same instants, by kfgit's own reckoning and by croniter's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from croniter import croniter
from hypothesis import HealthCheck, example, given, reject, settings, strategies as st

from kfgit import cron, zones
from kfgit.cron import CronError, six_fields

# Whole hours and parts of them, east and west of the date line, with all kinds of daylight saving and with none.
ZONES = (
    "UTC", "Etc/UTC", "GMT", "Africa/Lagos", "Asia/Tokyo", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Eucla",
    "America/Phoenix", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin", "Europe/Paris", "Europe/London",
    "Europe/Lisbon", "Atlantic/Canary", "Atlantic/Azores", "America/New_York", "America/Chicago", "America/Havana",
    "America/St_Johns", "Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Beirut",
)  # fmt: skip
STEADY = ("UTC", "Africa/Lagos", "Asia/Tokyo", "Asia/Kolkata", "Asia/Kathmandu", "America/Phoenix")


def moved(text: str, zone: str, to: str) -> str:
    return six_fields(zones.moved(cron.parse(text), zone, to))


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> str:
    """A field: everything, a step, a range or a list."""
    match draw(st.sampled_from("**/-,")):
        case "*":
            return "*"
        case "/":
            return f"*/{draw(st.integers(1, 12))}"
        case "-":
            # To croniter `0-0` is everything.
            first = draw(st.integers(low, high - 1))
            return f"{first}-{draw(st.integers(first + 1, high))}"
        case _:
            return ",".join(str(draw(st.integers(low, high))) for _ in range(draw(st.integers(1, 3))))


CRONS = st.tuples(
    st.sampled_from(("0", "30")), fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6)
).map(" ".join)
# Also where clocks are put forward and back.
INSTANTS = st.one_of(
    st.integers(0, 8 * 365 * 24 * 60).map(lambda minutes: zones.SINCE + timedelta(minutes=minutes)),
    st.tuples(
        st.integers(2026, 2033), st.sampled_from((3, 4, 9, 10, 11)), st.integers(1, 28), st.integers(0, 47)
    ).map(lambda at: datetime(*at[:3], tzinfo=UTC) + timedelta(hours=at[3])),
)


@settings(max_examples=150, deadline=None)
@given(CRONS, st.sampled_from(ZONES), st.sampled_from(ZONES), INSTANTS)
@example("0 30 2 * * 1-5", "Asia/Kolkata", "UTC", datetime(2026, 5, 1, tzinfo=UTC))
@example("0 0 1 31 * *", "UTC", "Pacific/Kiritimati", datetime(2026, 5, 1, tzinfo=UTC))
@example("0 */15 * * * *", "Europe/Berlin", "UTC", datetime(2026, 3, 28, 23, tzinfo=UTC))
@example("0 30 2 * * 0", "Europe/Berlin", "Europe/London", datetime(2026, 3, 28, tzinfo=UTC))
def test_what_is_moved_fires_at_the_same_instants(text: str, zone: str, to: str, after: datetime) -> None:
    parsed = cron.parse(text)
    try:
        there = zones.moved(parsed, zone, to)
    except CronError:
        reject()
    assert cron.next_times(there, after, to, 20) == cron.next_times(parsed, after, zone, 20)
    assert cron.parse(six_fields(there)) == there


# Where croniter and robfig agree: one day field at most, without steps, and whole minutes.
DAYS = st.one_of(
    st.just("* * *"),
    st.integers(1, 28).map(lambda day: f"{day} * *"),
    fields(1, 12).map(lambda month: f"* {month} *"),
    st.sampled_from(("* * 1-5", "* * 0", "* * 3,6")),
)
PLAIN = st.tuples(st.just("0"), st.integers(0, 59).map(str), fields(0, 23), DAYS).map(" ".join)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(PLAIN, st.sampled_from(STEADY), st.sampled_from(STEADY), INSTANTS)
def test_croniter_says_so_too(text: str, zone: str, to: str, after: datetime) -> None:
    try:
        second, *five = moved(text, zone, to).split()
    except CronError:
        reject()
    theirs = croniter(" ".join([*five, second]), after.astimezone(cron.zone_of(to)))
    ours = cron.next_times(cron.parse(text), after, zone, 10)
    assert [theirs.get_next(datetime).astimezone(UTC) for _ in ours] == list(ours)


@pytest.mark.parametrize(
    ("text", "zone", "to", "wanted"),
    [
        ("0 2 * * *", "UTC", "Etc/UTC", "0 0 2 * * *"),
        ("0 2 1 * MON", "GMT", "UTC", "0 0 2 1 * MON"),
        ("0 2 * * *", "Europe/Berlin", "Europe/Paris", "0 0 2 * * *"),
        ("30 2 * * *", "Europe/Berlin", "Europe/London", "0 30 1 * * *"),
        ("0 9 * * *", "Asia/Tokyo", "UTC", "0 0 0 * * *"),
        ("0 2 * * MON-FRI", "Asia/Kolkata", "UTC", "0 30 20 * * 0-4"),
        ("0 0 * * 0", "UTC", "Asia/Kathmandu", "0 45 5 * * 0"),
        ("0,30 * * * *", "Asia/Kolkata", "UTC", "0 0,30 * * * *"),
        ("*/15 * * * *", "Europe/Berlin", "UTC", "0 */15 * * * *"),
        ("0 */6 * * *", "Asia/Tokyo", "UTC", "0 0 3,9,15,21 * * *"),
        ("0 3 2,15-17 * *", "Asia/Tokyo", "UTC", "0 0 18 1,14-16 * *"),
        ("0 20 31 * *", "UTC", "Asia/Tokyo", "0 0 5 1 1,2,4,6,8,9,11 *"),
        ("0 3 1 6 *", "Asia/Tokyo", "UTC", "0 0 18 31 5 *"),
        ("0 3 10 * 5", "Asia/Tokyo", "UTC", "0 0 18 9 * 4"),
        ("0 3 */1 * 5", "Asia/Tokyo", "UTC", "0 0 18 * * 4"),
    ],
)  # fmt: skip
def test_some_by_hand(text: str, zone: str, to: str, wanted: str) -> None:
    assert moved(text, zone, to) == wanted


@pytest.mark.parametrize(
    ("text", "zone", "to", "why"),
    [
        ("0 2 * * *", "Europe/Berlin", "UTC", "not always equally far apart"),
        ("0 2 * * *", "America/New_York", "America/Chicago", "not always equally far apart"),
        ("0 2 * * *", "America/New_York", "Europe/Berlin", "not always equally far apart"),
        ("0 * * * *", "Australia/Lord_Howe", "UTC", "not always equally far apart"),
        ("0 2 1 * *", "Asia/Tokyo", "UTC", "over the end of a month"),
        ("0 20 28 2 *", "UTC", "Asia/Tokyo", "over the end of a month"),
        ("0 2 * 6 *", "Asia/Tokyo", "UTC", "over the end of a month"),
        ("0 2 * 6 1", "Asia/Tokyo", "UTC", "over the end of a month"),
        ("0 8,9 * * 1", "Asia/Tokyo", "UTC", "shifted by -9 h, some of its times fall on another day"),
        ("*/20 2 * * *", "Asia/Kolkata", "UTC", "its hours and minutes cannot be shifted by -5 h 30 min"),
        ("0 2 */2 * 1", "Asia/Tokyo", "UTC", "day fields cannot be shifted"),
        ("0 2 10 6 5", "Asia/Tokyo", "UTC", "day fields cannot be shifted"),
        ("0 2 * * *", "UTC", "Mars/Olympus", "there is no time zone `Mars/Olympus`"),
    ],
)
def test_what_is_not_exact_is_told(text: str, zone: str, to: str, why: str) -> None:
    with pytest.raises(CronError, match=why):
        moved(text, zone, to)


def test_the_table_of_the_documentation_is_true() -> None:
    """docs/cluster.md, "Time zones": what is sent to a KFP that goes by UTC."""
    page = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()
    section = page.partition("## Time zones")[2].partition("\n## ")[0]
    rows = [row.strip("|").split("|") for row in section.splitlines() if row.startswith("| `")]
    assert len(rows) > 4
    for written, names, told in rows:
        (text,) = re.findall(r"`([^`]+)`", written)
        for zone in re.findall(r"`([^`]+)`", names):
            if told.strip().startswith("not possible"):
                with pytest.raises(CronError):
                    moved(text, zone, "UTC")
            else:
                assert moved(text, zone, "UTC") == re.findall(r"`([^`]+)`", told)[0]


@given(CRONS, st.sampled_from(ZONES))
def test_at_home_nothing_moves(text: str, zone: str) -> None:
    assert moved(text, zone, zone) == text
