"""The commit that is checked out.

Git's own files are read (gitrepository-layout(5)), for a process costs more than all of them; only where there are
tags, git is asked which of them stand here.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")


def git_state(root: Path) -> Mapping[str, Any]:
    """`sha`, `branch` and `tag` of the checkout; None outside git, and for what does not apply."""
    git = _git_folder(root.absolute())
    branch, sha = _head(git) if git is not None else (None, None)
    return {"sha": sha, "branch": branch, "tag": _tag(root, git) if git is not None and sha else None}


def commit(root: Path) -> str | None:
    """The commit that is checked out; None outside git and before the first commit."""
    git = _git_folder(root.absolute())
    return _head(git)[1] if git is not None else None


def branch(root: Path) -> str | None:
    """The branch that is checked out; None outside git, before the first commit, and for a commit alone."""
    git = _git_folder(root.absolute())
    return _head(git)[0] if git is not None else None


def _git_folder(root: Path) -> Path | None:
    """`.git`, from `root` upwards; a worktree and a submodule have a file that names it."""
    for folder in (root, *root.parents):
        found = folder / ".git"
        if not os.path.lexists(found):
            continue
        if (told := _first_line(found)).startswith("gitdir: "):
            return folder / told.removeprefix("gitdir: ")
        if _first_line(found / "HEAD"):
            return found
    return None


def _head(git: Path) -> tuple[str | None, str | None]:
    """Branch and commit."""
    told = _first_line(git / "HEAD")
    if not told.startswith("ref: "):
        return None, told if _SHA.match(told) else None
    name = told.removeprefix("ref: ")
    sha = _ref(git, name)
    return name.removeprefix("refs/heads/") if sha is not None and name.startswith(
        "refs/heads/"
    ) else None, sha


def _ref(git: Path, name: str) -> str | None:
    if not name.startswith("refs/") or ".." in name.split("/"):
        return None
    common = _common(git)
    for folder in dict.fromkeys((git, common)):
        told = _first_line(folder / name)
        if _SHA.match(told):
            return told
    packed = _read(common / "packed-refs", _MAX_PACKED).decode("utf-8", "replace")
    found = re.search(rf"^([0-9a-f]{{40,64}}) {re.escape(name)}$", packed, re.MULTILINE)
    return found.group(1) if found else None


def _common(git: Path) -> Path:
    """What all worktrees of a repository share."""
    told = _first_line(git / "commondir")
    return git / told if told else git


def _tag(root: Path, git: Path) -> str | None:
    if not _has_tags(_common(git)):
        return None
    from kfgit.backend import MachineFault  # noqa: PLC0415 - few ask for tags
    from kfgit.project import plumbing  # noqa: PLC0415 - as above

    asked = ("--points-at=HEAD", "--count=1", "--format=%(refname:lstrip=2)", "refs/tags")
    try:
        return plumbing.ask(root, "for-each-ref", *asked).line() or None
    except (MachineFault, OSError):
        return None


_MAX_PACKED = 16 * 1024 * 1024


def _has_tags(common: Path) -> bool:
    try:
        if next((common / "refs" / "tags").iterdir(), None) is not None:
            return True
    except (OSError, ValueError):
        pass
    return b" refs/tags/" in _read(common / "packed-refs", _MAX_PACKED)


def _first_line(path: Path) -> str:
    return _read(path, 4096).partition(b"\n")[0].decode("utf-8", "replace").strip()


def _read(path: Path, most: int) -> bytes:
    """The beginning of a regular file; nothing of anything else, such as a pipe, which would never end."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return b""
    try:
        return os.read(opened, most) if stat.S_ISREG(os.fstat(opened).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(opened)
