"""How much work something is, counted: a number that no machine and no neighbour changes."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import kfgit

_OURS = str(Path(kfgit.__file__).parent)
_Trace: TypeAlias = Callable[[FrameType, str, Any], Any]


@contextmanager
def lines() -> Iterator[list[int]]:
    """How many lines of kfgit this thread runs; one that runs again in a loop or a comprehension counts again."""
    counted = [0]

    def line(_frame: FrameType, event: str, _argument: Any) -> _Trace:
        counted[0] += event == "line"
        return line

    def call(frame: FrameType, _event: str, _argument: Any) -> _Trace | None:
        return line if frame.f_code.co_filename.startswith(_OURS) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield counted
    finally:
        sys.settrace(before)


@contextmanager
def steps(db: sqlite3.Connection) -> Iterator[list[int]]:
    """How many instructions SQLite runs for the statements of a connection."""
    counted = [0]

    def one() -> None:
        counted[0] += 1

    db.set_progress_handler(one, 1)
    try:
        yield counted
    finally:
        db.set_progress_handler(None, 0)
