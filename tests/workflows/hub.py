"""GitHub around a repository: pushes, pull requests and buttons, the workflows that they start, and the REST API."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfgit import __version__
from tests.apart import ROOT
from tests.github.fake import FakeGitHub
from tests.github.records import PERMISSIONS, Pull
from tests.workflows import runner
from tests.workflows.events import REPOSITORY, Event, Machine, Run
from tests.workflows.uses import branches, git

_WHO = {
    f"GIT_{role}_{key}": f"{key}@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
}
_FORK = "mallory/models"


@dataclass(slots=True, eq=False)
class Hub:
    """One repository. `secrets` are by environment, as are `branches`; `reported` is what code scanning was told."""

    folder: Path
    remote: Path
    rest: FakeGitHub
    programs: Mapping[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    branches: dict[str, list[str]] = field(default_factory=dict)
    reported: dict[str, Any] = field(default_factory=dict)
    private: bool = False
    _seen: dict[str, str] = field(default_factory=dict)
    _forked: set[int] = field(default_factory=set)

    # --- what people do

    def pushed(self) -> list[Run]:
        """What is started by the branches that moved since the last look: pushes, and pull requests from them."""
        now, before = dict(branches(self.remote)), self._seen
        self._seen = now
        started = []
        for name in sorted({*now, *before}):
            if now.get(name) == before.get(name):
                continue
            started += self._start(self._push_event(name, before.get(name), now.get(name)))
            for pull in [each for each in self.rest.pulls if each.state == "open" and each.head == name]:
                started += self._start(self._pull_event(pull, "synchronize"))
        return started

    def open_pull(
        self,
        head: str,
        base: str = "main",
        *,
        title: str = "A change",
        fork: bool = False,
        login: str = "mona",
    ) -> tuple[int, list[Run]]:
        """Somebody opens a pull request from a branch; `fork`: of another's copy of the repository."""
        self.pushed()
        number = self.rest.open_pull(head, base, title=title, login=login)
        if fork:
            self._forked.add(number)
        return number, self._start(self._pull_event(self.pull(number), "opened"))

    def merge(self, number: int) -> list[Run]:
        """Somebody merges it, with a merge commit."""
        pull = self.pull(number)
        made = self._merged(pull, f"Merge pull request #{number} from acme/{pull.head}")
        git(self.remote, "update-ref", f"refs/heads/{pull.base}", made)
        pull.state = "closed"
        return self.pushed()

    def dispatch(self, workflow: str, inputs: Mapping[str, str], branch: str = "main") -> Run:
        """Somebody presses the button of a workflow."""
        sha = branches(self.remote)[branch]
        payload = {"inputs": inputs, "repository": self._repository(), "ref": f"refs/heads/{branch}"}
        return self._one(workflow, Event("workflow_dispatch", sha, f"refs/heads/{branch}", payload, inputs))

    def night(self, workflow: str) -> Run:
        """The time of a workflow has come."""
        payload = {"schedule": "23 3 * * *"}
        return self._one(
            workflow, Event("schedule", branches(self.remote)["main"], "refs/heads/main", payload)
        )

    # --- what can be seen

    def pull(self, number: int) -> Pull:
        """A pull request."""
        (found,) = (each for each in self.rest.pulls if each.number == number)
        return found

    def comments(self, number: int) -> list[str]:
        """What is said on a pull request."""
        return [comment.body for comment in self.rest.comments_on(number)]

    # --- what that starts

    def _start(self, event: Event) -> list[Run]:
        """Each workflow of the event's own commit that waits for it. Of a branch that is gone there is none."""
        if not event.sha.strip("0"):
            return []
        done = []
        for name, text in self._workflows(event.sha):
            if runner.triggers(text, event):
                done.append(runner.run(text, name, event, self._machine()))
        self._seen = dict(branches(self.remote))
        return done

    def _one(self, workflow: str, event: Event) -> Run:
        texts = dict(self._workflows(event.sha))
        assert runner.triggers(texts[workflow], event)
        done = runner.run(texts[workflow], workflow, event, self._machine())
        self._seen = dict(branches(self.remote))
        return done

    def _workflows(self, sha: str) -> Iterator[tuple[str, str]]:
        told = git(self.remote, "ls-tree", "-r", "--name-only", sha, ".github/workflows/")
        for path in sorted(told.splitlines()):
            yield Path(path).stem, git(self.remote, "show", f"{sha}:{path}") + "\n"

    def _machine(self) -> Machine:
        rest = {key: value for key, value in self.rest.environ().items() if key != "GITHUB_TOKEN"}
        return Machine(
            self.folder, self.remote, self.programs, self.variables, self.secrets, self.branches, rest,
            self._token,
            self.rest.begin_deployment, self.reported,
        )  # fmt: skip

    def _token(self, may: Collection[str]) -> str:
        return self.rest.token(may=set(may) & PERMISSIONS)

    def _repository(self) -> Mapping[str, Any]:
        return {"full_name": REPOSITORY, "default_branch": "main", "private": self.private}

    def _push_event(self, name: str, before: str | None, after: str | None) -> Event:
        nothing = "0" * 40
        payload = {
            "ref": f"refs/heads/{name}", "before": before or nothing, "after": after or nothing,
            "deleted": after is None, "created": before is None, "repository": self._repository(),
        }  # fmt: skip
        return Event("push", after or nothing, f"refs/heads/{name}", payload)

    def _pull_event(self, pull: Pull, action: str) -> Event:
        forked = pull.number in self._forked
        ends = branches(self.remote)
        merge = self._merged(pull, f"Merge {ends[pull.head]} into {ends[pull.base]}")
        git(self.remote, "update-ref", f"refs/pull/{pull.number}/merge", merge)
        about = {
            "number": pull.number,
            "title": pull.title,
            "user": {"login": pull.login},
            "head": {
                "ref": pull.head,
                "sha": ends[pull.head],
                "repo": {"full_name": _FORK if forked else REPOSITORY},
            },
            "base": {"ref": pull.base, "sha": ends[pull.base], "repo": {"full_name": REPOSITORY}},
        }
        payload = {
            "action": action,
            "number": pull.number,
            "pull_request": about,
            "repository": self._repository(),
        }
        return Event(
            "pull_request", merge, f"refs/pull/{pull.number}/merge", payload, base_ref=pull.base, head_ref=pull.head,
            actor=pull.login, forked=forked,
        )  # fmt: skip

    def _merged(self, pull: Pull, message: str) -> str:
        """A merge commit that no branch has yet."""
        ends = branches(self.remote)
        tree = git(self.remote, "merge-tree", "--write-tree", ends[pull.base], ends[pull.head])
        parents = ("-p", ends[pull.base], "-p", ends[pull.head])
        who = ("-c", "user.name=GitHub", "-c", "user.email=noreply@example.com", "-c", "commit.gpgsign=false")
        return git(self.remote, *who, "commit-tree", tree, *parents, "-m", message)


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """A GitHub with an empty repository, gone afterwards."""
    remote = folder / "remote.git"
    remote.mkdir(parents=True)
    git(remote, "init", "-q", "--bare", "-b", "main")
    git(remote, "config", "uploadpack.allowAnySHA1InWant", "true")
    known = runner.programs(folder / "bin", sys.executable, ROOT, __version__)
    with FakeGitHub(REPOSITORY, branches=lambda: branches(remote)) as rest:
        yield Hub(folder, remote, rest, known)
