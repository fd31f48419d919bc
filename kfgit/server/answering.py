"""One call, from ASGI to its handler and back: a bounded body in, a worker thread, an answer in KFP's shape out.

The store is SQLite, so a handler waits for files and locks and must not sit on the event loop. So many threads work at
once, so many calls wait for one, and beyond that the client is told to come again. Whatever a handler does, the client
gets JSON and no traceback: the fault is logged under a number that the answer names.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeAlias
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.types import Receive, Scope, Send

from kfgit.backend import MachineFault, NotFound, Refused
from kfgit.server.calls import Call, Context, Raw, Route, Upload
from kfgit.server.errors import ApiError, Code, GatewayError, UploadError, missing, refused
from kfgit.server.guard import MAX_BODY_BYTES, UPLOAD_SLACK_BYTES, too_large
from kfgit.server.multipart import Form
from kfgit.server.routing import Match, Table

_MAX_FIELDS = 100
# A body beyond this is held by few calls at a time.
_LARGE_BODY_BYTES = 1024 * 1024

# Where the template of the route is left for those who count calls.
ROUTE = "kfgit.route"

LogFault: TypeAlias = Callable[[str, Route, Exception], None]


def usual_threads() -> int:
    """They take turns on one interpreter and one file: more of them would only wait for each other."""
    return max(4, 2 * (os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What calls may take: threads that work, calls that work or wait, large bodies at a time, and seconds."""

    threads: int = field(default_factory=usual_threads)
    calls: int = 512
    # A hostile package of 32 MiB may take 700 MB while it is read.
    large_bodies: int = 2
    body_seconds: float = 30.0
    call_seconds: float = 60.0


class Reply(NamedTuple):
    """An answer, ready to be sent."""

    status: int
    media_type: bytes
    content: bytes


class Api:
    """The ASGI application of all routes."""

    def __init__(
        self, routes: tuple[Route, ...], context: Context, log_fault: LogFault, bounds: Bounds | None = None
    ) -> None:
        self._table = Table(routes)
        self._context = context
        self._log_fault = log_fault
        self._bounds = bounds or Bounds()
        self._threads = ThreadPoolExecutor(self._bounds.threads, thread_name_prefix="kfgit-call")
        self._large = asyncio.Semaphore(self._bounds.large_bodies)
        self._calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if self._calls >= self._bounds.calls:
            busy = GatewayError(Code.RESOURCE_EXHAUSTED, "too many calls at once; try again later")
            await respond(send, told(busy))
            return
        self._calls += 1
        try:
            reply = await self._answer(scope, receive)
        except ApiError as fault:
            reply = told(fault)
        except _Gone:
            return
        finally:
            self._calls -= 1
        await respond(send, reply)

    def close(self) -> None:
        """Lets the threads end; calls that have not begun are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        found = self._table.find(scope["method"], scope["raw_path"].decode("latin-1"))
        if not isinstance(found, Match):
            # One exception for all calls would collect the frames of each.
            raise (NOT_FOUND if found == "path" else NOT_ALLOWED).with_traceback(None)
        scope[ROUTE] = found.route.path
        query = _query(scope["query_string"], once=not found.route.upload)
        if found.route.upload:
            form = Form(_header(scope, b"content-type"))
            async with _Incoming(receive, self._large, self._bounds.body_seconds) as body:
                async for chunk in body.chunks():
                    form.feed(chunk)
                return await self._perform(found, query, b"", form.upload())
        async with _Incoming(receive, self._large, self._bounds.body_seconds) as body:
            return await self._perform(found, query, await body.whole(), None)

    async def _perform(
        self, found: Match, query: Mapping[str, str], body: bytes, upload: Upload | None
    ) -> Reply:
        call = Call(found.path, query, body, upload)
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._handle, found.route, call)
        try:
            async with asyncio.timeout(self._bounds.call_seconds):
                return await work
        except TimeoutError:
            late = f"the call took longer than {self._bounds.call_seconds:g} seconds"
            raise GatewayError(Code.UNAVAILABLE, late) from None

    def _handle(self, route: Route, call: Call) -> Reply:
        """Runs on a worker thread."""
        try:
            answer = route.handler(self._context, call)
            if isinstance(answer, Raw):
                return Reply(200, answer.media_type.encode(), answer.content)
            return Reply(200, _JSON, encoded(answer))
        except Exception as fault:  # noqa: BLE001 - the last line of defence: no call brings the server down
            return told(self._explained(route, fault))

    def _explained(self, route: Route, fault: Exception) -> ApiError:
        match fault:
            case ApiError():
                return fault
            case NotFound():
                return missing(fault.what, fault.name)
            case Refused():
                return refused(str(fault))
            case MachineFault() | OSError():
                code, detail = Code.UNAVAILABLE, str(fault)
            case _:
                number = uuid4().hex[:12]
                self._log_fault(number, route, fault)
                code, detail = Code.INTERNAL, f"Internal Server Error {number}"
        return (
            UploadError(code, "Failed to store the upload", detail)
            if route.upload
            else GatewayError(code, detail)
        )


class _Gone(Exception):
    """The client went away before its body was through."""


class _Incoming:
    """A body that comes in, bounded in size and time; large ones take turns."""

    def __init__(self, receive: Receive, large: asyncio.Semaphore, seconds: float) -> None:
        self._receive, self._turns, self._seconds = receive, large, seconds
        self._size = 0
        self._holds = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._holds:
            self._turns.release()

    async def whole(self) -> bytes:
        """All of it."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """One piece after the other."""
        until, more = asyncio.get_running_loop().time() + self._seconds, True
        while more:
            try:
                async with asyncio.timeout_at(until):
                    chunk, more = await self._next()
            except TimeoutError:
                late = f"the body did not arrive within {self._seconds:g} seconds"
                raise GatewayError(Code.INVALID_ARGUMENT, late, 408) from None
            yield chunk

    async def _next(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        chunk: bytes = message.get("body", b"")
        self._size += len(chunk)
        if self._size > MAX_BODY_BYTES + UPLOAD_SLACK_BYTES:
            raise too_large()
        if self._size > _LARGE_BODY_BYTES and not self._holds:
            await self._turns.acquire()
            self._holds = True
        return chunk, message.get("more_body", False)


def told(fault: ApiError) -> Reply:
    """An error as the client reads it."""
    return Reply(fault.status, _JSON, encoded(fault.body()))


async def respond(send: Send, reply: Reply) -> None:
    """Sends an answer."""
    headers = [(b"content-type", reply.media_type), (b"content-length", b"%d" % len(reply.content))]
    if reply.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="kfgit"'))
    elif reply.status in {429, 503}:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.content})


def encoded(answer: Mapping[str, Any]) -> bytes:
    """JSON as short as it gets; what no JSON can hold becomes text, as in protobuf's own JSON."""
    try:
        return _encode(answer).encode("ascii")
    except ValueError:
        return _encode(_finite(answer)).encode("ascii")


_JSON = b"application/json"
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
NOT_FOUND = GatewayError(Code.NOT_FOUND, "Not Found")
NOT_ALLOWED = GatewayError(Code.UNIMPLEMENTED, "Method Not Allowed")


def _finite(value: Any) -> Any:
    match value:
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case Mapping():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


# What KFP's gateway knows of a query, and takes once. The uploads are read by other code there, which takes the first.
_PARAMETERS = frozenset(
    "cascade experiment_id filter namespace page_size page_token propagation_policy sort_by experimentId pageSize "
    "pageToken propagationPolicy sortBy".split()
)
_BAD_QUERY = re.compile(rb";|%(?![0-9A-Fa-f]{2})")


def _query(text: bytes, *, once: bool) -> dict[str, str]:
    if not text:
        return {}
    try:
        pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise _bad_query(f"a query has at most {_MAX_FIELDS} fields") from None
    found = dict(reversed(pairs))
    if once:
        if fault := _BAD_QUERY.search(text):
            raise _bad_query(f"invalid {fault[0].decode()!r} in the query")
        names = [name for name, _ in pairs if name in _PARAMETERS]
        if len(names) > len(set(names)):
            raise _bad_query(f'too many values for field "{max(names, key=names.count)}"')
    return found


def _bad_query(told: str) -> GatewayError:
    return GatewayError(Code.INVALID_ARGUMENT, told)


def _header(scope: Scope, wanted: bytes) -> bytes:
    value: bytes = next((value for name, value in scope["headers"] if name == wanted), b"")
    return value
