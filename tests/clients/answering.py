"""Runs where an official client is installed: does what it is asked, a question and an answer a line.

A script of checks has functions named `check_…`, each a story of its own that asserts what it sees; what they share is
passed to `answer`. Only the standard library is used here, for the environments have nothing else in common.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
# Seconds. Long enough for a machine that does other things at the same time.
PATIENCE = 240.0


def answer(doings: Mapping[str, Callable[..., Any]]) -> None:
    """Answers until there are no more questions: `{"do": NAME, …}` calls NAME with the rest. Prints go to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(_answered(doings, json.loads(line))), file=answers, flush=True)


def _answered(doings: Mapping[str, Callable[..., Any]], question: dict[str, Any]) -> dict[str, Any]:
    doing = doings[question.pop("do")]
    try:
        return {"answer": doing(**question)}
    except Exception:  # noqa: BLE001 - a check may end with anything, and the test shows it
        return {"error": traceback.format_exc()}


def checks(module: Mapping[str, Any]) -> dict[str, Callable[..., None]]:
    """The checks of a script, by name."""
    return {name: value for name, value in module.items() if name.startswith("check_")}


def equal(found: Any, wanted: Any) -> None:
    """A bare `assert` would not say here what was found instead."""
    assert found == wanted, f"\n found: {found!r}\nwanted: {wanted!r}"


def until(look: Callable[[], T], good: Callable[[T], Any], what: str) -> T:
    """What `look` sees as soon as it is good."""
    deadline = time.monotonic() + PATIENCE
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"waited in vain for {what}, and have: {seen!r}"
        time.sleep(0.1)
    return seen
