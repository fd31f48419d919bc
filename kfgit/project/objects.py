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
# So much is taken from git before it is handed on.
_MUCH = 8 * 1024 * 1024
_MAX_TREE = 32 * 1024 * 1024
_LACKING = (
    "an object of the commit is not in this clone, which is partial or damaged; fetch all of it "
    "(`git fetch --refetch`), or clone it anew"
)
_HEAD = re.compile(rb"[0-9a-f]{40,64} (?:commit|tree|blob|tag) (\d{1,18})\Z")


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

    def sizes(self, ids: Sequence[str]) -> list[int]:
        """How large objects are, in bytes."""
        return [size for some in _parts(ids) for size, _ in self._answers("--batch-check", some)]

    def contents(self, ids: Sequence[str], sizes: Sequence[int]) -> Iterator[bytes]:
        """What objects of these sizes hold; a few at a time are in memory."""
        some: list[str] = []
        total = 0
        for id_, size in zip(ids, sizes, strict=True):
            some.append(id_)
            total += size
            if len(some) == _AT_ONCE or total > _MUCH:
                yield from (content for _, content in self._answers("--batch", some))
                some, total = [], 0
        if some:
            yield from (content for _, content in self._answers("--batch", some))

    def tree(self, id_: str) -> Mapping[str, Entry]:
        """The names in a folder; `id_` may be any expression that names a tree."""
        if id_ not in self._trees:
            (size,) = sizes = self.sizes([id_])
            if size > _MAX_TREE:
                raise broken(f"a folder of the commit has more names than are read ({size} bytes of them)")
            (found,) = self.contents([id_], sizes)
            width = 32 if len(id_.partition("^")[0]) == 64 else 20
            self._trees[id_] = dict(_entries(found, width))
        return self._trees[id_]

    def _answers(self, mode: str, ids: Sequence[str]) -> list[tuple[int, bytes]]:
        """All answers to some questions: none may be left in the pipe, where the next one who asks would find it."""
        if mode not in self._asked:
            self._asked[mode] = _Process(self._root, mode)
        process = self._asked[mode]
        try:
            process.ask(ids)
            return [process.answer(whole=mode == "--batch") for _ in ids]
        except BaseException:
            self._asked.pop(mode).end()
            raise


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

    def answer(self, *, whole: bool) -> tuple[int, bytes]:
        """The size of the next object, and what it holds where that is told, too."""
        while (end := self._read.find(b"\n")) < 0:
            self._more()
        found = _HEAD.match(self._take(end))
        if found is None:
            raise broken(_LACKING)
        size = int(found.group(1))
        return size, self._take(size) if whole else b""

    def _take(self, count: int) -> bytes:
        """The next bytes, without the line feed that follows them."""
        while len(self._read) <= count:
            self._more()
        found = bytes(self._read[:count])
        del self._read[: count + 1]
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
