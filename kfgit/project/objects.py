"""Git's objects by their ids, through two processes of git-cat-file(1): one that tells sizes, one that gives content.

An object's size is asked before its content, so that nobody can make git unpack more than is wanted.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from kfgit.project import plumbing
from kfgit.project.plumbing import broken

# As many questions fit into a pipe together, so that none waits for an answer to be read.
_AT_ONCE = 400
_MAX_TREE = 32 * 1024 * 1024
_LACKING = (
    "an object of the commit is not in this clone, which is partial or damaged; fetch all of it "
    "(`git fetch --refetch`), or clone it anew"
)
_HEAD = re.compile(rb"([0-9a-f]{40,64}) (commit|tree|blob|tag) (\d{1,18})\Z")


class Entry(NamedTuple):
    """What a tree says of a name (git-fast-import(1) lists the modes)."""

    mode: str
    id: str

    @property
    def is_tree(self) -> bool:
        """A folder."""
        return self.mode == "40000"

    @property
    def is_link(self) -> bool:
        """A symbolic link."""
        return self.mode == "120000"

    @property
    def is_submodule(self) -> bool:
        """A commit of another repository."""
        return self.mode == "160000"


class Objects:
    """The objects of one repository. Raises `MachineFault` for one that is not there."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._asked: dict[str, _Process] = {}
        self._trees: dict[str, Mapping[str, Entry]] = {}

    def close(self) -> None:
        """Ends git."""
        for process in self._asked.values():
            process.end()
        self._asked.clear()

    def sizes(self, ids: Sequence[str]) -> Iterator[int]:
        """How large objects are, in bytes."""
        told = self._process("--batch-check")
        for some in _parts(ids):
            told.ask(some)
            yield from (told.head().size for _ in some)

    def contents(self, ids: Sequence[str]) -> Iterator[bytes]:
        """What objects hold, whatever their size."""
        told = self._process("--batch")
        for some in _parts(ids):
            told.ask(some)
            for _ in some:
                yield told.body(told.head().size)

    def tree(self, id_: str) -> Mapping[str, Entry]:
        """The names in a folder; `id_` may be any expression that names a tree."""
        if id_ not in self._trees:
            (size,) = self.sizes([id_])
            if size > _MAX_TREE:
                raise broken(f"a folder of the commit has more names than are read ({size} bytes of them)")
            (found,) = self.contents([id_])
            width = 32 if len(id_.partition("^")[0]) == 64 else 20
            self._trees[id_] = dict(_entries(found, width))
        return self._trees[id_]

    def _process(self, mode: str) -> _Process:
        if mode not in self._asked:
            self._asked[mode] = _Process(self._root, mode)
        return self._asked[mode]


class _Head(NamedTuple):
    kind: str
    size: int


class _Process:
    """A running `git cat-file`."""

    def __init__(self, root: Path, mode: str) -> None:
        self._git = plumbing.start(root, "cat-file", mode, stdin=subprocess.PIPE)
        self._read = bytearray()

    def ask(self, ids: Sequence[str]) -> None:
        """Asks for objects, whose answers come in the same order."""
        assert self._git.stdin is not None
        try:
            self._git.stdin.write("".join(f"{id_}\n" for id_ in ids).encode())
        except OSError as fault:
            raise broken(_LACKING) from fault

    def head(self) -> _Head:
        """What is told of an object before its content."""
        while (end := self._read.find(b"\n")) < 0:
            self._more()
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        found = _HEAD.match(line)
        if found is None:
            raise broken(_LACKING)
        return _Head(found.group(2).decode(), int(found.group(3)))

    def body(self, size: int) -> bytes:
        """The content that follows a head, and the line feed behind it."""
        while len(self._read) <= size:
            self._more()
        found = bytes(self._read[:size])
        del self._read[: size + 1]
        return found

    def _more(self) -> None:
        found = plumbing.receive(self._git, time.monotonic() + plumbing.SECONDS)
        if not found:
            raise broken(_LACKING)
        self._read += found

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self._git.kill()
        for stream in (self._git.stdin, self._git.stdout):
            if stream is not None:
                stream.close()
        self._git.wait()


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def _entries(tree: bytes, width: int) -> Iterator[tuple[str, Entry]]:
    """The names of a tree object: mode, space, name, NUL, and the id as bytes (gitformat-pack(5))."""
    start = 0
    while start < len(tree):
        space = tree.find(b" ", start)
        end = tree.find(b"\0", space)
        if space < 0 or end < 0 or end + 1 + width > len(tree):
            raise broken("a folder of the commit is damaged; `git fsck` says what is wrong")
        name = tree[space + 1 : end].decode("utf-8", "surrogateescape")
        if name not in {"", ".", ".."} and "/" not in name:
            mode = tree[start:space].lstrip(b"0").decode("ascii", "replace")
            yield name, Entry(mode, tree[end + 1 : end + 1 + width].hex())
        start = end + 1 + width
