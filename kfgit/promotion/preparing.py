"""Everything up to the question: which commit goes, whether it may, and the commit that the promotion is.

What is refused is refused here, and nothing but objects that no branch leads to is made.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeAlias

from kfgit.backend import Backend, NotFound, Refused
from kfgit.diagnostics import Diagnostic
from kfgit.driver import Repository
from kfgit.events import ApplyRecord
from kfgit.model import Environment
from kfgit.project import ancestry
from kfgit.project.publishing import Branch, Clone
from kfgit.promotion import guards
from kfgit.promotion.choosing import Candidate, candidates, chosen
from kfgit.promotion.commits import HEAD, Commits
from kfgit.promotion.evidence import Witness
from kfgit.promotion.layouts import Branches, Layout, layout
from kfgit.promotion.making import Made, Move, merged, pinned
from kfgit.promotion.requirements import Level, Requirement, Wanted, check
from kfgit.source import SourceFile

# Of so many commits it is found out whether they may go, where the one that was asked for may not.
_MOST_TRIED = 10
# So many of the newest that an environment has applied count as what it has had.
_MOST_HAD = 20
_LONGEST = timedelta(days=3650)

# The way to an environment's target.
Reach: TypeAlias = Callable[[Repository, Environment], AbstractContextManager[Backend]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants: a commit, or the one that was applied last, and what to require, where that is said.

    `pushes` brings it to the remote, which is asked before.
    """

    source: str
    target: str
    rev: str | None = None
    level: Level | None = None
    pipelines: tuple[str, ...] = ()
    soak: timedelta | None = None
    pushes: bool = True


@dataclass(frozen=True, slots=True)
class Prepared:
    """A promotion that may be. `remarks` are what only warns of it."""

    move: Move
    layout: Layout
    branch: Branch
    made: Made
    requirements: tuple[Requirement, ...]
    remarks: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a promotion goes: its branch and what that ends at, and the environment as it is there now."""

    layout: Layout
    branch: Branch
    tip: str | None
    environment: Environment


def prepare(asked: Asked, clone: Clone, commits: Commits, reach: Reach, now: datetime) -> Prepared:
    """The promotion. Raises `Refused` with what speaks against it, and `NotFound` for a commit that is none."""
    head = commits.opened(HEAD)
    guards.whole(shallow=head.shallow)
    place = _place(asked, clone, commits)
    guards.order(asked.source, place.environment)
    wanted = _wanted(asked, place.environment)
    source = commits.environment(head.id, asked.source)
    assert source is not None
    with reach(commits.repository(head.id), source) as backend:
        witness = Witness(backend, commits, backend.applies(), times=bool(wanted.soak))
        known = tuple(candidates(witness.records, _base(commits, place, asked.source)))
        candidate = _candidate(asked, commits, known)
        move = Move(asked.source, asked.target, candidate.commit)
        _safe(commits, place, move, witness.records)
        made = _made(clone, commits, place, move)
        found = check(witness.of(candidate, lambda: (made.commit, asked.target)), wanted, now)
        if not all(each.met for each in found):
            guards.met(found, move, _passing(witness, known, asked.target, wanted, now))
    return Prepared(move, place.layout, place.branch, made, found, _thawed(commits, place, made, move, now))


def _place(asked: Asked, clone: Clone, commits: Commits) -> _Place:
    head = commits.opened(HEAD).id
    source, target = (commits.environment(head, name) for name in (asked.source, asked.target))
    if source is None or target is None:
        missing = asked.source if source is None else asked.target
        raise NotFound("environment", missing, commits.repository(head).environments)
    found = layout(source.branch, target.branch, clone.current())
    if found is None:
        raise Refused(
            f"no branch is checked out, and neither `{asked.source}` nor `{asked.target}` names one: "
            "write `spec.git.branch` in them"
        )
    branch = _branch(asked, clone, found)
    tip = (branch.theirs or branch.local) if asked.pushes else (branch.local or branch.theirs)
    if asked.pushes:
        guards.unhidden(clone.root, branch)
    ruling = commits.environment(tip, asked.target) if tip is not None else None
    return _Place(found, branch, tip, ruling or target)


def _branch(asked: Asked, clone: Clone, found: Layout) -> Branch:
    """The branch that a promotion changes. The one that it comes from is fetched, with what others applied of it."""
    look = clone.refreshed if asked.pushes else clone.branch
    branch = look(found.branch)
    if isinstance(found, Branches):
        look(found.source)
    elif not branch.tips:
        raise Refused(f"there is no branch `{found.branch}`, neither here nor on a remote")
    return branch


def _wanted(asked: Asked, target: Environment) -> Wanted:
    """What is required: what was asked for goes over what the environment says."""
    said = timedelta(seconds=min(target.soak or 0, int(_LONGEST.total_seconds())))
    level = asked.level or target.require or "green"
    soak = min(asked.soak, _LONGEST) if asked.soak is not None else said
    return Wanted(level, asked.pipelines, soak)  # type: ignore[arg-type]  # the schema knows no other


def _base(commits: Commits, place: _Place, source: str) -> Callable[[str], str]:
    """The commit that an environment really ran at one that it applied."""
    if isinstance(place.layout, Branches):
        return lambda applied: applied
    home = commits.document(place.tip, source) if place.tip is not None else None
    path = home.file if home is not None else None
    return lambda applied: commits.base(applied, source, path)


def _candidate(asked: Asked, commits: Commits, known: tuple[Candidate, ...]) -> Candidate:
    wanted = commits.opened(asked.rev).id if asked.rev is not None else None
    found = chosen(known, wanted)
    if found is None:
        raise Refused(
            f"`{asked.source}` has applied no commit yet, as far as its history goes: "
            f"kfgit apply -e {asked.source} --rev HEAD"
        )
    for each in (found.commit, found.applied):
        guards.here(commits.root, each, asked.source)
    return found


def _safe(commits: Commits, place: _Place, move: Move, records: tuple[ApplyRecord, ...]) -> None:
    """Nothing is lost, neither what the environment has now nor the commit that it gets.

    What the environment before has had counts, and not its branch: that may be ahead of it, and of what goes.
    """
    had = (each.commit for each in records if each.applied is not None and not each.folder)
    newest = islice(dict.fromkeys(had), _MOST_HAD)
    here = frozenset(tip for tip in (*newest, move.commit) if tip and ancestry.found(commits.root, tip))
    if place.tip is None:
        return
    if isinstance(place.layout, Branches):
        guards.nothing_of_its_own(commits.root, place.layout, move.target, place.tip, here)
        return
    guards.contained(commits.root, move.commit, place.layout, place.tip)
    before = commits.base(place.tip, move.target, None)
    if before != place.tip:
        guards.nothing_of_its_own(commits.root, place.layout, move.target, before, here)


def _made(clone: Clone, commits: Commits, place: _Place, move: Move) -> Made:
    if isinstance(place.layout, Branches):
        guards.unpinned(commits.document(move.commit, move.target))
        guards.unpinned(commits.document(move.commit, move.source))
        return merged(clone, move, place.tip)
    assert place.tip is not None
    home = commits.document(place.tip, move.target)
    if home is None:
        raise Refused(
            f"there is no Environment `{move.target}` on the branch `{place.layout.branch}` that could be pinned: "
            f"write environments/{move.target}.yaml"
        )
    opened = commits.opened(place.tip)
    content = commits.repository(place.tip).files[home.file]
    return pinned(clone, move, place.tip, SourceFile(home.file, content), opened.prefix)


def _passing(
    witness: Witness, known: tuple[Candidate, ...], target: str, wanted: Wanted, now: datetime
) -> str | None:
    """The newest commit that may go."""
    for candidate in known[:_MOST_TRIED]:
        if not all(
            ancestry.found(witness.commits.root, each) for each in (candidate.commit, candidate.applied)
        ):
            continue
        evidence = witness.of(candidate, partial(_there, candidate, target))
        if all(each.met for each in check(evidence, wanted, now)):
            return candidate.commit
    return None


def _there(candidate: Candidate, target: str) -> tuple[str, str]:
    return candidate.commit, target


def _thawed(commits: Commits, place: _Place, made: Made, move: Move, now: datetime) -> tuple[Diagnostic, ...]:
    """No freeze, neither as the environment will be nor as it is.

    Only who builds on what is there now, and so knows of the freeze, may end it.
    """
    will_be = commits.environment(made.commit, move.target)
    if will_be is None:
        raise Refused(f"commit {move.commit[:10]} has no Environment `{move.target}`")
    knows = place.tip is None or ancestry.is_ancestor(
        commits.root, guards.promoted(commits.root, place.tip), move.commit
    )
    return guards.thawed((will_be,) if knows else (will_be, place.environment), now)
