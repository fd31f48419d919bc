"""Rules of schedules in words, which need no clock."""

from __future__ import annotations

from itertools import product

import pytest

from kfgit import cron
from kfgit.diff.clocks import becomes, rule
from kfgit.model import Given, Name, Schedule
from kfgit.source import whole_file

HERE = whole_file("x.yaml")


def schedule(text: str | None = None, every: int | None = None, zone: str = "UTC") -> Schedule:
    return Schedule(
        "s", Name("p", HERE), HERE, Given({}, frozenset(), HERE), cron=text, every=every, timezone=zone
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 2 * * *", "daily at 02:00 UTC"),
        ("@daily", "daily at 00:00 UTC"),
        ("0 0 2 * * *", "daily at 02:00 UTC"),
        ("0 2,14 * * *", "daily at 02:00, 14:00 UTC"),
        ("30 1 * * MON-FRI", "on weekdays at 01:30 UTC"),
        ("30 1 * * 0,6", "on weekends at 01:30 UTC"),
        ("30 1 * * 1", "on Mondays at 01:30 UTC"),
        ("30 1 * * TUE,THU", "on Tuesdays and Thursdays at 01:30 UTC"),
        ("0 3 1 * *", "on day 1 of each month at 03:00 UTC"),
        ("5 * * * *", "hourly at :05 UTC"),
        ("*/15 * * * *", "every 15 minutes UTC"),
        ("* * * * *", "every minute UTC"),
        ("10 */6 * * *", "daily at 00:10, 06:10, 12:10, 18:10 UTC"),
        ("10 */2 * * *", "every 2 hours at :10 UTC"),
        ("0 2 1 * 1", "at `0 2 1 * 1` UTC"),
        ("0 2 * 6 *", "at `0 2 * 6 *` UTC"),
        ("30 0 2 * * *", "at `30 0 2 * * *` UTC"),
        ("*/7 * * * *", "at `*/7 * * * *` UTC"),
        ("nonsense", "at `nonsense` UTC"),
    ],
)
def test_crons(text: str, words: str) -> None:
    assert str(rule(schedule(text))) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(86400, "every day"), (7200, "every 2 hours"), (5400, "every 90 minutes"), (61, "every 61 seconds")],
)
def test_intervals(seconds: int, words: str) -> None:
    assert str(rule(schedule(every=seconds))) == words


def test_what_stays_is_said_once() -> None:
    two, three = schedule("0 2 * * *"), schedule("0 3 * * *")
    assert becomes(rule(two), rule(three)) == "daily at 02:00 → 03:00 UTC"
    assert becomes(rule(two), rule(schedule("0 2 * * *", zone="Europe/Berlin"))) == (
        "daily at 02:00 UTC → daily at 02:00 Europe/Berlin"
    )
    assert becomes(rule(two), rule(schedule(every=3600))) == "daily at 02:00 UTC → every hour"


def test_equal_words_mean_equal_times() -> None:
    """Words leave nothing out: whoever reads the same twice reads of the same instants."""
    fields = ("*", "0", "5", "*/5", "1-3", "1,3")
    days = fields[:1] + fields[2:]
    known: dict[str, list[frozenset[int]]] = {}
    for parts in product(fields, fields, days, days, fields):
        text = " ".join(parts)
        values = _values(cron.parse(text))
        assert known.setdefault(str(rule(schedule(text))), values) == values


def _values(found: cron.Cron) -> list[frozenset[int]]:
    return [
        found.second.values,
        found.minute.values,
        found.hour.values,
        found.day_of_month.values,
        found.month.values,
        found.day_of_week.values,
    ]
