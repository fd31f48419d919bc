"""Exit codes: what scripts are told. See docs/commands.md."""

from __future__ import annotations

DONE = 0
INVALID = 1
PENDING = 2
REFUSED = 3
LOCKED = 4
STALE = 5
PARTLY = 6
FAILED = 7
MACHINE = 8
USAGE = 64
INTERRUPTED = 130


class Stop(Exception):
    """Ends the command with a code, after everything has been said."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
