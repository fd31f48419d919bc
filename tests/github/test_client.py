"""When a request is made again, when it is not, and what is said of it then."""

from __future__ import annotations

import socket

import pytest

from kfgit.backend import MachineFault
from kfgit.github import GitHub, Rejected, Settings, Timing
from tests.github.fake import FakeGitHub


@pytest.mark.parametrize(
    ("status", "headers", "waited"),
    [
        (429, {"Retry-After": "7"}, [7.0]),
        (403, {"Retry-After": "30"}, [30.0]),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1040"}, [40.0]),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3"}, [1.0]),
        (429, {}, [60.0]),
    ],
)
def test_a_rate_limit_is_waited_for(
    github: FakeGitHub,
    hub: GitHub,
    rests: list[float],
    status: int,
    headers: dict[str, str],
    waited: list[float],
) -> None:
    number = github.open_pull("feature")
    github.trouble(status, method="POST", headers=headers)
    assert hub.comment(number, "diff", "one").action == "created"
    assert (rests, len(github.comments)) == (waited, 1)


def test_a_limit_that_speaks_of_itself(github: FakeGitHub, hub: GitHub, rests: list[float]) -> None:
    number = github.open_pull("feature")
    github.trouble(403, times=2, message="You have exceeded a secondary rate limit.")
    hub.comment(number, "diff", "one")
    assert rests == [60.0, 120.0]


def test_nobody_waits_for_an_hour(github: FakeGitHub, hub: GitHub, rests: list[float]) -> None:
    github.trouble(429, times=9, headers={"Retry-After": "3600"})
    with pytest.raises(Rejected, match="too many requests: try again later"):
        hub.comment(github.open_pull("feature"), "diff", "one")
    assert rests == []


def test_a_server_in_trouble_is_asked_again_for_what_is_the_same_twice(
    github: FakeGitHub, hub: GitHub, rests: list[float]
) -> None:
    number = github.open_pull("feature")
    github.trouble(502, times=2, method="GET")
    hub.comment(number, "diff", "one")
    github.trouble(503, method="PATCH")
    assert hub.comment(number, "diff", "two").action == "updated"
    assert rests == [1.0, 2.0, 1.0]


@pytest.mark.parametrize("worked", [False, True])
@pytest.mark.parametrize("status", [0, 502])
def test_nothing_is_made_twice(github: FakeGitHub, hub: GitHub, status: int, *, worked: bool) -> None:
    number = github.open_pull("feature")
    github.trouble(status, method="POST", worked=worked)
    with pytest.raises(MachineFault):
        hub.comment(number, "diff", "one")
    assert len(github.comments) == worked
    assert hub.comment(number, "diff", "one").action == ("unchanged" if worked else "created")
    assert len(github.comments) == 1


def test_a_write_that_was_cut_is_in_doubt(github: FakeGitHub, hub: GitHub) -> None:
    github.trouble(method="POST")
    with pytest.raises(
        MachineFault, match="may or may not have carried out POST /repos/acme/models/issues/1/comments"
    ):
        hub.comment(github.open_pull("feature"), "diff", "one")


def test_a_server_that_is_not_there(rests: list[float]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        settings = Settings(f"http://127.0.0.1:{nobody.getsockname()[1]}", "a/b", "t")
        hub = GitHub.of(settings, Timing(sleep=rests.append))
        with pytest.raises(
            MachineFault, match=r"^GitHub \(127.0.0.1\) cannot be reached: Failed to establish"
        ):
            hub.comment(1, "diff", "one")
    assert rests == [1, 2, 3]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "GITHUB_TOKEN is wrong or has expired"),
        (404, "look at GITHUB_REPOSITORY"),
        (410, "look at GITHUB_REPOSITORY"),
        (301, "renamed or moved"),
        (422, "does not take"),
        (500, "GitHub's own trouble"),
    ],
)
def test_each_refusal_has_its_way_out(github: FakeGitHub, hub: GitHub, status: int, told: str) -> None:
    github.trouble(status, times=9, message="why")
    with pytest.raises(Rejected, match=rf"{status} \(why\).*{told}") as caught:
        hub.issue("drift-prod", "drift", "text")
    assert github.bot not in str(caught.value)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "7", '{"message": 5}', '{"errors": [1, null, {}]}', "[" * 9_000]
)
def test_an_answer_that_is_nonsense(github: FakeGitHub, hub: GitHub, body: str) -> None:
    github.garbage = body
    with pytest.raises(MachineFault):
        hub.comment(github.open_pull("feature"), "diff", "one")


@pytest.mark.parametrize(
    ("api", "repository", "token", "told"),
    [
        ("http://github.example", "a/b", "t", "https"),
        ("https://", "a/b", "t", "https"),
        ("ftp://127.0.0.1", "a/b", "t", "https"),
        ("https://x", "a", "t", "owner/name"),
        ("https://x", "a/b/../c", "t", "owner/name"),
        ("https://x", "a/b\n", "t", "owner/name"),
        ("https://x", "a/b", "", "no token"),
        ("https://x", "a/b", "a\nb", "no token"),
    ],
)
def test_settings_that_make_no_sense(api: str, repository: str, token: str, told: str) -> None:
    with pytest.raises(MachineFault, match=told):
        GitHub.of(Settings(api, repository, token))


def test_no_token_is_in_what_is_shown() -> None:
    shown = repr(GitHub.of(Settings("https://x", "a/b", "s3cret", "http://me:pass@proxy:1")))
    assert "s3cret" not in shown
    assert "pass" not in shown


def test_through_a_proxy(github: FakeGitHub) -> None:
    """A proxy gets the whole address; GitHub stands behind it."""
    hub = GitHub.of(Settings("http://127.0.0.1:9", github.repository, github.bot, github.url))
    number = github.open_pull("feature")
    assert hub.comment(number, "diff", "one").action == "created"
