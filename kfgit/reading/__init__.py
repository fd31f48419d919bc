"""Everything that was read: a project's files as documents, before any environment looks at them.

files → nodes → documents with kind and name → what is wrong with the project itself
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from kfgit import document, overlay, project
from kfgit.diagnostics import Checked, Diagnostic, bounded_help, ordered
from kfgit.document import Document, Node, Sequence, at, plain
from kfgit.packages import compiled
from kfgit.reading.faults import faults_of, schemas
from kfgit.reading.repository import LOCAL, Forms, Repository, pointer, wants_git
from kfgit.source import SourceFile

__all__ = [
    "LOCAL",
    "Forms",
    "Parser",
    "Repository",
    "load",
    "load_from",
    "names_in",
    "parse",
    "read",
    "schemas",
    "sources_in",
    "sources_of",
    "sources_said",
    "wants_git",
]


# How a file becomes documents; whoever reads several commits remembers what came of each text.
Parser: TypeAlias = Callable[[SourceFile], Checked[tuple[Document, ...]]]


def load(root: Path, only: Collection[str] | None = None) -> Repository:
    """Reads and parses a project, or `only` some of its files, and finds out which document is what."""
    return parse(read(root, only))


def load_from(origin: project.Origin, parser: Parser = document.parse) -> Repository:
    """As `load`, from wherever the files are."""
    return parse(origin.read(sources_in(origin)), parser)


def read(root: Path, only: Collection[str] | None = None) -> project.Tree:
    """The files of a project, or `only` some of them."""
    return project.read(root, sources_of(root), only)


@bounded_help()
def parse(tree: project.Tree, parser: Parser = document.parse) -> Repository:
    """Which documents stand in files that were read, and what is wrong with them by themselves."""
    documents: list[Document] = []
    faults = list(tree.diagnostics)
    broken: set[tuple[str, str]] = set()
    templates = tuple(
        file
        for file in tree.files
        if file.path.endswith(overlay.TEMPLATE_SUFFIX) and not project.is_pointer(file.content)
    )
    for file in tree.files:
        if project.is_pointer(file.content):
            faults.append(pointer(file.path))
            continue
        if file.path.endswith(overlay.TEMPLATE_SUFFIX):
            continue  # made anew for each environment
        parsed = parser(file)
        documents += parsed.value
        faults += _without_packages(parsed)
        if not parsed.ok:
            broken |= {("*", name) for name in names_in(file.content)}
    located = overlay.locate(documents)
    faults += located.diagnostics
    broken |= {(found.kind, found.name) for found in located.value if found.unsound}
    broken |= {("*", name) for name in map(_home_of, located.diagnostics) if name is not None}
    repository = Repository(
        tree.root,
        {f.path: f.content for f in tree.files},
        located.value,
        tuple(faults),
        frozenset(broken),
        templates,
        tree=tree,
    )
    return replace(repository, diagnostics=ordered((*faults, *faults_of(repository))))


def _without_packages(parsed: Checked[tuple[Document, ...]]) -> Iterator[Diagnostic]:
    """What YAML 1.1 and 1.2 read differently is no surprise in what KFP's compiler wrote: `packages` knows it."""
    written_by_kfp = all(compiled.is_package(found.root) for found in parsed.value)
    return (fault for fault in parsed.diagnostics if not written_by_kfp or fault.code != "yaml-1.1")


def _home_of(fault: Diagnostic) -> str | None:
    """The environment in whose folder a document is that may be its own, but has a faulty head."""
    folder, _, rest = fault.span.file.partition("/")
    return re.split(r"[./]", rest)[0] if folder == "environments" and fault.severity == "error" else None


def sources_of(root: Path) -> tuple[str, ...] | None:
    """The folders of a project's YAML, as `kfgit.yaml` names them; None where it does not."""
    return sources_in(project.Folder(root))


def sources_in(origin: project.Origin) -> tuple[str, ...] | None:
    """The same of the files of an origin."""
    first = origin.read(())
    return _sources(first.files[0].content) if first.files else None


def _sources(content: bytes) -> tuple[str, ...] | None:
    parsed = document.parse(SourceFile(project.PROJECT_FILE, content)).value
    return sources_said(parsed[0].root) if parsed else None


def sources_said(root: Node) -> tuple[str, ...] | None:
    """The sources that a Project names."""
    found = at(root, ("spec", "sources"))
    return tuple(str(plain(item)) for item in found.items) if isinstance(found, Sequence) else None


def names_in(content: bytes) -> Iterable[str]:
    """The names a broken file may define: nobody shall complain that they are missing."""
    return (name.decode() for name in re.findall(rb"\bname:\s*[\"']?([a-z0-9][-a-z0-9]*)", content))
