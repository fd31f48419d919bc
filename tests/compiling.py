"""Compiling for tests: through all of the program's stages, from a folder or from a few texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kfgit import document, driver, overlay
from kfgit.diagnostics import Diagnostic, ordered
from kfgit.ir import Package
from kfgit.source import SourceFile


class Invalid(AssertionError):
    """What should compile was not valid."""


def folder(root: Path, environment: str | None = None) -> Mapping[str, Package]:
    """The packages of a project, by name, as one environment has them."""
    return _packages(driver.load(root), environment)


def texts(files: Mapping[str, str], root: Path) -> Mapping[str, Package]:
    """The packages of a project that is nowhere on disk; the python files that it names stand below `root`."""
    documents: list[document.Document] = []
    faults: list[Diagnostic] = []
    for path, text in files.items():
        parsed = document.parse(SourceFile(path, text.encode()))
        documents += parsed.value
        faults += parsed.diagnostics
    located = overlay.locate(documents)
    contents = {path: text.encode() for path, text in files.items()}
    diagnostics = (*faults, *located.diagnostics)
    return _packages(driver.Repository(root, contents, located.value, diagnostics, frozenset()), None)


def _packages(repository: driver.Repository, environment: str | None) -> Mapping[str, Package]:
    checked = driver.check(repository, environment or driver.LOCAL)
    found = [d for d in ordered((*repository.diagnostics, *checked.diagnostics)) if d.severity == "error"]
    if found:
        raise Invalid("\n".join(f"{d.span.file}:{d.span.line}: {d.code}: {d.message}" for d in found))
    return driver.compile_all(checked.value)
