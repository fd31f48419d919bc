"""The fake GitHub's door: HTTP/1.1 with connections that are kept, as GitHub's are."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

from tests.github.records import Answer

Answering: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], Answer]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Answering) -> None:
        self.answer = answer
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _carry_out(self) -> None:
        assert isinstance(self.server, Server)
        content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = self.server.answer(self.command, self.path, headers, content)
        if told.status == 0:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = b"" if told.body is None else _encoded(told.body)
        self.send_response(told.status)
        for name, value in {**told.headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _carry_out  # noqa: N815 - the library's names

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


def _encoded(body: object) -> bytes:
    """JSON; a text stands as it is."""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
