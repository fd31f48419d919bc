"""Which commits come before which, and what each of them holds: questions to git about the past of branches."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kfgit.project import plumbing

_MOST = 128 * 1024 * 1024
# Nobody's configuration shall write more, or other things, between what is asked for.
_PLAIN = (("log.showSignature", "false"), ("log.showRoot", "true"), ("i18n.logOutputEncoding", "UTF-8"))
_FIELDS = 4
_DIGITS = re.compile(r"[0-9a-f]{7,64}\Z")


@dataclass(frozen=True, slots=True)
class Past:
    """A commit: its files as the id of a tree, its parents, and the first line of its message."""

    id: str
    tree: str
    parents: tuple[str, ...]
    subject: str


def history(root: Path, tips: Collection[str], without: Collection[str] = ()) -> tuple[Past, ...]:
    """All commits that some lead to and that others do not, the newest first."""
    if not tips:
        return ()
    asked = ("log", "-z", "--no-decorate", "--no-mailmap", "--no-color", "--format=%H%x00%T%x00%P%x00%s")
    told = plumbing.ask(
        root,
        *asked,
        *sorted(tips),
        *(f"^{each}" for each in sorted(without)),
        "--",
        settings=_PLAIN,
        most=_MOST,
    )
    if told.code != 0 or not told.whole:
        raise plumbing.broken(
            f"git cannot tell the history of the branches: {told.error or 'it is too long'}"
        )
    fields = told.out.decode("utf-8", "replace").split("\0")
    return tuple(_past(fields[i : i + _FIELDS]) for i in range(0, len(fields) - _FIELDS + 1, _FIELDS))


def _past(fields: Sequence[str]) -> Past:
    commit, tree, parents, subject = fields
    return Past(commit, tree, tuple(parents.split()), subject)


def tree(root: Path, commit: str) -> str:
    """The id of the tree of a commit."""
    return _name(root, f"{commit}^{{tree}}")


def parents(root: Path, commit: str) -> tuple[str, ...]:
    """The parents of a commit."""
    told = plumbing.ask(root, "rev-list", "--parents", "--max-count=1", commit, "--")
    return tuple(told.line().split()[1:])


def trailer(root: Path, commit: str, key: str) -> tuple[str, ...]:
    """What the last lines of a message say under a key (git-interpret-trailers(1))."""
    form = f"--format=%(trailers:key={key},valueonly)"
    told = plumbing.ask(root, "log", "-1", "--no-decorate", "--no-color", form, commit, "--", settings=_PLAIN)
    return tuple(told.out.decode("utf-8", "replace").split())


def is_ancestor(root: Path, commit: str, of: str) -> bool:
    """Whether one commit is another, or comes before it."""
    return plumbing.ask(root, "merge-base", "--is-ancestor", commit, of).code == 0


def found(root: Path, commit: str) -> bool:
    """Whether a commit is here."""
    return plumbing.ask(root, "cat-file", "-e", f"{commit}^{{commit}}").code == 0


def resolved(root: Path, digits: str) -> str | None:
    """The commit whose id begins with some digits; None where that is none or not only one."""
    if _DIGITS.match(digits) is None:
        return None
    told = plumbing.ask(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{digits}^{{commit}}")
    found = told.line()
    return found if told.code == 0 and found.startswith(digits) else None


def own(lacking: Sequence[Past], known: Mapping[str, str]) -> tuple[Past, ...]:
    """Those commits that bring something of their own, of some that `known` ones, with their trees, do not lead to.

    The first is the newest. Nothing does where that holds the very files of a known one. Else a promotion brings
    nothing, which is a merge that holds exactly what its second parent does, nor does what has a known one's files, as
    when a promotion was squashed into one commit.
    """
    trees = {**known, **{each.id: each.tree for each in lacking}}
    seen = set(known.values())
    if not lacking or lacking[0].tree in seen:
        return ()
    return tuple(
        each
        for each in lacking
        if each.tree not in seen and not (len(each.parents) > 1 and trees.get(each.parents[1]) == each.tree)
    )


def _name(root: Path, expression: str) -> str:
    told = plumbing.ask(root, "rev-parse", "--verify", "--quiet", "--end-of-options", expression)
    if told.code != 0:
        raise plumbing.broken(f"git has no object {expression}; `git fsck` says what is wrong")
    return told.line()
