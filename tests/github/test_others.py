"""Issues, deployments and pull requests: one of each, brought up to date."""

from __future__ import annotations

import pytest

from kfgit.github import GitHub, Rejected, Report
from tests.github.conftest import Way
from tests.github.fake import FakeGitHub
from tests.github.records import BOT, Status

SHA = "0123456789" * 4


def test_an_issue_lives_as_long_as_what_it_tells(github: FakeGitHub, hub: GitHub) -> None:
    told = [
        hub.issue("drift-prod", "prod has drifted", "one"),
        hub.issue("drift-prod", "prod has drifted", "one"),
        hub.issue("drift-prod", "prod has drifted more", "two"),
        hub.close_issue("drift-prod", "it is over"),
        hub.close_issue("drift-prod"),
        hub.issue("drift-prod", "prod has drifted again", "three"),
    ]
    assert [each.action for each in told] == [
        "created",
        "unchanged",
        "updated",
        "closed",
        "absent",
        "created",
    ]
    first, second = github.issues
    assert (first.title, first.state, first.reason) == ("prod has drifted more", "closed", "completed")
    assert (first.body, first.labels) == ("<!-- kfgit:drift-prod -->\ntwo", ("kfgit-drift",))
    assert [c.body for c in github.comments_on(first.number)] == ["it is over"]
    assert (second.state, told[-1].number) == ("open", second.number)


def test_an_issue_is_found_without_its_label(github: FakeGitHub, hub: GitHub) -> None:
    """Some tokens may make none, and anybody may take it away."""
    github.trouble(403, method="POST")
    assert hub.issue("drift-prod", "prod has drifted", "one").action == "created"
    assert (github.issues[0].labels, github.labels) == ((), set())
    assert hub.issue("drift-prod", "prod has drifted", "two").action == "updated"
    assert hub.close_issue("drift-prod").action == "closed"
    assert len(github.issues) == 1


def test_issues_of_others_are_left_alone(github: FakeGitHub, way: Way) -> None:
    mallory = way(github.token("mallory", app=False))
    mallory.issue("drift-prod", "mine", "text")
    assert way().close_issue("drift-prod").action == "absent"
    assert way().issue("drift-prod", "ours", "text").action == "created"
    assert [issue.state for issue in github.issues] == ["open", "open"]


def test_of_several_issues_the_first_stays(github: FakeGitHub, hub: GitHub) -> None:
    for key in ("a", "b", "c"):
        hub.issue(key, key, key)
    for issue in github.issues:
        issue.body = "<!-- kfgit:drift-prod -->\nx"
    hub.issue("drift-prod", "drift", "y")
    assert [(issue.state, issue.reason) for issue in github.issues] == [
        ("open", None),
        ("closed", "not_planned"),
        ("closed", "not_planned"),
    ]


def test_a_deployment_of_actions_is_told_about(github: FakeGitHub, hub: GitHub) -> None:
    github.begin_deployment("staging", SHA)
    older, newer = github.begin_deployment("prod", SHA), github.begin_deployment("prod", SHA)
    github.begin_deployment("prod", "f" * 40)
    log = "https://github.com/acme/models/actions/runs/7"
    assert hub.report(Report("prod", SHA, "in_progress", log_url=log)) == newer.id
    assert hub.report(Report("prod", SHA, "success", "3 created", log)) == newer.id
    assert newer.statuses == [Status("in_progress", "", log), Status("success", "3 created", log)]
    assert (older.statuses, len(github.deployments)) == ([], 4)


def test_without_one_it_is_made(github: FakeGitHub, hub: GitHub) -> None:
    assert hub.report(Report("prod", SHA, "failure", "x" * 999)) == github.deployments[0].id
    (deployment,) = github.deployments
    assert (deployment.environment, deployment.sha, deployment.login) == ("prod", SHA, BOT)
    assert [(s.state, len(s.description)) for s in deployment.statuses] == [("failure", 140)]


def test_a_pull_request_is_opened_once(github: FakeGitHub, hub: GitHub) -> None:
    told = [hub.pull_request("promote/prod-1", "prod", title, "body\n") for title in ("one", "one", "two")]
    assert [each.action for each in told] == ["created", "unchanged", "updated"]
    assert len({each.url for each in told}) == 1
    (pull,) = github.pulls
    assert (pull.head, pull.base, pull.title, pull.body) == ("promote/prod-1", "prod", "two", "body\n")
    assert hub.open_pull_request("promote/prod-2", "prod", "other", "") != told[0].url


def test_one_that_was_closed_is_not_opened_again(github: FakeGitHub, hub: GitHub) -> None:
    hub.pull_request("promote/prod-1", "prod", "one", "")
    github.pulls[0].state = "closed"
    assert hub.pull_request("promote/prod-1", "prod", "one", "").action == "created"


def test_a_repository_may_forbid_actions_to_open_them(github: FakeGitHub, hub: GitHub) -> None:
    github.actions_may_open_pulls = False
    with pytest.raises(Rejected, match="allow it in the repository's settings"):
        hub.open_pull_request("promote/prod-1", "prod", "one", "")


def test_a_branch_that_is_not_there(github: FakeGitHub, hub: GitHub) -> None:
    github.branches = lambda: {"main"}
    with pytest.raises(Rejected, match=r"422 \(Validation Failed; head invalid\)"):
        hub.open_pull_request("promote/prod-1", "main", "one", "")
