"""What all tests share: the `--accept` flag and KFP's own SDK in an environment of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import apart
from tests.sdk import official

# Laws have no deadline, for a busy machine breaks none. CI tries the same examples each time; people try new ones.
settings.register_profile("people", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("people"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "people")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept", action="store_true", help="write goldens anew instead of comparing with them"
    )


@pytest.fixture(scope="session")
def accept(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--accept"))


@pytest.fixture(scope="session")
def sdk_python() -> Path:
    """A Python that has KFP's SDK: $KFGIT_SDK_PYTHON, else that of an environment made once."""
    with apart.wanted():
        return official.python()


@pytest.fixture(scope="session")
def sdk(sdk_python: Path) -> Iterator[official.Sdk]:
    """The SDK as one process for the whole session."""
    with official.Sdk(sdk_python) as process:
        yield process
