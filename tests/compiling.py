"""Compiling for tests: through all of the program's stages, from a folder or from a few texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from kfgit import document, driver, overlay, project
from kfgit.diagnostics import Diagnostic, ordered
from kfgit.graph import CheckedPipeline
from kfgit.ir import Package
from kfgit.source import SourceFile


class Invalid(AssertionError):
    """What should compile was not valid."""


def folder(root: Path, environment: str | None = None) -> Mapping[str, Package]:
    """The packages of a project on disk, by name, as one environment has them."""
    return _packages(driver.load(root), environment or driver.LOCAL)


def texts(files: Mapping[str, str], root: Path) -> Mapping[str, Package]:
    """The packages of a project that is nowhere on disk; the python files that it names stand below `root`."""
    return _packages(_repository(files, root), driver.LOCAL)


def checked(files: Mapping[str, str], root: Path) -> Mapping[str, CheckedPipeline]:
    """As `texts`, up to what the compiler takes."""
    return _checked(_repository(files, root), driver.LOCAL).project.pipelines


def environments(root: Path) -> Iterator[tuple[str, str, Package]]:
    """(environment, pipeline, package) of all that is written below `root`."""
    files = {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*.yaml"))}
    repository = _repository(files, root)
    for environment in repository.environments:
        for name, package in _packages(repository, environment).items():
            yield environment, name, package


def _repository(files: Mapping[str, str], root: Path) -> driver.Repository:
    documents: list[document.Document] = []
    faults: list[Diagnostic] = []
    for path, text in files.items():
        parsed = document.parse(SourceFile(path, text.encode()))
        documents += parsed.value
        faults += parsed.diagnostics
    located = overlay.locate(documents)
    contents = {path: text.encode() for path, text in files.items()}
    diagnostics = (*faults, *located.diagnostics)
    tree = project.Tree(project.Folder(root), ())
    return driver.Repository(root, contents, located.value, diagnostics, frozenset(), tree=tree)


def _packages(repository: driver.Repository, environment: str) -> Mapping[str, Package]:
    return driver.compile_all(_checked(repository, environment))


def _checked(repository: driver.Repository, environment: str) -> driver.Checkout:
    found = driver.check(repository, environment)
    errors = [d for d in ordered((*repository.diagnostics, *found.diagnostics)) if d.severity == "error"]
    if errors:
        raise Invalid("\n".join(f"{d.span.file}:{d.span.line}: {d.code}: {d.message}" for d in errors))
    return found.value
