"""The two ways to keep environments in git, as their documents say which branches they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Branches:
    """Each environment has a branch of its own."""

    source: str
    target: str

    @property
    def branch(self) -> str:
        """The branch that a promotion changes."""
        return self.target


@dataclass(frozen=True, slots=True)
class OneBranch:
    """Both are on one branch, and the later one is pinned to a commit. `assumed`: one of them, or both, names none."""

    branch: str
    assumed: bool = False


Layout: TypeAlias = Branches | OneBranch


def layout(source: str | None, target: str | None, current: str | None) -> Layout | None:
    """The layout by the branches of both environments, else by the one that is checked out; None without any."""
    if source is not None and target is not None and source != target:
        return Branches(source, target)
    branch = target or source or current
    return OneBranch(branch, assumed=None in {source, target}) if branch is not None else None
