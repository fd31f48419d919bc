"""Freezes are half-open, windows that meet are one, and a freeze says when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from kfgit.model import Environment, Freeze, Window
from kfgit.policies import freeze
from kfgit.policies.freezing import thaw
from kfgit.source import Span

HERE = Span("environments/prod.yaml", 7, 5, 7, 9)
DAY = datetime(2026, 12, 20, tzinfo=UTC)


def window(start: int, hours: int, reason: str = "") -> Window:
    begin = DAY + timedelta(hours=start)
    return Window(begin, begin + timedelta(hours=hours), reason, HERE)


def frozen(*windows: Window, always: bool = False, blocks: bool = True) -> Environment:
    return Environment("prod", HERE, freeze=Freeze(always, windows, blocks, HERE))


def test_without_a_freeze_there_is_none() -> None:
    assert freeze(Environment("prod", HERE), DAY) is None


def test_a_window_is_half_open() -> None:
    environment = frozen(window(0, 2, "year-end closing"))
    assert freeze(environment, DAY - timedelta(microseconds=1)) is None
    assert freeze(environment, DAY + timedelta(hours=2)) is None
    found = freeze(environment, DAY)
    assert found is not None
    assert found.message == "`prod` is frozen until 2026-12-20T02:00:00Z: year-end closing"
    assert (found.code, found.severity, found.span) == ("policy-freeze", "error", HERE)


def test_always_has_no_end() -> None:
    found = freeze(frozen(always=True), DAY)
    assert found is not None
    assert found.message == "`prod` is frozen"


def test_one_that_only_warns() -> None:
    found = freeze(frozen(window(0, 1), blocks=False), DAY)
    assert found is not None
    assert found.severity == "warning"


def test_reasons_of_all_open_windows_are_told_and_the_end_is_that_of_all() -> None:
    found = freeze(
        frozen(window(0, 3, "audit"), window(1, 4, "holidays"), window(5, 1)), DAY + timedelta(hours=2)
    )
    assert found is not None
    assert found.message == "`prod` is frozen until 2026-12-20T06:00:00Z: audit; holidays"


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    from zoneinfo import ZoneInfo

    environment = frozen(window(0, 1))
    assert freeze(environment, DAY.astimezone(ZoneInfo("Asia/Kolkata"))) == freeze(environment, DAY)


windows = st.lists(st.builds(window, st.integers(0, 20), st.integers(1, 6)), max_size=6)


@given(windows, st.integers(0, 30))
def test_the_end_is_the_first_instant_that_no_window_holds(found: Sequence[Window], hour: int) -> None:
    now = DAY + timedelta(hours=hour)
    end = thaw(found, now)

    def held(instant: datetime) -> bool:
        return any(each.start <= instant < each.end for each in found)

    assert not held(end)
    assert all(held(now + timedelta(hours=step)) for step in range(int((end - now).total_seconds() // 3600)))
    assert (freeze(frozen(*found), now) is None) is not held(now)
    assert (end == now) is not held(now)
