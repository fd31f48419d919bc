"""The project at the commits that a promotion is about, each read once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from kfgit import driver
from kfgit.diagnostics import Checked
from kfgit.document import Scalar, at
from kfgit.driver import Checkout, Repository
from kfgit.model import Environment
from kfgit.overlay import Located
from kfgit.project import PROJECT_FILE, ancestry, commits
from kfgit.project.commits import Commit

HEAD = "HEAD"


class Commits:
    """Commits of the repository around a folder; they can be read until it is closed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._stack = ExitStack()
        self._opened: dict[str, Commit] = {}
        self._read: dict[str, Repository] = {}
        self._checked: dict[tuple[str, str], Checked[Checkout]] = {}
        self._digests: dict[tuple[str, str], Mapping[str, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def opened(self, rev: str) -> Commit:
        """A commit; raises as `commits.opened` does."""
        if rev not in self._opened:
            wanted = None if rev == HEAD else rev
            self._opened[rev] = self._stack.enter_context(commits.opened(self.root, wanted))
        return self._opened[rev]

    def repository(self, commit: str) -> Repository:
        """What is written in a commit."""
        found = self.opened(commit)
        if found.id not in self._read:
            self._read[found.id] = driver.load_from(found)
            self._stack.callback(self._read[found.id].rest)
        return self._read[found.id]

    def checkout(self, commit: str, environment: str) -> Checked[Checkout]:
        """An environment of a commit, with all that is wrong with it."""
        key = self.opened(commit).id, environment
        if key not in self._checked:
            checked = driver.check(self.repository(commit), environment)
            self._checked[key] = Checked(checked.value, driver.mistakes(checked))
        return self._checked[key]

    def environment(self, commit: str, name: str) -> Environment | None:
        """What a commit says of an environment; None where it says nothing."""
        if name not in {*self.repository(commit).environments, driver.LOCAL}:
            return None
        return self.checkout(commit, name).value.project.project.environment

    def digests(self, commit: str, environment: str) -> Mapping[str, str]:
        """What the pipelines of an environment compile to, by their names."""
        key = commit, environment
        if key not in self._digests:
            packages = driver.compile_all(self.checkout(commit, environment).value)
            self._digests[key] = {name: package.digest for name, package in packages.items()}
            self.opened(commit).rest()
        return self._digests[key]

    def document(self, commit: str, environment: str) -> Located | None:
        """The Environment as it is written in a commit."""
        return _home(self.repository(commit), environment)

    def base(self, commit: str, environment: str, path: str | None) -> str:
        """The commit that an environment's base documents are of: the one that it pins, else that one itself.

        `path` is where the Environment stands by now: no other file is read where it was there before, too.
        """
        if not ancestry.found(self.root, commit):
            return commit
        found = None
        if path is not None:
            tree = self.opened(commit).read((), only=(PROJECT_FILE, path))
            found = _home(driver.parse(tree), environment)
            # There may be many commits, and each has git running.
            self.opened(commit).rest()
        found = found or self.document(commit, environment)
        pin = at(found.node, ("spec", "pin", "commit")) if found is not None else None
        text = str(pin.value) if isinstance(pin, Scalar) else ""
        return ancestry.resolved(self.root, text) or commit


def _home(repository: Repository, environment: str) -> Located | None:
    found = (d for d in repository.documents if d.kind == "Environment" and d.environment == environment)
    return next(found, None)
