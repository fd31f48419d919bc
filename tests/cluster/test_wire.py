"""What is asked again and what never is, against a real socket; nobody waits, since sleeping is handed in."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.credentials import Bearer, Credentials, File, Nobody, Variable
from kfgit.backends.cluster.connection.patience import Patience, Timing
from kfgit.backends.cluster.connection.pooling import IDLE_SECONDS, Tls, pool
from kfgit.backends.cluster.connection.wire import (
    MAX_BODY,
    Ambiguous,
    Forbidden,
    Unauthorized,
    Unreachable,
    Unsent,
    Wire,
)
from tests.cluster.scripted import Act, Authority, Cut, Say, Scripted, Silence, authority, refusing

PATIENCE = Patience()
MakeWire = Callable[..., tuple[Wire, Scripted]]


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"))


def wire_to(url: str, time: Time, credentials: Credentials | None = None, **more: Any) -> Wire:
    over = more.pop("pool", None) or pool(clock=time.clock)
    timing = Timing(time.clock, time.sleep, lambda: 0.5)
    return Wire(url, over, credentials or Nobody(), timing=timing, **more)


@pytest.fixture
def served(time: Time) -> Iterator[MakeWire]:
    servers: list[tuple[Wire, Scripted]] = []

    def make(*acts: Act, credentials: Credentials | None = None, **more: Any) -> tuple[Wire, Scripted]:
        server = Scripted(*acts)
        servers.append((wire_to(server.url, time, credentials, **more), server))
        return servers[-1]

    yield make
    for wire, server in servers:
        wire.pool.clear()
        server.close()


def asked(server: Scripted) -> list[str]:
    return [one.method for one in server.asked]


def test_an_answer_is_given_as_it_came(served: MakeWire) -> None:
    wire, server = served(Say(404, b'{"message": "no"}', {"X-Kind": "a"}), headers={"kubeflow-userid": "me"})
    answer = wire.read("GET", "/apis/x", {"filter": "a&b", "tags": ["x=1", "y"]})
    assert (answer.status, answer.json(), answer.headers["x-kind"]) == (404, {"message": "no"}, "a")
    assert server.asked[0].target == "/apis/x?filter=a%26b&tags=x%3D1&tags=y"
    assert server.asked[0].headers["kubeflow-userid"] == "me"
    assert server.asked[0].headers["user-agent"].startswith("kfgit/")


def test_a_body_is_json_of_the_type_that_is_asked_for(served: MakeWire) -> None:
    wire, server = served()
    wire.write("POST", "/a", json={"name": "ä"})
    wire.read("PATCH", "/b", {"dryRun": "All"}, json={}, content_type="application/apply-patch+yaml")
    wire.write("POST", "/c", body=b"raw", content_type="text/plain")
    first, second, third = server.asked
    assert (first.body, first.headers["content-type"]) == ('{"name":"ä"}'.encode(), "application/json")
    assert second.headers["content-type"] == "application/apply-patch+yaml"
    assert (third.body, third.headers["content-type"]) == (b"raw", "text/plain")


def test_the_path_of_the_base_stands_before_every_other(served: MakeWire, time: Time) -> None:
    _, server = served()
    wire_to(f"{server.url}/pipeline/", time).read("GET", "/apis/v2beta1/healthz")
    assert server.asked[0].target == "/pipeline/apis/v2beta1/healthz"


AGAIN_FOR_READS = [
    Cut(), Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), Cut(b"nonsense\r\n\r\n"),
    *(Say(status) for status in (408, 429, 500, 502, 503, 504)),
]  # fmt: skip


@pytest.mark.parametrize("act", AGAIN_FOR_READS, ids=str)
def test_a_read_is_asked_again(act: Act, served: MakeWire, time: Time) -> None:
    wire, server = served(act, act, Say(200, b'{"a": 1}'))
    assert wire.read("GET", "/").json() == {"a": 1}
    assert len(server.asked) == wire.requests == 3
    assert len(time.slept) == 2
    assert time.slept[0] < time.slept[1]


@pytest.mark.parametrize("status", [400, 404, 409, 410, 412, 422, 501])
def test_what_is_an_answer_is_not_asked_again(status: int, served: MakeWire) -> None:
    wire, server = served(Say(status))
    assert wire.read("GET", "/").status == status
    assert wire.write("POST", "/").status == status
    assert len(server.asked) == 2


def test_a_read_gives_up(served: MakeWire, time: Time) -> None:
    wire, server = served(Say(), Say(503, b"later"))
    wire.read("GET", "/")
    answer = wire.read("GET", "/")
    assert (answer.status, answer.body) == (503, b"later")
    assert len(server.asked) == 1 + PATIENCE.tries
    assert sum(time.slept) < PATIENCE.total


def test_a_server_that_never_answered_is_given_up_soon(served: MakeWire) -> None:
    wire, server = served(Cut())
    with pytest.raises(Unreachable, match="cannot be reached") as raised:
        wire.read("GET", "/")
    assert not isinstance(raised.value, Unsent)
    assert len(server.asked) == PATIENCE.first_tries


def test_the_server_says_how_long_to_wait(served: MakeWire, time: Time) -> None:
    wire, server = served(Say(429, headers={"Retry-After": "7"}), Say())
    assert wire.read("GET", "/").status == 200
    assert len(server.asked) == 2
    assert 7 <= time.slept[0] < 8


def test_a_wait_beyond_all_patience_is_not_begun(served: MakeWire, time: Time) -> None:
    wire, server = served(Say(429, headers={"Retry-After": "86400"}), Say())
    assert wire.write("POST", "/").status == 429
    assert len(server.asked) == 1
    assert not time.slept


@pytest.mark.parametrize("text", ["", "soon", "-1", "Wed, 21 Oct 2015 07:28:00 GMT", "９"])
def test_a_wait_that_cannot_be_read_is_ours(text: str, served: MakeWire, time: Time) -> None:
    wire, _ = served(Say(503, headers={"Retry-After": text.encode().decode("latin-1")}), Say())
    assert wire.read("GET", "/").status == 200
    assert 0 < time.slept[0] < 1


def test_a_write_that_the_server_had_no_time_for_is_sent_again(served: MakeWire) -> None:
    wire, server = served(Say(429), Say(201))
    assert wire.write("POST", "/", json={}).status == 201
    assert asked(server) == ["POST", "POST"]


@pytest.mark.parametrize("act", [Say(429, headers={"Retry-After": "100"}), Say(401)], ids=str)
def test_a_write_is_not_sent_again_once_the_lock_is_lost(act: Act, served: MakeWire) -> None:
    def held() -> None:
        raise MachineFault("the lock was lost")

    wire, server = served(act, Say(201), credentials=Bearer(Variable("TOKEN", {"TOKEN": "word"})), guard=held)
    with pytest.raises(MachineFault, match="the lock was lost"):
        wire.write("POST", "/", json={})
    assert asked(server) == ["POST"]
    assert wire.read("GET", "/").status == 201


@pytest.mark.parametrize(
    "act", [Cut(), Cut(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{"), Cut(b"x")], ids=str
)
def test_a_write_that_was_cut_is_in_doubt(act: Act, served: MakeWire) -> None:
    wire, server = served(act, Say())
    with pytest.raises(Ambiguous, match="may or may not have carried out POST /apis/runs:"):
        wire.write("POST", "/apis/runs", {"name": "secret"})
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [408, 502, 503, 504])
def test_a_write_that_a_proxy_lost_is_in_doubt(status: int, served: MakeWire) -> None:
    wire, server = served(Say(status), Say())
    with pytest.raises(Ambiguous, match=f"it answered {status}"):
        wire.write("DELETE", "/")
    assert len(server.asked) == 1


def test_what_fails_inside_the_server_is_told_as_it_is(served: MakeWire) -> None:
    wire, server = served(Say(500, b"{}"), Say())
    assert wire.write("POST", "/").status == 500
    assert len(server.asked) == 1


def test_a_write_on_a_connection_that_the_server_closed_is_sent_on_another(served: MakeWire) -> None:
    wire, server = served(Say(closing=True))
    for _ in range(4):
        assert wire.write("POST", "/").status == 200
        # The end of the connection has arrived here when another one was opened and answered.
        wire_to(server.url, Time()).read("GET", "/")
    assert asked(server) == ["POST", "GET"] * 4


def test_a_write_on_a_used_connection_that_is_cut_is_in_doubt_all_the_same(served: MakeWire) -> None:
    wire, server = served(Say(), Cut(), Say())
    wire.read("GET", "/")
    with pytest.raises(Ambiguous):
        wire.write("POST", "/")
    first, second = server.asked
    assert first.connection == second.connection


def test_a_connection_is_used_again_but_not_after_a_rest(served: MakeWire, time: Time) -> None:
    wire, server = served()
    for pause in (0.0, IDLE_SECONDS / 2, IDLE_SECONDS):
        time.now += pause
        wire.write("POST", "/")
    assert [one.connection for one in server.asked] == [1, 1, 2]


def test_a_server_that_is_not_there_got_nothing(time: Time) -> None:
    with refusing() as url:
        wire = wire_to(url, time)
        for ask in (wire.read, wire.write):
            with pytest.raises(
                Unsent, match=r"http://127\.0\.0\.1:\d+ cannot be reached: Connection refused"
            ):
                ask("POST", "/")
    assert wire.requests == 2 * PATIENCE.first_tries


def test_a_server_that_comes_back_is_waited_for(served: MakeWire, time: Time) -> None:
    wire, server = served()
    wire.read("GET", "/")
    server.close()
    time.now += IDLE_SECONDS
    with pytest.raises(Unsent):
        wire.write("POST", "/")
    assert wire.requests == 1 + PATIENCE.tries


def test_a_name_that_nobody_knows_is_not_asked_for_again(time: Time) -> None:
    wire = wire_to("http://nobody.invalid", time)
    with pytest.raises(Unsent, match=r"http://nobody.invalid cannot be reached: "):
        wire.write("POST", "/")


def test_silence_ends_a_read_and_leaves_a_write_in_doubt(served: MakeWire) -> None:
    wire, server = served(Silence(), patience=Patience(silence=0.05))
    with pytest.raises(Ambiguous, match="it does not answer in time"):
        wire.write("POST", "/")
    with pytest.raises(Unreachable, match="it does not answer in time"):
        wire.read("GET", "/")
    assert asked(server) == ["POST", *["GET"] * PATIENCE.first_tries]


def test_a_compressed_answer_is_read(served: MakeWire) -> None:
    body = gzip.compress(json.dumps({"a": 1}).encode())
    wire, _ = served(Say(200, body, {"Content-Encoding": "gzip"}))
    assert wire.read("GET", "/").json() == {"a": 1}


TOO_MUCH = b"a" * (MAX_BODY + 1)


@pytest.mark.parametrize(
    "said",
    [Say(200, TOO_MUCH), Say(200, gzip.compress(TOO_MUCH, 1), {"Content-Encoding": "gzip"})],
    ids=["plain", "packed"],
)
def test_an_answer_is_bounded(said: Say, served: MakeWire) -> None:
    wire, server = served(said)
    with pytest.raises(Unreachable, match="more than 64 MiB"):
        wire.read("GET", "/")
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"<!doctype html><p>Log in", b"\xff", b"[" * 100_000, b""])
def test_an_answer_that_is_no_json_is_a_fault_of_the_machine(body: bytes, served: MakeWire) -> None:
    wire, server = served(Say(200, body))
    with pytest.raises(MachineFault, match=f"{server.url} answers with .* where JSON belongs"):
        wire.read("GET", "/").json()


def test_credentials_are_read_again_once(served: MakeWire, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    wire, server = served(Say(401), Say(200), Say(401), credentials=Bearer(File(str(token))))
    assert wire.write("POST", "/").status == 200
    with pytest.raises(Unauthorized, match="does not know who asks"):
        wire.write("POST", "/")
    assert len(server.asked) == 4


def test_a_new_token_is_shown(served: MakeWire) -> None:
    shown = iter(["one", "two", "two", "two"])

    class Changing:
        name = "a source"

        def read(self) -> str:
            return next(shown)

        def forget(self) -> None: ...

    wire, server = served(Say(401), Say(200), credentials=Bearer(Changing()))
    assert wire.read("GET", "/").status == 200
    assert [one.headers["authorization"] for one in server.asked] == ["Bearer one", "Bearer two"]


def test_whoever_shows_nothing_is_told_so(served: MakeWire) -> None:
    wire, server = served(Say(401, b'{"code": 16, "message": "there is no user identity header"}'))
    with pytest.raises(
        Unauthorized,
        match=r"401: there is no user identity header\): kfgit showed no credentials \(`target.kfp.auth`\)",
    ):
        wire.read("GET", "/")
    assert len(server.asked) == 1


def test_no_secret_is_told(served: MakeWire) -> None:
    secret = Bearer(Variable("KFP_TOKEN", {"KFP_TOKEN": "s3cr3t"}))
    wire, _ = served(Say(401), Say(401), Say(403), Cut(), credentials=secret)
    words = [repr(wire), repr(secret)]
    for _ in range(3):
        with pytest.raises(MachineFault) as raised:
            wire.write("POST", "/")
        words.append(str(raised.value) + repr(raised.value.__cause__))
    assert not [text for text in words if "s3cr3t" in text]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://localhost/", "write `https://` in `endpoint`"),
        ("https://login.example.com/dex/auth?client=1", "another page at login.example.com, as for a login"),
        ("/login", "another page, as for a login"),
        ("", "another page, as for a login"),
    ],
)
def test_a_redirect_is_not_followed(location: str, words: str, served: MakeWire) -> None:
    wire, server = served(Say(302, headers={"Location": location}))
    for ask in (wire.read, wire.write):
        with pytest.raises(Unauthorized, match=words):
            ask("GET", "/")
    assert len(server.asked) == 2


def test_a_denial_names_the_rule(served: MakeWire) -> None:
    status = {
        "kind": "Status",
        "message": 'leases "x" is forbidden: User "ci" cannot patch resource "leases" in API group '
        '"coordination.k8s.io" in the namespace "ml"',
    }
    wire, _ = served(Say(403, json.dumps(status).encode()))
    with pytest.raises(Forbidden, match=r"`ci` may not patch leases in namespace `ml`"):
        wire.write("PATCH", "/")


def test_a_denial_of_an_upload_has_another_number(served: MakeWire) -> None:
    said = (
        "User 'ci' is not authorized with reason: (request: &ResourceAttributes{Namespace:ml,Verb:create,"
        "Group:pipelines.kubeflow.org,Version:v1beta1,Resource:pipelines,Subresource:,Name:p,})"
    )
    wire, _ = served(Say(400, json.dumps({"error_message": said}).encode()), Say(400))
    with pytest.raises(Forbidden, match=r"`ci` may not create pipelines in namespace `ml`"):
        wire.write("POST", "/")
    assert wire.write("POST", "/").status == 400


def test_requests_of_all_threads_are_counted(served: MakeWire) -> None:
    wire, server = served()
    together = threading.Barrier(8)

    def ask(_: int) -> int:
        together.wait(120)
        return sum(wire.write("POST", "/").status == 200 for _ in range(20))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(8))) == 160
    assert len(server.asked) == wire.requests == 160
    assert len({one.connection for one in server.asked}) <= 8


def test_our_own_authority_is_trusted_and_no_other(time: Time, ours: Authority) -> None:
    with Scripted(tls=ours.context()) as server:
        trusting = wire_to(server.url, time, pool=pool(Tls(str(ours.ca)), clock=time.clock))
        assert trusting.write("POST", "/").status == 200
        doubting = wire_to(server.url, time)
        with pytest.raises(Unsent, match="certificate"):
            doubting.write("POST", "/")
        trusting.pool.clear()
    assert asked(server) == ["POST"]
    assert doubting.requests == 1


def test_a_handshake_that_is_cut_sent_nothing(time: Time, ours: Authority) -> None:
    with Scripted(Cut()) as server:
        wire = wire_to(
            server.url.replace("http:", "https:"), time, pool=pool(Tls(str(ours.ca)), clock=time.clock)
        )
        with pytest.raises(Unsent):
            wire.write("POST", "/")
    assert wire.requests == PATIENCE.first_tries
