"""Three pages of a process that is no API server: whether it lives, whether it is ready, and its numbers.

They hold no secrets and change nothing, and kubelet and Prometheus show no token: so nobody needs one here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kfgit.server.listening import Server, config, listening

_METRICS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Probes:
    """What the pages tell, asked each time."""

    alive: Callable[[], bool]
    ready: Callable[[], bool]
    metrics: Callable[[], bytes]


def application(probes: Probes) -> Starlette:
    """The pages, as kubelet's and Prometheus' conventions name them."""

    def said(yes: Callable[[], bool]) -> Callable[[Request], Response]:
        def page(_request: Request) -> Response:
            good = yes()
            return PlainTextResponse("ok\n" if good else "no\n", 200 if good else 503)

        return page

    def metrics(_request: Request) -> Response:
        return Response(probes.metrics(), headers={"content-type": _METRICS})

    pages = [
        Route("/healthz", said(probes.alive)),
        Route("/readyz", said(probes.ready)),
        Route("/metrics", metrics),
    ]
    app = Starlette(routes=pages)
    app.router.redirect_slashes = False
    return app


@contextmanager
def served(probes: Probes, host: str, port: int) -> Iterator[int]:
    """Serves the pages from a thread, at the port that is told. Raises `MachineFault` for one that is in use."""
    with listening(host, port) as listener:
        begun = threading.Event()
        server = Server(config(application(probes)), begun.set)
        thread = threading.Thread(target=server.run, args=([listener],), name="kfgit-probes", daemon=True)
        thread.start()
        begun.wait(10)
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(10)
