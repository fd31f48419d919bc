"""Clients that do not speak as they should: garbage, halves, floods, and those who take their time."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.door import Project
from tests.hostile.server.campaign import Campaign
from tests.hostile.server.judging import fault_in
from tests.hostile.server.requests import Request
from tests.hostile.server.wire import ask
from tests.serving import Server, serving

HEALTH = "/apis/v2beta1/healthz"
LIST = "/apis/v2beta1/experiments"
MIB = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(Project.new(tmp_path_factory.mktemp("connections") / "project"), "--no-engine") as server:
        yield server
        is_well(server)
        assert server.stop() == 0
        log = server.state / "server.log"
        assert "Traceback" not in server.told.read_text() + (log.read_text() if log.exists() else "")


def is_well(server: Server) -> None:
    answer = ask(server.port, Request("GET", LIST).encode(server.host))
    assert answer is not None
    assert answer.status == 200


def opened(server: Server) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def lines(*told: str, body: str = "") -> bytes:
    return ("\r\n".join([*told, "", ""]) + body).encode("latin-1")


GET, POST, HOST, CHUNKED = (
    f"GET {HEALTH} HTTP/1.1",
    f"POST {LIST} HTTP/1.1",
    "Host: localhost",
    "Transfer-Encoding: chunked",
)
GARBAGE = {
    "zeros": bytes(1000),
    "text": b"hello\r\n\r\n",
    "lines": b"\r\n" * 1000,
    "high": b"\xff" * 5000,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no-version": lines("GET /"),
    "version": lines("GET / HTTP/9.9", HOST),
    "no-host": lines(GET),
    "two-hosts": lines(GET, HOST, HOST),
    "spaces": lines("GET  /  HTTP/1.1", HOST),
    "nul": lines("GET /\0 HTTP/1.1", HOST),
    "name": lines(GET, "Ho st: localhost"),
    "nul-in-header": lines(GET, HOST, "X: a\0b"),
    "both": lines(POST, HOST, "Content-Length: 5", CHUNKED, body="0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
    "two-lengths": lines(POST, HOST, "Content-Length: 2", "Content-Length: 3", body="{} "),
    "chunk": lines(POST, HOST, CHUNKED, body="zz\r\n{}\r\n0\r\n\r\n"),
    "huge-chunk": lines(POST, HOST, CHUNKED, body="ffffffffffffffff\r\n{}"),
    "connect": lines("CONNECT localhost:22 HTTP/1.1", "Host: localhost:22"),
    "absolute": lines(f"GET http://evil.example{HEALTH} HTTP/1.1", HOST),
    "upgrade": lines(GET, HOST, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_refused(name: str, server: Server) -> None:
    answer = ask(server.port, GARBAGE[name], whole=False)
    assert fault_in(Request("GET", "/", sound=False), answer, str(server.project.root)) is None
    if answer is not None and name != "upgrade":
        assert 400 <= answer.status < 500
        assert set(json.loads(answer.body)) == {"code", "message"}
    is_well(server)


LARGE = {
    "target": (Request("GET", LIST, "filter=" + "x" * 200_000), {414, 431}),
    "header": (Request("GET", LIST, headers=(("X-Long", "x" * 200_000),)), {431}),
    "headers": (Request("GET", LIST, headers=tuple((f"X-{n}", "y" * 20) for n in range(9_000))), {431}),
    "said": (Request("POST", LIST, headers=(("Content-Length", str(33 * MIB)),), body=b"{"), {413}),
    "much": (Request("POST", LIST, body=b" " * (33 * MIB)), {413}),
    "fields": (Request("GET", LIST, "&".join(f"a{n}=1" for n in range(2_000))), {400}),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_refused(name: str, server: Server) -> None:
    before = server.bytes_of_memory()
    request, statuses = LARGE[name]
    answer = ask(server.port, request.encode(server.host), whole=name != "said")
    assert answer is not None
    assert answer.status in statuses
    assert set(json.loads(answer.body)) >= {"code", "message"}
    assert server.bytes_of_memory() - before < 100 * MIB
    is_well(server)


def test_a_body_in_pieces_is_bounded_too(server: Server) -> None:
    piece = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
    request = Request(
        "POST", LIST, headers=(("Transfer-Encoding", "chunked"),), body=piece * 40 + b"0\r\n\r\n"
    )
    answer = ask(server.port, request.encode(server.host))
    assert answer is not None
    assert answer.status == 413


def test_answers_come_in_the_order_of_the_questions(server: Server) -> None:
    count = 60
    asked = b"".join(
        Request("GET", f"{LIST}/{n}" if n % 2 else HEALTH).encode(server.host) for n in range(count)
    )
    with opened(server) as connection:
        connection.sendall(asked)
        told = b""
        while told.count(b"HTTP/1.1 ") < count or not told.endswith(b"}"):
            told += connection.recv(MIB)
    statuses = [piece[:3] for piece in told.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"404" if n % 2 else b"200" for n in range(count)]


def test_those_who_take_their_time_keep_nobody_waiting(server: Server) -> None:
    head = Request("POST", LIST, headers=(("Content-Length", "1000"),)).encode(server.host)
    with ExitStack() as stack:
        halves = [stack.enter_context(opened(server)) for _ in range(100)]
        for connection in halves:
            connection.sendall(head[:40])
        bodies = [stack.enter_context(opened(server)) for _ in range(100)]
        for connection in bodies:
            connection.sendall(head + b"{")
        for _ in range(100):
            stack.enter_context(opened(server))
        for _ in range(20):
            is_well(server)
        # A head has its time, and then the connection is closed; that of a body is longer than a test should be.
        for connection in halves:
            told = b"".join(iter(lambda: connection.recv(MIB), b""))  # noqa: B023 - called in this round alone
            assert not told or told.startswith(b"HTTP/1.1 408")


def test_those_who_leave_are_forgotten(server: Server) -> None:
    whole = Request("POST", LIST, body=b'{"display_name": "left"}').encode(server.host)
    for length in range(10, len(whole), 2):
        with opened(server) as connection:
            # Closed with a reset, as a client that is killed closes.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(whole[:length])
    is_well(server)


def test_more_connections_than_anybody_needs(server: Server) -> None:
    with ExitStack() as stack:
        crowd = [stack.enter_context(opened(server)) for _ in range(1_100)]
        refused = 0
        for connection in crowd[1_030:]:
            refused += connection.recv(1_000).startswith(b"HTTP/1.1 503")
        assert refused > 50
    deadline = time.monotonic() + 90
    while ask(server.port, Request("GET", HEALTH).encode(server.host)) is None:
        assert time.monotonic() < deadline
    is_well(server)


def test_many_at_once_are_answered_as_one_alone(tmp_path: Path) -> None:
    with serving(Project.new(tmp_path / "project"), "--no-engine") as server:
        campaign = Campaign(server)
        campaign.prepare()
        numbers = [number for number in range(50_000, 50_400) if number % 50]  # nobody looks meanwhile
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(campaign.attack, numbers))
        campaign.end()
