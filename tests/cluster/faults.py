"""What can go wrong with a request, each as the proxy carries it out.

`MATRIX` are the faults of one request; the rest of the traffic goes through.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping

from tests.cluster.proxy import Proxy, Treatment
from tests.cluster.requests import Answer, Request

# What `delayed` waits: long beside a request, short beside a test.
_SECONDS = 0.03


async def cut_before(_proxy: Proxy, _request: Request) -> None:
    """The connection ends, and the server never heard of it."""


async def cut_after(proxy: Proxy, request: Request) -> None:
    """The server has done it, and the client does not know."""
    await proxy.forward(request)


async def late(proxy: Proxy, request: Request) -> None:
    """The connection ends, and the request arrives when the client has gone on."""

    async def arrive() -> None:
        await asyncio.sleep(_SECONDS)
        await proxy.forward(request)

    proxy.behind(arrive())


async def delayed(proxy: Proxy, request: Request) -> Answer:
    """The request is overtaken by others."""
    await asyncio.sleep(_SECONDS)
    return await proxy.forward(request)


async def doubled(proxy: Proxy, request: Request) -> Answer:
    """Something on the way sends it again, and the client hears the second answer."""
    await proxy.forward(request)
    return await proxy.forward(request)


async def conflict(_proxy: Proxy, request: Request) -> Answer:
    """409, and nothing was done: on KFP a name that nobody can see, on Kubernetes somebody who was quicker."""
    return Answer.of(request.owner, 409, "the name is taken, or the object was changed")


async def too_many(_proxy: Proxy, request: Request) -> Answer:
    """429: come again at once."""
    return Answer.of(request.owner, 429, "too many requests", ("Retry-After", "0"))


async def broken(_proxy: Proxy, request: Request) -> Answer:
    """500 from the server itself, and nothing was done."""
    return Answer.of(request.owner, 500, "something is broken")


async def broken_after(proxy: Proxy, request: Request) -> Answer:
    """500 from the server itself, after it has done what was asked."""
    await proxy.forward(request)
    return Answer.of(request.owner, 500, "something is broken")


async def away(_proxy: Proxy, request: Request) -> Answer:
    """503 from whatever stands before the server."""
    return Answer.of(request.owner, 503, "there is no server at the moment")


async def killed_before(proxy: Proxy, _request: Request) -> None:
    """kfgit dies, and its request with it."""
    await proxy.kill(signal.SIGKILL)


async def killed_after(proxy: Proxy, request: Request) -> None:
    """kfgit dies while it waits for the answer."""
    await proxy.forward(request)
    await proxy.kill(signal.SIGKILL)


async def asked_to_end(proxy: Proxy, request: Request) -> Answer:
    """SIGTERM, as from a machine that is shut down."""
    await proxy.kill(signal.SIGTERM)
    return await proxy.forward(request)


async def expired(proxy: Proxy, request: Request) -> Answer:
    """Tokens are renewed, and the one that came with the request is not good any more."""
    proxy.renew()
    return proxy.refusal(request) or await proxy.forward(request)


async def meddled(proxy: Proxy, request: Request) -> Answer:
    """Just before, somebody else has edited what is kfgit's."""
    proxy.meddle()
    return await proxy.forward(request)


def once(name: str, treatment: Treatment) -> Callable[[Request], Treatment | None]:
    """The request of this name goes wrong."""
    return lambda request: treatment if request.name == name else None


def always(
    condition: Callable[[Request], bool], treatment: Treatment
) -> Callable[[Request], Treatment | None]:
    """All requests of a sort go wrong."""
    return lambda request: treatment if condition(request) else None


Fault = Callable[[Proxy, Request], Awaitable[Answer | None]]
MATRIX: Mapping[str, Fault] = {
    fault.__name__: fault
    for fault in (
        cut_before, cut_after, late, delayed, doubled, conflict, too_many, broken, broken_after, away,
        killed_before, killed_after, asked_to_end, expired, meddled,
    )
}  # fmt: skip
