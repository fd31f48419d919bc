"""Two states of a project that is nowhere on disk, compared as two commits would be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfgit import comparison, diff, driver
from kfgit.diagnostics import Diagnostic
from kfgit.diff import EnvironmentDiff, ResourceChange, Seen
from kfgit.project import Content, Stamp, Tree
from kfgit.source import SourceFile, whole_file

Files = Mapping[str, str]

PROJECT = "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n"


@dataclass(frozen=True)
class Texts:
    """Files as an origin of a project; what ends in `.py` is there for documents to name."""

    files: Files
    commit: str | None = None
    root: Path = Path()
    branch: None = None

    def git(self) -> Mapping[str, Any]:
        return {"sha": self.commit, "branch": None, "tag": None}

    def read(self, sources: Collection[str] | None = None, only: Collection[str] | None = None) -> Tree:
        assert only is None
        chosen = [path for path in self.files if path == "kfgit.yaml" or sources != ()]
        read = (SourceFile(p, self.files[p].encode()) for p in chosen if p.endswith((".yaml", ".j2")))
        return Tree(self, tuple(read))

    def content(self, path: str) -> Content | Diagnostic:
        if path not in self.files:
            return Diagnostic("missing-file", f"there is no file `{path}`", whole_file(path))
        return Content(self.files[path].encode(), Stamp(0, 0, 0, 0))

    def has_folder(self, source: str) -> bool:
        return any(path.startswith(f"{source}/") for path in self.files)

    def rest(self) -> None:
        pass


def seen(files: Files, environment: str = driver.LOCAL, commit: str | None = None) -> Seen:
    """An environment of a project."""
    origin = Texts({"kfgit.yaml": PROJECT, **files}, commit)
    return comparison.seen(driver.load_from(origin), environment)


def between(before: Files, after: Files, environment: str = driver.LOCAL) -> EnvironmentDiff:
    """What differs between two states, each of which is a commit."""
    return diff.between(seen(before, environment, "a" * 40), seen(after, environment, "b" * 40))


def told(found: EnvironmentDiff) -> dict[str, str]:
    """What became of which resource."""
    return {f"{each.kind.lower()}/{each.name}": each.action for each in found.changes}


def change(found: EnvironmentDiff, name: str) -> ResourceChange:
    """The change of `kind/name`."""
    [one] = [each for each in found.changes if f"{each.kind.lower()}/{each.name}" == name]
    return one


def fields(found: ResourceChange) -> dict[str, tuple[Any, Any]]:
    """The fields outside of tasks, by path."""
    return {each.path: (each.before, each.after) for each in found.fields}
