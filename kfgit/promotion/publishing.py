"""What a promotion is to others: its branch moves on to it, or there is a branch to open a pull request from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kfgit.backend import Refused
from kfgit.project import ancestry
from kfgit.project.publishing import Clone
from kfgit.promotion.preparing import Prepared


@dataclass(frozen=True, slots=True)
class Published:
    """The commit that a branch has now, `where` it does, and what went otherwise without harm."""

    commit: str
    branch: str
    where: str | None
    remarks: tuple[str, ...] = ()


def publish(clone: Clone, found: Prepared, *, pushes: bool) -> Published:
    """Moves the branch on: where the others are first, which may say no, and then here."""
    branch, commit = found.branch, found.made.commit
    if not pushes or branch.remote is None:
        clone.advance(branch, commit)
        return Published(commit, branch.name, None)
    clone.push(branch.remote, commit, branch.name)
    return Published(commit, branch.name, branch.remote, _followed(clone, found))


def _followed(clone: Clone, found: Prepared) -> tuple[str, ...]:
    """The branch of this clone goes along, where there is one: it is behind at worst."""
    if found.branch.local is None:
        return ()
    try:
        clone.advance(found.branch, found.made.commit)
    except Refused as why:
        return (f"the branch is behind here, `git pull` brings it up to date: {why}",)
    return ()


def proposed(clone: Clone, found: Prepared) -> Prepared:
    """The promotion as its own branch has it already, where somebody has proposed the same before."""
    base = found.branch
    if base.remote is None:
        raise Refused("a pull request needs a remote, and this clone has none: promote without --pr")
    if base.theirs is None:
        raise Refused(
            f"a pull request goes into a branch, and `{base.remote}` has no `{base.name}` yet: "
            "make it by a first promotion without --pr"
        )
    old = clone.refreshed(_name(found), base.remote).theirs
    if old is None or not _is_same(clone, old, found.made.commit):
        return found
    return replace(found, made=replace(found.made, commit=old))


def propose(clone: Clone, found: Prepared) -> Published:
    """A branch of the promotion's own, to open a pull request from."""
    name, remote, commit = _name(found), found.branch.remote, found.made.commit
    assert remote is not None
    old = clone.branch(name, remote).theirs
    if old not in {None, commit} and not _is_ours(clone, str(old), found):
        raise Refused(f"the branch `{name}` of `{remote}` has commits of others: merge it, or delete it")
    if old != commit:
        clone.push(remote, commit, name, instead_of=old)
    return Published(commit, name, remote)


def _name(found: Prepared) -> str:
    return f"promote/{found.move.target}-{found.move.commit[:10]}"


def _is_same(clone: Clone, old: str, new: str) -> bool:
    """Whether two promotions differ only in who made them when."""
    return ancestry.tree(clone.root, old) == ancestry.tree(clone.root, new) and ancestry.parents(
        clone.root, old
    ) == ancestry.parents(clone.root, new)


def _is_ours(clone: Clone, old: str, found: Prepared) -> bool:
    """Whether a branch ends with a promotion of the same commit."""
    return found.move.commit in ancestry.trailer(clone.root, old, "Kfgit-Promoted-Commit")
