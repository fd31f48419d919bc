"""The only reader of the user's files: the folder of a project, its python sources and its git commit.

Nothing outside the repository is read, also not through symbolic links, and what is read is bounded in number and
size. What cannot be read is a diagnostic; nothing here runs code of the repository.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kfgit.diagnostics import Diagnostic
from kfgit.document import MAX_BYTES
from kfgit.source import SourceFile, whole_file

PROJECT_FILE = "kfgit.yaml"
DEFAULT_SOURCES = ("components", "pipelines", "environments")
MAX_FILES = 50_000
_SUFFIXES = (".yaml", ".yml", ".yaml.j2")
_SKIPPED = {"__pycache__", "node_modules"}
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")


@dataclass(frozen=True, slots=True)
class Tree:
    """The YAML of a project, as it lies on disk."""

    root: Path
    files: tuple[SourceFile, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


def find_root(start: Path) -> Path | None:
    """The folder with `kfgit.yaml`, from `start` upwards."""
    here = start.absolute()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    return None


def read(root: Path, sources: tuple[str, ...] | None = None) -> Tree:
    """All YAML below the project's sources, in the order of paths."""
    reader = _Reader(root.resolve())
    files = [*reader.file(PROJECT_FILE)]
    for folder in dict.fromkeys(DEFAULT_SOURCES if sources is None else sources):
        files += reader.folder(folder)
    return Tree(root, tuple(dict.fromkeys(files)), tuple(reader.diagnostics))


def python_source(root: Path, path: str) -> str | None:
    """The text of a python file inside the repository; None if there is none to be read."""
    found = _Reader(root.resolve()).content(path)
    if found is None:
        return None
    try:
        return found.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._count = 0
        self.diagnostics: list[Diagnostic] = []

    def folder(self, folder: str) -> Iterator[SourceFile]:
        """The YAML files below a folder of the repository."""
        if not self._inside(self._root / folder):
            self._fault(
                "path-outside",
                f"the source `{folder}` is outside the repository",
                PROJECT_FILE,
                "name folders of the repository",
            )
            return
        for path, regular in sorted(self._walk(folder)):
            self._count += 1
            if self._count > MAX_FILES:
                self._fault(
                    "too-many-files",
                    f"more than {MAX_FILES:,} YAML files",
                    PROJECT_FILE,
                    "narrow `spec.sources`",
                )
                return
            yield from self.file(path, regular=regular)

    def _walk(self, folder: str) -> Iterator[tuple[str, bool]]:
        """The YAML files below a folder, and of each whether it is a regular file and no link."""
        start = self._root / folder
        if not start.is_relative_to(self._root):  # written in full, through a link
            start = start.resolve()
        relative = start.relative_to(self._root).as_posix()
        waiting = [(str(start), "" if relative == "." else f"{relative}/")]
        while waiting:
            here, relative = waiting.pop()
            try:
                with os.scandir(here) as entries:
                    found = list(entries)
            except OSError:
                continue  # a source that is not there is no mistake
            for entry in found:
                name = entry.name
                if name.startswith("."):
                    continue
                if not entry.is_dir():
                    if name.endswith(_SUFFIXES):
                        yield f"{relative}{name}", entry.is_file(follow_symlinks=False)
                elif entry.is_symlink():
                    self._fault(
                        "symlink",
                        f"the folder `{name}` is a symbolic link and is not followed",
                        f"{relative}{name}",
                        "move the folder here",
                    )
                elif name not in _SKIPPED:
                    waiting.append((entry.path, f"{relative}{name}/"))

    def file(self, path: str, *, regular: bool = False) -> Iterator[SourceFile]:
        """One file, if it can be read."""
        found = self._plainly(path) if regular else None
        if found is None:
            found = self.content(path)
        if found is not None:
            yield SourceFile(path, found)

    def _plainly(self, path: str) -> bytes | None:
        """The bytes of a file that was just seen to be a regular one; None where it is none any more."""
        try:
            opened = os.open(
                f"{self._root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except OSError:
            return None
        try:
            size = os.fstat(opened).st_size
            content = os.read(opened, min(size, MAX_BYTES) + 1)
        except OSError:
            return None
        finally:
            os.close(opened)
        return content if len(content) == min(size, MAX_BYTES + 1) else None

    def content(self, path: str) -> bytes | None:
        """The bytes of a regular file inside the repository, one more than allowed at most."""
        whole = self._root / path
        try:
            if not self._inside(whole):
                self._fault(
                    "path-outside",
                    "the file is a symbolic link out of the repository",
                    path,
                    "copy the file into the repository",
                )
                return None
            if not stat.S_ISREG(whole.stat().st_mode):
                self._fault("unreadable-file", "this is no regular file", path, "remove it from the sources")
                return None
            with whole.open("rb") as stream:
                return stream.read(MAX_BYTES + 1)
        except (OSError, ValueError) as fault:
            reason = getattr(fault, "strerror", None) or "bad path"
            self._fault(
                "unreadable-file", f"the file cannot be read: {reason.lower()}", path, "check its permissions"
            )
            return None

    def _inside(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self._root)
        except (OSError, RuntimeError, ValueError):
            return False

    def _fault(self, code: str, message: str, path: str, help_: str) -> None:
        self.diagnostics.append(Diagnostic(code, message, whole_file(path), help_))


@lru_cache(maxsize=1)
def schema_files() -> Mapping[str, Any]:
    """Kfgit's own JSON Schemas: in the package, or beside it in a checkout."""
    here = Path(__file__).parent
    folder = here / "schemas" if (here / "schemas").is_dir() else here.parent / "schemas"
    return {path.name: json.loads(path.read_bytes()) for path in sorted(folder.glob("*.schema.json"))}


def examples_folder() -> Path:
    """The example project that `kfgit init --template examples` writes."""
    here = Path(__file__).parent
    return here / "examples" if (here / "examples").is_dir() else here.parent


def git_state(root: Path) -> Mapping[str, Any]:
    """`sha`, `branch` and `tag` of the checkout; None outside git, and for what does not apply.

    Git's own files are read (gitrepository-layout(5)), for a process costs more than all of them; only where there are
    tags, git is asked which of them stand here.
    """
    git = _git_folder(root.absolute())
    branch, sha = _head(git) if git is not None else (None, None)
    return {"sha": sha, "branch": branch, "tag": _tag(root, git) if git is not None and sha else None}


def commit(root: Path) -> str | None:
    """The commit that is checked out; None outside git and before the first commit."""
    git = _git_folder(root.absolute())
    return _head(git)[1] if git is not None else None


def _git_folder(root: Path) -> Path | None:
    """`.git`, from `root` upwards; a worktree and a submodule have a file that names it."""
    for folder in (root, *root.parents):
        found = folder / ".git"
        if found.is_file() and (told := _first_line(found)).startswith("gitdir: "):
            return folder / told.removeprefix("gitdir: ")
        if (found / "HEAD").exists():
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
    common = _common(git)
    for folder in dict.fromkeys((git, common)):
        told = _first_line(folder / name)
        if _SHA.match(told):
            return told
    try:
        packed = (common / "packed-refs").read_text("utf-8", "replace")
    except OSError:
        return None
    found = re.search(rf"^([0-9a-f]{{40,64}}) {re.escape(name)}$", packed, re.MULTILINE)
    return found.group(1) if found else None


def _common(git: Path) -> Path:
    """What all worktrees of a repository share."""
    told = _first_line(git / "commondir")
    return git / told if told else git


def _tag(root: Path, git: Path) -> str | None:
    if not _has_tags(_common(git)):
        return None
    asked = [
        "git",
        "for-each-ref",
        "--points-at=HEAD",
        "--count=1",
        "--format=%(refname:lstrip=2)",
        "refs/tags",
    ]
    try:
        told = subprocess.run(asked, cwd=root, capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.decode("utf-8", "replace").strip() or None


def _has_tags(common: Path) -> bool:
    try:
        if next((common / "refs" / "tags").iterdir(), None) is not None:
            return True
    except OSError:
        pass
    try:
        return b" refs/tags/" in (common / "packed-refs").read_bytes()
    except OSError:
        return False


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.readline(4096).decode("utf-8", "replace").strip()
    except OSError:
        return ""
