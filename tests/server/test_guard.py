"""Who may speak to the server, by the head of a request alone."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from kfgit.server.guard import (
    MAX_BODY_BYTES,
    MAX_TARGET_BYTES,
    UPLOAD_SLACK_BYTES,
    Headers,
    is_loopback,
    refusal,
    rules,
)

TOKEN = b"0123456789abcdef"
PATH = "/apis/v2beta1/runs"
HEALTH = "/apis/v2beta1/healthz"
LOCAL = (b"host", b"localhost:8888")


def status(
    *headers: tuple[bytes, bytes], host: str = "127.0.0.1", token: bytes | None = None, path: str = PATH
) -> int:
    found = refusal(rules(host, token), path, headers, len(path))
    return 200 if found is None else found.status


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:8888", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.1:1", "127.8.9.1",
        "[::1]", "[::1]:8888", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]:80",
    ],
)  # fmt: skip
def test_this_machine_by_its_own_names(host: str) -> None:
    assert status((b"host", host.encode())) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8888", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.5",
        "0.0.0.0", "[::]", "[::ffff:10.0.0.1]", "localhost-", "2130706433", "0x7f.1", "kfgit",
    ],
)  # fmt: skip
def test_a_name_that_somebody_made_resolve_to_this_machine(host: str) -> None:
    assert status((b"host", host.encode())) == 403


@pytest.mark.parametrize(
    "host",
    [
        "", " ", "localhost:", "localhost:x", "localhost:123456", "user@localhost", "localhost/", "localhost evil",
        "[::1", "::1", "[localhost]", "localhost,evil.example", "localhost\tevil", "löcalhost", "localhost#", "a" * 300,
    ],
)  # fmt: skip
def test_what_names_no_host(host: str) -> None:
    assert status((b"host", host.encode())) == 400


def test_there_is_one_host() -> None:
    assert status() == 400
    assert status(LOCAL, LOCAL) == 400
    assert status(LOCAL, (b"host", b"evil.example")) == 400


def test_the_address_that_it_listens_at() -> None:
    here = (b"host", b"192.168.1.5:8888")
    assert status(here, (b"authorization", b"Bearer " + TOKEN), host="192.168.1.5", token=TOKEN) == 200
    named = (b"host", b"Box.Example.")
    assert status(named, (b"authorization", b"Bearer " + TOKEN), host="box.example", token=TOKEN) == 200
    assert status(named, (b"authorization", b"Bearer " + TOKEN), host="192.168.1.5", token=TOKEN) == 403


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])
def test_all_addresses_have_no_name_and_the_token_alone_counts(everywhere: str) -> None:
    named = (b"host", b"box.example:8888")
    assert status(named, (b"authorization", b"Bearer " + TOKEN), host=everywhere, token=TOKEN) == 200
    assert status(named, host=everywhere, token=TOKEN) == 401
    assert status((b"host", b"box example"), host=everywhere, token=TOKEN) == 400


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:8888", 200),
        ("http://LOCALHOST:8888", 200),
        ("http://localhost", 403),
        ("http://localhost:3000", 403),
        ("http://127.0.0.1:8888", 403),
        ("http://evil.example", 403),
        ("http://localhost:8888.evil.example", 403),
        ("http://localhost:8888@evil.example", 403),
        ("file://localhost:8888", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_a_page_of_another_origin_gets_no_answer(origin: str, expected: int) -> None:
    assert status(LOCAL, (b"origin", origin.encode())) == expected


def test_one_foreign_origin_is_enough() -> None:
    assert status(LOCAL, (b"origin", b"http://localhost:8888"), (b"origin", b"http://evil.example")) == 403


@pytest.mark.parametrize(
    ("site", "expected"),
    [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403), ("", 403)],
)
def test_what_the_browser_says_of_the_page(site: str, expected: int) -> None:
    assert status(LOCAL, (b"sec-fetch-site", site.encode())) == expected


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (b"Bearer " + TOKEN, 200),
        (b"bearer " + TOKEN, 200),
        (b"Bearer  " + TOKEN + b" ", 200),
        (b"Bearer " + TOKEN[:-1], 401),
        (b"Bearer " + TOKEN + b"0", 401),
        (b"Bearer", 401),
        (b"Bearer ", 401),
        (TOKEN, 401),
        (b"Basic " + TOKEN, 401),
        (b"Bearer \xff\xfe", 401),
    ],
)
def test_the_token(given_: bytes, expected: int) -> None:
    assert status(LOCAL, (b"authorization", given_), token=TOKEN) == expected


def test_a_token_is_shown_once() -> None:
    shown = (b"authorization", b"Bearer " + TOKEN)
    assert status(LOCAL, shown, shown, token=TOKEN) == 401
    assert status(LOCAL, token=TOKEN) == 401


def test_health_needs_no_token_but_a_right_host() -> None:
    assert status(LOCAL, token=TOKEN, path=HEALTH) == 200
    assert status((b"host", b"evil.example"), token=TOKEN, path=HEALTH) == 403
    assert status(LOCAL, token=TOKEN, path="/metrics") == 401
    assert status(LOCAL, token=TOKEN, path=HEALTH + "/") == 401


def test_a_token_does_not_open_the_door_to_other_hosts_and_pages() -> None:
    shown = (b"authorization", b"Bearer " + TOKEN)
    assert status((b"host", b"evil.example"), shown, token=TOKEN) == 403
    assert status(LOCAL, shown, (b"origin", b"http://evil.example"), token=TOKEN) == 403


def test_sizes() -> None:
    most = MAX_BODY_BYTES + UPLOAD_SLACK_BYTES
    assert status(LOCAL, (b"content-length", b"%d" % most)) == 200
    assert status(LOCAL, (b"content-length", b"%d" % (most + 1))) == 413
    assert status(LOCAL, (b"content-length", b"9" * 5000)) == 400
    assert status(LOCAL, (b"content-length", b"-1")) == 400
    found = refusal(rules("127.0.0.1", None), PATH, [LOCAL], MAX_TARGET_BYTES + 1)
    assert found is not None
    assert found.status == 414


def test_the_refusal_says_nothing_of_the_token() -> None:
    found = refusal(rules("127.0.0.1", TOKEN), PATH, [LOCAL, (b"authorization", b"Bearer wrong")], 1)
    assert found is not None
    assert TOKEN.decode() not in str(found)
    assert "wrong" not in str(found)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.1.1", "localhost", "::1", "[::1]"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "box", "localhost.example", "", "127.0.0.1.nip.io"]
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


_NAMES = st.sampled_from([b"host", b"origin", b"sec-fetch-site", b"authorization", b"content-length", b"x"])


@given(st.lists(st.tuples(_NAMES, st.binary(max_size=40)), max_size=6))
@example([(b"host", b"[::1]:99999")])
def test_whatever_the_head_holds_it_is_decided(headers: Headers) -> None:
    for found in (
        refusal(rules("127.0.0.1", None), PATH, headers, 10),
        refusal(rules("0.0.0.0", TOKEN), PATH, headers, 10),
    ):
        assert found is None or 400 <= found.status < 500
