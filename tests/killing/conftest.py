from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is killed cannot write down what it has covered, and measuring costs more than kfgit does."""
    for name in os.environ:
        if name.startswith("COVERAGE"):
            monkeypatch.delenv(name)
