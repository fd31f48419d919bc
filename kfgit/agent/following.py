"""The branch that is followed: the one that was named, else the environment's, else the repository's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from kfgit import driver
from kfgit.project import commits
from kfgit.project.commits import Commit
from kfgit.project.mirror import Head, Mirror


class Following:
    """The newest commit of an environment's branch. `path` is the project's folder in the repository."""

    def __init__(self, mirror: Mirror, environment: str, path: str = ".", branch: str | None = None) -> None:
        self._mirror, self._environment, self._branch = mirror, environment, branch
        self._path = "" if path == "." else path
        # The environment's own branch, and the commit that said so.
        self._own: str | None = None
        self._said_by: str | None = None

    def head(self) -> Head:
        """Fetches. Raises `MachineFault`."""
        if self._branch is not None:
            return self._mirror.fetch(self._branch)
        head = self._mirror.fetch(self._mirror.default_branch())
        if head.commit != self._said_by:
            # A commit with mistakes may not say any more what all before it said.
            self._own, self._said_by = self._branch_in(head) or self._own, head.commit
        return head if self._own in {None, head.branch} else self._mirror.fetch(str(self._own))

    @contextmanager
    def opened(self, head: Head) -> Iterator[Commit]:
        """A commit that was fetched, to be read."""
        with commits.opened(self._mirror.folder, head.commit, head.branch) as commit:
            # A bare copy has no folders that git could tell the project's own from.
            yield replace(commit, prefix=self._path)

    def _branch_in(self, head: Head) -> str | None:
        with self.opened(head) as commit:
            repository = driver.load_from(commit)
            return driver.check(repository, self._environment).value.project.project.environment.branch
