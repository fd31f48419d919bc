"""A GitHub of its own for each test, and the way to it, whose rests take no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kfgit.github import GitHub, Settings, Timing
from tests.github.fake import FakeGitHub

Way = Callable[..., GitHub]


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


@pytest.fixture
def rests() -> list[float]:
    """The seconds that were waited."""
    return []


@pytest.fixture
def way(github: FakeGitHub, rests: list[float]) -> Way:
    """The way there with a token, or that of a workflow's job."""

    def make(token: str | None = None) -> GitHub:
        timing = Timing(clock=lambda: 1_000.0 + sum(rests), sleep=rests.append)
        return GitHub.of(Settings(github.url, github.repository, token or github.bot), timing)

    return make


@pytest.fixture
def hub(way: Way) -> GitHub:
    return way()
