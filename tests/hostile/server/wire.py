"""Bytes to a server, and its answer back: nothing between the test and the socket that would mend a request."""

from __future__ import annotations

import http.client
import select
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

# A guard: longer than any machine explains.
SECONDS = 90.0
# For a request that may have no end: so long the server is given to answer what it has, before we hang up.
_PAUSE = 0.15


class Hang(Exception):
    """The server neither answers nor hangs up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and after how many seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


def ask(port: int, request: bytes, *, whole: bool = True) -> Answer | None:
    """The answer to these bytes, or None where the server hangs up without one; raises `Hang`.

    A request that is not `whole` may be one that the server waits to see the rest of: we hang up first.
    """
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
            with suppress(OSError):  # the server may have seen enough, and say so
                connection.sendall(request)
                if not whole:
                    select.select([connection], [], [], _PAUSE)
                    connection.shutdown(socket.SHUT_WR)
            response = http.client.HTTPResponse(connection, method=_method(request))
            response.begin()
            body = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, body, time.monotonic() - began)
    except TimeoutError as fault:
        raise Hang(f"no answer in {SECONDS:.0f} s") from fault
    except (ConnectionResetError, http.client.RemoteDisconnected):
        return None


def _method(request: bytes) -> str:
    return request.split(b" ", 1)[0].decode("latin-1")
