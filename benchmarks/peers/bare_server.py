"""The floor of a server, which answers what never changes and keeps nothing: `bare_server.py PORT`.

Starlette under uvicorn; its answers are as long as KFP's. It reads what it is sent, and does it all on the event loop.
"""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_ID = "00000000-0000-4000-8000-000000000000"
_ONE = (
    f'{{"experiment_id":"{_ID}","display_name":"load-00000000-10-1000","description":"made by the benchmark",'
    '"created_at":"2026-01-01T00:00:00Z","last_run_created_at":"1970-01-01T00:00:00Z","storage_state":"AVAILABLE"}'
)
_LIST = f'{{"experiments":[{",".join([_ONE] * 20)}],"total_size":1000,"next_page_token":"{"x" * 200}"}}'


async def _post(request: Request) -> Response:
    await request.body()
    return Response(_ONE, media_type="application/json")


async def _get(_: Request) -> Response:
    return Response(_ONE, media_type="application/json")


async def _list(_: Request) -> Response:
    return Response(_LIST, media_type="application/json")


APP = Starlette(
    routes=[
        Route("/apis/v2beta1/experiments", _post, methods=["POST"]),
        Route("/apis/v2beta1/experiments", _list, methods=["GET"]),
        Route("/apis/v2beta1/experiments/{id}", _get, methods=["GET"]),
    ]
)


if __name__ == "__main__":
    uvicorn.run(APP, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
