"""The socket of a server and uvicorn around it: every response's headers, its patience, and no ways of its own."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from kfgit.backend import MachineFault
from kfgit.server.connections import Connection, sweep

KEEP_ALIVE_SECONDS = 75
# Calls that are under way when the server ends.
DRAIN_SECONDS = 5
# Calls answer with JSON, and nothing of it is to be kept, framed or guessed at.
HEADERS = [
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
]


class Server(uvicorn.Server):
    """uvicorn without its own signals, and with the sweep over its connections."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun = begun
        self._sweeping: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, and says so."""
        await super().startup(sockets)
        self._sweeping = asyncio.get_running_loop().create_task(sweep(self.server_state.connections))
        self._begun()

    def capture_signals(self) -> Any:
        """Signals are the business of whoever runs this."""
        return nullcontext()


def config(served: ASGIApp) -> uvicorn.Config:
    """How uvicorn serves an application: with our connections and log, and without guesses about proxies."""
    return uvicorn.Config(
        served,
        http=Connection,
        ws="none",
        lifespan="off",
        loop="uvloop" if find_spec("uvloop") else "asyncio",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=HEADERS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        backlog=256,
    )


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound to the address; raises `MachineFault` where it cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise MachineFault(f"nobody knows the address `{host}`: {_told(fault)}") from fault
    # `localhost` may be both; clients try 127.0.0.1 in any case.
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as fault:
        listener.close()
        raise MachineFault(f"cannot listen at {host}:{port}: {_told(fault)}") from fault
    with listener:
        yield listener


def _told(fault: Exception) -> str:
    match fault:
        case OSError(errno=errno.EADDRINUSE):
            return "it is in use; --port 0 takes any that is free"
        case OSError(errno=errno.EADDRNOTAVAIL):
            return "this machine does not have that address; 0.0.0.0 stands for all that it has"
        case OSError(errno=errno.EACCES):
            return "you may not; ports from 1024 on are for everybody, and --port 0 takes any that is free"
        case OSError(strerror=str(why)):
            return why.lower()
        case _:
            return str(fault)


def url(host: str, port: int) -> str:
    """Where this machine reaches the server."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - all addresses, so also this one
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"
