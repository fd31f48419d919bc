"""What is said to the one who called: results, everything else, and why there is no result."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TextIO

from kfgit.render.style import clean

# A pipe whose reader has ended, a terminal that was closed.
_NOBODY_READS = {errno.EPIPE, errno.EIO}


@dataclass(slots=True, eq=False)
class Door:
    """What is said to the one who called: the only thing here that changes. A reader who went away is no fault."""

    output: str = "human"
    answered: bool = False

    def print(self, text: str) -> None:
        """A result, on stdout."""
        self.answered = True
        _write(sys.stdout, text)

    def json(self, value: Mapping[str, Any]) -> None:
        """A result for machines, on stdout."""
        try:
            text = json.dumps(value, indent=2, ensure_ascii=False, default=str, allow_nan=False)
        except ValueError:
            text = json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str)
        self.print(text.replace("##[", "#\\u0023["))  # GitHub's runner obeys `##[error]` in a log

    def tell(self, text: str) -> None:
        """Everything else, on stderr."""
        _aside(text)

    def draw(self, text: str) -> None:
        """A part of a line on a terminal."""
        _aside(text, end="")

    def leave(self) -> None:
        """Says nothing more on stdout."""
        _leave(sys.stdout)

    def failed(self, code: int, message: str, help_: str | None) -> None:
        """Why a command ended without a result; machines get it as their result."""
        self.tell("\n".join([f"kfgit: {clean(message)}", *([f"  {clean(help_)}"] if help_ else [])]))
        if self.output == "json" and not self.answered:
            from kfgit.render.envelope import envelope

            self.json(envelope("Error", exitCode=code, message=message, help=help_))


def _write(stream: TextIO | None, text: str, end: str = "\n") -> None:
    if stream is None or not text:
        return
    try:
        stream.write(text if text.endswith("\n") else text + end)
        stream.flush()
    except OSError as fault:
        _leave(stream)
        if fault.errno not in _NOBODY_READS:
            raise


def _aside(text: str, end: str = "\n") -> None:
    """What is said beside the result may be lost, and the work goes on: a run must not end for that."""
    with suppress(OSError):
        _write(sys.stderr, text, end)


def _leave(stream: TextIO) -> None:
    """Nobody reads any more, or nothing can be written: the rest goes nowhere, and the work goes on."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become text."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case Mapping():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value
