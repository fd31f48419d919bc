"""The folder of a project: which files belong to it, what they hold, and what tells that they did not change."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kfgit.diagnostics import Diagnostic
from kfgit.project import git
from kfgit.project.tree import PROJECT_FILE, SKIPPED, SUFFIXES, Content, Faults, Stamp, Tree, gathered, listed
from kfgit.source import MAX_BYTES


@dataclass(frozen=True, slots=True)
class Folder:
    """A project as it lies on disk; see `tree.Origin`."""

    root: Path

    @property
    def commit(self) -> str | None:
        """The commit that is checked out."""
        return git.commit(self.root)

    @property
    def branch(self) -> str | None:
        """The branch that is checked out."""
        return git.branch(self.root)

    def git(self) -> Mapping[str, Any]:
        """`sha`, `branch` and `tag` of the checkout."""
        return git.git_state(self.root)

    def read(self, sources: Collection[str] | None = None, only: Collection[str] | None = None) -> Tree:
        """The YAML of the folder."""
        reader = _Reader(self.root.resolve())
        paths = list(reader.paths(sources)) if only is None else [(path, None) for path in only]
        return gathered(self, reader.contents(paths), sources, reader.faults)

    def content(self, path: str) -> Content | Diagnostic:
        """A file of the folder."""
        return content(self.root, path)

    def has_folder(self, source: str) -> bool:
        """Whether a folder is there."""
        return has_folder(self.root, source)

    def rest(self) -> None:
        """A folder needs nothing to be read."""


class Survey(NamedTuple):
    """The YAML of a project without what it holds; None for a file that has no stamp."""

    stamps: Mapping[str, Stamp | None]
    diagnostics: tuple[Diagnostic, ...]


def find_root(start: Path) -> Path | None:
    """The folder with `kfgit.yaml`, from `start` upwards."""
    here = start.absolute()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    return None


def read(root: Path, sources: Collection[str] | None = None, only: Collection[str] | None = None) -> Tree:
    """All YAML below the project's sources, in the order of paths; of that `only` some, if they are named."""
    return Folder(root).read(sources, only)


def survey(root: Path, sources: Collection[str] | None = None) -> Survey:
    """The same files as `read` finds, not opened."""
    reader = _Reader(root.resolve())
    stamps = {path: reader.stamp(path, entry) for path, entry in reader.paths(sources)}
    return Survey(stamps, tuple(reader.faults))


def stamp(root: Path, path: str) -> Stamp | None:
    """The stamp of any file of the repository."""
    return _Reader(root.resolve()).stamp(path, None)


def content(root: Path, path: str) -> Content | Diagnostic:
    """Any file inside the repository, or why it cannot be read."""
    reader = _Reader(root.resolve())
    found = reader.content(path)
    return found if found is not None else reader.faults[0]


def has_folder(root: Path, source: str) -> bool:
    """Whether a source is there."""
    return (root / source).is_dir()


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.faults = Faults()

    def paths(self, sources: Collection[str] | None) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
        """`kfgit.yaml` and the YAML files of the sources."""
        return listed(sources, lambda folder: self._inside(self._root / folder), self._walk, self.faults)

    def contents(
        self, paths: Collection[tuple[str, os.DirEntry[str] | None]]
    ) -> Iterator[tuple[str, Content]]:
        """What files hold; those that cannot be read are told."""
        for path, entry in paths:
            regular = entry is not None and entry.is_file(follow_symlinks=False)
            found = (self._plainly(path) if regular else None) or self.content(path)
            if found is not None:
                yield path, found

    def _walk(self, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """The YAML files below a folder."""
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
                if not _is_folder(entry):
                    if name.endswith(SUFFIXES):
                        yield f"{relative}{name}", entry
                elif entry.is_symlink():
                    self.faults.linked_folder(f"{relative}{name}")
                elif name not in SKIPPED:
                    waiting.append((entry.path, f"{relative}{name}/"))

    def stamp(self, path: str, entry: os.DirEntry[str] | None) -> Stamp | None:
        """The stamp of a file, or of what a link points at."""
        try:
            if entry is not None and entry.is_file(follow_symlinks=False):
                return _stamp(entry.stat(follow_symlinks=False))
            whole = self._root / path
            return _stamp(whole.stat()) if self._inside(whole) else None
        except (OSError, ValueError):
            return None

    def _plainly(self, path: str) -> Content | None:
        """A file that was just seen to be a regular one; None where it is none any more."""
        try:
            opened = os.open(
                f"{self._root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except OSError:
            return None
        try:
            stamp = _stamp(os.fstat(opened))
            wanted = min(stamp.size, MAX_BYTES + 1)
            found = os.read(opened, wanted + 1)
        except OSError:
            return None
        finally:
            os.close(opened)
        return Content(found[: MAX_BYTES + 1], stamp) if len(found) >= wanted else None

    def content(self, path: str) -> Content | None:
        """A regular file inside the repository."""
        whole = self._root / path
        try:
            if not self._inside(whole):
                self.faults.linked_out(path)
                return None
            if not stat.S_ISREG(whole.stat().st_mode):
                self.faults.fault(
                    "unreadable-file", "this is no regular file", path, "remove it from the sources"
                )
                return None
            # What lies there may be another thing by now: whoever opens a pipe without this waits for its writer.
            opened = os.open(whole.resolve(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(opened, "rb") as stream:
                stamp = _stamp(os.fstat(opened))
                return Content(stream.read(MAX_BYTES + 1), stamp)
        except (OSError, ValueError) as fault:
            reason = getattr(fault, "strerror", None) or "bad path"
            message = f"the file cannot be read: {reason.lower()}"
            self.faults.fault("unreadable-file", message, path, "check its permissions")
            return None

    def _inside(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self._root)
        except (OSError, RuntimeError, ValueError):
            return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; links that lead nowhere, or to each other, are files that fail."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
