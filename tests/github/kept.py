"""What the fake GitHub keeps, and how it tells it: the forms of docs.github.com/en/rest."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from tests.github.records import (
    Answer,
    Call,
    Comment,
    Deployment,
    Issue,
    Pull,
    Wrong,
    check_right,
    user,
)


class Kept:
    """One repository, and what is in it."""

    url = ""

    def __init__(self, repository: str, branches: Callable[[], Collection[str]] | None) -> None:
        self.repository = repository
        self.branches = branches
        self.comments: list[Comment] = []
        self.issues: list[Issue] = []
        self.pulls: list[Pull] = []
        self.deployments: list[Deployment] = []
        self.labels: set[str] = set()
        self.actions_may_open_pulls = True
        self.largest_page = 100
        self._ids = 0

    def comments_on(self, number: int) -> list[Comment]:
        """The comments of an issue or a pull request."""
        return [comment for comment in self.comments if comment.number == number]

    def new_id(self) -> int:
        self._ids += 1
        return 1_000_000 + self._ids

    def new_number(self) -> int:
        return len(self.issues) + len(self.pulls) + 1

    def thing(self, number: int) -> Issue | Pull:
        both: list[Issue | Pull] = [*self.issues, *self.pulls]
        found = next((each for each in both if each.number == number), None)
        if found is None:
            raise Wrong(404, "Not Found")
        return found

    def comment(self, id_: str) -> Comment:
        found = next((c for c in self.comments if c.id == int(id_)), None)
        if found is None:
            raise Wrong(404, "Not Found")
        return found

    def check_comment_right(self, call: Call, number: int) -> None:
        thing = self.thing(number)
        check_right(call, *(("issues", "pull-requests") if isinstance(thing, Pull) else ("issues",)))

    def page(self, call: Call, found: list[dict[str, Any]]) -> Answer:
        """One page, with a `Link` to the next and the last."""
        size = min(int(call.query.get("per_page", "30")), self.largest_page)
        number, last = int(call.query.get("page", "1")), max(1, -(-len(found) // size))
        kept = "&".join(f"{key}={value}" for key, value in call.query.items() if key != "page")
        links = [
            f'<{self.url}{call.path}?{kept}&page={page}>; rel="{rel}"'
            for rel, page in (("next", number + 1), ("last", last))
            if number < last
        ]
        shown = found[(number - 1) * size : number * size]
        return Answer(200, shown, {"Link": ", ".join(links)} if links else {})

    def web(self, what: str) -> str:
        return f"https://github.com/{self.repository}/{what}"

    def told_comment(self, c: Comment) -> dict[str, Any]:
        anchor = self.web(f"pull/{c.number}#issuecomment-{c.id}")
        return {"id": c.id, "body": c.body, "user": user(c.login), "html_url": anchor}

    def told_issue(self, i: Issue) -> dict[str, Any]:
        labels = [{"name": label} for label in i.labels]
        about = {
            "id": i.number,
            "number": i.number,
            "title": i.title,
            "body": i.body,
            "state": i.state,
            "labels": labels,
        }
        return {**about, "user": user(i.login), "html_url": self.web(f"issues/{i.number}")}

    def told_pull(self, p: Pull) -> dict[str, Any]:
        about = {
            "number": p.number,
            "title": p.title,
            "body": p.body,
            "state": p.state,
            "user": user(p.login),
        }
        ends = {"head": {"ref": p.head}, "base": {"ref": p.base}}
        return {**about, **ends, "html_url": self.web(f"pull/{p.number}")}

    def told_deployment(self, d: Deployment) -> dict[str, Any]:
        about = {
            "id": d.id,
            "environment": d.environment,
            "sha": d.sha,
            "ref": d.sha,
            "creator": user(d.login),
        }
        return {**about, "url": f"{self.url}/repos/{self.repository}/deployments/{d.id}"}
