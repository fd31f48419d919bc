"""Two commits of a project compared, or two environments of one: reads, checks, and lets `diff` say what differs.

Commands have opened commits, promotion has revisions of its own making: both come in here. Git's objects alone are
read, no target is asked, and nothing of the repository runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from kfgit import diff, document, driver, overlay, pinning, project
from kfgit.backend import NotFound
from kfgit.diagnostics import ordered
from kfgit.diff import Diff, EnvironmentDiff, Seen, Side
from kfgit.driver import LOCAL, Repository
from kfgit.graph import CheckedPipeline
from kfgit.project.commits import Commit

# Tasks of pipelines that are kept for pictures.
_MOST_DRAWN = 20_000
_EMPTY = "the older side has no kfgit.yaml: everything is new"


def of_commits(
    base: Commit,
    head: Commit,
    environments: Sequence[str] = (),
    labels: tuple[str, str] | None = None,
) -> Diff:
    """What differs between two commits, for some environments or for all of both.

    `labels` are what people call the two. Raises `NotFound` for an environment that neither has.
    """
    parser = lru_cache(maxsize=None)(document.parse)  # most files are the same in both
    old = driver.load_from(base, parser)
    new = old if base.id == head.id else replace(driver.load_from(head, parser), forms=old.forms)
    had = _written(old)
    known = dict.fromkeys([*new.environments, *(name for name in old.environments if name in had)])
    one, other = labels or (base.short, head.short)
    found = tuple(_lighter(_one(name, old, new) for name in _chosen(environments, known)))
    return Diff(Side(one, base.id), Side(other, head.id), found)


def _lighter(found: Iterable[EnvironmentDiff]) -> Iterator[EnvironmentDiff]:
    """The same, with both sides of pipelines only as long as these have not too many tasks all together.

    They are there for pictures, of which a page has few, and they would keep every environment in memory.
    """
    left = _MOST_DRAWN
    for each in found:
        changes = []
        for change in each.changes:
            left -= sum(_size(side) for side in (change.before, change.after))
            changes.append(change if left >= 0 else replace(change, before=None, after=None))
        yield replace(each, changes=tuple(changes))


def _size(side: CheckedPipeline | None) -> int:
    return 0 if side is None else sum(1 for _ in side.pipeline.all_tasks())


def of_environments(commit: Commit, one: str, other: str) -> Diff:
    """What `other` has otherwise than `one`, both at the same commit. Raises `NotFound` for an unknown one."""
    repository = driver.load_from(commit)
    _chosen((one, other), repository.environments)
    found = diff.across(seen(repository, one), seen(repository, other))
    return Diff(Side(one, commit.id), Side(other, commit.id), (found,), is_across=True)


def _chosen(wanted: Sequence[str], known: Iterable[str]) -> Sequence[str]:
    """The environments to compare, each once."""
    names = tuple(known)
    for name in wanted:
        if name not in names and name != LOCAL:
            raise NotFound("environment", name, sorted({*names, LOCAL}))
    return tuple(dict.fromkeys(wanted)) or names


def _one(name: str, old: Repository, new: Repository) -> EnvironmentDiff:
    """An environment on both sides, or on the only one that has it."""
    if not _has(new, name):
        return diff.removed(seen(old, name))
    after = seen(new, name)
    if project.PROJECT_FILE not in old.files:
        return replace(diff.added(after), notes=(_EMPTY,))
    if not _has(old, name):
        return diff.added(after)
    return diff.between(as_before(old, new, after) or seen(old, name), after)


def _has(repository: Repository, name: str) -> bool:
    """Whether an environment is there, or may stand in a file that cannot be read; `local` always is."""
    return name == LOCAL or name in _written(repository) or ("*", name) in repository.broken


def _written(repository: Repository) -> Collection[str]:
    """The environments that have a document."""
    return dict.fromkeys(each.name for each in repository.documents if each.kind == "Environment")


def as_before(old: Repository, new: Repository, after: Seen) -> Seen | None:
    """The older side of an environment where nothing differs that it looks at: it need not be checked again."""
    if old is new:
        return after
    files = [_of_environment(each, after.environment) for each in (old, new)]
    if files[0] != files[1] or old.tree.diagnostics != new.tree.diagnostics:
        return None
    if any(map(driver.wants_git, new.files.values())) or any(
        new.content(p) != old.content(p) for p in new.others
    ):
        return None
    return replace(after, commit=old.commit if after.commit is not None else None)


def _of_environment(repository: Repository, name: str) -> dict[str, bytes]:
    """What is read of the sources for an environment: all but the files of others."""
    own = (None, name)
    return {path: text for path, text in repository.files.items() if overlay.environment_of(path) in own}


def seen(repository: Repository, environment: str) -> Seen:
    """An environment as it is checked, with its errors."""
    checked = driver.check(repository, environment)
    faults = (each for each in driver.mistakes(checked) if each.severity == "error")
    found = checked.value
    told = ordered(faults)
    lost = pinning.is_lost(found.source, environment) or any(each.code == "too-many-files" for each in told)
    return Seen(found.view, found.project, found.commit, told, is_lost=lost)
