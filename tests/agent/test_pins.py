"""An agent whose environment has a pin: a commit changes what it says of the environment, and a moved pin the rest."""

from __future__ import annotations

from pathlib import Path

from tests.agent.stage import FILES, SCHEDULE, Stage, environment, stage

HOME = "environments/prod.yaml"


def pinned(on: Stage, commit: str) -> str:
    return on.repo.commit({HOME: f"{environment()}  pin: {{commit: '{commit}'}}\n"})


def test_what_is_pinned_stays_until_the_pin_moves(tmp_path: Path) -> None:
    on = stage(tmp_path, FILES)
    pinned(on, on.repo.git("rev-parse", "HEAD"))
    assert on.turn() == "applied"
    on.table.did.clear()
    later = on.repo.commit({"pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3")})
    assert on.turn(60) == "unchanged"
    on.repo.commit(
        {
            "environments/prod/nightly.yaml": "kind: Schedule\nmetadata: {name: nightly}\nspec: {enabled: false}\n"
        }
    )
    assert on.turn(60) == "applied"
    pinned(on, later)
    assert on.turn(60) == "applied"
    assert [each for each in on.table.did if "schedule" in each] == [
        "update schedule/nightly",
        "replace schedule/nightly",
    ]


def test_a_pin_to_another_branch_is_not_in_the_copy(tmp_path: Path) -> None:
    """It fetches one branch. What was applied stays, and the mistake is told once."""
    on = stage(tmp_path, FILES)
    assert on.turn() == "applied"
    on.repo.git("checkout", "--quiet", "-b", "aside")
    aside = on.repo.commit({"pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3")})
    on.repo.git("checkout", "--quiet", "main")
    pinned(on, aside)
    on.told.clear()
    assert [on.turn(60) for _ in range(2)] == ["invalid", "invalid"]
    (told,) = [each for each in on.told if each.event == "invalid"]
    assert "pin-not-found" in told.message
    on.repo.git("merge", "--quiet", "-s", "ours", "-m", "merged", "aside")
    assert on.turn(60) == "applied"
