"""The only reader of the user's files: the folder of a project, its python sources and its git commit.

Nothing outside the repository is read, also not through symbolic links, and what is read is bounded in number and
size. What cannot be read is a diagnostic; nothing here runs code of the repository.
"""

from __future__ import annotations

import json
import os
import stat
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
    for folder in dict.fromkeys(sources or DEFAULT_SOURCES):
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
            self._fault("path-outside", f"the source `{folder}` is outside the repository", PROJECT_FILE, "name folders of the repository")
            return
        for path in sorted(self._walk(folder)):
            self._count += 1
            if self._count > MAX_FILES:
                self._fault("too-many-files", f"more than {MAX_FILES:,} YAML files", PROJECT_FILE, "narrow `spec.sources`")
                return
            yield from self.file(path)

    def _walk(self, folder: str) -> Iterator[str]:
        for here, folders, files in os.walk(self._root / folder):
            relative = Path(here).relative_to(self._root).as_posix()
            for name in list(folders):
                if name.startswith(".") or name in _SKIPPED:
                    folders.remove(name)
                elif Path(here, name).is_symlink():
                    self._fault("symlink", f"the folder `{name}` is a symbolic link and is not followed", f"{relative}/{name}", "move the folder here")
            yield from (f"{relative}/{name}" for name in files if name.endswith(_SUFFIXES) and not name.startswith("."))

    def file(self, path: str) -> Iterator[SourceFile]:
        """One file, if it can be read."""
        found = self.content(path)
        if found is not None:
            yield SourceFile(path, found)

    def content(self, path: str) -> bytes | None:
        """The bytes of a regular file inside the repository, one more than allowed at most."""
        whole = self._root / path
        try:
            if not self._inside(whole):
                self._fault("path-outside", "the file is a symbolic link out of the repository", path, "copy the file into the repository")
                return None
            if not stat.S_ISREG(whole.stat().st_mode):
                self._fault("unreadable-file", "this is no regular file", path, "remove it from the sources")
                return None
            with whole.open("rb") as stream:
                return stream.read(MAX_BYTES + 1)
        except (OSError, ValueError) as fault:
            reason = getattr(fault, "strerror", None) or "bad path"
            self._fault("unreadable-file", f"the file cannot be read: {reason.lower()}", path, "check its permissions")
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
    """kfgit's own JSON Schemas: in the package, or beside it in a checkout."""
    here = Path(__file__).parent
    folder = here / "schemas" if (here / "schemas").is_dir() else here.parent / "schemas"
    return {path.name: json.loads(path.read_bytes()) for path in sorted(folder.glob("*.schema.json"))}


def examples_folder() -> Path:
    """The example project that `kfgit init --template examples` writes."""
    here = Path(__file__).parent
    return here / "examples" if (here / "examples").is_dir() else here.parent


def git_state(root: Path) -> Mapping[str, Any]:
    """`sha`, `branch` and `tag` of the checkout; None outside git, and for what does not apply."""
    from git import GitError, InvalidGitRepositoryError, NoSuchPathError, Repo  # noqa: PLC0415 - 60 ms, rarely wanted

    try:
        with Repo(root, search_parent_directories=True) as repository:
            sha = repository.head.commit.hexsha
            branch = None if repository.head.is_detached else repository.active_branch.name
            tag = next((tag.name for tag in repository.tags if tag.commit.hexsha == sha), None)
    except (InvalidGitRepositoryError, NoSuchPathError, GitError, ValueError, OSError):
        return {"sha": None, "branch": None, "tag": None}
    return {"sha": sha, "branch": branch, "tag": tag}
