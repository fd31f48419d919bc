"""A small GitHub: the calls that kfgit makes, over real HTTP, as strict as GitHub is (docs.github.com/en/rest).

    with FakeGitHub() as github:
        number = github.open_pull(head="feature", base="main", login="mona")
        subprocess.run(["kfgit", "github", "comment", …], env={**os.environ, **github.environ()})
        assert [c.body for c in github.comments_on(number)] == […]

`token()` makes more tokens: a person's, or one that may less. `trouble()` lets the next calls go wrong.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.github.calls import ROUTES
from tests.github.kept import Kept
from tests.github.records import (
    BOT,
    PERMISSIONS,
    Answer,
    Call,
    Comment,
    Deployment,
    Pull,
    Trouble,
    Who,
    Wrong,
    payload,
    query_of,
    troubled,
)
from tests.github.served import Server


class FakeGitHub(Kept):
    """One repository on a GitHub of its own; everything in it can be read and changed from outside."""

    def __init__(
        self, repository: str = "acme/models", *, branches: Callable[[], Collection[str]] | None = None
    ) -> None:
        super().__init__(repository, branches)
        self.calls: list[tuple[str, str]] = []
        self.garbage: str | None = None
        self._tokens: dict[str, Who] = {}
        self._troubles: list[Trouble] = []
        self._lock = threading.RLock()
        self._server = Server(self.answer)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.bot = self.token()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: object, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environ(self, token: str | None = None) -> dict[str, str]:
        """What Actions tells a job of where GitHub is; without a token that of the job."""
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_TOKEN": token or self.bot,
        }

    def token(self, login: str = BOT, *, app: bool = True, may: Collection[str] = PERMISSIONS) -> str:
        """A new token; `app=False` is a person's."""
        made = f"ghs_{len(self._tokens):036d}"
        self._tokens[made] = Who(login, app, frozenset(may))
        return made

    def trouble(self, status: int = 0, **more: Any) -> None:
        """Lets the next calls go wrong; 0 cuts the connection. See `Trouble`."""
        self._troubles.append(Trouble(status, **more))

    def open_pull(
        self, head: str, base: str = "main", *, title: str = "A change", login: str = "mona"
    ) -> int:
        """A person opens a pull request."""
        with self._lock:
            self.pulls.append(Pull(self.new_number(), title, "", login, head, base))
            return self.pulls[-1].number

    def add_comment(self, number: int, body: str, login: str = "mallory") -> Comment:
        """A person says something."""
        with self._lock:
            self.comments.append(Comment(self.new_id(), number, body, login))
            return self.comments[-1]

    def begin_deployment(self, environment: str, sha: str) -> Deployment:
        """What Actions does when a job with an `environment` begins."""
        with self._lock:
            self.deployments.append(Deployment(self.new_id(), environment, sha, BOT))
            return self.deployments[-1]

    def answer(self, method: str, target: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """What GitHub says to a request; a connection that is cut has status 0."""
        parts = urlsplit(target)
        with self._lock:
            if self.garbage is not None:
                return Answer(200, self.garbage)
            self.calls.append((method, parts.path))
            trouble = next((t for t in self._troubles if t.times > 0 and t.method in {method, None}), None)
            if trouble is not None:
                trouble.times -= 1
                if not trouble.worked:
                    return troubled(trouble)
            try:
                done = self._done(method, parts.path, query_of(parts.query), headers, content)
            except Wrong as wrong:
                done = wrong.answer
            return done if trouble is None else troubled(trouble)

    def _done(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], content: bytes
    ) -> Answer:
        who = self._who(headers)
        for (wanted, pattern), handler in ROUTES.items():
            match = re.fullmatch(pattern.replace("R", re.escape(self.repository), 1), path)
            if match and wanted == method:
                return handler(
                    self, Call(method, path, query, who, payload(headers, content)), *match.groups()
                )
        raise Wrong(404, "Not Found")

    def _who(self, headers: Mapping[str, str]) -> Who:
        if not headers.get("user-agent"):
            raise Wrong(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent",
            )
        if headers.get("accept") != "application/vnd.github+json":
            raise Wrong(415, "Unsupported 'Accept' header")
        if headers.get("x-github-api-version") != "2022-11-28":
            raise Wrong(400, "X-GitHub-Api-Version is not a supported version")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._tokens:
            raise Wrong(401, "Bad credentials")
        return self._tokens[token]
