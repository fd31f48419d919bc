"""Why a commit may not be the one that a cluster should get. plan notes it, apply refuses until a flag says otherwise.

A working tree that holds something else, a branch other than the environment's, and a commit that the last applied
one is no ancestor of.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kfgit.project import ancestry, plumbing
from kfgit.project.commits import Commit
from kfgit.project.tree import DEFAULT_SOURCES, is_outside, is_pointer

_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")
_SHOWN = 3
_MAX_POINTER = 1024
_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
# So many files that were perhaps only touched are looked at.
_MAX_TOUCHED = 100

Flag = Literal["--allow-dirty", "--allow-branch", "--allow-older"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """What speaks against a commit, and the flag that lets it pass."""

    flag: Flag
    text: str


def of_checkout(commit: Commit, sources: Collection[str] | None, branch: str | None) -> tuple[Doubt, ...]:
    """What the working tree and the branches say. `branch` is the environment's, None where any will do."""
    found = (_dirty(commit, sources), _elsewhere(commit, branch))
    return tuple(doubt for doubt in found if doubt is not None)


def of_history(commit: Commit, last: str | None) -> tuple[Doubt, ...]:
    """What the commit says that was applied last, if one was."""
    found = _older(commit, last)
    return (found,) if found is not None else ()


# --- the working tree


def _dirty(commit: Commit, sources: Collection[str] | None) -> Doubt | None:
    """What was asked for by name is wanted whatever the folder holds."""
    if commit.id != commit.head:
        return None
    names = uncommitted(commit, sources)
    if not names:
        return None
    text = f"commit {commit.short} is what counts, and not what differs from it in the folder: {names}"
    return Doubt("--allow-dirty", text)


def uncommitted(commit: Commit, sources: Collection[str] | None) -> str:
    """The names of the first files that differ from the commit that is checked out; nothing where none does."""
    changed = list(_changes(commit, DEFAULT_SOURCES if sources is None else sources))
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    # Names are any bytes, and this is written into files.
    return os.fsencode(f"{', '.join(changed[:_SHOWN])}{more}").decode("utf-8", "replace")


def _changes(commit: Commit, sources: Collection[str]) -> Iterator[str]:
    """Tracked files that changed, and untracked ones below the sources; both of this project alone."""
    asked = ("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all")
    told = plumbing.ask(commit.root, "status", *asked, "--", ".", settings=_without_filters(commit.root))
    if told.code != 0 and told.whole:
        raise plumbing.broken(f"git cannot tell what changed in {commit.root}: {told.error}")
    top = f"{commit.prefix}/" if commit.prefix else ""
    folders = {os.path.normpath(source) for source in sources if not is_outside(source)}
    below = tuple("" if folder == "." else f"{folder}/" for folder in sorted(folders))
    touched = 0
    for line in told.out.split(b"\0"):
        state, path = line[:2].decode("ascii", "replace"), os.fsdecode(line[3:])
        own = path.removeprefix(top)
        if not path.startswith(top) or own.startswith(".kfgit/") or not own:
            continue
        if state == "??" and not own.startswith(below):
            continue
        touched += state == " M"
        if state != " M" or touched > _MAX_TOUCHED or not _is_what_lfs_points_at(commit, own):
            yield own


def _without_filters(root: Path) -> Sequence[plumbing.Setting]:
    """Settings that keep git from running the filters that .gitattributes name (gitattributes(5))."""
    told = plumbing.ask(
        root, "config", "--name-only", "-z", "--get-regexp", r"^filter\..*\.(clean|smudge|process)$"
    )
    names = {os.fsdecode(name) for name in told.out.split(b"\0") if name}
    needed = {f"{name.rpartition('.')[0]}.required" for name in names}
    return (*((name, "") for name in sorted(names)), *((name, "false") for name in sorted(needed)))


def _is_what_lfs_points_at(commit: Commit, path: str) -> bool:
    """Git itself would run LFS to find out that a file which was only touched is the one that was committed."""
    told = plumbing.ask(commit.root, "cat-file", "blob", f":./{path}", most=_MAX_POINTER)
    found = _OID.search(told.out)
    if not told.whole or told.code != 0 or not is_pointer(told.out) or found is None:
        return False
    try:
        opened = os.open(commit.root / path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(opened, "rb") as stream:
            regular = stat.S_ISREG(os.fstat(opened).st_mode)
            return regular and hashlib.file_digest(stream, "sha256").hexdigest().encode() == found.group(1)
    except OSError:
        return False


# --- the branch


def _elsewhere(commit: Commit, wanted: str | None) -> Doubt | None:
    if wanted is None or commit.branch == wanted:
        return None
    if commit.branch is not None:
        return Doubt(
            "--allow-branch", f"this is the branch `{commit.branch}`, and the environment takes `{wanted}`"
        )
    if _contained(commit, wanted):
        return None
    known = (
        f"commit {commit.short} is on no branch `{wanted}` that this clone knows, which is the environment's"
    )
    return Doubt("--allow-branch", f"{known}; in a detached checkout `--branch NAME` says which branch it is")


def _contained(commit: Commit, branch: str) -> bool:
    """Whether a commit is part of a branch, as it is here or on a remote."""
    places = (f"refs/heads/{branch}", f"refs/remotes/*/{branch}")
    asked = ("for-each-ref", "--count=1", "--format=%(refname)", f"--contains={commit.id}", *places)
    return bool(plumbing.ask(commit.root, *asked).out.strip())


# --- the history


def _older(commit: Commit, last: str | None) -> Doubt | None:
    if last is None or last == commit.id or not _SHA.match(last):
        return None
    if not ancestry.found(commit.root, last):
        why = f"whether commit {commit.short} is newer than {last[:10]}, the last one applied, cannot be told"
        return Doubt("--allow-older", f"{why}: this clone does not have that one; {_deepen(commit)}")
    if ancestry.is_ancestor(commit.root, last, commit.id):
        return None
    text = f"commit {commit.short} does not descend from {last[:10]}, the last one applied"
    return Doubt(
        "--allow-older",
        f"{text}, as far as this shallow clone shows; {_deepen(commit)}" if commit.shallow else text,
    )


def _deepen(commit: Commit) -> str:
    if commit.shallow:
        return "fetch its history: `git fetch --unshallow`, or in CI a checkout with all of it (`fetch-depth: 0`)"
    return "fetch the branch that it is on: `git fetch`"
