"""Clients that take their time: their connections end, and others do not notice."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from kfgit.server import connections
from kfgit.server.connections import Connection
from tests.e2e.door import PATIENCE, until

ANSWER = b"x" * 50_000_000
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


class Hasty(Connection):
    """What takes seconds takes less here."""

    head_seconds = 0.5
    body_seconds = 0.5
    unread_seconds = 0.5


class Patient(Connection):
    """Only what must be bounded for the test."""

    head_seconds = body_seconds = unread_seconds = 1000.0


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes the body, waits a second, and answers with much."""
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(1.2)
    content = ANSWER if scope["path"] == "/much" else b"{}"
    headers = [(b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class Running(uvicorn.Server):
    """On a thread of the test."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.sweeping = asyncio.get_running_loop().create_task(
            connections.sweep(self.server_state.connections, 0.02)
        )


@pytest.fixture
def kind() -> type[Connection]:
    return Hasty


@pytest.fixture
def port(kind: type[Connection]) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, http=kind, ws="none", lifespan="off", loop="uvloop", log_config=None, access_log=False,
        timeout_keep_alive=1, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = Running(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    until(lambda: server.started)
    yield int(listener.getsockname()[1])
    server.should_exit = True
    thread.join(PATIENCE)


def said(port: int, sent: bytes) -> bytes:
    """All that comes until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(sent)
        found = b""
        try:
            while data := connection.recv(65536):
                found += data
        except ConnectionError:
            pass
        return found


@pytest.mark.parametrize("sent", [b"GET", HEAD, HEAD + b"X: "], ids=["begin", "head", "header"])
def test_a_head_that_does_not_come(port: int, sent: bytes) -> None:
    assert said(port, sent).startswith(b"HTTP/1.1 408 ")


def test_nothing_comes(port: int) -> None:
    assert said(port, b"") == b""


def test_a_body_that_does_not_come(port: int) -> None:
    assert said(port, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabc") == b""


def test_the_next_head_that_does_not_come(port: int) -> None:
    assert said(port, HEAD + b"\r\n" + HEAD).count(b"200 OK") == 1


def test_who_waits_for_the_answer_is_not_late(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_a_reader_that_does_not_read(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n")
        threading.Event().wait(2.0)
        found = 0
        with suppress(ConnectionError):
            while data := connection.recv(1 << 20):
                found += len(data)
        assert found < len(ANSWER)


@pytest.mark.parametrize("kind", [Patient])
def test_patience_is_a_matter_of_the_bounds(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 0.5) as connection:
        connection.sendall(HEAD)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.sendall(b"\r\n")
        connection.settimeout(PATIENCE)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
