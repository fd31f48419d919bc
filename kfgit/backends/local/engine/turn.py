"""One `advance` while it lasts, and what absurd values raise in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from kfgit.backends.local.engine.program import Program
from kfgit.backends.local.engine.state import RunContext
from kfgit.backends.local.protocol import Command

# What absurd values raise: JSON nested thousands of levels deep, integers of thousands of digits.
UNUSABLE: Final = (RecursionError, OverflowError, ValueError)


@dataclass(frozen=True, slots=True)
class Turn:
    """What holds for one `advance`, and where its commands and the waiting retries are collected.

    `canceling` says that the run is being ended, `overdue` that its deadline ends it.
    """

    program: Program
    context: RunContext
    at: datetime
    canceling: bool
    waiting: dict[str, datetime]
    commands: list[Command] = field(default_factory=list)
    overdue: bool = False
