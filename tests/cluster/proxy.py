"""A proxy between kfgit and its two servers: it numbers every request, and can let one of them go wrong.

HTTP comes in at two ports, one for each server; HTTP or HTTPS goes out. Requests are counted in one common order and
written down. What happens to a request is decided by the test that handed in `decide`: nothing, or one of `faults`.
The proxy runs on a thread of its own and changes nothing by itself, except that it authenticates at the Kubernetes
API server, since a token sent to it is checked here (`tokens`).
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import uvloop

from tests.cluster.requests import Answer, Request, shape

Owner = Literal["kube", "kfp"]
Treatment = Callable[["Proxy", Request], Awaitable[Answer | None]]
T = TypeVar("T")

_LIMIT = 64 << 20
# Seconds after which a server may have closed a connection (uvicorn: 5).
_REST = 2.0
# What a connection is for, and what the proxy says for itself.
_HOP = {"connection", "host", "content-length", "transfer-encoding", "keep-alive", "expect", "authorization"}


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server behind the proxy. It sees our `token`, and never the client's."""

    url: str
    ca: str | None = None
    token: str | None = None


@dataclass(slots=True)
class Record:
    """One request as it went: `status` is what the client was told, None where it was told nothing."""

    request: Request
    treatment: str | None
    forwarded: int = 0
    status: int | None = None


Decide = Callable[[Request], Treatment | None]


def nothing(_request: Request) -> Treatment | None:
    """Every request goes through."""
    return None


def _not_here() -> None:
    raise NotImplementedError


@dataclass(slots=True)
class Ledger:
    """What the proxy saw since it was told to begin anew."""

    records: list[Record] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    shapes: Counter[str] = field(default_factory=Counter)

    def number(
        self, owner: Owner, method: str, target: str, head: list[tuple[str, str]], body: bytes
    ) -> Request:
        """A request with its place in the common order, and among those of its shape."""
        name = shape(owner, method, target)
        self.shapes[name] += 1
        return Request(next(self.numbers), owner, method, target, tuple(head), body, name, self.shapes[name])


class Proxy:
    """Between a client and the servers, until it is closed; `with` closes it."""

    def __init__(self, upstreams: dict[Owner, Upstream]) -> None:
        self.decide: Decide = nothing
        self.ledger = Ledger()
        # The process that speaks to us; a fault may kill it.
        self.client = 0
        # Tokens that are good for a server; without any it asks for none.
        self.tokens: dict[Owner, set[str]] = {}
        # What faults may ask of whoever made the proxy: other tokens, and an edit of kfgit's objects by somebody else.
        self.renew: Callable[[], None] = _not_here
        self.meddle: Callable[[], None] = _not_here
        self.faults: list[str] = []
        self._servers = {owner: _Server(upstream) for owner, upstream in upstreams.items()}
        self._loop = uvloop.new_event_loop()
        self._busy: set[asyncio.Task[None]] = set()
        self._known = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.ports: dict[Owner, int] = self.ask(self._listen())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def url(self, owner: Owner) -> str:
        """Where clients find a server."""
        return f"http://127.0.0.1:{self.ports[owner]}"

    def ask(self, what: Coroutine[Any, Any, T]) -> T:
        """Does something on the proxy's thread, and waits for it."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(60)

    def begin(self, decide: Decide = nothing) -> None:
        """Forgets what it saw; from now on this decides."""
        self.ask(self._begin(decide))

    def meet(self, client: int) -> None:
        """This is the process that speaks to us."""
        self.client = client
        self._loop.call_soon_threadsafe(self._known.set)

    def settle(self) -> list[Record]:
        """Waits until nothing is under way, and tells everything since `begin`."""
        return self.ask(self._settle())

    async def kill(self, signal: int) -> None:
        """Sends the client a signal, as soon as it is known."""
        import os

        await asyncio.wait_for(self._known.wait(), 30)
        with suppress(ProcessLookupError):
            os.kill(self.client, signal)

    async def forward(self, request: Request) -> Answer:
        """What the server says to a request."""
        for record in reversed(self.ledger.records):
            if record.request is request:
                record.forwarded += 1
                break
        return await self._servers[request.owner].ask(request)

    def refusal(self, request: Request) -> Answer | None:
        """What a server says to a token that is not good any more."""
        good = self.tokens.get(request.owner)
        if good is None or request.token in good:
            return None
        return Answer.of(request.owner, 401, "Unauthorized")

    def behind(self, what: Coroutine[Any, Any, None]) -> None:
        """Does something on the proxy's thread that nobody waits for but `settle`."""
        _ = self._under_way(asyncio.ensure_future(what))

    def close(self) -> None:
        """Ends all connections."""
        self.ask(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _listen(self) -> dict[Owner, int]:
        self._known = asyncio.Event()
        ports: dict[Owner, int] = {}
        self._listeners = []
        for owner in self._servers:
            listener = await asyncio.start_server(
                self._accept(owner), "127.0.0.1", 0, limit=_LIMIT, backlog=256
            )
            self._listeners.append(listener)
            ports[owner] = listener.sockets[0].getsockname()[1]
        return ports

    async def _begin(self, decide: Decide) -> None:
        self.decide, self.ledger, self.faults, self.client = decide, Ledger(), [], 0
        self._known.clear()

    async def _settle(self) -> list[Record]:
        while self._busy:
            await asyncio.wait(set(self._busy))
        return sorted(self.ledger.records, key=lambda record: record.request.number)

    async def _close(self) -> None:
        for listener in self._listeners:
            listener.close()
        for server in self._servers.values():
            server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    def _accept(
        self, owner: Owner
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while (asked := await _asked(reader)) is not None:
                    method, target, head, body = asked
                    request = self.ledger.number(owner, method, target, head, body)
                    # A client that dies must not take its request with it: what it sent has been sent.
                    await asyncio.shield(
                        self._under_way(asyncio.ensure_future(self._answer(request, writer)))
                    )
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        return serve

    def _under_way(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)
        return task

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        treatment = self.decide(request)
        record = Record(request, getattr(treatment, "__name__", None))
        self.ledger.records.append(record)
        try:
            answer = self.refusal(request)
            if answer is None:
                answer = await (treatment(self, request) if treatment else self.forward(request))
        except Exception as fault:  # noqa: BLE001 - a mistake of the test's own must not look like a cut
            self.faults.append(f"{request}: {fault!r}")
            answer = None
        if answer is None:
            writer.transport.abort()
            return
        record.status = answer.status
        with suppress(OSError):
            writer.write(answer.raw())
            await writer.drain()


@dataclass(slots=True)
class _Server:
    """The way to a server, with connections that are used again."""

    upstream: Upstream
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = field(default_factory=list)

    async def ask(self, request: Request) -> Answer:
        reader, writer = await self._connection()
        try:
            writer.write(self._raw(request))
            answer, lasting = await _answered(reader, request.method)
        except BaseException:
            writer.transport.abort()
            raise
        if lasting:
            self.idle.append((reader, writer, time.monotonic()))
        else:
            writer.close()
        return answer

    def close(self) -> None:
        for _, writer, _ in self.idle:
            writer.transport.abort()
        self.idle.clear()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self.idle:
            reader, writer, used = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing() and time.monotonic() - used < _REST:
                return reader, writer
            writer.close()
        place = urlsplit(self.upstream.url)
        context = ssl.create_default_context(cafile=self.upstream.ca) if place.scheme == "https" else None
        return await asyncio.open_connection(
            place.hostname, place.port or (443 if context else 80), ssl=context, limit=_LIMIT
        )

    def _raw(self, request: Request) -> bytes:
        head = [(n, v) for n, v in request.headers if n.lower() not in _HOP]
        head.append(("Host", urlsplit(self.upstream.url).netloc))
        if self.upstream.token is not None:
            head.append(("Authorization", f"Bearer {self.upstream.token}"))
        if request.body or request.method not in {"GET", "DELETE"}:
            head.append(("Content-Length", str(len(request.body))))
        lines = "".join(f"{name}: {value}\r\n" for name, value in head)
        return f"{request.method} {request.target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + request.body


async def _asked(reader: asyncio.StreamReader) -> tuple[str, str, list[tuple[str, str]], bytes] | None:
    """The next request of a connection; None at its end."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    first, head = _head(raw)
    method, target, _ = first.split(" ", 2)
    return method, target, head, await _body(reader, head, to_the_end=False)


async def _answered(reader: asyncio.StreamReader, method: str) -> tuple[Answer, bool]:
    """An answer, and whether the connection may be used again."""
    first, head = _head(await reader.readuntil(b"\r\n\r\n"))
    status = int(first.split(" ", 2)[1])
    bare = method == "HEAD" or status in {204, 304} or status < 200
    body = b"" if bare else await _body(reader, head, to_the_end=True)
    lasting = "close" not in _value(head, "connection").lower()
    kept = tuple((n, v) for n, v in head if n.lower() not in _HOP)
    return Answer(status, kept, body), lasting


def _head(raw: bytes) -> tuple[str, list[tuple[str, str]]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    return first, [(n, v.strip()) for n, _, v in (line.partition(":") for line in lines if line)]


def _value(head: list[tuple[str, str]], name: str) -> str:
    return next((v for n, v in head if n.lower() == name), "")


async def _body(reader: asyncio.StreamReader, head: list[tuple[str, str]], *, to_the_end: bool) -> bytes:
    if length := _value(head, "content-length"):
        return await reader.readexactly(int(length))
    if "chunked" not in _value(head, "transfer-encoding").lower():
        return await reader.read() if to_the_end else b""
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while (await reader.readline()).strip():
        pass
    return b"".join(parts)
