"""Which files plan and apply work on: the folder for a local target, a commit for a cluster or where one is named."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from kfgit import driver, project
from kfgit.backend import Refused
from kfgit.cli.session import Session
from kfgit.cli.standing import standing
from kfgit.driver import Repository

if TYPE_CHECKING:
    from kfgit.backend import Backend
    from kfgit.model import Environment
    from kfgit.project.commits import Commit
    from kfgit.project.doubts import Doubt

F = TypeVar("F", bound=Callable[..., object])

WAYS = {
    "--allow-dirty": "commit it, or leave it out with --allow-dirty",
    "--allow-branch": "check the branch out, or apply this commit with --allow-branch",
    "--allow-older": "apply a newer commit, or this one with --allow-older",
}


@dataclass(frozen=True, slots=True)
class Source:
    """What is worked on; `commit` is None for the folder."""

    repository: Repository
    environment: str
    commit: Commit | None = None

    def doubts(self, environment: Environment) -> tuple[Doubt, ...]:
        """What the working tree and the branches say against the commit, where a cluster would get it."""
        if self.commit is None or environment.cluster is None:
            return ()
        from kfgit.project import doubts

        return doubts.of_checkout(self.commit, self.repository.tree.sources, environment.branch)

    def more_doubts(self, environment: Environment, backend: Backend) -> tuple[Doubt, ...]:
        """What the history of the target says against it."""
        if self.commit is None or environment.cluster is None:
            return ()
        from kfgit.project import doubts

        last = backend.last_apply()
        return doubts.of_history(self.commit, last.commit if last is not None else None)


def revision(command: F) -> F:
    """`--rev` and `--branch`."""
    rev = click.option(
        "--rev",
        metavar="REV",
        help="Read this commit; default: HEAD for a cluster, the folder for a local target.",
    )
    branch = click.option(
        "--branch", metavar="NAME", help="The branch of the commit, which a detached checkout cannot say."
    )
    return rev(branch(command))


def allowances(command: F) -> F:
    """`--allow-dirty`, `--allow-branch` and `--allow-older`."""
    dirty = click.option(
        "--allow-dirty", is_flag=True, help="Apply the commit though the folder differs from it."
    )
    branch = click.option(
        "--allow-branch", is_flag=True, help="Apply a commit of another branch than the environment's."
    )
    older = click.option(
        "--allow-older", is_flag=True, help="Apply a commit that does not descend from the last applied one."
    )
    return dirty(branch(older(command)))


def allowed(flags: Mapping[str, object]) -> list[str]:
    """Which of them are given."""
    return [flag for flag in WAYS if flags[flag.removeprefix("--").replace("-", "_")]]


@contextmanager
def opened(session: Session, wanted: str | None, rev: str | None, branch: str | None) -> Iterator[Source]:
    """What to work on. Raises `Refused` where a cluster needs a commit and there is none."""
    root = session.root()
    if rev is None and not _is_on_cluster(root, wanted):
        repository = session.repository()
        name = session.environment(repository, wanted)
        if standing(repository, name).cluster is None:
            yield Source(repository, name)
            return
    from kfgit.project import commits

    if branch is not None and not commits.is_branch(branch):
        raise click.UsageError(f"`{branch}` is no name of a branch")
    with commits.opened(root, rev, branch) as commit:
        repository = driver.load_from(commit)
        yield Source(repository, session.environment(repository, wanted), commit)


def _is_on_cluster(root: Path, wanted: str | None) -> bool:
    """What the documents of environments say, where they stand in their usual place; the folder is not read twice."""
    paths = project.survey(root, driver.sources_of(root)).stamps
    few = [path for path in paths if path == project.PROJECT_FILE or path.startswith("environments/")]
    repository = driver.load(root, few)
    name = repository.default_environment if wanted is None else wanted
    return name in repository.environments and standing(repository, name).cluster is not None


def refuse(doubts: Collection[Doubt], allowed: Collection[str]) -> None:
    """Raises `Refused` for what no flag lets pass."""
    told = [f"{doubt.text}; {WAYS[doubt.flag]}" for doubt in doubts if doubt.flag not in allowed]
    if told:
        raise Refused("\n".join(told))
