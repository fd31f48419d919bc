"""One comment for each key, whatever else is said and whoever says it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kfgit.github import GitHub, Rejected, Settings
from kfgit.github.bodies import LONGEST
from tests.github.conftest import Way
from tests.github.fake import FakeGitHub
from tests.github.records import BOT


def test_it_is_made_once_and_changed_then(github: FakeGitHub, hub: GitHub) -> None:
    number = github.open_pull("feature")
    told = [hub.comment(number, "diff", text) for text in ("one", "two", "two")]
    assert [each.action for each in told] == ["created", "updated", "unchanged"]
    assert len({each.url for each in told}) == 1
    (comment,) = github.comments
    assert (comment.body, comment.login, comment.edits) == ("<!-- kfgit:diff -->\ntwo", BOT, 1)


def test_what_says_the_same_is_not_written(github: FakeGitHub, hub: GitHub) -> None:
    number = github.open_pull("feature")
    hub.comment(number, "diff", "one\n\n")
    github.comments[0].body = github.comments[0].body.replace("\n", "\r\n").rstrip()
    github.calls.clear()
    assert hub.comment(number, "diff", "one\n\n").action == "unchanged"
    assert {method for method, _ in github.calls} == {"GET"}


def test_keys_are_apart(github: FakeGitHub, hub: GitHub) -> None:
    number = github.open_pull("feature")
    for key in ("plan-prod", "plan-prod-eu", "plan"):
        assert hub.comment(number, key, key).action == "created"
    assert [comment.body.splitlines()[1] for comment in github.comments] == [
        "plan-prod",
        "plan-prod-eu",
        "plan",
    ]


def test_what_others_wrote_with_our_mark_is_left_alone(github: FakeGitHub, hub: GitHub) -> None:
    number = github.open_pull("feature")
    forged = github.add_comment(number, "<!-- kfgit:diff -->\nall is well")
    assert hub.comment(number, "diff", "nothing is").action == "created"
    assert hub.comment(number, "diff", "now it is").action == "updated"
    assert (forged.body, forged.edits) == ("<!-- kfgit:diff -->\nall is well", 0)


def test_a_quotation_of_ours_is_not_ours(github: FakeGitHub, hub: GitHub) -> None:
    number = github.open_pull("feature")
    github.add_comment(number, "> <!-- kfgit:diff -->\n> one", login=BOT)
    assert hub.comment(number, "diff", "one").action == "created"


def test_a_person_has_comments_of_their_own(github: FakeGitHub, way: Way) -> None:
    number = github.open_pull("feature")
    person = way(github.token("octocat", app=False))
    assert [way().comment(number, "diff", "bot").action, person.comment(number, "diff", "me").action] == [
        "created"
    ] * 2
    assert person.comment(number, "diff", "me again").action == "updated"
    assert [comment.body.splitlines()[1] for comment in github.comments] == ["bot", "me again"]


def test_another_app_has_comments_of_its_own(github: FakeGitHub) -> None:
    number = github.open_pull("feature")
    token = github.token("acme-deploys[bot]")
    own = GitHub.of(Settings(github.url, github.repository, token, login="acme-deploys[bot]"))
    assert [own.comment(number, "diff", text).action for text in ("one", "two")] == ["created", "updated"]


def test_of_several_the_first_stays(github: FakeGitHub, hub: GitHub) -> None:
    number = github.open_pull("feature")
    for text in ("a", "b", "c"):
        github.add_comment(number, f"<!-- kfgit:diff -->\n{text}", login=BOT)
    told = hub.comment(number, "diff", "d")
    assert (told.action, told.removed) == ("updated", 2)
    assert [comment.body for comment in github.comments] == ["<!-- kfgit:diff -->\nd"]


def test_it_is_found_behind_many_others(github: FakeGitHub, hub: GitHub) -> None:
    number = github.open_pull("feature")
    for index in range(230):
        github.add_comment(number, f"{index}")
    hub.comment(number, "diff", "one")
    assert hub.comment(number, "diff", "two").action == "updated"
    assert len(github.comments) == 231


def test_one_that_was_deleted_meanwhile_is_made_anew(github: FakeGitHub, hub: GitHub) -> None:
    number = github.open_pull("feature")
    hub.comment(number, "diff", "one")
    github.trouble(404, method="PATCH", message="Not Found")
    assert hub.comment(number, "diff", "two").action == "created"


def test_a_text_that_is_too_long_is_cut(github: FakeGitHub, hub: GitHub) -> None:
    number = github.open_pull("feature")
    hub.comment(number, "diff", "<details>\n\n```diff\n" + "+ x\n" * 30_000)
    body = github.comments[0].body
    assert LONGEST - 1_000 < len(body) <= LONGEST
    assert body.endswith(
        "+ x\n```\n\n</details>\n\n*The rest is left out: it is longer than GitHub takes.*\n"
    )


def test_a_missing_permission_is_named(github: FakeGitHub, way: Way) -> None:
    number = github.open_pull("feature")
    with pytest.raises(
        Rejected, match=r"403 \(Resource not accessible by integration\).*`permissions: pull-requests: write`"
    ):
        way(github.token(may=())).comment(number, "diff", "one")
    assert github.comments == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from([BOT, "mallory"]), st.sampled_from(["a", "b"]), st.text("xy\n", min_size=1)
        ),
        max_size=8,
    )
)
def test_there_is_at_most_one_of_ours_for_a_key(said: list[tuple[str, str, str]]) -> None:
    with FakeGitHub() as github:
        hub = GitHub.of(Settings(github.url, github.repository, github.bot))
        number = github.open_pull("feature")
        for login, key, text in said:
            if login == BOT:
                hub.comment(number, key, text)
            else:
                github.add_comment(number, f"<!-- kfgit:{key} -->\n{text}")
        ours = {key: text for login, key, text in said if login == BOT}
        theirs = [(key, text) for login, key, text in said if login != BOT]
        assert {c.body.rstrip() for c in github.comments if c.login == BOT} == {
            f"<!-- kfgit:{key} -->\n{text}".rstrip() for key, text in ours.items()
        }
        assert len([c for c in github.comments if c.login == BOT]) == len(ours)
        assert [c.body for c in github.comments if c.login != BOT] == [
            f"<!-- kfgit:{k} -->\n{t}" for k, t in theirs
        ]
