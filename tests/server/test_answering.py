"""One call through the application: what comes in is bounded, and whatever a handler does has an answer."""

from __future__ import annotations

import asyncio
import json
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from kfgit.backend import MachineFault, NotFound, Refused
from kfgit.server import app, guard
from kfgit.server.answering import NOT_FOUND, Api, Bounds
from kfgit.server.calls import Answer, Call, Context, Raw, Route
from kfgit.server.errors import Code, UploadError, invalid
from tests.backends import local_samples as samples

FAULTS: dict[str, Exception] = {
    "api": invalid("the colour is wrong"),
    "machine": MachineFault("the state file is busy"),
    "disk": OSError(28, "No space left on device"),
    "missing": NotFound("Run", "r1"),
    "refused": Refused("it is running"),
    "upload": UploadError(Code.INVALID_ARGUMENT, "Failed to read", "no YAML"),
    "mistake": KeyError("secret-of-the-inside"),
    "deep": RecursionError("too deep"),
}


class Site:
    """An application of a few handlers. Handlers named `wait` hold on until `go` is set."""

    def __init__(self, root: Path, bounds: Bounds | None = None) -> None:
        self.faults: list[tuple[str, str]] = []
        self.entered, self.go = threading.Semaphore(0), threading.Event()
        context = Context(samples.backend(root), lambda: pytest.fail("no clock"), lambda: None)
        routes = (
            Route("GET", "/apis/echo/{id}", self._echo),
            Route("POST", "/apis/echo", self._echo),
            Route("GET", "/apis/fail/{id}", self._fail),
            Route("POST", "/apis/fail/{id}", self._fail, upload=True),
            Route("POST", "/apis/upload", self._upload, upload=True),
            Route("GET", "/apis/raw", lambda _context, _call: Raw(b"log\n")),
            Route(
                "GET", "/apis/odd", lambda _context, _call: {"x": [float("nan"), float("inf"), 1.5, "\ud800"]}
            ),
            Route("GET", "/apis/wait", self._wait),
        )
        self.api = Api(routes, context, self._logged, bounds or Bounds(threads=2))
        self.asgi = app.make(self.api, guard.rules("127.0.0.1", None), lambda: b"# metrics\n")

    def use(self, steps: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        """Carries out some requests."""

        async def together() -> Any:
            transport = httpx.ASGITransport(self.asgi, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await steps(client)

        try:
            return asyncio.run(together())
        finally:
            self.go.set()
            self.api.close()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request."""

        async def once(client: httpx.AsyncClient) -> httpx.Response:
            return await client.request(method, path, **more)

        answer: httpx.Response = self.use(once)
        return answer

    def _echo(self, _context: Context, call: Call) -> Answer:
        return {"path": dict(call.path), "query": dict(call.query), "body": call.body.decode()}

    def _fail(self, _context: Context, call: Call) -> Answer:
        raise FAULTS[call.path["id"]]

    def _upload(self, _context: Context, call: Call) -> Answer:
        assert call.upload is not None
        return {"filename": call.upload.filename, "size": len(call.upload.content), "query": dict(call.query)}

    def _wait(self, _context: Context, _call: Call) -> Answer:
        self.entered.release()
        self.go.wait(120)
        return {}

    def _logged(self, number: str, route: Route, fault: Exception) -> None:
        self.faults.append((number, f"{route.path}: {fault!r}"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_was_asked_arrives(site: Site) -> None:
    answer = site.ask("GET", "/apis/echo/a%2Fb?x=1&y=&x=2&z=%C3%A4+b")
    assert answer.json() == {"path": {"id": "a/b"}, "query": {"x": "1", "y": "", "z": "ä b"}, "body": ""}
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "query",
    ["page_size=1&page_size=1", "filter=&sort_by=&filter=", "page_size=2;sort_by=name", "x=%zz", "a=%"],
)
def test_a_query_that_the_gateway_would_not_take(site: Site, query: str) -> None:
    answer = site.ask("GET", f"/apis/echo/a?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_a_body_in_pieces(site: Site) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one ", b"", b"two ", b"three"):
            yield piece

    assert site.ask("POST", "/apis/echo", content=pieces()).json()["body"] == "one two three"


@pytest.mark.parametrize(
    ("fault", "status", "code", "text"),
    [
        ("api", 400, 3, "the colour is wrong"),
        ("machine", 503, 14, "the state file is busy"),
        ("disk", 503, 14, "No space left on device"),
        ("missing", 404, 5, "Run r1 not found"),
        ("refused", 409, 10, "it is running"),
        ("mistake", 500, 13, "Internal Server Error"),
        ("deep", 500, 13, "Internal Server Error"),
    ],
)
def test_every_fault_has_kfps_shape(site: Site, fault: str, status: int, code: int, text: str) -> None:
    answer = site.ask("GET", f"/apis/fail/{fault}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert text in answer.json()["message"]
    assert "secret-of-the-inside" not in answer.text
    assert "Traceback" not in answer.text


def test_a_mistake_of_ours_is_found_by_its_number(site: Site) -> None:
    answer = site.ask("GET", "/apis/fail/mistake")
    [(number, told)] = site.faults
    assert number in answer.json()["message"]
    assert told == "/apis/fail/{id}: KeyError('secret-of-the-inside')"


@pytest.mark.parametrize(("fault", "status"), [("upload", 400), ("machine", 503), ("mistake", 500)])
def test_uploads_have_a_shape_of_their_own(site: Site, fault: str, status: int) -> None:
    answer = site.ask("POST", f"/apis/fail/{fault}", files={"uploadfile": ("a.yaml", b"x")})
    assert answer.status_code == status
    assert set(answer.json()) == {"error_message", "error_details"}


def test_answers_that_are_no_json(site: Site) -> None:
    answer = site.ask("GET", "/apis/raw")
    assert (answer.text, answer.headers["content-type"]) == ("log\n", "text/plain; charset=utf-8")


def test_json_cannot_hold_every_number(site: Site) -> None:
    assert json.loads(site.ask("GET", "/apis/odd").text)["x"] == ["NaN", "Infinity", 1.5, "\ud800"]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ("GET /apis/nothing", 404, 5),
        ("GET /", 404, 5),
        ("GET /nothing", 404, 5),
        ("GET /apis", 404, 5),
        ("PUT /apis/echo", 501, 12),
        ("POST /metrics", 501, 12),
        ("GET /apis/echo/x?" + "&".join(f"a{number}=1" for number in range(200)), 400, 3),
        ("GET /apis/echo/" + "x" * 20_000, 414, 3),
    ],
)
def test_what_is_not_there(site: Site, asked: str, status: int, code: int) -> None:
    answer = site.ask(*asked.split(" "))
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_refusals_collect_nothing(site: Site) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        for _ in range(50):
            await client.get("/apis/nothing")

    site.use(steps)
    assert len(traceback.extract_tb(NOT_FOUND.__traceback__)) < 10


def test_metrics_stand_beside_the_api(site: Site) -> None:
    answer = site.ask("GET", "/metrics")
    assert answer.text == "# metrics\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_a_body_without_end(site: Site) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    answer = site.ask("POST", "/apis/echo", content=endless())
    assert (answer.status_code, answer.json()["code"]) == (413, 3)


def test_a_body_that_does_not_come(tmp_path: Path) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(60)

    site = Site(tmp_path, Bounds(threads=1, body_seconds=0.05))
    answer = site.ask("POST", "/apis/echo", content=never())
    assert (answer.status_code, answer.json()["code"]) == (408, 3)


def test_a_call_that_does_not_end(tmp_path: Path) -> None:
    site = Site(tmp_path, Bounds(threads=1, call_seconds=0.05))
    answer = site.ask("GET", "/apis/wait")
    assert (answer.status_code, answer.json()["code"]) == (503, 14)


def test_more_calls_than_anybody_waits_for(tmp_path: Path) -> None:
    site = Site(tmp_path, Bounds(threads=3, calls=3))

    async def crowd(client: httpx.AsyncClient) -> list[int]:
        waiting = [asyncio.create_task(client.get("/apis/wait")) for _ in range(3)]
        for _ in waiting:
            await asyncio.to_thread(site.entered.acquire)
        late = await client.get("/apis/echo/x")
        site.go.set()
        assert late.headers["retry-after"]
        return [late.status_code, *[(await each).status_code for each in waiting]]

    assert site.use(crowd) == [429, 200, 200, 200]


FORM = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'


def form(*parts: tuple[bytes, bytes, bytes], end: bytes = b"--b--\r\n") -> dict[str, Any]:
    return {
        "content": b"".join(FORM % part for part in parts) + end,
        "headers": {"content-type": "multipart/form-data; boundary=b"},
    }


FILE = (b"uploadfile", b'; filename="a.yaml"', b"content")


@pytest.mark.parametrize(
    ("sent", "filename", "size"),
    [
        (form(FILE), "a.yaml", 7),
        (form((b"name", b"", b"other"), FILE, (b"x", b'; filename="y"', b"z" * 100)), "a.yaml", 7),
        (form(FILE, (b"uploadfile", b'; filename="second.yaml"', b"more than that")), "a.yaml", 7),
        (form((b"uploadfile", b'; filename=""', b"")), "", 0),
        (form((b"uploadfile", b"; filename=\"\xc3\xa4.yaml\"", b"--b is no boundary")), "ä.yaml", 18),
        ({"files": {"uploadfile": ("big.yaml", b"x" * 3_000_000)}}, "big.yaml", 3_000_000),
    ],
)  # fmt: skip
def test_the_file_of_a_form(site: Site, sent: dict[str, Any], filename: str, size: int) -> None:
    answer = site.ask("POST", "/apis/upload?name=n", **sent)
    assert answer.json() == {"filename": filename, "size": size, "query": {"name": "n"}}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"content": b"{}", "headers": {"content-type": "application/json"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary="}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=" + "b" * 5000}},
        form(),
        form(end=b""),
        form(FILE, end=b""),
        form((b"uploadfile", b"", b"a field and no file")),
        form((b"other", b'; filename="a.yaml"', b"content")),
        {**form(), "content": b"--b\r\n" + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n--b--\r\n"},
        {**form(), "content": b"--b\r\nno header\r\n\r\n--b--\r\n"},
        {**form(), "content": b"\0" * 1000},
    ],
)
def test_what_is_no_form_with_a_file(site: Site, sent: dict[str, Any]) -> None:
    answer = site.ask("POST", "/apis/upload", **sent)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error_message", "error_details"}
    assert site.faults == []


def test_a_file_beyond_the_bound(site: Site) -> None:
    content = b"x" * (guard.MAX_BODY_BYTES + 1)
    answer = site.ask("POST", "/apis/upload", files={"uploadfile": ("a.yaml", content)})
    assert 400 <= answer.status_code < 500
