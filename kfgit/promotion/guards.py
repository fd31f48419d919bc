"""What speaks against a promotion, beside what the commit has not done yet. Each raises `Refused` with the way out."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from kfgit import policies
from kfgit.backend import Refused
from kfgit.diagnostics import Diagnostic
from kfgit.document import at
from kfgit.model import Environment
from kfgit.overlay import Located
from kfgit.project import ancestry
from kfgit.project.ancestry import Past
from kfgit.project.publishing import Branch
from kfgit.promotion.layouts import Branches, Layout, OneBranch
from kfgit.promotion.making import Move, foreign
from kfgit.promotion.requirements import Requirement

_SHOWN = 5
_MOST = 20
# A promotion through a pull request is a merge of a merge; more than that nobody makes.
_DEEPEST = 10


def order(source: str, target: Environment) -> None:
    """An environment may say where its commits come from."""
    wanted = target.promotes_from
    if wanted not in {None, source}:
        raise Refused(
            f"`{target.name}` takes its commits from `{wanted}` (`spec.git.promotesFrom`), not from `{source}`: "
            f"kfgit promote {shlex.quote(str(wanted))} {target.name}"
        )


def thawed(environments: Sequence[Environment | None], now: datetime) -> tuple[Diagnostic, ...]:
    """No freeze of any of the forms of an environment. What only warns is returned."""
    found = [
        told for each in environments if each is not None and (told := policies.freeze(each, now)) is not None
    ]
    for told in found:
        if told.severity == "error":
            raise Refused(f"{told.message} ({told.span.file}:{told.span.line}); {told.help}")
    return tuple(dict.fromkeys(found))


def met(requirements: Sequence[Requirement], move: Move, passing: str | None) -> None:
    """All that is required. `passing` is the newest commit of which that is so."""
    open_ = [f"{each.name}: {each.why}" for each in requirements if not each.met]
    if not open_:
        return
    more = [f"and {len(open_) - _MOST} more"] if len(open_) > _MOST else []
    way = (
        f"the newest commit that may: kfgit promote {move.source} {move.target} --commit {passing[:10]}"
        if passing is not None
        else "of those that the history tells of none may"
    )
    told = f"commit {move.commit[:10]} may not go from `{move.source}` to `{move.target}` yet:"
    raise Refused("\n".join((told, *open_[:_MOST], *more, way)))


def unhidden(root: Path, branch: Branch) -> None:
    """The branch here has nothing that its remote does not have: nobody said that this shall be pushed along."""
    if (
        branch.local is None
        or branch.theirs is None
        or ancestry.is_ancestor(root, branch.local, branch.theirs)
    ):
        return
    raise Refused(
        f"the branch `{branch.name}` has commits here that `{branch.remote}` does not have: "
        "push them first, drop them, or promote here alone with --no-push"
    )


def here(root: Path, commit: str, source: str) -> None:
    """The commit is in this clone."""
    if not ancestry.found(root, commit):
        raise Refused(
            f"`{source}` applied commit {commit[:10]}, which this clone does not have: "
            "fetch the branch that it is on, `git fetch`"
        )


def whole(*, shallow: bool) -> None:
    """All of history is here, for a promotion is about what came before what."""
    if shallow:
        raise Refused(
            "this clone ends somewhere before the first commit: `git fetch --unshallow`, "
            "or in CI a checkout with all of the history (`fetch-depth: 0`)"
        )


def promoted(root: Path, tip: str) -> str:
    """What a branch got last: through promotions the commit that they brought."""
    for _ in range(_DEEPEST):
        parents = ancestry.parents(root, tip)
        if len(parents) < 2 or ancestry.tree(root, parents[1]) != ancestry.tree(root, tip):
            break
        tip = parents[1]
    return tip


def unpinned(found: Located | None) -> None:
    """With a branch of its own an environment has what is on the branch, which a pin would keep from it."""
    pin = at(found.node, ("spec", "pin")) if found is not None else None
    if pin is not None and found is not None:
        raise Refused(
            f"`{found.name}` is pinned ({found.file}:{pin.span.line}), so it has that commit and not its branch: "
            "take the pin out"
        )


def contained(root: Path, commit: str, layout: OneBranch, tip: str) -> None:
    """A pinned commit is on the branch, for one that no branch leads to is removed some day."""
    if ancestry.is_ancestor(root, commit, tip):
        return
    or_ = "; or, if each has a branch of its own, write `spec.git.branch` in both" if layout.assumed else ""
    raise Refused(f"commit {commit[:10]} is not on the branch `{layout.branch}`: merge it there first{or_}")


def nothing_of_its_own(root: Path, layout: Layout, target: str, tip: str, known: frozenset[str]) -> None:
    """What the environment has now, the one before had too: else it would be lost."""
    own = foreign(root, tip, known)
    if not own:
        return
    if isinstance(layout, Branches):
        way = f"bring them there first: merge `{layout.target}` into `{layout.source}`, and let it run green"
    else:
        way = f"bring them there first: merge commit {tip[:10]} into `{layout.branch}`, and let it run green"
    raise Refused("\n".join((f"`{target}` has what the environment before never had:", *_listed(own), way)))


def _listed(own: Sequence[Past]) -> list[str]:
    more = [f"and {len(own) - _SHOWN} more"] if len(own) > _SHOWN else []
    return [*(f"{each.id[:10]} {each.subject[:100]}" for each in own[:_SHOWN]), *more]
