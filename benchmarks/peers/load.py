"""Clients of KFP's API that take next to nothing from the server: `load.py PORT CLIENTS SECONDS`.

Each client has one connection and goes round: it makes an experiment, gets it twice, lists 20. All of them are one
process with one thread, and read of an answer only what they need. Afterwards every experiment that was answered for is
asked for again. What came of it is one JSON object on stdout.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from typing import cast
from uuid import uuid4

import uvloop

_HOST = b"Host: localhost\r\n"
_PATH = "/apis/v2beta1/experiments"
_PATIENCE = 30.0
_CHECKERS = 8


def main(port: str, clients: str, seconds: str) -> int:
    """Loads a server for so long, and tells what came of it."""
    gc.disable()
    told = uvloop.run(_load(int(port), int(clients), float(seconds)))
    print(json.dumps(told))
    return 0


class _Connection(asyncio.Protocol):
    """One kept-alive connection: a request out, the answer's status and body back."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server closed the connection: {exc}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        place = head.lower().find(b"\r\ncontent-length:")
        length = int(head[place + 17 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(body) >= length and self._answer is not None:
            self._buffer = body[length:]
            self._answer.set_result((int(head[9:12]), body[:length]))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Sends a request and waits for its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


async def _load(port: int, clients: int, seconds: float) -> dict[str, object]:
    made: list[str] = []
    statuses: Counter[int] = Counter()
    took: dict[str, list[float]] = {"post": [], "get": [], "list": []}
    mark = uuid4().hex[:8]
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds

    async def timed(connection: _Connection, what: str, request: bytes) -> bytes:
        began = time.perf_counter()
        status, body = await asyncio.wait_for(connection.ask(request), _PATIENCE)
        took[what].append(time.perf_counter() - began)
        statuses[status] += 1
        return body if 200 <= status < 300 else b""

    async def client(number: int) -> None:
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
        turn = 0
        while time.perf_counter() < until:
            turn += 1
            body = await timed(connection, "post", _post(f"load-{mark}-{number}-{turn}"))
            if not body:
                continue
            id_ = str(json.loads(body)["experiment_id"])
            made.append(id_)
            get = _get(f"{_PATH}/{id_}")
            await timed(connection, "get", get)
            await timed(connection, "get", get)
            await timed(connection, "list", _get(f"{_PATH}?page_size=20"))

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    lasted = time.perf_counter() - began
    every = sorted(each for kind in took.values() for each in kind)
    return {
        "requests": len(every),
        "seconds": lasted,
        "refused": sum(count for status, count in statuses.items() if not 200 <= status < 300),
        "statuses": dict(statuses),
        "p50": _at(every, 0.5),
        "p99": _at(every, 0.99),
        "worst": every[-1],
        "kinds": {
            kind: {"p50": _at(sorted(each), 0.5), "p99": _at(sorted(each), 0.99)}
            for kind, each in took.items()
        },
        "made": len(made),
        "lost": await _missing(port, made),
    }


async def _missing(port: int, made: list[str]) -> int:
    """How many of the experiments that were answered for are not there."""
    waiting = list(made)
    lost = 0

    async def checker() -> None:
        nonlocal lost
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", port)
        while waiting:
            id_ = waiting.pop()
            status, body = await asyncio.wait_for(connection.ask(_get(f"{_PATH}/{id_}")), _PATIENCE)
            lost += status != 200 or json.loads(body)["experiment_id"] != id_

    await asyncio.gather(*(checker() for _ in range(_CHECKERS)))
    return lost


def _post(name: str) -> bytes:
    body = json.dumps({"display_name": name, "description": "made by the benchmark"}).encode()
    head = f"POST {_PATH} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + _HOST + b"\r\n" + body


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\n".encode() + _HOST + b"\r\n"


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
