"""Connections as uvicorn has them, with bounds on what a client may take its time for.

uvicorn bounds neither the size of a head nor the time that a client takes for it, and answers what is no HTTP with
plain text. A sweep each second closes connections whose head does not come, whose body stands still, or whose reader
does not read; it costs less than a timer for each request.
"""

from __future__ import annotations

import asyncio
import json
import time
from http import HTTPStatus
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from kfgit.server.errors import Code, GatewayError

MAX_HEAD_BYTES = 64 * 1024
# What a client may go on sending after its answer: it may read that only when it is through.
MAX_IGNORED_BYTES = 256 * 1024 * 1024


def most_connections() -> int:
    """How many clients at once: runs, logs and the store need files too, and a process may have so many."""
    files, _ = getrlimit(RLIMIT_NOFILE)
    return 512 if files == RLIM_INFINITY else min(512, files // 2)


class Connection(HttpToolsProtocol):
    """One client's connection: between two requests, in a head, or in a call, whose body may not be through yet."""

    head_seconds = 15.0
    body_seconds = 120.0
    unread_seconds = 30.0
    most = most_connections()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._received = 0
        self._calls = 0
        self._in_body = False
        # Of the connection, of the first byte of a head, or of the end of a head.
        self._since = time.monotonic()
        self._stuck_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client came."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self.refuse(GatewayError(Code.UNAVAILABLE, "too many connections; try again later"))

    def data_received(self, data: bytes) -> None:
        """Some bytes came: of a head, of a body, or of several of both."""
        if not self._received and not self._in_body:
            self._since = time.monotonic()
        self._received += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_body and self.cycle.response_complete and self._received > MAX_IGNORED_BYTES:
            self.transport.abort()
        elif not self._in_body and self._received > MAX_HEAD_BYTES:
            long = f"the head of a request has at most {MAX_HEAD_BYTES} bytes"
            self.refuse(GatewayError(Code.INVALID_ARGUMENT, long, 431))

    def on_headers_complete(self) -> None:
        """A head is through: uvicorn makes the call."""
        self._in_body, self._received, self._since = True, 0, time.monotonic()
        self._calls += 1
        if not self.url.startswith(b"/"):
            self._believe_target()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A body is through; what follows is the next head, and uvicorn bounds the wait for that."""
        super().on_message_complete()
        self._in_body, self._received = False, 0

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered in the shape that clients of this API read."""
        self.refuse(GatewayError(Code.INVALID_ARGUMENT, msg.rstrip(".").lower()))

    def pause_writing(self) -> None:
        """The client does not read."""
        self._stuck_since = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again, or is gone."""
        self._stuck_since = None
        super().resume_writing()

    def refuse(self, fault: GatewayError) -> None:
        """Answers without asking anybody, and closes."""
        body = json.dumps(fault.body()).encode()
        head = [f"HTTP/1.1 {fault.status} {HTTPStatus(fault.status).phrase}".encode()]
        head += [name + b": " + value for name, value in self.server_state.default_headers]
        head += [b"content-type: application/json", b"content-length: %d" % len(body), b"connection: close"]
        self.transport.write(b"\r\n".join((*head, b"", body)))
        self.transport.close()

    def overdue(self, now: float) -> bool:
        """Whether the client takes longer than anybody needs; one that waits for its answer is never late."""
        if self._stuck_since is not None:
            return now - self._stuck_since > self.unread_seconds
        if self._in_body:
            return now - self._since > self.body_seconds
        return (self._received > 0 or not self._calls) and now - self._since > self.head_seconds

    def drop(self) -> None:
        """Ends the connection; who sent half a head is told why, others would not listen."""
        half_a_head = self._received and not self._in_body and self._stuck_since is None
        if half_a_head and not self.transport.is_closing():
            late = f"the head of a request arrives within {self.head_seconds:g} seconds"
            self.refuse(GatewayError(Code.INVALID_ARGUMENT, late, 408))
        else:
            self.transport.abort()

    def _believe_target(self) -> None:
        """A whole URL as the target names the host, whatever the header says (RFC 9112, section 3.2.2)."""
        target = httptools.parse_url(self.url)
        if not target.host:
            return
        host = b"[" + target.host + b"]" if b":" in target.host else target.host
        port = b":%d" % target.port if target.port else b""
        self.headers[:] = [(b"host", host + port), *(h for h in self.headers if h[0] != b"host")]


async def sweep(connections: set[Any], seconds: float = 1.0) -> None:
    """Closes what is overdue, for ever, with a pause of some seconds."""
    while True:
        await asyncio.sleep(seconds)
        now = time.monotonic()
        for connection in [each for each in connections if isinstance(each, Connection)]:
            if connection.overdue(now):
                connection.drop()
