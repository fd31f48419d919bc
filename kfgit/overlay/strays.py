"""Compiled packages below the sources that no document names: like other YAML that is not kfgit's, it is of no use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kfgit.diagnostics import Diagnostic
from kfgit.document import Mapping, Node, Scalar, nodes
from kfgit.source import Span, repository_path

# A template stands for any text here: what it comes to, each environment decides.
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_PACKAGES = (".yaml", ".yml", ".json")


class Stray(NamedTuple):
    """A document of a compiled package that was found below the sources."""

    file: str
    span: Span


def unused(found: Iterable[Stray], documents: Iterable[Node]) -> Iterator[Diagnostic]:
    """Warnings for the packages that none of the pipelines and patches in `documents` names."""
    packages = list({package.file: package for package in reversed(list(found))}.values())
    if not packages:
        return
    named = [_pattern(path) for document in documents for path in _named(document)]
    for package in packages:
        if not any(pattern.fullmatch(package.file) for pattern in named):
            message = "no pipeline uses this compiled package"
            help_ = "name it as the `package` of a Pipeline, or move the file out of the sources"
            yield Diagnostic("foreign-document", message, package.span, help_, severity="warning")


def _named(document: Node) -> Iterator[str]:
    """Paths in the repository that may name a package: under `package`, and the values of JSON patches."""
    for node in nodes(document):
        for key, entry in node.entries.items() if isinstance(node, Mapping) else ():
            if key in {"package", "value"}:
                yield from _path(entry.node)


def _path(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.endswith((*_PACKAGES, "}")):
        path = repository_path(node.span.file, node.value)
        if path is not None:
            yield path


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in _TEMPLATE.split(path)), re.DOTALL)
