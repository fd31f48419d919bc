"""The server as one ASGI application: the table of all routes, and what stands before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route as Page
from starlette.types import ASGIApp, Receive, Scope, Send

from kfgit import __version__
from kfgit.server import artifacts, experiments, guard, pipelines, recurring_runs, runs, versions
from kfgit.server.answering import NOT_ALLOWED, NOT_FOUND, Api, respond, told
from kfgit.server.calls import Call, Context, Route
from kfgit.server.errors import ApiError, Code, GatewayError


def health(_context: Context, _call: Call) -> Mapping[str, Any]:
    """What KFP's clients ask first. The tag is the release whose API this is: they look for features by it."""
    return {
        "commit_sha": f"kfgit-{__version__}",
        "multi_user": False,
        "pipeline_store": "database",
        "tag_name": "2.17.0",
    }


HEALTH = (
    Route("GET", "/apis/v2beta1/healthz", health),
    Route("GET", "/apis/v1beta1/healthz", health),
)


def routes() -> tuple[Route, ...]:
    """The whole table."""
    return (
        *HEALTH,
        *experiments.ROUTES,
        *pipelines.ROUTES,
        *versions.ROUTES,
        *runs.ROUTES,
        *recurring_runs.ROUTES,
        *artifacts.ROUTES,
    )


def make(api: Api, rules: guard.Rules, metrics: Callable[[], bytes]) -> ASGIApp:
    """The application. `metrics` is the page that Prometheus reads."""

    async def page(_request: Request) -> Response:
        return Response(metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    starlette = Starlette(
        routes=[Mount("/apis", app=api), Page("/metrics", page)],
        exception_handlers={404: _as(NOT_FOUND), 405: _as(NOT_ALLOWED), Exception: _as(_BROKEN)},
    )
    # A place in a redirect would be made of the client's own `Host`.
    starlette.router.redirect_slashes = False
    return Guarded(starlette, rules)


class Guarded:
    """Lets in what the rules let in."""

    def __init__(self, app: ASGIApp, rules: guard.Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or has it answered."""
        if scope["type"] == "http":
            size = len(scope["raw_path"]) + len(scope["query_string"])
            path = scope["raw_path"].decode("latin-1")
            refusal = guard.refusal(self._rules, path, scope["headers"], size)
            if refusal is not None:
                await respond(send, told(refusal))
                return
        await self._app(scope, receive, send)


_BROKEN = GatewayError(Code.INTERNAL, "Internal Server Error")


def _as(fault: ApiError) -> Callable[[Request, Exception], Response]:
    reply = told(fault)

    def handler(_request: Request, _fault: Exception) -> Response:
        return Response(reply.content, reply.status, media_type="application/json")

    return handler
