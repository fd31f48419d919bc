"""The folder of a project: which files belong to it, what they hold, and what tells that they did not change."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from kfgit.diagnostics import Diagnostic
from kfgit.source import MAX_BYTES, SourceFile, whole_file

PROJECT_FILE = "kfgit.yaml"
DEFAULT_SOURCES = ("components", "pipelines", "environments")
MAX_FILES = 20_000
MAX_SOURCES = 100
MAX_TOTAL = 64 * 1024 * 1024
_SUFFIXES = (".yaml", ".yml", ".yaml.j2")
_SKIPPED = {"__pycache__", "node_modules"}


class Stamp(NamedTuple):
    """What tells that a file did not change without reading it, as in git's index. Times are in nanoseconds."""

    size: int
    modified: int
    changed: int
    inode: int


class Content(NamedTuple):
    """A file's bytes, one more than allowed at most, and its stamp from before they were read."""

    bytes: bytes
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Tree:
    """The YAML of a project, as it lies on disk."""

    root: Path
    files: tuple[SourceFile, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    # What is wrong with the folders; and the files once more, with their stamps.
    outline: tuple[Diagnostic, ...] = ()
    contents: Mapping[str, Content] = field(default_factory=dict)
    sources: tuple[str, ...] | None = None

    def part(self, paths: Collection[str]) -> Tree:
        """Some of the files."""
        files = tuple(file for file in self.files if file.path in paths)
        contents = {file.path: self.contents[file.path] for file in files}
        return replace(self, files=files, contents=contents)


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
    reader = _Reader(root.resolve())
    listed = list(reader.paths(sources)) if only is None else [(path, None) for path in only]
    outline = tuple(reader.diagnostics)
    found: dict[str, Content] = {}
    total = 0
    for path, entry in listed:
        regular = entry is not None and entry.is_file(follow_symlinks=False)
        content = (reader.plainly(path) if regular else None) or reader.content(path)
        if content is not None:
            found[path] = content
            total += len(content.bytes)
        if total > MAX_TOTAL:
            reader.too_many(f"more than {MAX_TOTAL // 1048576} MiB of YAML")
            break
    return Tree(
        root,
        tuple(SourceFile(path, content.bytes) for path, content in found.items()),
        tuple(reader.diagnostics),
        outline,
        found,
        tuple(sources) if sources is not None else None,
    )


def survey(root: Path, sources: Collection[str] | None = None) -> Survey:
    """The same files as `read` finds, not opened."""
    reader = _Reader(root.resolve())
    stamps = {path: reader.stamp(path, entry) for path, entry in reader.paths(sources)}
    return Survey(stamps, tuple(reader.diagnostics))


def stamp(root: Path, path: str) -> Stamp | None:
    """The stamp of any file of the repository."""
    return _Reader(root.resolve()).stamp(path, None)


def content(root: Path, path: str) -> Content | Diagnostic:
    """Any file inside the repository, or why it cannot be read."""
    reader = _Reader(root.resolve())
    found = reader.content(path)
    return found if found is not None else reader.diagnostics[0]


def is_outside(source: str) -> bool:
    """Whether a source leads out of the repository by what it says alone."""
    way = Path(os.path.normpath(source))
    return way.is_absolute() or way.parts[:1] == ("..",)


def has_folder(root: Path, source: str) -> bool:
    """Whether a source is there."""
    return (root / source).is_dir()


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.diagnostics: list[Diagnostic] = []

    def paths(self, sources: Collection[str] | None) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
        """`kfgit.yaml` and the YAML files of the sources, each once, in order; none of too many."""
        yield PROJECT_FILE, None
        found: dict[str, os.DirEntry[str]] = {}
        for number, source in enumerate(dict.fromkeys(DEFAULT_SOURCES if sources is None else sources)):
            if number == MAX_SOURCES:
                self.too_many(f"more than {MAX_SOURCES} sources")
                return
            if is_outside(source):
                continue  # told where it is written
            folder = os.path.normpath(source)
            if not self._inside(self._root / folder):
                self._fault(
                    "path-outside",
                    f"the source `{source}` is outside the repository",
                    PROJECT_FILE,
                    "name folders of the repository",
                )
                continue
            for path, entry in sorted(self._walk(folder), key=lambda found: found[0]):
                if path != PROJECT_FILE:
                    found.setdefault(path, entry)
            if len(found) > MAX_FILES:
                self.too_many(f"more than {MAX_FILES:,} YAML files")
                return
        yield from found.items()

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
                    if name.endswith(_SUFFIXES):
                        yield f"{relative}{name}", entry
                elif entry.is_symlink():
                    self._fault(
                        "symlink",
                        f"the folder `{name}` is a symbolic link and is not followed",
                        f"{relative}{name}",
                        "move the folder here",
                    )
                elif name not in _SKIPPED:
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

    def plainly(self, path: str) -> Content | None:
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
            # What lies there may be another thing by now: whoever opens a pipe without this waits for its writer.
            opened = os.open(whole.resolve(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(opened, "rb") as stream:
                stamp = _stamp(os.fstat(opened))
                return Content(stream.read(MAX_BYTES + 1), stamp)
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

    def too_many(self, what: str) -> None:
        """Tells that the project has more than is read."""
        self._fault("too-many-files", what, PROJECT_FILE, "narrow `spec.sources`")

    def _fault(self, code: str, message: str, path: str, help_: str) -> None:
        self.diagnostics.append(Diagnostic(code, message, whole_file(path), help_))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; links that lead nowhere, or to each other, are files that fail."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
