"""The log of a server: one JSON object a line, in a file that does not grow for ever.

It has no tokens, no headers, no queries and no bodies. Lines are gathered and written by a thread of its own, so that
a call never waits for a disk; a line that cannot be written is counted and dropped.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Beyond this many lines that wait, the disk is not keeping up.
_MAX_WAITING = 50_000
_MAX_PATH = 300


class Log:
    """Lines on their way to a file; the one before it is kept as `.1`. `also` hears each line at once."""

    def __init__(
        self,
        path: Path,
        also: Callable[[str], None] | None = None,
        max_bytes: int = 10 * 1024 * 1024,
        flush_seconds: float = 0.5,
    ) -> None:
        self._path = path
        self._max_bytes, self._flush_seconds = max_bytes, flush_seconds
        self._also = also
        self._waiting: deque[str] = deque()
        self._over = threading.Event()
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="kfgit-log", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many lines are still to be written."""
        return len(self._waiting)

    def say(self, line: str) -> None:
        """Takes one line."""
        if len(self._waiting) < _MAX_WAITING:
            self._waiting.append(line)
        else:
            self._dropped += 1
        if self._also is not None:
            self._also(line)

    def event(self, what: str, **more: Any) -> None:
        """Something that happened besides calls."""
        self.say(_encode({"time": _stamp(datetime.now(UTC)), "event": what, **more}))

    def close(self) -> None:
        """Writes what waits."""
        self._over.set()
        self._thread.join()

    def _write(self) -> None:
        over = False
        while not over:
            over = self._over.wait(self._flush_seconds)
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                lines.append(_encode({"event": "lines dropped", "count": dropped}))
            if lines:
                try:
                    self._append("\n".join(lines) + "\n")
                except OSError:
                    self._dropped += len(lines)

    def _append(self, text: str) -> None:
        if self._path.exists() and self._path.stat().st_size > self._max_bytes:
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(text)


class Count(Protocol):
    """Hears of every call that was answered: the template of its route, method, status and seconds."""

    def __call__(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one."""


class Watched:
    """Tells of every call how it ended and how long it took."""

    def __init__(self, app: ASGIApp, log: Log, count: Count, route_key: str) -> None:
        self._app, self._log, self._count, self._route_key = app, log, count, route_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Has one request answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, size = perf_counter(), 0, 0

        async def sending(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            seconds = perf_counter() - began
            route: str = scope.get(self._route_key, "")
            # A client that went away got no answer: nginx's number for it.
            self._count(route, scope["method"], status or 499, seconds)
            self._log.say(_line(scope, route, status or 499, size, seconds))


def _line(scope: Scope, route: str, status: int, size: int, seconds: float) -> str:
    client = scope.get("client")
    return _encode(
        {
            "time": _stamp(datetime.now(UTC)),
            "from": client[0] if client else None,
            "method": scope["method"],
            "path": scope["path"][:_MAX_PATH],
            "route": route,
            "status": status,
            "bytes": size,
            "ms": round(seconds * 1000, 2),
        }
    )


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_encode = json.JSONEncoder(separators=(",", ":")).encode
