"""Which handler a path leads to."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from kfgit.server import app
from kfgit.server.calls import Call, Context, Route
from kfgit.server.routing import Match, Table


def nothing(_context: Context, _call: Call) -> Mapping[str, object]:
    return {}


TABLE = Table(
    (
        Route("GET", "/v/runs", nothing),
        Route("POST", "/v/runs", nothing),
        Route("GET", "/v/runs/{run_id}", nothing),
        Route("POST", "/v/runs/{run_id}:retry", nothing),
        Route("POST", "/v/pipelines/upload", nothing),
        Route("GET", "/v/pipelines/{pipeline_id}", nothing),
        Route("GET", "/v/pipelines/names/{name}", nothing),
        Route("GET", "/v/pipelines/{pipeline_id}/versions", nothing),
        Route("GET", "/v/pipelines/{pipeline_id}/versions/{version_id}", nothing),
        Route("GET", "/v/runs/{run_id}/nodes/{node_id}/artifacts/{name}:read", nothing),
    )
)


@pytest.mark.parametrize(
    ("asked", "template", "path"),
    [
        ("GET /v/runs", "/v/runs", {}),
        ("GET /v/runs/a", "/v/runs/{run_id}", {"run_id": "a"}),
        ("POST /v/runs/a:retry", "/v/runs/{run_id}:retry", {"run_id": "a"}),
        ("POST /v/runs/a:b:retry", "/v/runs/{run_id}:retry", {"run_id": "a:b"}),
        # A verb that nobody knows is part of the id, and so is an encoded colon.
        ("GET /v/runs/a:other", "/v/runs/{run_id}", {"run_id": "a:other"}),
        ("GET /v/runs/a:retry", "/v/runs/{run_id}", {"run_id": "a:retry"}),
        ("GET /v/runs/a%3Aretry", "/v/runs/{run_id}", {"run_id": "a:retry"}),
        ("GET /v/runs/a%2Fb", "/v/runs/{run_id}", {"run_id": "a/b"}),
        ("GET /v/runs/%C3%A4%00%FF", "/v/runs/{run_id}", {"run_id": "ä\0�"}),
        ("GET /v/runs/100%", "/v/runs/{run_id}", {"run_id": "100%"}),
        ("GET /v/pipelines/upload", "/v/pipelines/{pipeline_id}", {"pipeline_id": "upload"}),
        ("GET /v/pipelines/names/x", "/v/pipelines/names/{name}", {"name": "x"}),
        ("GET /v/pipelines/names/versions", "/v/pipelines/names/{name}", {"name": "versions"}),
        (
            "GET /v/runs/r/nodes/n/artifacts/main-logs:read",
            "/v/runs/{run_id}/nodes/{node_id}/artifacts/{name}:read",
            {"run_id": "r", "node_id": "n", "name": "main-logs"},
        ),
    ],
)
def test_found(asked: str, template: str, path: dict[str, str]) -> None:
    found = TABLE.find(*asked.split(" "))
    assert isinstance(found, Match)
    assert (found.route.path, found.path) == (template, path)


@pytest.mark.parametrize(
    "asked",
    [
        "GET /", "GET /v", "GET /v/run", "GET /v/runs/", "GET /v/runs//", "GET //v/runs", "GET /v/runs/a/b",
        "GET /w/runs", "GET /v/runs?x", "GET /v/%72uns", "GET ", "GET *", "GET /v/runs/r/nodes/n/artifacts/a",
    ],
)  # fmt: skip
def test_not_there(asked: str) -> None:
    assert TABLE.find(*asked.split(" ")) == "path"


@pytest.mark.parametrize(
    "asked", ["PUT /v/runs", "DELETE /v/runs/a", "PATCH /v/pipelines/upload", "get /v/runs", "HEAD /v/runs"]
)
def test_another_method_has_it(asked: str) -> None:
    assert TABLE.find(*asked.split(" ")) == "method"


def test_two_handlers_for_one_row_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two handlers"):
        Table((Route("GET", "/a/{b}", nothing), Route("GET", "/a/{c}", nothing)))


def test_every_row_of_the_table_is_found() -> None:
    routes = app.routes()
    table = Table(routes)
    for route in routes:
        found = table.find(route.method, route.path)
        assert isinstance(found, Match)
        assert found.route is route


@given(st.text(min_size=1, max_size=20))
def test_an_id_arrives_as_it_was_sent(id_: str) -> None:
    sent = quote(id_.encode("utf-8", "surrogatepass"), safe="")
    found = TABLE.find("POST", f"/v/runs/{sent}:retry")
    assert isinstance(found, Match)
    assert found.path["run_id"] == id_.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


@given(st.text(alphabet="/:%{}ab\x00é", max_size=30))
def test_no_path_is_too_odd(path: str) -> None:
    assert TABLE.find("GET", path) is not None
