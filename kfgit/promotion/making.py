"""The commit that a promotion is. Only objects are made: nothing leads to them yet.

On a branch per environment it is a merge into the next one's branch with exactly the files of what is promoted: its
parents are the tip and the promoted commit. On one branch it changes one line of one file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kfgit.backend import Refused
from kfgit.formatting import Shapes
from kfgit.project import ancestry
from kfgit.project.ancestry import Past
from kfgit.project.publishing import Clone
from kfgit.promotion.pinning import Unsure, pin
from kfgit.reading import schemas
from kfgit.source import SourceFile


@dataclass(frozen=True, slots=True)
class Move:
    """A commit that goes from one environment to another."""

    source: str
    target: str
    commit: str

    @property
    def message(self) -> str:
        """The message of a promotion; its last lines are for programs (git-interpret-trailers(1))."""
        return (
            f"Promote {self.commit[:10]} to {self.target}\n\n"
            f"Kfgit-Promoted-From: {self.source}\nKfgit-Promoted-Commit: {self.commit}\n"
        )


@dataclass(frozen=True, slots=True)
class Made:
    """A promotion: the commit that the branch moves on to, and the one that it moves on from, None for a new branch."""

    commit: str
    before: str | None

    @property
    def is_news(self) -> bool:
        """Whether there is anything to do."""
        return self.commit != self.before


def merged(clone: Clone, move: Move, tip: str | None) -> Made:
    """The promotion into a branch that ends at `tip`; a new branch begins with the commit itself."""
    if tip is None:
        return Made(move.commit, None)
    tree = ancestry.tree(clone.root, move.commit)
    if tree == ancestry.tree(clone.root, tip) and ancestry.is_ancestor(clone.root, move.commit, tip):
        return Made(tip, tip)
    return Made(clone.commit(tree, (tip, move.commit), move.message), tip)


def pinned(clone: Clone, move: Move, tip: str, document: SourceFile, prefix: str) -> Made:
    """The promotion on the one branch, which ends at `tip`: there the environment stands in `document`.

    `prefix` is the way from the top of the repository to the project.
    """
    found = pin(document, move.target, move.commit, Shapes(schemas()))
    if isinstance(found, Unsure):
        raise Refused(
            f"`spec.pin.commit` cannot be written into {document.path}: {found.reason}\n"
            f"write it yourself, commit and push it:\n"
            f"  pin: {{commit: {move.commit}}}"
        )
    if found.content == document.content:
        return Made(tip, tip)
    path = f"{prefix}/{document.path}" if prefix else document.path
    return Made(clone.commit(clone.tree_with(tip, path, found.content), (tip,), move.message), tip)


def foreign(root: Path, tip: str, known: frozenset[str]) -> tuple[Past, ...]:
    """What a branch or a pin has that the environment before never had; `known` is where that one's history ends."""
    lacking = ancestry.history(root, (tip,), known)
    if not lacking:
        return ()
    trees = {each.id: each.tree for each in ancestry.history(root, known)}
    return ancestry.own(lacking, trees)
