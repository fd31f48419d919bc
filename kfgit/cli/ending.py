"""How a command that changes things ends when it is asked to: what was begun is finished, nothing else is begun."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def finishing(tell: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C, SIGTERM or the end of the terminal asked to end; `tell` is called when they do, once.

    Asked a second time the command ends where it is. Outside of this, see `follow.terminable`.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def end(_number: int, _frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        tell()

    before = signal.signal(signal.SIGINT, end)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
