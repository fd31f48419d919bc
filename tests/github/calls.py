"""What each call to the fake GitHub does; `ROUTES` has all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.github.kept import Kept
from tests.github.records import (
    LONGEST,
    STATES,
    UNLABELED,
    Answer,
    Call,
    Comment,
    Deployment,
    Issue,
    Pull,
    Status,
    Wrong,
    check_keys,
    check_right,
    one_of,
    text,
)


def _user(_: Kept, call: Call) -> Answer:
    if call.who.app:
        raise Wrong(403, UNLABELED)
    return Answer(200, {"login": call.who.login, "type": "User"})


def _list_comments(kept: Kept, call: Call, number: str) -> Answer:
    kept.thing(int(number))
    return kept.page(call, [kept.told_comment(c) for c in kept.comments_on(int(number))])


def _create_comment(kept: Kept, call: Call, number: str) -> Answer:
    kept.check_comment_right(call, int(number))
    body = text(call.body, "body", LONGEST, required=True)
    check_keys(call.body, "body")
    kept.comments.append(Comment(kept.new_id(), int(number), body, call.who.login))
    return Answer(201, kept.told_comment(kept.comments[-1]))


def _change_comment(kept: Kept, call: Call, id_: str) -> Answer:
    comment = kept.comment(id_)
    kept.check_comment_right(call, comment.number)
    check_keys(call.body, "body")
    comment.body = text(call.body, "body", LONGEST, required=True)
    comment.edits += 1
    return Answer(200, kept.told_comment(comment))


def _delete_comment(kept: Kept, call: Call, id_: str) -> Answer:
    comment = kept.comment(id_)
    kept.check_comment_right(call, comment.number)
    kept.comments.remove(comment)
    return Answer(204)


def _list_issues(kept: Kept, call: Call) -> Answer:
    """Issues and pull requests alike, newest first, as GitHub lists them."""
    state, labels = (
        call.query.get("state", "open"),
        set(filter(None, call.query.get("labels", "").split(","))),
    )
    found = [kept.told_issue(i) for i in kept.issues if labels <= set(i.labels) and state in {i.state, "all"}]
    if not labels:
        found += [{**kept.told_pull(p), "pull_request": {}} for p in kept.pulls if state in {p.state, "all"}]
    return kept.page(call, sorted(found, key=lambda each: -each["number"]))


def _create_label(kept: Kept, call: Call) -> Answer:
    check_right(call, "issues")
    check_keys(call.body, "name", "color", "description")
    name = text(call.body, "name", 50, required=True)
    text(call.body, "color", 6)
    text(call.body, "description", 100)
    if name in kept.labels:
        raise Wrong(
            422, "Validation Failed", {"resource": "Label", "field": "name", "code": "already_exists"}
        )
    kept.labels.add(name)
    return Answer(201, {"name": name})


def _create_issue(kept: Kept, call: Call) -> Answer:
    """Labels that the repository does not have are left out (so since 2025, for tokens of workflows)."""
    check_right(call, "issues")
    check_keys(call.body, "title", "body", "labels")
    labels = tuple(label for label in call.body.get("labels", ()) if label in kept.labels)
    title = text(call.body, "title", 256, required=True)
    body = text(call.body, "body", LONGEST)
    kept.issues.append(Issue(kept.new_number(), title, body, call.who.login, labels))
    return Answer(201, kept.told_issue(kept.issues[-1]))


def _change_issue(kept: Kept, call: Call, number: str) -> Answer:
    check_right(call, "issues")
    check_keys(call.body, "title", "body", "state", "state_reason")
    issue = next((i for i in kept.issues if i.number == int(number)), None)
    if issue is None:
        raise Wrong(404, "Not Found")
    issue.title = text({"title": issue.title, **call.body}, "title", 256, required=True)
    issue.body = text({"body": issue.body, **call.body}, "body", LONGEST)
    issue.state = one_of(call.body.get("state", issue.state), {"open", "closed"}, "state")
    issue.reason = call.body.get("state_reason", issue.reason)
    issue.edits += 1
    return Answer(200, kept.told_issue(issue))


def _list_deployments(kept: Kept, call: Call) -> Answer:
    wanted = {key: call.query[key] for key in ("environment", "sha") if key in call.query}
    found = [kept.told_deployment(d) for d in reversed(kept.deployments)]
    return kept.page(call, [d for d in found if all(d[key] == value for key, value in wanted.items())])


def _create_deployment(kept: Kept, call: Call) -> Answer:
    check_right(call, "deployments")
    check_keys(call.body, "ref", "environment", "auto_merge", "required_contexts", "description")
    if call.body.get("auto_merge", True) or call.body.get("required_contexts") != []:
        raise Wrong(409, "Conflict: Commit status checks failed for the ref")
    ref = text(call.body, "ref", 255, required=True)
    environment = text(call.body, "environment", 255, required=True)
    description = text(call.body, "description", 140)
    kept.deployments.append(Deployment(kept.new_id(), environment, ref, call.who.login, description))
    return Answer(201, kept.told_deployment(kept.deployments[-1]))


def _create_status(kept: Kept, call: Call, id_: str) -> Answer:
    check_right(call, "deployments")
    check_keys(call.body, "state", "description", "log_url", "environment_url")
    deployment = next((d for d in kept.deployments if d.id == int(id_)), None)
    if deployment is None:
        raise Wrong(404, "Not Found")
    state = one_of(call.body.get("state", ""), STATES, "state")
    url, log = (text(call.body, key, 2_000) for key in ("environment_url", "log_url"))
    deployment.statuses.append(Status(state, text(call.body, "description", 140), log, url))
    return Answer(201, {"id": kept.new_id(), "state": state, "url": f"{kept.url}/statuses"})


def _list_pulls(kept: Kept, call: Call) -> Answer:
    owner = kept.repository.partition("/")[0]
    wanted = {key: call.query[key] for key in ("head", "base") if key in call.query}
    state = call.query.get("state", "open")
    found = [p for p in kept.pulls if state in {p.state, "all"}]
    found = [p for p in found if wanted.get("head", f"{owner}:{p.head}") == f"{owner}:{p.head}"]
    return kept.page(call, [kept.told_pull(p) for p in found if wanted.get("base", p.base) == p.base])


def _create_pull(kept: Kept, call: Call) -> Answer:
    check_right(call, "pull-requests")
    if call.who.app and not kept.actions_may_open_pulls:
        raise Wrong(403, "GitHub Actions is not permitted to create or approve pull requests.")
    check_keys(call.body, "title", "body", "head", "base")
    head, base = (text(call.body, key, 255, required=True) for key in ("head", "base"))
    for name, given in (("head", head), ("base", base)):
        if kept.branches is not None and given not in kept.branches():
            raise Wrong(
                422, "Validation Failed", {"resource": "PullRequest", "field": name, "code": "invalid"}
            )
    if any((p.head, p.base, p.state) == (head, base, "open") for p in kept.pulls):
        owner = kept.repository.partition("/")[0]
        told = f"A pull request already exists for {owner}:{head}."
        raise Wrong(422, "Validation Failed", {"resource": "PullRequest", "code": "custom", "message": told})
    title, body = text(call.body, "title", 256, required=True), text(call.body, "body", LONGEST)
    kept.pulls.append(Pull(kept.new_number(), title, body, call.who.login, head, base))
    return Answer(201, kept.told_pull(kept.pulls[-1]))


def _change_pull(kept: Kept, call: Call, number: str) -> Answer:
    check_right(call, "pull-requests")
    check_keys(call.body, "title", "body")
    pull = next((p for p in kept.pulls if p.number == int(number)), None)
    if pull is None:
        raise Wrong(404, "Not Found")
    pull.title = text({"title": pull.title, **call.body}, "title", 256, required=True)
    pull.body = text({"body": pull.body, **call.body}, "body", LONGEST)
    pull.edits += 1
    return Answer(200, kept.told_pull(pull))


ROUTES: Mapping[tuple[str, str], Callable[..., Answer]] = {
    ("GET", r"/user"): _user,
    ("GET", r"/repos/R/issues/(\d+)/comments"): _list_comments,
    ("POST", r"/repos/R/issues/(\d+)/comments"): _create_comment,
    ("PATCH", r"/repos/R/issues/comments/(\d+)"): _change_comment,
    ("DELETE", r"/repos/R/issues/comments/(\d+)"): _delete_comment,
    ("POST", r"/repos/R/labels"): _create_label,
    ("GET", r"/repos/R/issues"): _list_issues,
    ("POST", r"/repos/R/issues"): _create_issue,
    ("PATCH", r"/repos/R/issues/(\d+)"): _change_issue,
    ("GET", r"/repos/R/deployments"): _list_deployments,
    ("POST", r"/repos/R/deployments"): _create_deployment,
    ("POST", r"/repos/R/deployments/(\d+)/statuses"): _create_status,
    ("GET", r"/repos/R/pulls"): _list_pulls,
    ("POST", r"/repos/R/pulls"): _create_pull,
    ("PATCH", r"/repos/R/pulls/(\d+)"): _change_pull,
}
