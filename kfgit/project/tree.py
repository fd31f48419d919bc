"""Where a project's files come from, its folder or a commit, and what of them is read: the same from both."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from kfgit.diagnostics import Diagnostic
from kfgit.source import SourceFile, whole_file

T = TypeVar("T")

PROJECT_FILE = "kfgit.yaml"
DEFAULT_SOURCES = ("components", "pipelines", "environments")
MAX_FILES = 20_000
MAX_SOURCES = 100
MAX_TOTAL = 64 * 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".yaml.j2")
SKIPPED = frozenset({"__pycache__", "node_modules"})
# The first line of what Git LFS keeps in place of a file (git-lfs docs/spec.md, "The Pointer").
_POINTER = b"version https://git-lfs.github.com/spec/"


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


class Origin(Protocol):
    """Where a project's files come from."""

    @property
    def root(self) -> Path:
        """The project's folder, where targets keep what is theirs, also when the files come from a commit."""

    @property
    def commit(self) -> str | None:
        """The commit that is read, or that is checked out; None outside git and before the first one."""

    @property
    def branch(self) -> str | None:
        """The branch that the commit was asked for by, or that is checked out; None where nobody knows."""

    def git(self) -> Mapping[str, Any]:
        """`sha`, `branch` and `tag` of that commit, for templates; None for what does not apply."""

    def read(self, sources: Collection[str] | None = None, only: Collection[str] | None = None) -> Tree:
        """All YAML below the project's sources, in the order of paths; of that `only` some, if they are named."""

    def content(self, path: str) -> Content | Diagnostic:
        """Any file inside the repository, or why it cannot be read."""

    def has_folder(self, source: str) -> bool:
        """Whether a source is there."""

    def rest(self) -> None:
        """Ends what was started to read; whoever wants more starts it again."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The YAML of a project."""

    origin: Origin
    files: tuple[SourceFile, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    # What is wrong with the folders; and the files once more, with their stamps.
    outline: tuple[Diagnostic, ...] = ()
    contents: Mapping[str, Content] = field(default_factory=dict)
    sources: tuple[str, ...] | None = None

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.origin.root

    def part(self, paths: Collection[str]) -> Tree:
        """Some of the files."""
        files = tuple(file for file in self.files if file.path in paths)
        contents = {file.path: self.contents[file.path] for file in files}
        return replace(self, files=files, contents=contents)


def is_pointer(content: bytes) -> bool:
    """Whether this is what Git LFS keeps in place of a file."""
    return content.startswith(_POINTER)


def is_outside(source: str) -> bool:
    """Whether a source leads out of the repository by what it says alone."""
    way = Path(os.path.normpath(source))
    return way.is_absolute() or way.parts[:1] == ("..",)


class Faults(list[Diagnostic]):
    """What is wrong with files, in the order in which it was found."""

    def fault(self, code: str, message: str, path: str, help_: str) -> None:
        """Something is wrong with a whole file or folder."""
        self.append(Diagnostic(code, message, whole_file(path), help_))

    def too_many(self, what: str) -> None:
        """The project has more than is read; said once, for nothing is read after that."""
        if all(fault.code != "too-many-files" for fault in self):
            self.fault("too-many-files", what, PROJECT_FILE, "narrow `spec.sources`")

    def linked_folder(self, path: str) -> None:
        """A folder below a source is a link."""
        message = f"the folder `{path.rpartition('/')[2]}` is a symbolic link and is not followed"
        self.fault("symlink", message, path, "move the folder here")

    def linked_out(self, path: str) -> None:
        """A file is a link that leads out of the project."""
        message = "the file is a symbolic link out of the repository"
        self.fault("path-outside", message, path, "copy the file into the repository")


def listed(
    sources: Collection[str] | None,
    inside: Callable[[str], bool],
    walk: Callable[[str], Iterable[tuple[str, T]]],
    faults: Faults,
) -> Iterator[tuple[str, T | None]]:
    """`kfgit.yaml` and the YAML files of the sources, each once, in order; none of too many."""
    yield PROJECT_FILE, None
    found: dict[str, T] = {}
    for number, source in enumerate(dict.fromkeys(DEFAULT_SOURCES if sources is None else sources)):
        if number == MAX_SOURCES:
            faults.too_many(f"more than {MAX_SOURCES} sources")
            return
        if is_outside(source):
            continue  # told where it is written
        folder = os.path.normpath(source)
        if not inside(folder):
            message = f"the source `{source}` is outside the repository"
            faults.fault("path-outside", message, PROJECT_FILE, "name folders of the repository")
            continue
        for path, entry in sorted(walk(folder), key=lambda found: found[0]):
            if path != PROJECT_FILE:
                found.setdefault(path, entry)
        if len(found) > MAX_FILES:
            faults.too_many(f"more than {MAX_FILES:,} YAML files")
            return
    yield from found.items()


def gathered(
    origin: Origin, found: Iterable[tuple[str, Content]], sources: Collection[str] | None, faults: Faults
) -> Tree:
    """What was read, up to the bound on all of it together."""
    outline = tuple(faults)
    contents: dict[str, Content] = {}
    total = 0
    for path, content in found:
        contents[path] = content
        total += len(content.bytes)
        if total > MAX_TOTAL:
            faults.too_many(f"more than {MAX_TOTAL // 1048576} MiB of YAML")
            break
    files = tuple(SourceFile(path, content.bytes) for path, content in contents.items())
    named = tuple(sources) if sources is not None else None
    return Tree(origin, files, tuple(faults), outline, contents, named)
