"""`kfgit up --no-engine` answers as KFP's own server did, exchange by exchange."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.e2e.door import Project
from tests.server import stories
from tests.serving import serving


@pytest.mark.parametrize("story", stories.NAMES)
def test_every_recorded_exchange_is_equal(story: str, tmp_path: Path) -> None:
    with serving(Project.new(tmp_path), "--no-engine") as server, httpx.Client(base_url=server.url) as client:
        player = stories.Player(client)
        player.play(story)
    assert player.misses == []
    assert player.played > 0


def test_the_stories_are_those_that_were_recorded() -> None:
    assert set(stories.NAMES) == {"experiments", "health", "pipelines", "recurring-runs", "run-life", "runs"}


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {}),
        ({}, {"a": 1}),
        ([1, 2], [1]),
        ("<time>", "yesterday"),
        ("<id>", ""),
        ("1970-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ],
)
def test_a_difference_is_a_miss(wanted: object, got: object) -> None:
    assert list(stories.differences(wanted, got, "body"))
