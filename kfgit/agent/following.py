"""The branch that is followed: the one that was named, else the environment's, else the repository's own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from kfgit import driver
from kfgit.backend import MachineFault
from kfgit.project import commits
from kfgit.project.commits import Commit
from kfgit.project.mirror import Head, Mirror


class Following:
    """The newest commit of an environment's branch. `path` is the project's folder in the repository."""

    def __init__(self, mirror: Mirror, environment: str, path: str = ".", branch: str | None = None) -> None:
        self._mirror, self._environment, self._branch = mirror, environment, branch
        self._root: Path = mirror.folder / path
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

    def opened(self, head: Head) -> AbstractContextManager[Commit]:
        """A commit that was fetched, to be read."""
        try:
            # Where targets keep what is theirs, as in a checkout.
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise MachineFault(f"cannot write to {self._root}: {(fault.strerror or '').lower()}") from fault
        return commits.opened(self._root, head.commit, head.branch)

    def _branch_in(self, head: Head) -> str | None:
        with self.opened(head) as commit:
            repository = driver.load_from(commit)
            return driver.check(repository, self._environment).value.project.project.environment.branch
