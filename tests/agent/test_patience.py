from __future__ import annotations

from hypothesis import given, strategies as st

from kfgit.agent.patience import FIRST_SECONDS, MOST_SECONDS, SPREAD, Patience

CHANCES = st.floats(0, 1, exclude_max=True)


def test_it_doubles_up_to_five_minutes_and_begins_anew() -> None:
    patience = Patience(lambda: 0.5)
    waits = [patience.fault(0.0) for _ in range(10)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    patience.reset()
    assert patience.left(0.0) == 0
    assert patience.fault(0.0) == 2


@given(chance=CHANCES, faults=st.integers(1, 10_000), now=st.floats(0, 1e9))
def test_chance_moves_a_wait_by_a_fifth_at_most(chance: float, faults: int, now: float) -> None:
    patience = Patience(lambda: chance)
    seconds = 0.0
    for _ in range(min(faults, 40)):
        seconds = patience.fault(now)
    assert FIRST_SECONDS * (1 - SPREAD) <= seconds <= MOST_SECONDS * (1 + SPREAD)
    assert abs(patience.left(now) - seconds) < 1e-5
    assert patience.left(now + seconds + 1) == 0
