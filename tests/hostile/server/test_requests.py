"""Requests that are nearly right, by the hundred; `make fuzz-server` tries them by the thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.door import Project
from tests.hostile.server.campaign import Campaign
from tests.hostile.server.judging import fault_in
from tests.hostile.server.requests import Request, steps
from tests.hostile.server.wire import Answer
from tests.serving import serving

PER_SERVER = 300


@pytest.mark.parametrize("first", [1, 10_001])
def test_what_is_nearly_right_is_answered(first: int, tmp_path: Path) -> None:
    with serving(Project.new(tmp_path / "project"), "--no-engine") as server:
        campaign = Campaign(server)
        campaign.prepare()
        for number in range(first, first + PER_SERVER):
            campaign.attack(number)
        campaign.end()
    refused = sum(n for status, n in campaign.answered.items() if status.startswith("4"))
    assert refused > PER_SERVER / 3, campaign.answered


def test_every_recorded_request_is_there_to_be_changed() -> None:
    assert len(steps()) > 150
    assert {step.method for step in steps()} == {"GET", "POST", "PUT", "PATCH", "DELETE"}


SHAPE = b'{"code":5,"message":"Not Found"}'
UPLOAD = b'{"error_message":"x","error_details":"y"}'


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (500, "application/json", b'{"code":13,"message":"x"}'),
        (503, "application/json", b'{"code":14,"message":"x"}'),
        (501, "text/plain", b"no"),
        (404, "text/plain", b"Not Found"),
        (404, "application/json", b'{"detail":"Not Found"}'),
        (404, "application/json", b'{"code":3,"message":"x"}'),
        (404, "application/json", b'{"code":5,"message":""}'),
        (404, "application/json", b'{"code":5,"message":"x","more":1}'),
        (400, "application/json", b'{"code":3,"message":"KeyError: x"}'),
        (400, "application/json", b'{"code":3,"message":"see /private/place"}'),
        (200, "application/json", b"[]"),
        (200, "application/json", b'{"a":NaN}'),
        (200, "application/json", b'{"a":"\xff"}'),
        (200, "text/html", b"{}"),
        (307, "application/json", b"{}"),
    ],
)
def test_a_wrong_answer_would_be_noticed(status: int, kind: str, body: bytes) -> None:
    answer = Answer(status, {"content-type": kind}, body, 0.0)
    assert fault_in(Request("GET", "/"), answer, "/private/place")
    assert fault_in(Request("GET", "/"), None, "/private/place")


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, SHAPE), (400, UPLOAD), (501, b'{"code":12,"message":"x"}'), (200, b"{}")],
)
def test_a_right_answer_passes(status: int, body: bytes) -> None:
    answer = Answer(status, {"content-type": "application/json"}, body, 0.0)
    assert fault_in(Request("GET", "/"), answer, "/private/place") is None
