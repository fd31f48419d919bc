"""The proxy itself: what it does to a request is what its name says, and only that."""

from __future__ import annotations

import http.client
import http.server
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.cluster import faults
from tests.cluster.proxy import Proxy, Treatment, Upstream


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, bytes, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
        told = f"answer {len(self.server.asked)}".encode()
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(told), told))
        else:
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: _Server) -> Iterator[Proxy]:
    with Proxy({"kfp": Upstream(server.url), "kube": Upstream(server.url, None, "ours")}) as running:
        yield running


def ask(
    proxy: Proxy, method: str = "GET", path: str = "/x", owner: str = "kfp", **headers: str
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.ports[owner], timeout=60)  # type: ignore[index]
    try:
        body = b"content" if method == "POST" else None
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_requests_go_through_and_are_counted_in_one_order(proxy: Proxy, server: _Server) -> None:
    for number, (owner, path) in enumerate((("kfp", "/x?a=1"), ("kube", "/chunked"), ("kfp", "/x?a=1")), 1):
        assert ask(proxy, "POST", path, owner, Authorization="Bearer theirs") == (200, f"answer {number}")
    assert server.asked == [
        ("POST", "/x?a=1", b"content", None),
        ("POST", "/chunked", b"content", "Bearer ours"),
        ("POST", "/x?a=1", b"content", None),
    ]
    told = [(record.request.name, record.forwarded, record.status) for record in proxy.settle()]
    assert told == [
        ("kfp POST /x?a=1 (1)", 1, 200), ("kube POST /chunked (1)", 1, 200), ("kfp POST /x?a=1 (2)", 1, 200),
    ]  # fmt: skip
    proxy.begin()
    assert proxy.settle() == []


@pytest.mark.parametrize(
    ("treatment", "told", "arrived"),
    [
        (faults.cut_before, None, 0),
        (faults.cut_after, None, 1),
        (faults.late, None, 1),
        (faults.delayed, 200, 1),
        (faults.doubled, 200, 2),
        (faults.conflict, 409, 0),
        (faults.too_many, 429, 0),
        (faults.broken, 500, 0),
        (faults.broken_after, 500, 1),
        (faults.away, 503, 0),
    ],
)
def test_one_request_goes_wrong_and_the_others_do_not(
    proxy: Proxy, server: _Server, treatment: Treatment, told: int | None, arrived: int
) -> None:
    proxy.begin(faults.once("kfp GET /x (2)", treatment))
    assert ask(proxy)[0] == 200
    if told is None:
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            ask(proxy)
    else:
        assert ask(proxy)[0] == told
    assert ask(proxy)[0] == 200
    records = proxy.settle()
    assert [record.forwarded for record in records] == [1, arrived, 1]
    assert [record.status for record in records] == [200, told, 200]
    assert len(server.asked) == 2 + arrived
    assert proxy.faults == []


@pytest.mark.parametrize(
    ("treatment", "ending", "arrived"),
    [
        (faults.killed_before, signal.SIGKILL, 0),
        (faults.killed_after, signal.SIGKILL, 1),
        (faults.asked_to_end, signal.SIGTERM, 1),
    ],
)
def test_the_client_is_ended(
    proxy: Proxy, server: _Server, treatment: Treatment, ending: signal.Signals, arrived: int
) -> None:
    proxy.begin(faults.once("kfp POST /x (1)", treatment))
    with subprocess.Popen(["sleep", "60"]) as client:
        proxy.meet(client.pid)
        with suppress(ConnectionError, http.client.RemoteDisconnected):
            ask(proxy, "POST")
        assert client.wait(120) == -ending
    assert len(server.asked) == arrived


def test_tokens_that_have_expired_are_refused_and_never_passed_on(proxy: Proxy, server: _Server) -> None:
    proxy.tokens = {"kfp": {"new"}}
    assert ask(proxy, Authorization="Bearer old")[0] == 401
    assert ask(proxy)[0] == 401
    assert ask(proxy, Authorization="Bearer new")[0] == 200
    assert [authorization for *_, authorization in server.asked] == [None]
