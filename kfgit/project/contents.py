"""The files of one commit: what lies at a path, and which paths there are.

Links lead nowhere but inside the project, submodules are other repositories, and what a hostile tree may cost is
bounded as it is for folders.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from kfgit.project.objects import Entry, Objects
from kfgit.project.tree import SKIPPED, SUFFIXES, Content, Faults, Stamp, listed
from kfgit.source import MAX_BYTES

# So many names below the sources are looked at; an equal tree may stand in a commit any number of times.
MAX_NAMES = 200_000
_MAX_LINKS = 40
_MAX_TARGET = 4096


class Astray(Exception):
    """A path leads to nothing that can be read; `outside` where it leaves the project."""

    def __init__(
        self, message: str, help_: str = "", *, outside: bool = False, code: str = "unreadable-file"
    ) -> None:
        super().__init__(message)
        self.help, self.outside, self.code = help_, outside, code


class Reader:
    """The files of the project at `prefix` in a commit; `faults` has what is wrong with them."""

    def __init__(self, objects: Objects, commit: str, prefix: str) -> None:
        self._objects, self._commit, self._prefix = objects, commit, prefix
        self.faults = Faults()

    def paths(self, sources: Collection[str] | None) -> Iterator[tuple[str, None]]:
        """`kfgit.yaml` and the YAML files of the sources."""
        return listed(sources, self._inside, self._walk, self.faults)

    def contents(self, paths: Collection[str]) -> Iterator[tuple[str, Content]]:
        """What files hold; those that cannot be read are told, and of too large ones nothing is read."""
        found: dict[str, str] = {}
        for path in paths:
            try:
                found[path] = self._file(path)
            except Astray as why:
                if why.outside:
                    self.faults.linked_out(path)
                else:
                    self.faults.fault(why.code, f"the file cannot be read: {why}", path, why.help)
        sizes = dict(zip(found, self._objects.sizes(list(found.values())), strict=True))
        small = [path for path in found if sizes[path] <= MAX_BYTES]
        bodies = self._objects.contents([found[path] for path in small], [sizes[path] for path in small])
        for path in found:
            body = next(bodies) if sizes[path] <= MAX_BYTES else b"\n" * (MAX_BYTES + 1)
            yield path, Content(body, Stamp(sizes[path], 0, 0, 0))

    def entry(self, path: str) -> Entry:
        """What lies at a path of the project. Links are followed as long as they stay inside."""
        waiting = path.split("/")[::-1]
        way = [self._top()]
        links = 0
        while waiting:
            name = waiting.pop()
            if name in {"", "."}:
                continue
            if name == "..":
                way.pop()
                if not way:
                    raise Astray("it leaves the project", outside=True)
                continue
            found = self._below(way[-1], name)
            if not found.is_link:
                way.append(found)
                continue
            links += 1
            target = self._target(found)
            if target.startswith("/"):
                raise Astray("it leaves the project", outside=True)
            if links > _MAX_LINKS:
                raise Astray("too many levels of symbolic links", "remove the link")
            waiting += target.split("/")[::-1]
        return way[-1]

    def _top(self) -> Entry:
        """The project's own folder, which may lie below the repository's."""
        here = Entry("40000", f"{self._commit}^{{tree}}")
        for name in filter(None, self._prefix.split("/")):
            here = self._below(here, name)
        return here

    def _below(self, folder: Entry, name: str) -> Entry:
        if folder.is_submodule:
            raise Astray("it is in a submodule, and submodules are not read", "copy the file here")
        found = self._objects.tree(folder.id).get(name) if folder.is_tree else None
        if found is None:
            help_ = "commit it; what is not committed does not count"
            raise Astray(f"it is not in commit {self._commit[:10]}", help_, code="file-not-found")
        return found

    def _target(self, link: Entry) -> str:
        (size,) = sizes = self._objects.sizes([link.id])
        if size > _MAX_TARGET:
            raise Astray("the link is longer than any path", "remove the link")
        (target,) = self._objects.contents([link.id], sizes)
        return os.fsdecode(target)

    def _file(self, path: str) -> str:
        found = self.entry(path)
        if found.is_tree or found.is_submodule:
            raise Astray("it is a folder", "name a file")
        return found.id

    def _inside(self, folder: str) -> bool:
        try:
            self.entry(folder)
        except Astray as why:
            return not why.outside
        return True

    def _walk(self, folder: str) -> Iterator[tuple[str, None]]:
        """The YAML files below a folder."""
        try:
            start = self.entry(folder)
        except Astray:
            return  # a source that is not there is no mistake
        waiting = [(start, "" if folder == "." else f"{folder}/")]
        seen = 0
        while waiting:
            here, relative = waiting.pop()
            if here.is_submodule:
                self._submodule(relative.removesuffix("/"))
                continue
            for name, entry in self._objects.tree(here.id).items() if here.is_tree else ():
                seen += 1
                path = f"{relative}{name}"
                if name.startswith("."):
                    continue
                if entry.is_link and self._leads_to_folder(path):
                    self.faults.linked_folder(path)
                elif entry.is_tree or entry.is_submodule:
                    waiting += [(entry, f"{path}/")] if name not in SKIPPED else []
                elif name.endswith(SUFFIXES):
                    yield path, None
            if seen > MAX_NAMES:
                self.faults.too_many(f"more than {MAX_NAMES:,} files and folders below `{folder}`")
                return

    def _leads_to_folder(self, path: str) -> bool:
        try:
            return self.entry(path).is_tree
        except Astray:
            return False

    def _submodule(self, path: str) -> None:
        message = f"the folder `{path.rpartition('/')[2]}` is a submodule, and submodules are not read"
        self.faults.fault(
            "submodule", message, path, "copy its documents here, or leave it out of `spec.sources`"
        )
